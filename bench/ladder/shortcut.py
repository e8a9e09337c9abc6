"""A planted shortcut: a made-up office whose hours change between the days that train and those that test.

CO2 follows a mass balance (40 m3, 18 l/h of CO2 a person, one air change an hour), sound is loud in a third of the
minutes with people, temperature lags them by an hour. They tell presence well, though not at once; the time of day
tells it better, for as long as the hours stay as they are.
"""

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

RECORDING = Path(__file__).parents[2] / "build" / "bench" / "shortcut.csv"
BEGIN = datetime(2021, 3, 1, tzinfo=UTC)
DAYS = 28
HOURS_CHANGE = 14
HOURS = ((9, 17), (15, 23))
SEED = 5
MINUTES = 24 * 60
OUTDOORS_PPM = 420.0
PPM_PER_PERSON_MIN = 18_000 / 60 / 40
AIR_CHANGES_PER_MIN = 1 / 60


def people(chance: np.random.Generator) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """How many are in the office in each minute: weekdays, within half an hour of the hours, with an hour's break."""
    present = np.zeros(DAYS * MINUTES, dtype=np.int64)
    for day in range(DAYS):
        if (BEGIN + timedelta(days=day)).weekday() >= 5:
            continue
        opens, closes = HOURS[day >= HOURS_CHANGE]
        for _ in range(2):
            start, end = (day * MINUTES + hour * 60 + int(chance.integers(-15, 16)) for hour in (opens, closes))
            pause = start + 3 * 60 + int(chance.integers(0, 60))
            present[start:pause] += 1
            present[pause + 60 : end] += 1
    return present


def readings(present: "np.ndarray[tuple[int], np.dtype[np.int64]]", chance: np.random.Generator) -> list[list[str]]:
    """Rows of time, temperature, CO2, sound and people, one a minute."""
    rows, co2, warmth = [], OUTDOORS_PPM, 0.0
    for minute, count in enumerate(present.tolist()):
        co2 += count * PPM_PER_PERSON_MIN - (co2 - OUTDOORS_PPM) * AIR_CHANGES_PER_MIN
        warmth += (0.4 * count - warmth) / 60
        loud = 12.0 * (count > 0 and chance.random() < 0.33)
        measured = (21 + warmth + chance.normal(0, 0.3), co2 + chance.normal(0, 60), 38 + loud + chance.normal(0, 4))
        moment = BEGIN + timedelta(minutes=minute)
        rows.append([moment.strftime("%Y-%m-%d %H:%M:%S"), *(f"{value:.2f}" for value in measured), str(count)])
    return rows


def write() -> None:
    """Writes the recording that bench/specs/shortcut.toml names; the same on every run."""
    chance = np.random.default_rng(SEED)
    RECORDING.parent.mkdir(parents=True, exist_ok=True)
    with RECORDING.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["time", "temperature", "co2", "sound", "people"])
        writer.writerows(readings(people(chance), chance))
