"""Statistics of whole days against numpy, at clock changes, and on the way through the store."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from attune_core import MISSING, Schema
from attuned.drift.day import LEVELS, Windows, node_day, sketched, stretch_of
from attuned.drift.rows import day_of, day_row

ZONE = ZoneInfo("Europe/Brussels")
SCHEMA = Schema(["co2+mean", "pir"], 60)
HOUR = 3_600_000


def windows_of(day: date, minutes: int) -> Windows:
    """Every minute from the day's midnight on: CO2 says the local hour in units, times 100 steps."""
    start, _ = stretch_of(day, ZONE)
    ends = start + np.arange(1, minutes + 1) * 60_000
    features = np.zeros((minutes, len(SCHEMA)), np.int16)
    features[:, 0] = (ends - start - 1) // HOUR * 100
    return Windows(ends, features, np.full(minutes, 2.0))


def level(day: date, minutes: int, name: str) -> float:
    found = node_day("n", day, ZONE, SCHEMA, windows_of(day, minutes))
    assert found is not None
    return float(found.levels[0, LEVELS.index(name)])


@pytest.mark.parametrize(
    ("name", "steps"),
    [("night", 200), ("day", 1200), ("low", 200), ("middle", 1150), ("high", 2100)],
    # Hours 0 to 4: the median is 2. Hours 9 to 15: 12. Tenths of 24 equal hours: 2, between 11 and 12, and 21.
)
def test_levels_by_hand(name: str, steps: int) -> None:
    assert level(date(2026, 9, 7), 1440, name) == pytest.approx(steps / 1024)


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 10, 26), 24)]
)
def test_a_day_is_the_local_one(day: date, hours: int) -> None:
    start, end = stretch_of(day, ZONE)
    assert end - start == hours * HOUR
    found = node_day("n", day, ZONE, SCHEMA, windows_of(day, hours * 60 + 100))
    assert found is not None
    assert found.windows == hours * 60
    assert (found.from_utc_ms, found.to_utc_ms) == (start, end)


def test_half_a_day_is_no_day() -> None:
    day = date(2026, 9, 7)
    assert node_day("n", day, ZONE, SCHEMA, windows_of(day, 719)) is None
    found = node_day("n", day, ZONE, SCHEMA, windows_of(day, 720))
    assert found is not None
    assert np.isnan(found.levels[0, LEVELS.index("high")]) == np.False_


def test_what_was_missing_most_of_the_time_has_no_level() -> None:
    day = date(2026, 9, 7)
    windows = windows_of(day, 1440)
    windows.features[:200, 0] = MISSING  # two thirds of the night, a seventh of the day
    found = node_day("n", day, ZONE, SCHEMA, windows)
    assert found is not None
    assert np.isnan(found.levels[0, LEVELS.index("night")])
    assert not np.isnan(found.levels[0, LEVELS.index("high")])
    assert found.missing.tolist() == [200, 0]


def test_more_windows_than_a_sketch_counts_are_counted() -> None:
    x = np.zeros((8640, len(SCHEMA)), np.int16)
    bins, missing, stuck, far = sketched(SCHEMA, x)
    assert bins[:, 5].tolist() == [8640] * len(SCHEMA)
    assert (missing.tolist(), stuck.tolist(), far.tolist()) == ([0, 0], [8639, 8639], [0, 0])


def test_a_day_survives_the_store() -> None:
    day = date(2026, 9, 7)
    windows = windows_of(day, 1440)
    windows.features[:200, 0] = MISSING
    found = node_day("n", day, ZONE, SCHEMA, windows)
    assert found is not None
    read = day_of(day_row(found))
    np.testing.assert_allclose(read.levels, found.levels, atol=1e-5)
    np.testing.assert_array_equal(read.bins, found.bins)
    assert (read.day, read.schema, read.windows, read.evidence) == (found.day, found.schema, 1440, 2.0)
