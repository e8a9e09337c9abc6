"""Days of quiet nodes: from sketches, as near as bins tell to what all windows would have said."""

from datetime import UTC, date
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pytest
from attune_core import MISSING, Schema, Sketch
from attuned.drift.day import LEVELS, Windows, node_day, stretch_of
from attuned.drift.judge import History
from attuned.drift.sketches import _quantile, kind_of_day, sketched_day
from attuned.nodes.sketch import NodeSketch
from drift_days import a_day
from hypothesis import given
from hypothesis import strategies as st

SCHEMA = Schema(("co2", "temperature", "pir"), 60)
NODE, DAY = "a1b2c3d400000001", date(2026, 9, 7)
HOUR = 3_600_000


def windows(seed: int = 1, minutes: int = 1440) -> npt.NDArray[np.int16]:
    """A day in schema coordinates: everything wanders, a sensor is missing for an hour, another stuck for two."""
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.normal(0, 40, (minutes, len(SCHEMA))), axis=0) + rng.normal(0, 200, (minutes, len(SCHEMA)))
    x = np.clip(walk, -3000, 3000).astype(np.int16)
    x[300:360, SCHEMA.sensors == 1] = MISSING
    x[600:720, SCHEMA.sensors == 0] = x[600, SCHEMA.sensors == 0]
    return x


def sketches(x: npt.NDArray[np.int16], start_utc_ms: int, hours: int = 1) -> list[NodeSketch]:
    """What a quiet node sends of windows from then on, so many hours in a sketch."""
    sketch, found = Sketch(len(SCHEMA), SCHEMA.sensors.tolist()), []
    for number, first in enumerate(range(0, len(x), 60 * hours)):
        part = x[first : first + 60 * hours]
        sketch.clear()
        sketch.add(part)
        stretch = start_utc_ms + first * 60_000, start_utc_ms + (first + len(part)) * 60_000
        found.append(NodeSketch(NODE, 1, number, *stretch, SCHEMA.hash.hex(), len(part), sketch.export()))
    return found


@pytest.mark.parametrize("zone", [UTC, ZoneInfo("Europe/Brussels")])
def test_a_day_from_sketches_is_near_the_day_from_windows(zone: ZoneInfo) -> None:
    start, _ = stretch_of(DAY, zone)
    x = windows()
    ends = start + 60_000 * np.arange(1, len(x) + 1)
    exact = node_day(NODE, DAY, zone, SCHEMA, Windows(ends, x, np.full(len(x), np.nan)))
    found = sketched_day(NODE, DAY, zone, SCHEMA, sketches(x, start))
    assert exact is not None
    assert found is not None
    assert found.windows == exact.windows == 1440
    for name in ("bins", "missing", "stuck", "far"):
        assert np.array_equal(getattr(found, name), getattr(exact, name))
    # Inside a bin, half a unit wide, a sketch does not know where windows lay.
    assert np.nanmax(np.abs(found.levels - exact.levels)) <= 0.5
    assert np.nanmean(np.abs(found.levels - exact.levels)) < 0.1
    assert np.array_equal(np.isnan(found.levels), np.isnan(exact.levels))
    assert found.levels.shape == (len(SCHEMA), len(LEVELS))


def test_sketches_of_other_days_and_schemas_do_not_count() -> None:
    start, end = stretch_of(DAY, UTC)
    whole = sketched_day(NODE, DAY, UTC, SCHEMA, sketches(windows(), start))
    around = [*sketches(windows(2), start - 24 * HOUR), *sketches(windows(), start), *sketches(windows(3), end)]
    found = sketched_day(NODE, DAY, UTC, SCHEMA, around)
    assert whole is not None
    assert found is not None
    assert np.array_equal(found.bins, whole.bins)
    other = [NodeSketch(**(vars(one) | {"schema": "00" * 8})) for one in sketches(windows(), start)]
    assert sketched_day(NODE, DAY, UTC, SCHEMA, other) is None


def test_less_than_half_a_day_is_no_day() -> None:
    start, _ = stretch_of(DAY, UTC)
    assert sketched_day(NODE, DAY, UTC, SCHEMA, sketches(windows(minutes=719), start)) is None
    half = sketched_day(NODE, DAY, UTC, SCHEMA, sketches(windows(minutes=720), start))
    assert half is not None
    # Of the working hours, 9 to 16, less than half is there.
    assert np.isnan(half.levels[0, LEVELS.index("day")])
    assert not np.isnan(half.levels[0, LEVELS.index("night")])


def test_hours_that_came_together_belong_to_the_day_of_their_middle() -> None:
    start, _ = stretch_of(DAY, UTC)
    found = sketched_day(NODE, DAY, UTC, SCHEMA, sketches(windows(), start, hours=8))
    assert found is not None
    assert found.windows == 1440


@pytest.mark.parametrize(
    ("counts", "share", "value"),
    [
        ([0, 0, 0, 0, 0, 10, 0, 0, 0, 0], 0.5, 0.25),  # bin 5 is 0 to 0.5
        ([0, 0, 0, 0, 0, 10, 0, 0, 0, 0], 1.0, 0.5),
        ([0, 0, 0, 0, 10, 10, 0, 0, 0, 0], 0.5, 0.0),
        ([0, 0, 0, 0, 10, 30, 0, 0, 0, 0], 0.5, 1 / 6),  # a third of the way through bin 5
        ([4, 0, 0, 0, 0, 0, 0, 0, 0, 4], 0.25, -2.25),  # half a unit is granted to what lies below all bins
        ([4, 0, 0, 0, 0, 0, 0, 0, 0, 4], 0.75, 2.25),
    ],
)
def test_a_quantile_is_spread_evenly_in_its_bin(counts: list[int], share: float, value: float) -> None:
    assert _quantile(np.array(counts), share) == pytest.approx(value)


@given(st.lists(st.integers(0, 2047), min_size=10, max_size=10).filter(any), st.floats(0.01, 1.0))
def test_a_quantile_grows_with_its_share_and_stays_in_the_bins(counts: list[int], share: float) -> None:
    found = _quantile(np.array(counts), share)
    assert -2.5 <= _quantile(np.array(counts), share / 2) <= found <= 2.5


def test_days_of_one_kind_are_no_reference_for_the_other() -> None:
    """Where bins are coarse, the night's median of a node jumps when it falls quiet: that is no drift."""
    days = [a_day(NODE, number) for number in range(5)]
    schema = Schema(("co2", "pir"), 60)
    history = History({NODE: schema})
    for day in days[:3]:
        history.add(day)
    assert len(history.days[NODE]) == 3
    for day in days[3:]:
        history.add(type(day)(**(vars(day) | {"schema": kind_of_day(schema)})))
    assert sorted(history.days[NODE]) == [day.day for day in days[3:]]
