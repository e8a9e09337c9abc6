"""Windows of the core against sums over the same samples in numpy, in float64."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
from attune_core import MISSING, UNIT, Schema, Windower

KINDS = ["temperature+mean+spread", "co2+mean+spread", "light+mean", "pir"]
WINDOW_S = 60
PIR = 3
DAY_S = 86400


@dataclass(frozen=True)
class Stream:
    """Samples of all sensors in order of time."""

    sensor: npt.NDArray[np.uint8]
    tick_ms: npt.NDArray[np.uint64]
    value: npt.NDArray[np.float64]

    def of(self, sensor: int, begin_ms: int, end_ms: int) -> npt.NDArray[np.bool_]:
        chosen: npt.NDArray[np.bool_] = (self.sensor == sensor) & (self.tick_ms > begin_ms) & (self.tick_ms <= end_ms)
        return chosen


def random_stream(seed: int, minutes: int) -> Stream:
    """Sensors that are read at random moments, also exactly on the ends of windows, with silences of minutes."""
    source = np.random.default_rng(seed)
    count = minutes * 12
    ticks = np.sort(np.round(source.uniform(1, minutes * 60_000, count), -source.integers(1, 5)).astype(np.uint64))
    sensor = source.integers(0, 4, count).astype(np.uint8)
    sensor[(ticks // 60_000) % 7 == 3] = 2
    level = np.array([22.0, 700.0, 300.0, 0.0])[sensor] + source.normal(0, 1, count) * np.array([1, 90, 80, 0])[sensor]
    value = np.where(sensor == PIR, source.integers(0, 4, count), np.maximum(level, 0))
    return Stream(sensor, np.maximum(ticks, 1), value)


def coordinate(schema: Schema, feature: str, x: float) -> float:
    i = schema.features.index(feature)
    transformed = (x, np.log1p(x), np.log1p(max(x - 350, 0) / 50))[schema.transforms[i]]
    return float((transformed - schema.centre[i]) / schema.scale[i] * UNIT)


def expected_levels(stream: Stream, schema: Schema, begin: int, end: int) -> dict[str, float]:
    wanted = {}
    for sensor, kind in enumerate(["temperature", "co2", "light"]):
        values = stream.value[stream.of(sensor, begin, end)].astype(np.float32).astype(np.float64)
        if len(values):
            wanted[f"{kind}.mean"] = coordinate(schema, f"{kind}.mean", values.mean())
        if len(values) and kind != "light":
            spread = values.std(ddof=1) if len(values) > 1 else 0.0
            wanted[f"{kind}.deviation"] = coordinate(schema, f"{kind}.deviation", spread)
    return wanted


def expected_events(stream: Stream, schema: Schema, end: int, activity: float) -> tuple[dict[str, float], float]:
    """Features of the PIR and its new activity; none before its first word."""
    if not stream.of(PIR, 0, end).any():
        return {}, 0.0
    count = stream.value[stream.of(PIR, end - WINDOW_S * 1000, end)].sum()
    kept = np.exp(-WINDOW_S / 900)
    activity = kept * activity + (1 - kept) * count * 60 / WINDOW_S
    hits = stream.tick_ms[stream.of(PIR, 0, end) & (stream.value > 0)]
    since = min((end - int(hits[-1])) / 1000, DAY_S) if len(hits) else DAY_S
    facts = {"pir.count": count, "pir.activity": activity, "pir.since": since}
    return {name: coordinate(schema, name, x) for name, x in facts.items()}, activity


@pytest.mark.parametrize("seed", range(8))
def test_windows_agree_with_numpy(seed: int) -> None:
    minutes = 60
    schema, stream = Schema(KINDS, WINDOW_S), random_stream(seed, minutes)
    windower = Windower(schema)
    before = windower.samples(stream.sensor, stream.tick_ms, stream.value)
    after = windower.advance(minutes * 60_000)
    end_s, features = np.concatenate([before[0], after[0]]), np.concatenate([before[1], after[1]])
    assert end_s.tolist() == [60 * (i + 1) for i in range(minutes)]
    assert windower.refused == 0
    activity = 0.0
    for end, row in zip((end_s * 1000).tolist(), features, strict=True):
        levels = expected_levels(stream, schema, end - WINDOW_S * 1000, end)
        events, activity = expected_events(stream, schema, end, activity)
        wanted = [(levels | events).get(name, MISSING) for name in schema.features]
        # One step for rounding in float32, which is a thousandth of an ordinary spread.
        assert np.abs(row - np.array(wanted)).max() <= 1, (end, row, wanted)


def test_a_row_worked_by_hand() -> None:
    """CO2 of 900 and 1,100 ppm: ln(1 + 650 / 50) = 2.639057, less 2 is 0.912939 times 0.7, times 1024 is 934.85."""
    windower = Windower(Schema(["co2+mean", "temperature+mean"], 60))
    end_s, features = windower.samples(0, np.array([1, 60_000, 60_001]), np.array([900.0, 1100.0, 400.0]))
    assert end_s.tolist() == [60]
    assert features.tolist() == [[935, MISSING]]
    # The window after it holds 400 ppm alone: ln(1 + 50 / 50) = 0.693147, less 2 is -1.866933 times 0.7: -1911.74.
    assert windower.advance(120_000)[1].tolist() == [[-1912, MISSING]]


def test_one_call_and_many_calls_give_the_same_rows() -> None:
    schema, stream = Schema(KINDS, WINDOW_S), random_stream(99, 30)
    whole = Windower(schema).samples(stream.sensor, stream.tick_ms, stream.value)[1]
    windower = Windower(schema)
    pieces = [
        windower.samples(stream.sensor[i : i + 7], stream.tick_ms[i : i + 7], stream.value[i : i + 7])[1]
        for i in range(0, len(stream.value), 7)
    ]
    assert np.array_equal(whole, np.concatenate(pieces))


def test_extremes_saturate_and_never_look_like_missing() -> None:
    windower = Windower(Schema(["co2+mean", "level+mean"], 60))
    _, features = windower.samples(
        np.array([0, 1, 0, 1]), np.array([1, 1, 60_001, 60_001]), np.array([-1e6, -1e6, 1e9, 1e9])
    )
    # No air is cleaner than clean: -2 / 0.7 is -2.857143.
    assert features.tolist() == [[-2926, -32767]]
    # ln(1 + (1e9 - 350) / 50) = 16.811243 is 21.158919 times 0.7 above 2; a plain level has more than an int16 holds.
    assert windower.advance(120_000)[1].tolist() == [[21667, 32767]]


def test_readings_that_are_none_are_counted_and_leave_no_trace() -> None:
    windower = Windower(Schema(["co2+mean", "pir"], 60))
    values = np.array([np.nan, np.inf, -np.inf, -1.0])
    windower.samples(np.array([0, 0, 0, 1]), np.array([1, 2, 3, 4]), values)
    assert windower.refused == 4
    assert windower.advance(60_000)[1].tolist() == [[MISSING] * 4]
    # The window that held it is closed.
    windower.samples(0, np.array([30_000]), np.array([700.0]))
    assert windower.refused == 5


def test_a_reset_starts_cold_in_the_window_of_the_tick() -> None:
    windower = Windower(Schema(["pir"], 60))
    windower.samples(0, np.array([1000]), np.array([3.0]))
    windower.reset(600_001)
    end_s, features = windower.advance(660_000)
    assert end_s.tolist() == [660]
    assert features.tolist() == [[MISSING] * 3]


@pytest.mark.parametrize(
    ("sensor", "ticks", "values", "says"),
    [
        (0, [2, 1], [1.0, 1.0], "in order of time"),
        (1, [1], [1.0], "numbered 0 to 0"),
        (0, [1, 2], [1.0], "There are 1 values for 2 ticks"),
        (0, [-1], [1.0], "A tick is milliseconds since the node's start"),
        (0, [10**15], [1.0], "windows ahead; start a new stretch with reset"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(sensor: int, ticks: list[int], values: list[float], says: str) -> None:
    windower = Windower(Schema(["co2"], 60))
    with pytest.raises(ValueError, match=says):
        windower.samples(sensor, np.array(ticks), np.array(values))
    assert windower.samples(0, np.array([], np.int64), np.array([]))[1].shape == (0, 3)
