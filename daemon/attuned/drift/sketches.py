"""What a quiet node measured on one day, from the sketches that it sends: the same statistics, as near as bins tell."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, tzinfo

import numpy as np
from attune_core import SKETCH_BINS, Schema, Sketch

from attuned.drift.day import ENOUGH, NIGHT_H, QUANTILES, WORK_H, Counts, NodeDay, Values, stretch_of
from attuned.nodes.sketch import NodeSketch

# Lower ends of the bins in units of q / 1024, and the upper end of the last (mcu_firmware/core/drift/sketch.h). What
# lies below or above all bins counts as if it lay in half a unit beside them.
_EDGES = (np.arange(SKETCH_BINS + 1) - 5) / 2

_HOUR_MS = 3_600_000


@dataclass(frozen=True)
class _Sum:
    """Sketches added up: windows, bins [d, SKETCH_BINS], sensors [3, s] (missing, stuck, far)."""

    windows: int
    bins: Counts
    sensors: Counts


def kind_of_day(schema: Schema) -> str:
    """What a day from sketches says of its schema: days from windows are no reference for it, being more exact."""
    return f"{schema.hash.hex()} sketched"


def sketched_day(node: str, day: date, zone: tzinfo, schema: Schema, sketches: Sequence[NodeSketch]) -> NodeDay | None:
    """The statistics of a day from the sketches whose middle lies in it; None where less than half of it is there.

    Sketches of another schema count for nothing. The evidence is not known.
    """
    start, end = stretch_of(day, zone)
    mine = [row for row in sketches if row.schema == schema.hash.hex()]
    whole = _summed(schema, mine, start, end)
    if whole.windows < ENOUGH * (end - start) / 1000 / schema.window_s:
        return None
    medians = []
    for first, last in (NIGHT_H, WORK_H):
        part = _summed(schema, mine, start + first * _HOUR_MS, start + last * _HOUR_MS)
        least = ENOUGH * (last - first) * 3600 / schema.window_s
        medians.append(_quantiles(part.bins, (0.5,), least)[:, 0])
    levels = np.column_stack([*medians, _quantiles(whole.bins, QUANTILES, ENOUGH * whole.windows)])
    missing, stuck, far = whole.sensors
    counts = (whole.bins, missing, stuck, far)
    return NodeDay(node, day, start, end, kind_of_day(schema), whole.windows, *counts, levels=levels, evidence=np.nan)


def _summed(schema: Schema, rows: Sequence[NodeSketch], from_utc_ms: int, to_utc_ms: int) -> _Sum:
    sketch = Sketch(len(schema), schema.sensors.tolist())
    bins = np.zeros((sketch.features, SKETCH_BINS), np.int64)
    sensors = np.zeros((3, sketch.sensors), np.int64)
    windows = 0
    for row in rows:
        if from_utc_ms < (row.from_utc_ms + row.to_utc_ms) // 2 <= to_utc_ms:
            sketch.load(row.counts)
            bins += sketch.counts.bins
            sensors += np.array(sketch.counts[1:])
            windows += row.windows
    return _Sum(windows, bins, sensors)


def _quantiles(bins: Counts, wanted: Sequence[float], least: float) -> Values:
    """Quantiles of each feature [d, len(wanted)], spread evenly within a bin; NaN for fewer than `least` windows."""
    found = np.full((len(bins), len(wanted)), np.nan)
    for i, counts in enumerate(bins):
        if counts.sum() >= max(least, 1):
            found[i] = [_quantile(counts, share) for share in wanted]
    return found


def _quantile(counts: Counts, share: float) -> float:
    """The place in the first bin that reaches a share of all."""
    below = np.cumsum(counts) / counts.sum()
    place = int(np.searchsorted(below, share))
    inside = 1 - (below[place] - share) * counts.sum() / counts[place]
    return float(_EDGES[place] + inside * (_EDGES[place + 1] - _EDGES[place]))
