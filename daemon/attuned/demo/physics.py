"""Equations of air, heat, moisture and sound in well-mixed rooms: pure functions on arrays of rooms, in SI units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

AIR_DENSITY = 1.2
"""kg/m3 at 20 degC and sea level."""

AIR_HEAT = 1006.0
"""Specific heat of dry air, J/(kg K) (ASHRAE Handbook of Fundamentals, chapter 1)."""

VAPORISATION = 2.45e6
"""Latent heat of water at room temperature, J/kg (ASHRAE Handbook of Fundamentals, chapter 1)."""

PRESSURE_PA = 101_325.0
GRAVITY = 9.81


def co2_generation(basal_mj_day: ArrayLike, met: float, temperature_c: float = 22.0) -> Floats:
    """CO2 breathed out by a person in m3/s, from basal metabolic rate in MJ/day and activity in met.

    Persily and de Jonge (2017), "Carbon dioxide generation rates for building occupants", Indoor Air 27, equation 11:
    V = RQ BMR M (T / P) 0.000211 litres a second, T in K, P in kPa, respiratory quotient RQ = 0.85.
    """
    litres = 0.85 * np.asarray(basal_mj_day) * met * (temperature_c + 273.15) / (PRESSURE_PA / 1000) * 0.000211
    return np.asarray(litres / 1000)


def basal_rate(mass_kg: float, female: bool) -> float:
    """Basal metabolic rate in MJ/day at 30 to 60 years (Schofield 1985, as tabulated by Persily and de Jonge 2017)."""
    return 0.034 * mass_kg + 3.538 if female else 0.048 * mass_kg + 3.653


@dataclass(frozen=True)
class Flows:
    """Air each way in m3/s [R]: to the outside, and by the door to room `towards`, a room's own index for no door."""

    to_outside: Floats
    to_next: Floats
    towards: Ints


def balance(level: Floats, outside: float, source: Floats, flows: Flows) -> Floats:
    """Net gain of a conserved quantity in each room, per second and in level times m3.

    The mass balance of well-mixed zones, V dC/dt = G + Q (C_out - C) + sum of Q_ij (C_j - C_i) (ASTM D6245; Sandberg
    1984). `level` [R] and `outside` per m3, `source` [R] in level m3/s. What leaves one room arrives in the next.
    """
    through_door = flows.to_next * (level[flows.towards] - level)
    given = np.bincount(flows.towards, weights=through_door, minlength=len(level))
    return np.asarray(source + flows.to_outside * (outside - level) + through_door - given)


def infiltration(leakage_cm2: ArrayLike, difference_k: ArrayLike, wind_m_s: float) -> Floats:
    """Air through leaks in m3/s, from effective leakage area at 4 Pa.

    Sherman and Grimsrud (1980), as in the ASHRAE Handbook of Fundamentals, chapter 16:
    Q = A / 1000 sqrt(Cs dT + Cw U^2), one storey, Cs = 0.000145, shelter class 4, Cw = 0.000104.
    """
    driving = 0.000145 * np.abs(difference_k) + 0.000104 * wind_m_s**2
    return np.asarray(np.asarray(leakage_cm2) / 1000 * np.sqrt(driving))


def window_flow(open_m2: ArrayLike, difference_k: ArrayLike, wind_m_s: float, height_m: float = 1.0) -> Floats:
    """Air through one open window in m3/s.

    De Gids and Phaff (1982), "Ventilation rates and energy consumption due to open windows", Air Infiltration Review 4:
    Q = A / 2 sqrt(0.001 U^2 + 0.0035 H dT + 0.01).
    """
    speed = np.sqrt(0.001 * wind_m_s**2 + 0.0035 * height_m * np.abs(difference_k) + 0.01)
    return np.asarray(np.asarray(open_m2) / 2 * speed)


def door_flow(difference_k: ArrayLike, width_m: float = 0.9, height_m: float = 2.0) -> Floats:
    """Air each way through an open door in m3/s, driven by the difference of temperature.

    Brown and Solvason (1962), Int. J. Heat Mass Transfer 5: Q = Cd / 3 W H^1.5 sqrt(g dT / T), with the discharge
    coefficient of Kiel and Wilson (1989), Cd = 0.4 + 0.0045 dT. At least 0.1 K: rooms are never exactly alike.
    """
    kelvin = np.maximum(np.abs(difference_k), 0.1)
    coefficient = 0.4 + 0.0045 * kelvin
    return np.asarray(coefficient / 3 * width_m * height_m**1.5 * np.sqrt(GRAVITY * kelvin / 295.0))


def saturation_pressure(temperature_c: ArrayLike) -> Floats:
    """Pressure of saturated vapour over water in Pa (Magnus form, Alduchov and Eskridge 1996, J. Appl. Meteor. 35)."""
    celsius = np.asarray(temperature_c)
    return np.asarray(610.94 * np.exp(17.625 * celsius / (celsius + 243.04)))


def humidity_ratio(temperature_c: ArrayLike, relative_percent: ArrayLike) -> Floats:
    """Water per dry air in kg/kg (ASHRAE Handbook of Fundamentals, chapter 1: W = 0.622 p / (P - p))."""
    vapour = np.asarray(relative_percent) / 100 * saturation_pressure(temperature_c)
    return np.asarray(0.622 * vapour / (PRESSURE_PA - vapour))


def relative_humidity(temperature_c: ArrayLike, ratio: ArrayLike) -> Floats:
    """Relative humidity in %, at most 100; the inverse of humidity_ratio."""
    ratio = np.asarray(ratio)
    vapour = PRESSURE_PA * ratio / (0.622 + ratio)
    return np.asarray(np.minimum(100 * vapour / saturation_pressure(temperature_c), 100.0))


def add_levels(*levels_db: ArrayLike) -> Floats:
    """Sum of incoherent sounds in dB, element by element: L = 10 lg sum 10^(Li / 10) (ISO 1996-1)."""
    energy = np.zeros(np.broadcast_shapes(*(np.shape(level) for level in levels_db)))
    for level in levels_db:
        energy = energy + np.power(10.0, np.asarray(level) / 10)
    return np.asarray(10 * np.log10(energy))


def reverberant_level(power_db: ArrayLike, absorption_m2: ArrayLike) -> Floats:
    """Sound pressure level in dB of a source of this power level, far from it: Lp = Lw + 10 lg(4 / A) (ISO 3741)."""
    return np.asarray(np.asarray(power_db) + 10 * np.log10(4 / np.asarray(absorption_m2)))


def sabine_absorption(volume_m3: ArrayLike, reverberation_s: ArrayLike) -> Floats:
    """Equivalent absorption area in m2 (Sabine: A = 0.161 V / T)."""
    return np.asarray(0.161 * np.asarray(volume_m3) / np.asarray(reverberation_s))
