"""Sun and sky: where the sun stands, what light and heat it brings, and what of it enters a room."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from attuned.demo.physics import Floats

EFFICACY_LM_W = 110.0
"""Luminous efficacy of daylight (Littlefair 1985, Lighting Research and Technology 17: 105 to 120 lm/W)."""

_EXTRATERRESTRIAL_LX = 127_500.0
_MS_A_DAY = 86_400_000


@dataclass(frozen=True)
class Sun:
    """Direction of the sun: `altitude` above the horizon and `azimuth` from north over east, both in radians."""

    altitude: float
    azimuth: float


@dataclass(frozen=True)
class Sky:
    """Illuminance outdoors in lux: `direct` on a surface facing the sun, `diffuse` from the sky on level ground."""

    direct: float
    diffuse: float


def sun_position(utc_ms: int, latitude_deg: float, longitude_deg: float) -> Sun:
    """The sun at a time, to about half a degree.

    Duffie and Beckman, "Solar Engineering of Thermal Processes", chapter 1: declination after Cooper (1969), equation
    of time after Spencer (1971), sin h = sin(phi) sin(delta) + cos(phi) cos(delta) cos(omega).
    """
    day_of_year = _day_of_year(utc_ms)
    declination = math.radians(23.45 * math.sin(2 * math.pi * (284 + day_of_year) / 365))
    solar_hour = utc_ms % _MS_A_DAY / 3.6e6 + longitude_deg / 15 + equation_of_time_min(day_of_year) / 60
    omega = math.radians(15 * (solar_hour - 12))
    phi = math.radians(latitude_deg)
    north = math.cos(phi) * math.sin(declination) - math.sin(phi) * math.cos(declination) * math.cos(omega)
    east = -math.cos(declination) * math.sin(omega)
    up = math.sin(phi) * math.sin(declination) + math.cos(phi) * math.cos(declination) * math.cos(omega)
    return Sun(math.asin(max(-1.0, min(1.0, up))), math.atan2(east, north) % (2 * math.pi))


def _day_of_year(utc_ms: int) -> int:
    """1 to 366."""
    days = np.datetime64(utc_ms // _MS_A_DAY, "D")
    return int((days - days.astype("datetime64[Y]")).astype(int)) + 1


def equation_of_time_min(day_of_year: int) -> float:
    """Apparent less mean solar time in minutes (Spencer 1971)."""
    b = 2 * math.pi * (day_of_year - 1) / 365
    series = 0.000075 + 0.001868 * math.cos(b) - 0.032077 * math.sin(b)
    return 229.2 * (series - 0.014615 * math.cos(2 * b) - 0.04089 * math.sin(2 * b))


def sky_light(altitude: float, cloud: float) -> Sky:
    """Light from sun and sky under a share `cloud` (0 to 1) of cloud; nothing while the sun is below the horizon.

    Illuminating Engineering Society, "Recommended practice for the calculation of daylight availability", J. IES 13
    (1984): direct 127.5 klx exp(-c / sin h), diffuse A + B sin^C h, for clear (c 0.21; 0.8, 15.5, 0.5) and overcast
    (no direct; 0.3, 21, 1) skies, here weighted by the share of cloud.
    """
    sine = math.sin(altitude)
    if sine <= 0:
        return Sky(0.0, 0.0)
    direct = _EXTRATERRESTRIAL_LX * math.exp(-0.21 / sine)
    clear = 800 + 15_500 * math.sqrt(sine)
    overcast = 300 + 21_000 * sine
    # The first degrees fade in: the constants A are twilight, which at the horizon itself would be a step.
    fade = min(1.0, sine / math.sin(math.radians(3)))
    return Sky((1 - cloud) * direct * fade, ((1 - cloud) * clear + cloud * overcast) * fade)


def beam_on_windows(sky: Sky, sun: Sun, facing_deg: ArrayLike) -> Floats:
    """Direct illuminance in lux on vertical windows facing `facing_deg` [R]; cosine of the angle of incidence."""
    cosine = np.cos(sun.azimuth - np.radians(facing_deg)) * math.cos(sun.altitude)
    return np.asarray(sky.direct * np.maximum(cosine, 0.0))


def daylight_factor(window_m2: ArrayLike, surfaces_m2: ArrayLike) -> Floats:
    """Share of the light outdoors that reaches the inside on average, under an overcast sky.

    Lynes (1979) as in CIBSE LG10 and BRE 209: DF % = T W theta / (A (1 - R^2)), with transmittance T = 0.65, visible
    sky theta = 65 degrees and mean reflectance R = 0.5.
    """
    percent = 0.65 * np.asarray(window_m2) * 65.0 / (np.asarray(surfaces_m2) * (1 - 0.5**2))
    return np.asarray(percent / 100)
