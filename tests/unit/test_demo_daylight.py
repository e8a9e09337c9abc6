"""Sun and sky of the simulated building against almanac values and sums worked by hand."""

from __future__ import annotations

import math

import pytest
from attuned.demo.daylight import (
    Sky,
    Sun,
    beam_on_windows,
    daylight_factor,
    equation_of_time_min,
    sky_light,
    sun_position,
)

GREENWICH = (51.48, 0.0)
JUNE_20_NOON = 1_718_884_800_000  # 2024-06-20 12:00 UTC
DECEMBER_21_NOON = 1_734_782_400_000  # 2024-12-21 12:00 UTC
MARCH_20_NOON = 1_710_936_000_000  # 2024-03-20 12:00 UTC
HOUR = 3_600_000


@pytest.mark.parametrize(
    ("utc_ms", "altitude_deg"),
    [
        # At noon 90 - latitude + declination; declinations of the solstices and the equinox.
        (JUNE_20_NOON, 90 - 51.48 + 23.44),
        (DECEMBER_21_NOON, 90 - 51.48 - 23.44),
        (MARCH_20_NOON, 90 - 51.48),
    ],
)
def test_altitude_at_noon(utc_ms: int, altitude_deg: float) -> None:
    sun = sun_position(utc_ms, *GREENWICH)
    assert math.degrees(sun.altitude) == pytest.approx(altitude_deg, abs=0.7)
    assert math.degrees(sun.azimuth) == pytest.approx(180, abs=3)


def test_sunrise_and_sunset_at_greenwich_in_june() -> None:
    # Almanac: 03:43 and 20:21 UTC; refraction and the sun's radius are some six minutes of that, at most 1.2 degrees.
    for hours, azimuth_deg in ((-8.283, 49.0), (8.35, 311.0)):
        sun = sun_position(JUNE_20_NOON + int(hours * HOUR), *GREENWICH)
        assert math.degrees(sun.altitude) == pytest.approx(-0.83, abs=0.7)
        assert math.degrees(sun.azimuth) == pytest.approx(azimuth_deg, abs=1.5)


@pytest.mark.parametrize(("day", "minutes"), [(307, 16.4), (42, -14.2), (134, 3.7), (207, -6.5)])
def test_equation_of_time_at_its_extremes(day: int, minutes: float) -> None:
    # Spencer's series is within 35 s of the almanac.
    assert equation_of_time_min(day) == pytest.approx(minutes, abs=35 / 60)


def test_no_light_at_night() -> None:
    assert sky_light(-0.001, 0.3) == Sky(0.0, 0.0)
    assert sky_light(sun_position(JUNE_20_NOON + 12 * HOUR, *GREENWICH).altitude, 0.0) == Sky(0.0, 0.0)


def test_clear_and_overcast_skies_as_worked_by_hand() -> None:
    # 30 degrees: exp(-0.21 / 0.5) = 0.657047 of 127.5 klx; 800 + 15500 * 0.707107 = 11760; 300 + 21000 * 0.5 = 10800.
    clear, overcast = sky_light(math.pi / 6, 0.0), sky_light(math.pi / 6, 1.0)
    assert clear.direct == pytest.approx(83_773, rel=1e-4)
    assert clear.diffuse == pytest.approx(11_760, rel=1e-4)
    assert overcast.direct == 0.0
    assert overcast.diffuse == pytest.approx(10_800)


def test_sun_in_the_south_shines_on_southern_windows_only() -> None:
    # On the southern wall cos 30 = 0.866 of the beam, on a wall turned by 60 degrees half of that.
    beam = beam_on_windows(Sky(10_000, 0), Sun(math.pi / 6, math.pi), [180.0, 120.0, 0.0])
    assert beam.tolist() == pytest.approx([8660.3, 4330.1, 0.0], rel=1e-4)


def test_daylight_factor_as_worked_by_hand() -> None:
    # 3 m2 of window in 90 m2 of surfaces: 0.65 * 3 * 65 / (90 * 0.75) = 1.878 %.
    assert float(daylight_factor(3.0, 90.0)) == pytest.approx(0.01878, rel=1e-3)
