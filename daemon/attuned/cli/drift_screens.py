"""Drift events as a table, as a page, and as JSON. Pure: a reply of the daemon in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import tzinfo
from typing import Any

from attune_proto.v1 import drift_pb2
from rich.console import Group, RenderableType
from rich.text import Text

from attuned.cli import clock
from attuned.cli.grid import Column, Grid, Row, Section

_COLUMNS = (
    Column("no.", right=True),
    Column("state"),
    Column("room", least=6),
    Column("node", leave=5),
    Column("since", leave=1),
    Column("changed", least=6),
    Column("probably", leave=4, least=12),
    Column("then, now", leave=3),
)
_STEPS = "▁▂▃▄▅▆▇█"
_GAP = "·"

# Days of either side that a row of the table has room for.
_FEW = 7

NOTHING = "Nothing has drifted. A node's day is compared once there are ten days before it."


def table(reply: drift_pb2.ListDriftReply, zone: tzinfo) -> RenderableType:
    """All events with small plots, and the nodes that are muted."""
    parts: list[RenderableType] = []
    if reply.events:
        parts.append(Grid(_COLUMNS, [Section("", [_row(event) for event in reply.events])], indent=0))
    else:
        parts.append(Text(NOTHING))
    for mute in reply.mutes:
        when = clock.short(mute.told_utc_ms, reply.now_utc_ms, zone)
        parts.append(Text(f"muted: {mute.node} since {when} by {mute.author}: {mute.reason}", style="dim"))
    return Group(*parts)


def screen(reply: drift_pb2.ListDriftReply, zone: tzinfo) -> RenderableType:
    """One event in sentences, with its plot."""
    event = reply.events[0]
    lines: list[RenderableType] = [Text(f"Drift event {event.number}, {event.state}", style="bold")]
    lines += [Text(sentence) for sentence in event.text]
    if event.plotted and len(event.then):
        lines += [Text(), Text(f"{event.plotted}, a mark a day; after the line since {event.since}:"), plot(event)]
    when = clock.full(event.raised_utc_ms, zone)
    lines += [
        Text(),
        Text(f"Raised {when}. {event.done.capitalize() or 'Nothing was done about it yet'}.", style="dim"),
    ]
    return Group(*lines)


def plot(event: drift_pb2.DriftEvent, days: int = 31) -> Text:
    """The last days before the event and the first since on one scale, a mark a day, a dot where there was none."""
    parts = (list(event.then)[-days:], list(event.now)[:days])
    values = [value for part in parts for value in part if not math.isnan(value)]
    if not values:
        return Text("")
    then, now = (_marks(part, min(values), max(values)) for part in parts)
    return Text(then, style="dim").append("│").append(now, style="yellow")


def _marks(values: Sequence[float], low: float, high: float) -> str:
    span = high - low or 1.0
    top = len(_STEPS) - 1
    return "".join(_GAP if math.isnan(v) else _STEPS[round((v - low) / span * top)] for v in values)


def _row(event: drift_pb2.DriftEvent) -> Row:
    open_now = event.state == "open"
    cells = (
        Text(str(event.number), style="dim"),
        Text(event.state, style="yellow" if open_now else "dim"),
        Text(event.room or ("all" if not event.node else "-")),
        Text(event.node or "the site", style="dim"),
        Text(event.since),
        Text(", ".join(event.sensors)),
        Text(event.cause),
        plot(event, _FEW),
    )
    return Row(cells)


def as_json(reply: drift_pb2.ListDriftReply, zone: tzinfo) -> dict[str, Any]:
    """`attune drift --json`."""
    mutes = [
        {"node": m.node, "reason": m.reason, "author": m.author, "told": clock.iso(m.told_utc_ms, zone)}
        for m in reply.mutes
    ]
    return {
        "now": clock.iso(reply.now_utc_ms, zone),
        "events": [event_json(event, zone) for event in reply.events],
        "muted": mutes,
    }


def event_json(event: drift_pb2.DriftEvent, zone: tzinfo) -> dict[str, Any]:
    """One event. `then` and `now` have a value a day of what `plotted` names, null where there was none."""
    return {
        "id": event.number,
        "node": event.node or None,
        "room": event.room or None,
        "since": event.since,
        "cause": event.cause,
        "sensors": list(event.sensors),
        "score": round(event.score, 2),
        "state": event.state,
        "done": event.done or None,
        "raised": clock.iso(event.raised_utc_ms, zone),
        "changed": clock.iso(event.changed_utc_ms, zone),
        "text": list(event.text),
        "plotted": event.plotted or None,
        "then": [_number(value) for value in event.then],
        "now": [_number(value) for value in event.now],
    }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)
