"""Weather at a site: seasons and days as cosines; clouds, wind and fronts as seeded Ornstein-Uhlenbeck processes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from attuned.demo.daylight import Sky, Sun, sky_light, sun_position
from attuned.demo.physics import Floats, humidity_ratio

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


@dataclass(frozen=True)
class Site:
    """Where the building stands. Local time is UTC plus a constant: nobody in it observes summer time."""

    latitude_deg: float = 50.45
    longitude_deg: float = 3.95
    utc_offset_ms: int = HOUR_MS


@dataclass(frozen=True)
class Outdoors:
    """The air and the sky outside at one time."""

    temperature_c: float
    humidity_ratio: float
    wind_m_s: float
    co2_ppm: float
    cloud: float
    sun: Sun
    sky: Sky


_DEVIATION = np.array([3.0, 1.2, 1.6, 5.0, 2.2, 1.0])
"""Spread of: temperature K, dew point K, wind m/s, CO2 ppm, slow and quick cloud, these two before the logistic."""

_MEMORY_S = np.array([60.0, 24.0, 6.0, 12.0, 10.0, 0.25]) * 3600
"""Time after which each of them has forgotten 63 %."""


def drift_step(state: Floats, deviation: Floats, memory_s: Floats, step_s: float, rng: np.random.Generator) -> Floats:
    """One exact step of Ornstein-Uhlenbeck processes with mean 0 (Gillespie 1996, Phys. Rev. E 54, equation 1.9)."""
    keep = np.exp(-step_s / memory_s)
    return np.asarray(state * keep + deviation * np.sqrt(1 - keep**2) * rng.standard_normal(len(state)))


class Weather:
    """A seeded weather; `step` moves it on and says what it is like."""

    def __init__(self, site: Site, rng: np.random.Generator) -> None:
        self._site = site
        self._rng = rng
        self._state: Floats = _DEVIATION * rng.standard_normal(len(_DEVIATION))

    def step(self, utc_ms: int, step_s: float) -> Outdoors:
        """The weather at `utc_ms`, `step_s` after the last call."""
        self._state = drift_step(self._state, _DEVIATION, _MEMORY_S, step_s, self._rng)
        front, dew, gusts, co2, slow, quick = self._state.tolist()
        cloud = 1 / (1 + math.exp(-0.8 - slow - quick))
        day = utc_ms / DAY_MS
        hour = (utc_ms + self._site.utc_offset_ms) % DAY_MS / HOUR_MS
        season = seasonal_temperature(day)
        daily_mean = season + front
        # Clear days swing more between night and afternoon.
        temperature = daily_mean + (5.5 - 3.5 * cloud) * math.cos(2 * math.pi * (hour - 15) / 24)
        # Warm spells are dry for their temperature, cold ones damp.
        dew_point = min(season - 4.0 + 0.4 * front + dew, temperature)
        sun = sun_position(utc_ms, self._site.latitude_deg, self._site.longitude_deg)
        return Outdoors(
            temperature_c=temperature,
            humidity_ratio=float(humidity_ratio(dew_point, 100.0)),
            wind_m_s=abs(2.5 + gusts),
            co2_ppm=425 + 10 * math.cos(2 * math.pi * (hour - 5) / 24) + co2,
            cloud=cloud,
            sun=sun,
            sky=sky_light(sun.altitude, cloud),
        )


def seasonal_temperature(day: float) -> float:
    """Usual daily mean in degC on a day of the Unix era: 2.5 in January, 18.5 in July, as at Uccle in Belgium."""
    return 10.5 + 8.0 * math.cos(2 * math.pi * (day - 200) / 365.25)
