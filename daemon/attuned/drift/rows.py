"""Node-days and events as rows of the store, and back."""

import json
from dataclasses import astuple
from datetime import date

import numpy as np

from attuned.drift.day import NodeDay
from attuned.drift.life import DriftEvent, Moved, State
from attuned.store.days import DayRow
from attuned.store.drift import DriftRow

_COUNTS = ("bins", "missing", "stuck", "far")


def day_row(day: NodeDay) -> DayRow:
    """JSON without NaN, which no other program reads: null says that there was nothing."""
    levels = [[None if np.isnan(x) else round(x, 5) for x in row] for row in day.levels.tolist()]
    evidence = None if np.isnan(day.evidence) else round(day.evidence, 5)
    counts = {name: getattr(day, name).tolist() for name in _COUNTS}
    text = json.dumps({"windows": day.windows, "levels": levels, "evidence": evidence, **counts}, separators=(",", ":"))
    return DayRow(day.node, day.day.isoformat(), day.from_utc_ms, day.to_utc_ms, day.schema, text)


def day_of(row: DayRow) -> NodeDay:
    values = json.loads(row.statistics)
    counts = {name: np.array(values[name], np.int64) for name in _COUNTS}
    return NodeDay(
        node=row.node,
        day=date.fromisoformat(row.day),
        from_utc_ms=row.from_utc_ms,
        to_utc_ms=row.to_utc_ms,
        schema=row.schema,
        windows=values["windows"],
        levels=np.array(values["levels"], np.float64),
        evidence=np.nan if values["evidence"] is None else values["evidence"],
        **counts,
    )


def event_row(event: DriftEvent) -> DriftRow:
    return DriftRow(
        event.number,
        event.node,
        event.since.isoformat(),
        event.cause,
        json.dumps(event.sensors),
        json.dumps([astuple(one) for one in event.moved]),
        event.score,
        str(event.state),
        event.normal_days,
        int(event.accepted),
        event.done,
        event.raised_utc_ms,
        event.changed_utc_ms,
    )


def event_of(row: DriftRow) -> DriftEvent:
    return DriftEvent(
        number=row.number,
        node=row.node,
        since=date.fromisoformat(row.since),
        cause=row.cause,
        sensors=tuple(json.loads(row.sensors)),
        moved=tuple(Moved(*one) for one in json.loads(row.moved)),
        score=row.score,
        state=State(row.state),
        normal_days=row.normal_days,
        accepted=bool(row.accepted),
        done=row.done,
        raised_utc_ms=row.raised_utc_ms,
        changed_utc_ms=row.changed_utc_ms,
    )
