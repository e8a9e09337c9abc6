"""Sensors of the simulated building: lag, noise, resolution, sampling times and faults at their rates."""

from __future__ import annotations

import numpy as np
import pytest
from attuned.demo.events import SLOT_MS, Doors, Motion
from attuned.demo.faults import NO_FAULTS, FaultRates, Faults
from attuned.demo.layout import Node
from attuned.demo.sensors import DEVICES, PERIOD_MS, Levels, Samples

STEP_MS = 10_000
KINDS = tuple(DEVICES)


def nodes_of(count: int, *sensors: str) -> list[Node]:
    return [Node(i, f"{i:016x}", "test", "1.10", sensors) for i in range(count)]


def read(levels: Levels, values: list[float], steps: int) -> Samples:
    """Readings at a constant truth, kind by kind, in one room."""
    truth = np.array(values)[:, np.newaxis]
    return np.concatenate([levels.step(truth, start * STEP_MS, STEP_MS) for start in range(steps)])


INDOORS = [21.0, 40.0, 300.0, 600.0, 45.0]


def levels_of(count: int, *sensors: str, faults: FaultRates = NO_FAULTS, seed: int = 1) -> Levels:
    return Levels(nodes_of(count, *sensors), [0] * count, faults, np.random.default_rng(seed))


def test_each_level_is_read_every_twenty_seconds() -> None:
    samples = read(levels_of(5, "temperature", "co2"), INDOORS, 60)
    for node in range(5):
        for sensor in range(2):
            ticks = samples["tick_ms"][(samples["node"] == node) & (samples["sensor"] == sensor)]
            assert len(ticks) == 30
            assert (np.diff(ticks.astype(np.int64)) == PERIOD_MS).all()
    assert samples["tick_ms"].min() > 0
    assert samples["tick_ms"].max() <= 60 * STEP_MS


@pytest.mark.parametrize("kind", KINDS)
def test_readings_have_the_noise_of_the_device_and_its_resolution(kind: str) -> None:
    samples = read(levels_of(1, kind), INDOORS, 4000)
    device = DEVICES[kind]
    # Rounding to steps of r adds r^2 / 12 to the variance.
    expected = np.hypot(device.noise, device.resolution / np.sqrt(12))
    assert samples["value"].std() == pytest.approx(expected, rel=0.1)
    steps = samples["value"].astype(np.float64) / device.resolution
    np.testing.assert_allclose(steps, np.rint(steps), atol=0.01)


def test_devices_differ_by_offset_and_gain() -> None:
    values = read(levels_of(400, "co2"), INDOORS, 2)["value"]
    # 30 ppm of offset and 3 % of 600 ppm, and 8 ppm of noise: sqrt(30^2 + 18^2 + 8^2) = 35.9.
    assert values.std() == pytest.approx(35.9, rel=0.12)
    assert values.mean() == pytest.approx(600, abs=6)


def test_a_step_is_followed_with_the_time_constant_of_the_device() -> None:
    levels = levels_of(200, "temperature")
    read(levels, INDOORS, 1)
    after = read(levels, [31.0, *INDOORS[1:]], 18)["value"][-100:]
    # 180 s, one time constant: 1 - 1 / e = 0.632 of ten degrees; offsets average out to 0.25 / 10.
    assert after.mean() == pytest.approx(21 + 6.32, abs=0.3)


def test_faults_come_at_their_rate() -> None:
    rates = FaultRates(lost=0.01, spike=0.002, dropout=0, stuck=0)
    faults, rng = Faults(500, PERIOD_MS, rates), np.random.default_rng(2)
    draws = [faults.draw(np.arange(500), np.full(500, t * PERIOD_MS), rng) for t in range(400)]
    lost, spikes = sum(int(d.missing.sum()) for d in draws), sum(int(d.spike.sum()) for d in draws)
    # Of 200,000 readings: 2,000 and 400, give or take four standard deviations (45 and 20).
    assert lost == pytest.approx(2000, abs=180)
    assert spikes == pytest.approx(400, abs=80)


def test_drop_outs_and_stuck_values_last_as_long_as_they_should() -> None:
    rates = FaultRates(lost=0, spike=0, dropout=1.0, dropout_ms=30 * 60_000, stuck=0.5, stuck_ms=60 * 60_000)
    faults, rng = Faults(300, PERIOD_MS, rates), np.random.default_rng(3)
    draws = [faults.draw(np.arange(300), np.full(300, t * PERIOD_MS), rng) for t in range(2 * 4320)]
    # Once a day for half an hour, and every other day for an hour: 1 / 48 of the time each.
    assert np.mean([d.missing.mean() for d in draws]) == pytest.approx(1 / 48, rel=0.2)
    assert np.mean([d.stuck.mean() for d in draws]) == pytest.approx(1 / 48, rel=0.2)


def test_a_stuck_sensor_repeats_itself_and_a_dead_one_is_silent() -> None:
    stuck = FaultRates(lost=0, spike=0, dropout=0, stuck=1e9, stuck_ms=1e12)
    values = read(levels_of(1, "co2", faults=stuck), INDOORS, 200)["value"]
    assert len(set(values.tolist())) == 1
    dead = FaultRates(lost=0, spike=0, dropout=1e9, dropout_ms=1e12, stuck=0)
    assert len(read(levels_of(1, "co2", faults=dead), INDOORS, 200)) == 0


def only_events(samples: Samples) -> Samples:
    """Without the signs of life, which are counts of 0."""
    return samples[samples["value"] > 0]


def test_a_sensor_without_events_says_every_minute_that_it_lives() -> None:
    doors = Doors(nodes_of(3, "door"), [0] * 3, NO_FAULTS, STEP_MS, np.random.default_rng(7))
    said = np.concatenate([doors.step([], start * STEP_MS, STEP_MS) for start in range(12)])
    assert said.tolist() == [(node, tick, 0, 0.0) for tick in (1, 60_001) for node in range(3)]


def test_motion_hits_follow_the_poisson_law_with_a_dead_time() -> None:
    motion = Motion(nodes_of(400, "pir"), [0] * 400, NO_FAULTS, STEP_MS, np.random.default_rng(4))
    hits = [only_events(motion.step(np.array([0.1]), start * STEP_MS)) for start in range(100)]
    # Sensitivities are log-normal around 1 with s = 0.4; at 0.1 hits a second each slot of 2.5 s is hit with
    # 1 - E exp(-0.25 s), by Gauss-Hermite quadrature 0.2305.
    assert sum(map(len, hits)) / (400 * 100 * STEP_MS / SLOT_MS) == pytest.approx(0.2305, abs=0.01)
    for node in range(20):
        ticks = np.sort(np.concatenate([h["tick_ms"][h["node"] == node] for h in hits]).astype(np.int64))
        assert np.diff(ticks).min() >= 2000


def test_an_empty_room_has_a_false_hit_in_some_hours() -> None:
    motion = Motion(nodes_of(1000, "pir"), [0] * 1000, NO_FAULTS, STEP_MS, np.random.default_rng(5))
    hits = sum(len(only_events(motion.step(np.zeros(1), start * STEP_MS))) for start in range(360))
    # One in four hours: 250 from 1,000 sensors in an hour, give or take four standard deviations.
    assert hits == pytest.approx(250, abs=63)


def test_doors_report_in_the_room_they_are_in_and_when_it_happens() -> None:
    nodes = [Node(0, "0" * 16, "door", "a", ("door",)), Node(1, "1" * 16, "door", "b", ("light", "door"))]
    doors = Doors(nodes, [0, 1], NO_FAULTS, STEP_MS, np.random.default_rng(6))
    now = only_events(doors.step([(5000, 1), (12_000, 1), (6000, 2)], 0, STEP_MS))
    later = only_events(doors.step([], STEP_MS, STEP_MS))
    assert now.tolist() == [(1, 5000, 1, 1.0)]
    assert later.tolist() == [(1, 12_000, 1, 1.0)]
