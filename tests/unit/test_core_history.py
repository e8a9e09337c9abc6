"""Slope and variation of a level: what its last hours say beside its mean."""

import numpy as np
import numpy.typing as npt
import pytest
from attune_core import MISSING, UNIT, Schema, Windower

WINDOW_S = 60
LONG_S, SHORT_S = 10_800.0, 1_800.0
SLOPE, VARIATION = 1, 2


def rows(values: npt.NDArray[np.float64], kind: str = "level+history") -> npt.NDArray[np.int16]:
    """The features of windows with one reading each; NaN is a window without one."""
    windower = Windower(Schema([kind], WINDOW_S))
    there = np.flatnonzero(~np.isnan(values))
    ticks_ms = (there.astype(np.uint64) * WINDOW_S + WINDOW_S // 2) * 1000
    _, before = windower.samples(np.zeros(len(there), np.uint8), ticks_ms, values[there].astype(np.float32))
    _, last = windower.advance(len(values) * WINDOW_S * 1000)
    return np.concatenate([before, last])


def averages(values: npt.NDArray[np.float64], time_constant_s: float) -> npt.NDArray[np.float64]:
    """The exponentially weighted average at each window as an explicit sum of weights, begun at the first value."""
    n = len(values)
    keep = np.exp(-WINDOW_S / time_constant_s)
    ages = np.arange(n)[:, None] - np.arange(n)[None, :]
    weights = np.where(ages >= 0, (1 - keep) * keep ** np.maximum(ages, 0), 0)
    weights[:, 0] = keep ** np.arange(n)
    return np.asarray(weights @ values)


def test_names() -> None:
    assert Schema(["co2+spread+history"]).features == ("co2.mean", "co2.deviation", "co2.slope", "co2.variation")
    assert Schema.of_sensors(bytes([0x44, 0x44]), 60).features[-2:] == ("co2#2.slope", "co2#2.variation")


def test_a_step_by_hand() -> None:
    # After 180 minutes at 1, the average of 3 h has gone from 0 to 1 - 1/e.
    found = rows(np.r_[np.zeros(60), np.ones(180)])
    assert found[59].tolist()[:2] == [0, 0]
    assert found[-1, SLOPE] == pytest.approx(UNIT * np.exp(-1), abs=1)
    # The level has long been steady by then: log1p(50 * deviation), which falls with e^(-t / 1 h), centre and scale 2.
    assert found[59, VARIATION] == -UNIT
    assert found[-1, VARIATION] < found[70, VARIATION]


def test_against_explicit_weights() -> None:
    values = np.cumsum(np.random.default_rng(3).normal(size=400)) / 20
    found = rows(values) / UNIT
    assert found[:, SLOPE] == pytest.approx(values - averages(values, LONG_S), abs=2e-3)
    apart = values - averages(values, SHORT_S)
    apart[0] = 0
    deviation = np.sqrt(np.maximum(averages(apart**2, SHORT_S), 0))
    assert found[:, VARIATION] == pytest.approx((np.log1p(50 * deviation) - 2) / 2, abs=2e-3)


def test_a_window_without_a_reading_changes_nothing() -> None:
    values = np.random.default_rng(4).normal(size=100)
    gap = np.r_[values[:50], [np.nan] * 7, values[50:]]
    found = rows(gap)
    assert (found[50:57] == MISSING).all()
    assert (np.delete(found, range(50, 57), axis=0) == rows(values)).all()


def test_a_slope_is_in_units_of_the_coordinate() -> None:
    # Carbon dioxide counts in steps of 300 ppm.
    found = rows(np.r_[np.full(10, 700.0), 1000.0], "co2+history")
    expected = 1 - (1 - np.exp(-WINDOW_S / LONG_S))
    assert found[-1, SLOPE] == pytest.approx(UNIT * expected, abs=1)


def test_the_largest_readings_pass_by() -> None:
    found = rows(np.r_[np.zeros(20), 1e9, np.full(4000, 0.5)])
    assert found[20].tolist()[:2] == [32767, 32767]
    assert abs(int(found[-1, SLOPE])) <= 1


def test_events_have_none() -> None:
    with pytest.raises(ValueError, match="only a level has a spread or a history"):
        Schema(["pir+history"])
    with pytest.raises(ValueError, match=r"After co2 may follow \+spread or \+history, not 'slope'"):
        Schema(["co2+slope"])
