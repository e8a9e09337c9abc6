"""Screens made of several parts: the site, one room, one node, a label that was given. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo

from attune_proto.v1 import admin_pb2
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.text import Text

from attuned.cli import accuracy, clock, look, plots
from attuned.cli.grid import Column, Facts, Grid, Row, Section
from attuned.cli.tables import node_state, nodes_table, over, stacked, stretch

DAY_MS = 86_400_000

_SHARE_COLUMNS = (Column("", least=8), Column("", right=True), Column(""), Column("", leave=1))
_GUTTER = 8  # cells to the left of the curve: indent, "100 %" and a gap


def status_screen(status: admin_pb2.SiteStatus, zone: tzinfo) -> RenderableType:
    """The site at a glance; what needs a hand is in yellow and says what."""
    title = Text.assemble(
        (status.site, "bold"), f"  {clock.full(status.now_utc_ms, zone)}", (f"  {status.timezone}", "dim")
    )
    title.no_wrap, title.overflow = True, "ellipsis"
    gateways = Text(", ".join(status.gateways)) if status.gateways else _warning("none attached: start attune-gateway")
    running = f"{clock.span(status.now_utc_ms - status.started_utc_ms)}, version {status.version}"
    facts = accuracy.site_facts(status) | {
        "rooms": _part_of(status.rooms_with_state, status.rooms, "with a state"),
        "nodes": _part_of(status.nodes_online, status.nodes, "online"),
        "gateways": gateways,
        "broker": _well(status.broker, "connected"),
        "store": _well(status.store or status.windows_check, "well"),
        "updates": _well(status.updates, "well"),
        "windows": _kept(status),
        "refused": Text(look.count(status.refused, "message"), style="yellow" if status.refused else ""),
        "labels": Text(f"{status.labels:,}"),
        "published": Text(look.count(status.mqtt_messages, "message")),
        "running": Text(running),
    }
    parts: list[RenderableType] = [title, Facts(facts)]
    if hint := next_step(status):
        parts.append(Text(hint))
    return stacked(parts)


@dataclass(frozen=True)
class RoomScreen:
    """One room: its state, why, its last day and its nodes."""

    room: admin_pb2.Room
    history: Sequence[admin_pb2.BeliefPoint]
    nodes: Sequence[admin_pb2.Node]
    now_utc_ms: int
    zone: tzinfo

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = options.max_width
        nodes = admin_pb2.ListNodesReply(nodes=self.nodes, now_utc_ms=self.now_utc_ms)
        yield _room_title(self.room)
        yield Text()
        yield _room_state(self.room, self.now_utc_ms, self.zone)
        yield Text()
        yield from accuracy.room_lines(self.room)
        yield from _why(self.room, width)
        yield from _last_day(self.history, self.now_utc_ms, self.zone, width)
        if self.nodes:
            yield nodes_table(nodes, self.zone)
        else:
            yield Text("No node stands in this room; bring one with `attune node add`.", style="yellow")


def node_screen(node: admin_pb2.Node, now: int, zone: tzinfo) -> RenderableType:
    """Everything that is known of one node."""
    refused = Text(f"{node.refused:,}", style="yellow" if node.refused else "")
    length = f" of {node.window_seconds} s" if node.window_seconds else ""
    refused.append(f", last: {node.last_refusal}" if node.last_refusal else "")
    facts = {
        "room": Text(node.room) if node.room else _warning("none: `attune node move` puts it into one"),
        "key": Text("known") if node.commissioned else _warning("not known: `attune node add` with the node's code"),
        "state": node_state(node),
        "heard": _ago(node.last_heard_utc_ms, now, zone),
        "over": Text(over(node) or "-"),
        "radio": _radio(node, now, zone),
        "gateway": Text(node.gateway or "-"),
        "sensors": Text(", ".join(node.sensors) or "-"),
        "newest": _ago(node.last_window_utc_ms, now, zone),
        "windows": Text(f"{node.windows:,}{length}, {node.windows_lost:,} lost, {node.backlog:,} waiting")
        + _summarised(node.windows_summarised),
        "refused": refused,
        "damaged": Text(look.count(node.bad_frames, "frame")),
        "learned": Text(look.count(node.label_windows, "labelled window")),
        "release": Text(node.release[: look.ID_SHOWN] or "-"),
        "trial": _trial(node),
        "signer": Text(f"key {node.signing_key}" if node.signing_key else "-"),
        "firmware": Text(node.firmware or "-"),
        "reset": Text(node.reset_reason.replace("_", " ") or "-"),
        "battery": Text(f"{node.battery_mv / 1000:.2f} V" if node.battery_mv else "-"),
    }
    return stacked([Text(f"{node.node} {node.name}".strip(), style="bold"), Facts(facts)])


def _radio(node: admin_pb2.Node, now: int, zone: tzinfo) -> Text:
    """Whether radios can find it, and have."""
    if not node.commissioned or not node.findable:
        return Text("cannot be told from others: `attune node add` with its code lets radios find it", style="dim")
    if not node.on_air_utc_ms:
        return Text("not heard lately")
    return Text(f"heard at {node.rssi_dbm} dBm, ") + _ago(node.on_air_utc_ms, now, zone)


def _trial(node: admin_pb2.Node) -> Text:
    if not node.trial:
        return Text("-")
    return Text(f"update {node.trial}, decided within {clock.span(1000 * node.trial_left_s)}")


def label_screen(reply: admin_pb2.AddLabelReply, now: int, zone: tzinfo) -> RenderableType:
    """What was written down, and who has learned it so far."""
    return Group(_what_was_said(reply.label, now, zone), Text(_learned(reply)))


def withdrawn_screen(reply: admin_pb2.WithdrawLabelReply, now: int, zone: tzinfo) -> RenderableType:
    """What was taken back, what counts again, and who has forgotten it so far."""
    lines = [Text("Taken back. ") + _what_was_said(reply.label, now, zone)]
    if again := reply.in_force_again:
        numbers = ", ".join(map(str, again))
        lines.append(
            Text(f"In force again: label {numbers}." if len(again) == 1 else f"In force again: labels {numbers}.")
        )
    forgot, waiting = reply.nodes_unlearned, reply.nodes_waiting
    if forgot:
        lines.append(Text(f"{look.count(forgot, 'node')} {'has' if forgot == 1 else 'have'} forgotten it."))
    if waiting:
        lines.append(Text(f"{look.count(waiting, 'node')} will forget it once reached."))
    return Group(*lines)


def _what_was_said(label: admin_pb2.LabelRow, now: int, zone: tzinfo) -> Text:
    length = clock.span(label.to_utc_ms - label.from_utc_ms)
    return Text.assemble(
        f"Label {label.number}: {label.room} ",
        (label.class_name, look.STATE_STYLES.get(label.class_name, "")),
        f", {stretch(label, now, zone)} ({length})",
    )


def _learned(reply: admin_pb2.AddLabelReply) -> str:
    waiting = reply.nodes_waiting
    later = f"{look.count(waiting, 'node')} will learn it once reached." if waiting else ""
    if reply.nodes_learned:
        windows = look.count(reply.windows_learned, "window")
        return f"{look.count(reply.nodes_learned, 'node')} learned {windows}. {later}".rstrip()
    return later or "It is kept; no node of this room has windows in that time to learn from."


def _warning(sentence: str) -> Text:
    return Text(sentence, style="yellow")


def _well(sentence: str, word: str) -> Text:
    return _warning(sentence) if sentence else Text(word)


def _part_of(part: int, whole: int, word: str) -> Text:
    if not whole:
        return _warning("none yet")
    if part == whole:
        return Text(f"{whole:,}, all {word}")
    return _warning(f"{whole:,}, {part:,} {word}")


def _kept(status: admin_pb2.SiteStatus) -> Text:
    lost = (f", {status.windows_lost:,} lost", "yellow" if status.windows_lost else "")
    return Text.assemble(f"{status.windows:,} kept", lost) + _summarised(status.windows_summarised)


def _summarised(windows: int) -> Text:
    return _warning(f", {windows:,} only as hourly means") if windows else Text()


def next_step(status: admin_pb2.SiteStatus) -> str:
    """What a site lacks most, and the command for it; "" if it has everything."""
    if not status.rooms:
        return "Next: `sudo attune setup` asks for the rooms."
    if not status.nodes:
        return "Next: bring a node with the code that is printed on it, as in: attune node add CODE --room ROOM"
    if not status.labels:
        return "Next: teach a room, for instance: attune label add ROOM free -20m now"
    return ""


def _ago(utc_ms: int, now: int, zone: tzinfo) -> Text:
    if not utc_ms:
        return Text("never")
    return Text(f"{clock.short(utc_ms, now, zone)}, {clock.span(now - utc_ms)} ago")


def _room_title(room: admin_pb2.Room) -> Text:
    title = Text(room.room, style="bold")
    if room.name and room.name != room.room:
        title.append(f"  {room.name}", style="not bold")
    return title.append(f"  {look.floor(room.floor)}", style="dim") if room.floor else title


def _room_state(room: admin_pb2.Room, now: int, zone: tzinfo) -> RenderableType:
    line = Text("  ").append_text(look.state(room.state))
    if room.since_utc_ms:
        since = clock.short(room.since_utc_ms, now, zone)
        line.append(f" since {since}, for {clock.span(now - room.since_utc_ms)}")
    newest = f"newest window {clock.short(room.as_of_utc_ms, now, zone)}" if room.as_of_utc_ms else "no window yet"
    chance = Text(f"  chance of being occupied {look.percent(room.probability)}" if room.as_of_utc_ms else "")
    lines = [line, chance, Text(f"  {newest}", style="dim")] if chance else [line, Text(f"  {newest}", style="dim")]
    if not room.taught:
        lines.append(Text(f"  {look.NOT_TAUGHT}: attune label add {room.room} free -20m now", style="yellow"))
    return Group(*lines)


def _why(room: admin_pb2.Room, width: int) -> RenderResult:
    if not room.shares:
        return
    names = [look.source(share.source) for share in room.shares]
    values = look.hundredths_that_add_up([share.log_odds for share in room.shares], room.log_odds)
    half = max(min(12, (width - max(map(len, names)) - 14) // 2), 3)
    scale = max(1.0, *(abs(value) for value in values), abs(room.log_odds))
    rows = []
    for share, name, value in zip(room.shares, names, values, strict=True):
        note = [Text(share.note, style="yellow")] if share.note else []
        release = Text(f"release {share.release[: look.ID_SHOWN]}" if share.release else "", style="dim")
        rows.append(Row((Text(name), Text(look.signed(value)), plots.bar(value, scale, half), release), note))
    total = plots.bar(room.log_odds, scale, half)
    rows.append(Row((Text("together", style="bold"), Text(look.signed(room.log_odds), style="bold"), total, Text())))
    yield Text("Why (log-odds; + is occupied, - is free)")
    yield Grid(_SHARE_COLUMNS, [Section("", rows)], titles=False)
    yield Text()


def _last_day(history: Sequence[admin_pb2.BeliefPoint], now: int, zone: tzinfo, width: int) -> RenderResult:
    columns = max(min(width - _GUTTER - 1, 72), 12)
    start = now - DAY_MS
    spent = plots.time_in_states(history, start, now)
    if spent["unknown"] == DAY_MS:
        yield Text("The last 24 hours: nothing is known.")
        yield Text()
        return
    yield Text("The last 24 hours: " + ", ".join(f"{word} {clock.span(ms)}" for word, ms in spent.items() if ms))
    for gutter, line in zip(("100 %", "", "0 %"), plots.day_curve(history, start, now, columns), strict=True):
        yield Text().append(f"  {gutter:>5} ", style="dim").append_text(line)
    yield Text(" " * _GUTTER).append_text(plots.hour_ticks(start, now, columns, zone))
    yield Text()
