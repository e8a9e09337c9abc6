"""What a node measured on one whole day, in a few numbers a feature: what days are compared by.

A day is the site's local day, 23 to 25 hours of event time. Everything is in units of q / 1024 of schema coordinates.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

import numpy as np
import numpy.typing as npt
from attune_core import MISSING, SKETCH_BINS, UNIT, Schema, Sketch

Values = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

LEVELS = ("night", "day", "low", "middle", "high")
"""Medians of the night and of working hours, and the quantiles of all day that QUANTILES names."""

QUANTILES = (0.1, 0.5, 0.9)

NIGHT_H = (0, 5)
"""Local hours in which hardly anybody is in and nothing but the place itself and its sensors is seen."""

WORK_H = (9, 16)
"""Local hours with daylight in every season, and with people where any come."""

ENOUGH = 0.5
"""Share of a day's (or a night's) windows that must be there: less might be the morning alone."""


@dataclass(frozen=True)
class NodeDay:
    """One node on one local day.

    windows: how many were there. bins [d, SKETCH_BINS], missing, stuck, far [sensors]: counts of the drift sketch.
    levels [d, len(LEVELS)]: NaN where there was too little. evidence: mean of what the node said for `occupied`,
    NaN if it never said anything.
    """

    node: str
    day: date
    from_utc_ms: int
    to_utc_ms: int
    schema: str
    windows: int
    bins: Counts
    missing: Counts
    stuck: Counts
    far: Counts
    levels: Values
    evidence: float


@dataclass(frozen=True)
class Windows:
    """A node's windows in order of time: end_utc_ms [n], features int16 [n, d], evidence in nats [n], NaN without."""

    end_utc_ms: npt.NDArray[np.int64]
    features: npt.NDArray[np.int16]
    evidence: Values


def stretch_of(day: date, zone: tzinfo) -> tuple[int, int]:
    """(from, to] of a local day in UTC ms."""
    first, last = (datetime.combine(d, time(), zone) for d in (day, day + timedelta(days=1)))
    return int(first.timestamp() * 1000), int(last.timestamp() * 1000)


def node_day(node: str, day: date, zone: tzinfo, schema: Schema, windows: Windows) -> NodeDay | None:
    """The statistics of a day from the windows that end in it; None where less than half of the day is there."""
    start, end = stretch_of(day, zone)
    inside = (windows.end_utc_ms > start) & (windows.end_utc_ms <= end)
    x, ends = windows.features[inside], windows.end_utc_ms[inside]
    if len(x) < ENOUGH * (end - start) / 1000 / schema.window_s:
        return None
    hours = [tuple(start + hour * 3_600_000 for hour in span) for span in (NIGHT_H, WORK_H)]
    parts = [(ends > first) & (ends <= last) for first, last in hours]
    enough = [ENOUGH * (last - first) / 1000 / schema.window_s for first, last in hours]
    evidence = windows.evidence[inside]
    said = evidence[~np.isnan(evidence)]
    return NodeDay(
        node, day, start, end, schema.hash.hex(), len(x), *sketched(schema, x),
        levels=_levels(x, parts, enough), evidence=float(said.mean()) if len(said) else np.nan,
    )  # fmt: skip


def sketched(schema: Schema, x: npt.NDArray[np.int16]) -> tuple[Counts, Counts, Counts, Counts]:
    """Counts of the core's sketch over any number of windows: a full sketch is added up and goes on empty."""
    sketch = Sketch(len(schema), schema.sensors.tolist())
    bins = np.zeros((sketch.features, SKETCH_BINS), np.int64)
    sensors = np.zeros((3, sketch.sensors), np.int64)
    while True:
        taken = sketch.add(x)
        counts = sketch.counts
        bins += counts.bins
        sensors += np.array(counts[1:])
        sketch.clear()
        x = x[taken:]
        if not len(x):
            return bins, sensors[0], sensors[1], sensors[2]


def _levels(x: npt.NDArray[np.int16], parts: Sequence[npt.NDArray[np.bool_]], enough: Sequence[float]) -> Values:
    return np.array([_level(column, parts, enough) for column in x.T], np.float64)


def _level(column: npt.NDArray[np.int16], parts: Sequence[npt.NDArray[np.bool_]], enough: Sequence[float]) -> Values:
    there = column != MISSING
    spans = [column[there & part] / UNIT for part in parts]
    medians = [np.median(q) if len(q) >= least else np.nan for q, least in zip(spans, enough, strict=True)]
    whole = there.sum() >= ENOUGH * len(column)
    quantiles = np.quantile(column[there] / UNIT, QUANTILES) if whole else np.full(len(QUANTILES), np.nan)
    return np.concatenate([medians, quantiles])
