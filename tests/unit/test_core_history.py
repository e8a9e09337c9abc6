"""Slope and variation of a level: what its last hours say beside its mean."""

import numpy as np
import numpy.typing as npt
import pytest
from attune_core import MISSING, UNIT, Schema, Windower

WINDOW_S = 60
LONG_S, SHORT_S = 10_800.0, 1_800.0
SLOPE, VARIATION = 1, 2


def rows(values: npt.NDArray[np.float64], kind: str = "level") -> npt.NDArray[np.int16]:
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
    assert Schema(["co2"]).features == ("co2.mean", "co2.slope", "co2.variation")
    assert Schema(["co2+spread"]).features == ("co2.mean", "co2.deviation", "co2.slope", "co2.variation")
    assert Schema(["co2+mean"]).features == ("co2.mean",)
    assert Schema(["co2+mean+spread"]).features == ("co2.mean", "co2.deviation")
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
    # Temperature counts in steps of 2 degC, CO2 in steps of 0.7 of its excess's logarithm: 8 and 14 steps of 50 ppm.
    expected = UNIT * np.exp(-WINDOW_S / LONG_S)
    found = rows(np.r_[np.full(10, 20.0), 22.0], "temperature")
    assert found[-1, SLOPE] == pytest.approx(expected, abs=1)
    found = rows(np.r_[np.full(10, 700.0), 1000.0], "co2")
    assert found[-1, SLOPE] == pytest.approx(expected * np.log(14 / 8) / 0.7, abs=1)


def test_the_largest_readings_pass_by() -> None:
    found = rows(np.r_[np.zeros(20), 1e9, np.full(4000, 0.5)])
    # Averages take it for the largest that a coordinate can hold.
    assert found[20, 0] == 32767
    assert found[20, SLOPE] == pytest.approx(32767 * np.exp(-WINDOW_S / LONG_S), abs=1)
    assert abs(int(found[-1, SLOPE])) <= 1


@pytest.mark.parametrize("fault", [-1.0, -999.0, -1e9, 1e9])
def test_a_reading_without_a_logarithm_is_forgotten_within_hours(fault: float) -> None:
    """What a broken CO2 sensor says once: 12 h later the average of 3 h holds e^-4 of what it took."""
    air = np.full(800, 600.0)
    air[50] = fault
    found, calm = rows(air, "co2"), rows(np.full(800, 600.0), "co2")
    assert found[50, 0] == (21667 if fault > 0 else -2926)
    apart = np.abs(found.astype(int) - calm)[:, SLOPE]
    assert apart[51] > 10
    assert apart[-1] <= apart[51] * np.exp(-4) + 1
    # The deviation over half an hour falls with e^(-t / 1 h), and with it all that can be seen of the fault.
    assert found[-1, VARIATION] < -UNIT * 0.9
