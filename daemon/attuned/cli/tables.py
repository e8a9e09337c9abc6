"""Tables of rooms, nodes and labels. Pure: a reply of the daemon in, something that rich can print out."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import tzinfo

from attune_proto.v1 import admin_pb2
from rich.console import Group, RenderableType
from rich.text import Text

from attuned.cli import clock, look
from attuned.cli.grid import Column, Grid, Row, Section

_ROOM_COLUMNS = (
    Column("room", least=6),
    Column("name", leave=4, least=8),
    Column("state"),
    Column("chance", leave=2, right=True),
    Column("since", leave=1),
    Column("for", leave=5, right=True),
    Column("why", leave=3, least=24),
)
_NODE_COLUMNS = (
    Column("node"),
    Column("room", least=6),
    Column("state"),
    Column("heard", leave=1),
    Column("over", leave=2),
    Column("newest", leave=6),
    Column("windows", leave=3, right=True),
    Column("lost", leave=5, right=True),
    Column("refused", leave=4, right=True),
    Column("learned", leave=7, right=True),
    Column("gateway", leave=8, least=6),
)
_LABEL_COLUMNS = (
    Column("no.", leave=3, right=True),
    Column("room", least=6),
    Column("said"),
    Column("from", leave=1),
    Column("length", leave=4, right=True),
    Column("by", leave=5, least=6),
    Column("learned", leave=6, right=True),
    Column("", leave=2),
)
NO_ROOMS = (
    "This site has no rooms yet. `sudo attune setup` asks for them, or takes them from a table; by hand, write a table "
    "[[rooms]] for each into /etc/attune/attuned.toml, then run `sudo systemctl restart attuned`."
)
NO_NODES = (
    "No node has been added yet. Switch one on near a gateway, and give its code to `attune node add CODE --room ROOM`."
)
NO_LABELS = "There are no labels yet. Give the first one, for instance: attune label add ROOM free -20m now"


def rooms_table(reply: admin_pb2.ListRoomsReply, zone: tzinfo) -> RenderableType:
    """All rooms by floor, in the order of the reply; or what to do where there are none."""
    if not reply.rooms:
        return NO_ROOMS
    floors: dict[str, list[Row]] = {}
    for room in reply.rooms:
        floors.setdefault(room.floor, []).append(_room_row(room, reply.now_utc_ms, zone))
    return Grid(_ROOM_COLUMNS, [Section(look.floor(floor), rows) for floor, rows in floors.items()])


def rooms_summary(reply: admin_pb2.ListRoomsReply) -> Text:
    """One line: how many rooms are in which state, and how many nobody has taught yet."""
    words = [look.state_word(room.state) for room in reply.rooms]
    line = Text(look.count(len(words), "room") + ": ")
    for number, word in enumerate(("occupied", "free", "unknown")):
        line.append(", " if number else "").append(f"{words.count(word)} {word}")
    untaught = sum(not room.taught for room in reply.rooms)
    return line.append(f", {untaught} {look.NOT_TAUGHT}" if untaught else "")


def nodes_table(reply: admin_pb2.ListNodesReply, zone: tzinfo) -> RenderableType:
    """All nodes, each with what it was refused for; or what to do where there are none."""
    if not reply.nodes:
        return NO_NODES
    rows = [_node_row(node, reply.now_utc_ms, zone) for node in reply.nodes]
    return Grid(_NODE_COLUMNS, [Section("", rows)], indent=0)


def labels_table(reply: admin_pb2.ListLabelsReply, zone: tzinfo) -> RenderableType:
    """Labels in the order of the reply; or how to give one where there are none."""
    if not reply.labels:
        return NO_LABELS
    rows = [_label_row(label, reply.now_utc_ms, zone) for label in reply.labels]
    return Grid(_LABEL_COLUMNS, [Section("", rows)], indent=0)


def node_state(node: admin_pb2.Node) -> Text:
    """`online` or `offline`, with a mark."""
    return Text("● online", style="green") if node.online else Text("○ offline", style="yellow")


def over(node: admin_pb2.Node) -> str:
    """By which transport a node was heard last, and how well: `ble -67 dBm`, `tcp`."""
    signal = f"{node.rssi_dbm} dBm" if node.rssi_dbm else ""
    return f"{node.transport} {signal}".strip()


def stretch(label: admin_pb2.LabelRow, now_utc_ms: int, zone: tzinfo) -> str:
    """A label's time: `14:00 to 14:20`, `20 Nov 14:00 to 14:20`."""
    start, end = label.from_utc_ms, label.to_utc_ms
    same_day = clock.local(start, zone).date() == clock.local(end, zone).date()
    stop = f"{clock.local(end, zone):%H:%M}" if same_day else clock.day_and_minute(end, now_utc_ms, zone)
    return f"{clock.day_and_minute(start, now_utc_ms, zone)} to {stop}"


def stacked(parts: Iterable[RenderableType]) -> Group:
    """Parts below each other with an empty line between."""
    lines: list[RenderableType] = []
    for part in parts:
        lines += [Text(), part] if lines else [part]
    return Group(*lines)


def _room_row(room: admin_pb2.Room, now: int, zone: tzinfo) -> Row:
    since = clock.short(room.since_utc_ms, now, zone)
    length = clock.span(now - room.since_utc_ms) if room.since_utc_ms else ""
    cells = (
        Text(room.room),
        Text(room.name if room.name != room.room else ""),
        look.state(room.state),
        Text(look.percent(room.probability) if room.as_of_utc_ms else "-"),
        Text(since),
        Text(length, style="dim"),
        _why(room),
    )
    return Row(cells)


def _why(room: admin_pb2.Room) -> Text:
    """The parts of the log-odds, the heaviest first; nodes by the end of their names."""
    heaviest = sorted(room.shares, key=lambda share: -abs(share.log_odds))
    parts = ", ".join(f"{_short_source(share.source)} {share.log_odds:+.1f}" for share in heaviest)
    if room.taught:
        return Text(parts, style="dim")
    return Text(look.NOT_TAUGHT, style="yellow").append(f"; {parts}" if parts else "", style="default dim")


def _short_source(source: str) -> str:
    return "earlier" if source == "before" else f"…{source[-4:]}"


def _node_row(node: admin_pb2.Node, now: int, zone: tzinfo) -> Row:
    cells = (
        Text(node.node),
        Text(node.room) if node.room else Text("no room", style="yellow"),
        node_state(node),
        Text(clock.short(node.last_heard_utc_ms, now, zone)),
        Text(over(node)),
        Text(clock.short(node.last_window_utc_ms, now, zone)),
        Text(f"{node.windows:,}"),
        Text(f"{node.windows_lost:,}", style="yellow" if node.windows_lost else "dim"),
        Text(f"{node.refused:,}", style="yellow" if node.refused else "dim"),
        Text(f"{node.label_windows:,}", style="" if node.label_windows else "dim"),
        Text(node.gateway, style="dim"),
    )
    refusal = f"refused: {node.last_refusal}" if node.last_refusal else ""
    return Row(cells, [Text(refusal, style="yellow")] if refusal else [])


def _gone(label: admin_pb2.LabelRow) -> str:
    """Why a label does not count any more; empty if it does."""
    if label.withdrawn_utc_ms:
        return f"taken back by {label.withdrawn_by}".removesuffix(" by ")
    return f"replaced by {label.superseded_by}" if label.superseded_by else ""


def _label_row(label: admin_pb2.LabelRow, now: int, zone: tzinfo) -> Row:
    gone = _gone(label)
    style = "dim" if gone else ""
    by = f"{label.author} ({label.source})" if label.author and label.source != "person" else label.author
    cells = (
        Text(str(label.number), style="dim"),
        Text(label.room, style=style),
        Text(label.class_name, style=style or look.STATE_STYLES.get(label.class_name, "")),
        Text(stretch(label, now, zone), style=style),
        Text(clock.span(label.to_utc_ms - label.from_utc_ms), style="dim"),
        Text(by or label.source, style="dim"),
        Text(f"{label.windows_learned:,}", style=style),
        Text(gone or (f"weighs {label.weight:.2g}" if label.weight < 1 else ""), style="dim"),
    )
    return Row(cells)
