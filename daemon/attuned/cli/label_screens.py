"""Screens of labels that are doubted and of questions about rooms. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import tzinfo

from attune_proto.v1 import admin_pb2
from rich.console import Group, RenderableType
from rich.text import Text

from attuned.cli import clock, look
from attuned.cli.grid import Column, Grid, Row, Section
from attuned.cli.tables import stretch

_BARS = "▁▂▃▄▅▆▇█"
_COLUMNS = (
    Column("no.", right=True),
    Column("room", least=6),
    Column("said"),
    Column("from", leave=1),
    Column("by", leave=3, least=6),
    Column("right", leave=2, right=True),
    Column("", leave=4),
)


def doubted_screen(reply: admin_pb2.CheckLabelsReply, zone: tzinfo) -> RenderableType:
    """Labels that something speaks against, and what to do; or that there are none."""
    if not reply.labels:
        few = "A room needs five labels of each class from people before one can be doubted."
        return Text(f"Nothing speaks against {look.count(reply.checked, 'label')} of the last four weeks. {few}")
    rows = [_doubted_row(one, reply.now_utc_ms, zone) for one in reply.labels]
    head = Text(f"Likely mistakes among {look.count(reply.checked, 'label')}, the likeliest first:")
    tail = Text("Take one back with `attune label undo NUMBER`, or say what was so with `attune label add`.")
    return Group(head, Grid(_COLUMNS, [Section("", rows)], indent=0), tail)


def _doubted_row(one: admin_pb2.DoubtedLabel, now: int, zone: tzinfo) -> Row:
    row = one.label
    against = ", ".join(map(str, one.contradicted_by[:3]))
    cells = (
        Text(str(row.number)),
        Text(row.room),
        Text(row.class_name, style=look.STATE_STYLES.get(row.class_name, "")),
        Text(stretch(row, now, zone)),
        Text(row.author or row.source, style="dim"),
        Text(look.percent(one.chance)),
        Text(f"against {against}" if against else "", style="dim"),
    )
    return Row(cells)


def question_screen(one: admin_pb2.Question, number: int, of: int, now: int, zone: tzinfo) -> RenderableType:
    """Where, when, what is thought, and what the sensors showed around that time."""
    when = f"{clock.day_and_minute(one.from_utc_ms, now, zone)} to {clock.local(one.to_utc_ms, zone):%H:%M}"
    head = Text.assemble(
        f"{number} of {of}: was ",
        (one.room, "bold"),
        f" free or occupied, {when}? ",
        (f"(thought to be occupied with {look.percent(one.probability)})", "dim"),
    )
    wide = max((len(signal.name) for signal in one.signals), default=0)
    return Group(head, *(_signal_line(signal, one, wide) for signal in one.signals))


def _signal_line(signal: admin_pb2.Signal, one: admin_pb2.Question, wide: int) -> Text:
    """A bar a window; those of the stretch in question stand out."""
    line = Text(f"  {signal.name.ljust(wide)}  ", style="dim")
    for index, bar in enumerate(sparkline(signal.values)):
        at = signal.from_utc_ms + index * signal.step_ms
        inside = one.from_utc_ms < at <= one.to_utc_ms
        line.append(bar, style="bold cyan" if inside else "dim")
    return line


def sparkline(values: Sequence[float]) -> str:
    """A bar a value from the least to the largest; a blank where there is none."""
    known = [value for value in values if math.isfinite(value)]
    low, high = min(known, default=0.0), max(known, default=0.0)
    scale = (len(_BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BARS[round((value - low) * scale)] if math.isfinite(value) else " " for value in values)
