"""The simulated building as a whole."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np
import pytest
from attuned.demo.building import START_UTC_MS, STEP_S, Building
from attuned.demo.climate import Climate, fabric_of
from attuned.demo.daylight import Sky, Sun
from attuned.demo.habits import Habits, switch_off_probability, switch_on_probability, window_open_probability
from attuned.demo.layout import DemoError, plan_rooms
from attuned.demo.weather import DAY_MS, HOUR_MS, Outdoors

SUMMER_UTC_MS = START_UTC_MS + 120 * DAY_MS


def outdoors(temperature_c: float = 5.0) -> Outdoors:
    return Outdoors(temperature_c, 0.004, 3.0, 420.0, 1.0, Sun(-0.5, 0.0), Sky(0.0, 0.0))


def test_two_buildings_of_one_seed_agree_to_the_bit() -> None:
    first, again = Building(5).advance(3600), Building(5).advance(3600)
    assert first.tobytes() == again.tobytes()


@pytest.mark.slow
def test_other_seeds_give_other_buildings() -> None:
    first, other = Building(5), Building(6)
    assert {node.node_id for node in first.nodes}.isdisjoint(node.node_id for node in other.nodes)
    assert first.advance(600).tobytes() != other.advance(600).tobytes()


def test_it_does_not_matter_how_time_is_cut() -> None:
    whole, cut = Building(7), Building(7)
    pieces = [cut.advance(seconds) for seconds in (10, 0, 50, 600, 1140)]
    assert np.concatenate(pieces).tobytes() == whole.advance(1800).tobytes()
    assert (cut.tick_ms, cut.utc_ms) == (1_800_000, START_UTC_MS + 1_800_000)


def test_samples_are_in_order_and_of_their_time() -> None:
    building = Building(8)
    building.advance(300)
    samples = building.advance(600)
    keys = list(zip(samples["tick_ms"].tolist(), samples["node"].tolist(), samples["sensor"].tolist(), strict=True))
    assert keys == sorted(set(keys))
    assert keys[0][0] > 300_000
    assert keys[-1][0] <= 900_000
    assert all(s < len(building.nodes[n].sensors) for _, n, s in keys)
    assert np.isfinite(samples["value"]).all()


def test_every_level_sensor_speaks_three_times_a_minute() -> None:
    building = Building(9)
    samples = building.advance(3600)
    levels = [(n.index, s) for n in building.nodes for s, k in enumerate(n.sensors) if k not in ("pir", "door")]
    counts = [int(((samples["node"] == n) & (samples["sensor"] == s)).sum()) for n, s in levels]
    # 180 in an hour, less one in a thousand, and now and then a drop-out.
    assert np.median(counts) == pytest.approx(180, abs=2)
    assert max(counts) == 180


def test_the_truth_counts_everybody_once() -> None:
    building = Building(10)
    building.advance(1800)
    assert sum(building.people_in(room.id) for room in building.rooms) == building.people.sum() > 0
    assert [building.occupied(room.id) for room in building.rooms] == (building.people > 0).tolist()
    assert building.people.sum() == (building._crowd.location >= 0).sum()


def test_people_leave_for_the_night_and_their_breath_with_them() -> None:
    building = Building(11, start_utc_ms=START_UTC_MS + 17 * HOUR_MS)
    assert building.people.sum() == 0
    assert (building.climate.daylight.lux == 0).all()
    excess = building.climate.co2 - building.outdoors.co2_ppm
    assert (excess > -20).all()
    assert (excess < 150).all()


@pytest.mark.slow
@pytest.mark.parametrize("start_utc_ms", [START_UTC_MS, SUMMER_UTC_MS, START_UTC_MS - 60 * DAY_MS])
def test_a_working_day_stays_within_what_offices_measure(start_utc_ms: int) -> None:
    building = Building(12, start_utc_ms=start_utc_ms)
    seen = []
    for _ in range(18):
        building.advance(1800)
        climate = building.climate
        seen.append(np.stack([climate.air, climate.humidity, climate.co2, climate.lux]))
    low, high = np.min(seen, axis=(0, 2)), np.max(seen, axis=(0, 2))
    assert (low > [16, 10, 380, -1e-9]).all()
    assert (high < [31, 90, 3000, 15_000]).all()
    assert high[2] > 600
    assert high[3] > 200


def test_breath_stays_in_a_sealed_building_to_the_last_molecule() -> None:
    rng = np.random.default_rng(13)
    rooms = plan_rooms(12, rng)
    tight = replace(fabric_of(rooms, rng), design_flow=np.zeros(12), leakage_cm2=np.zeros(12), met=np.ones(12))
    climate, habits = Climate(tight, outdoors()), Habits(rooms, rng)
    habits.doors[:] = rng.random(12) < 0.5
    climate.co2 = rng.uniform(400, 1500, 12)
    before = (climate.co2 * tight.volume_m3).sum()
    breath = np.where(np.arange(12) % 3 == 0, 1e-5, 0.0)
    for _ in range(360):
        climate.breathe(STEP_S, outdoors(), habits, breath, working=True, warm=True)
    # Four rooms at 10 ml/s for an hour: 0.144 m3, in ppm m3.
    assert (climate.co2 * tight.volume_m3).sum() - before == pytest.approx(144_000, rel=1e-9)


def test_vapour_of_a_person_as_worked_by_hand() -> None:
    rng = np.random.default_rng(14)
    rooms = plan_rooms(12, rng)
    tight = replace(fabric_of(rooms, rng), design_flow=np.zeros(12), leakage_cm2=np.zeros(12))
    climate, habits = Climate(tight, outdoors()), Habits(rooms, rng)
    habits.people[3] = 2
    before = (climate.moisture * tight.volume_m3).sum()
    for _ in range(360):
        climate.breathe(STEP_S, outdoors(), habits, np.zeros(12), working=True, warm=True)
    # Two people at 55 W for an hour: 396 kJ / 2.45 MJ/kg = 0.16163 kg; a tenth stays in the air, 1.2 kg/m3 of it.
    gained = (climate.moisture * tight.volume_m3).sum() - before
    assert gained * 1.2 == pytest.approx(0.016163, rel=1e-4)


@pytest.mark.slow
def test_a_cold_room_is_heated_and_set_back_at_night() -> None:
    rng = np.random.default_rng(15)
    rooms = plan_rooms(12, rng)
    fabric = fabric_of(rooms, rng)
    climate, habits = Climate(fabric, outdoors()), Habits(rooms, rng)
    for warm, target in ((True, 0.0), (False, -3.5)):
        for _ in range(4 * 2880):
            climate.breathe(30, outdoors(-5.0), habits, np.zeros(12), working=True, warm=warm)
        np.testing.assert_allclose(climate.air, fabric.setpoint_c + target, atol=0.6)


@pytest.mark.parametrize(("lux", "probability"), [(0, 1.0), (7, 1.0), (66.4, 0.5006), (1000, 0.0)])
def test_lamps_go_on_in_the_dark(lux: float, probability: float) -> None:
    # At 10^1.8223 = 66.4 lux the logistic is one half: -0.0175 + 1.0361 / 2 = 0.50055.
    assert switch_on_probability(lux) == pytest.approx(probability, abs=0.005)


@pytest.mark.parametrize(("hours", "probability"), [(0.1, 0.086), (0.75, 0.314), (3, 0.6), (16, 0.999)])
def test_lamps_go_off_for_long_absences(hours: float, probability: float) -> None:
    assert switch_off_probability(hours * 3600) == probability


def test_windows_open_in_summer() -> None:
    # logit p = 0.171 * 25 + 0.166 * 20 - 6.43 = 1.165: p = 0.762; in winter 0.171 * 21 + 0 - 6.43 = -2.839: 0.055.
    assert float(window_open_probability(np.array([25.0]), 20.0)[0]) == pytest.approx(0.762, abs=1e-3)
    assert float(window_open_probability(np.array([21.0]), 0.0)[0]) == pytest.approx(0.055, abs=1e-3)


def test_time_is_cut_in_steps() -> None:
    building = Building(16)
    for seconds in (-10, 15):
        with pytest.raises(DemoError, match=f"multiples of 10 s, not by {seconds}: round"):
            building.advance(seconds)


@pytest.mark.slow
@pytest.mark.parametrize(("rooms", "nodes", "seconds"), [(12, 16, 7200), (750, 1000, 600)])
def test_speed(rooms: int, nodes: int, seconds: int) -> None:
    building = Building(17, rooms, nodes)
    began = time.perf_counter()
    samples = building.advance(seconds)
    took = time.perf_counter() - began
    print(f"{rooms} rooms, {nodes} nodes: {seconds / took:,.0f} times real time, {len(samples) / took:,.0f} samples/s")
    assert math.isfinite(took)
