"""Equations of the simulated building against sums worked by hand and published values."""

from __future__ import annotations

import numpy as np
import pytest
from attuned.demo import physics
from attuned.demo.physics import Floats, Flows
from hypothesis import given
from hypothesis import strategies as st


def settle(level: float, source: float, flow: float, volume: float, seconds: int) -> float:
    """CO2 in ppm of one room without doors after `seconds`, in steps of ten; outdoors 420 ppm."""
    now = np.array([level])
    flows = Flows(np.array([flow]), np.zeros(1), np.array([0]))
    for _ in range(seconds // 10):
        now = now + physics.balance(now, 420.0, np.array([source]), flows) / volume * 10
    return float(now[0])


def test_two_people_and_two_air_changes_reach_the_level_worked_by_hand() -> None:
    # 50 m3 at 2 changes an hour: Q = 100 / 3600 = 0.02778 m3/s. Two people at 5.2 ml/s: G = 1.04e-5 m3/s.
    # G / Q = 374.4e-6, so the room settles at 420 + 374.4 ppm; ten hours are 20 time constants.
    assert settle(420.0, 2 * 5.2e-6 * 1e6, 100 / 3600, 50.0, 36_000) == pytest.approx(794.4, abs=0.1)


def test_excess_falls_to_a_third_in_one_air_change_after_departure() -> None:
    # Two changes an hour: the time constant V / Q is 1,800 s, after which 1 / e = 0.3679 of 600 ppm is left.
    left = settle(1020.0, 0.0, 100 / 3600, 50.0, 1800) - 420.0
    assert left == pytest.approx(600 * 0.3679, rel=0.01)


def test_open_door_brings_two_rooms_to_the_mean_weighted_by_volume() -> None:
    # 30 m3 at 1200 ppm and 60 m3 at 600 ppm mix to (30 * 1200 + 60 * 600) / 90 = 800 ppm.
    now, volume = np.array([1200.0, 600.0]), np.array([30.0, 60.0])
    flows = Flows(np.zeros(2), np.array([0.05, 0.0]), np.array([1, 1]))
    for _ in range(3000):
        now = now + physics.balance(now, 420.0, np.zeros(2), flows) / volume * 10
    np.testing.assert_allclose(now, 800.0, atol=1e-6)


ROOMS = 5
ppm = st.lists(st.floats(400, 5000), min_size=ROOMS, max_size=ROOMS)
flow = st.lists(st.floats(0, 0.1), min_size=ROOMS, max_size=ROOMS)


@given(ppm, flow, st.lists(st.integers(0, ROOMS - 1), min_size=ROOMS, max_size=ROOMS))
def test_doors_neither_make_nor_swallow_anything(level: list[float], doors: list[float], towards: list[int]) -> None:
    closed = Flows(np.zeros(ROOMS), np.array(doors), np.array(towards))
    gains = physics.balance(np.array(level), 420.0, np.zeros(ROOMS), closed)
    assert abs(gains.sum()) < 1e-9 * (1 + np.abs(gains).sum())


def test_breath_of_a_person_as_worked_by_hand() -> None:
    # Persily and de Jonge, equation 11: 0.85 * 7.5 * 1.2 * (295.15 / 101.325) * 0.000211 = 0.004702 l/s.
    assert float(physics.co2_generation(7.5, 1.2)) == pytest.approx(4.702e-6, rel=1e-3)


def test_breath_agrees_with_the_rule_of_astm_d6245() -> None:
    # The standard gives 0.0052 l/s for an average adult at 1.2 met; men and women of average weight lie around it.
    adults = [physics.basal_rate(85, female=False), physics.basal_rate(72, female=True)]
    assert float(np.mean(physics.co2_generation(adults, 1.2))) == pytest.approx(5.2e-6, rel=0.2)


def test_leaks_as_worked_by_hand() -> None:
    # 100 cm2, 20 K, 4 m/s: sqrt(0.000145 * 20 + 0.000104 * 16) = sqrt(0.004564) = 0.067557; times 100 / 1000.
    assert float(physics.infiltration(100.0, 20.0, 4.0)) == pytest.approx(0.0067557, rel=1e-4)


def test_open_window_as_worked_by_hand() -> None:
    # 0.5 m2, 15 K, 2 m/s, 1 m high: sqrt(0.004 + 0.0525 + 0.01) = 0.257876; times 0.25.
    assert float(physics.window_flow(0.5, 15.0, 2.0)) == pytest.approx(0.064469, rel=1e-4)


def test_open_door_as_worked_by_hand() -> None:
    # 1 K: (0.4045 / 3) * 0.9 * 2.828427 * sqrt(9.81 / 295) = 0.343230 * 0.182357 = 0.062590 m3/s.
    assert float(physics.door_flow(1.0)) == pytest.approx(0.062590, rel=1e-4)


@pytest.mark.parametrize(("celsius", "pascal"), [(0, 611.2), (10, 1228), (20, 2339), (30, 4246)])
def test_saturation_pressure_as_in_steam_tables(celsius: float, pascal: float) -> None:
    # The paper claims 0.384 % for its coefficients between -40 and 50 degC.
    assert float(physics.saturation_pressure(celsius)) == pytest.approx(pascal, rel=3.84e-3)


def test_humidity_ratio_as_on_the_psychrometric_chart() -> None:
    # 25 degC and 50 % at sea level: 9.9 g/kg.
    assert float(physics.humidity_ratio(25.0, 50.0)) == pytest.approx(0.0099, abs=5e-5)


@given(st.floats(-10, 40), st.floats(1, 99))
def test_relative_humidity_undoes_humidity_ratio(celsius: float, percent: float) -> None:
    assert float(physics.relative_humidity(celsius, physics.humidity_ratio(celsius, percent))) == pytest.approx(percent)


@pytest.mark.parametrize(
    ("levels", "together"),
    [((60.0, 60.0), 63.01), ((70.0, 60.0), 70.41), ((50.0, 50.0, 50.0), 54.77), ((40.0, 0.0), 40.00)],
)
def test_sums_of_levels_as_in_every_acoustics_table(levels: tuple[float, ...], together: float) -> None:
    assert float(physics.add_levels(*levels)) == pytest.approx(together, abs=0.005)


def test_levels_add_up_room_by_room() -> None:
    rooms: Floats = np.array([30.0, 60.0])
    np.testing.assert_allclose(physics.add_levels(rooms, 60.0), [60.004, 63.010], atol=1e-3)


def test_speech_in_an_office_is_about_sixty_decibels() -> None:
    # 60 m3 with 0.5 s: A = 0.161 * 60 / 0.5 = 19.32 m2; 68.4 + 10 lg(4 / 19.32) = 61.56 dB.
    absorption = physics.sabine_absorption(60.0, 0.5)
    assert float(absorption) == pytest.approx(19.32)
    assert float(physics.reverberant_level(68.4, absorption)) == pytest.approx(61.56, abs=0.01)
