"""Demo buildings over weeks, a value a minute and sensor, kept in build/: simulated once, changed many times.

A building lives DAYS days without a change. Beside it stand two other ends of the same life from day CHANGE on: one in
which rooms have changed their people (`use`), and one three months later (`season`).
"""

from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from attuned.demo.building import Building
from attuned.demo.layout import Kind, Node
from attuned.demo.sensors import DEVICES, Samples
from attuned.demo.weather import DAY_MS

from bench.drifting.cache import Arrays, cached

DAYS = 42
CHANGE = 21
AFTER = 7
"""Days without a change; the day at whose midnight things change; days after it."""

MINUTE_S = 60
DAY_S = 86_400
PERIOD = DAY_S // MINUTE_S
SEASON_MS = 91 * DAY_MS
ROOMS, NODES = 24, 32

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Life:
    """A building: its seed, and the midnight in the building, which is at UTC+1, at which its days begin."""

    seed: int
    start_utc_ms: int


_MONDAY_UTC_MS = 1_705_273_200_000
"""Monday, 15 January 2024, 00:00 in the building."""

LIVES = tuple(Life(900 + number, _MONDAY_UTC_MS + number * 91 * DAY_MS) for number in range(4))
"""Four buildings, a quarter of a year apart."""


@dataclass(frozen=True)
class Recorded:
    """What a building's nodes measured: `values[node]` [days * PERIOD, sensors], NaN missing, events as counts."""

    life: Life
    nodes: tuple[Node, ...]
    values: tuple[Values, ...]
    devices: tuple[dict[str, tuple[float, float]], ...]


def layout(life: Life) -> Building:
    """The building at the start of its life."""
    return Building(life.seed, ROOMS, NODES, life.start_utc_ms, step_s=MINUTE_S)


def recorded(life: Life, end: str = "") -> Recorded:
    """A building's life without a change, or the last days of another `end` of it: `use` or `season`."""
    arrays = cached(f"{life.seed}-{end or 'unchanged'}", lambda: _simulate(life))
    building = layout(life)
    values = tuple(arrays[str(node.index)].astype(np.float64) for node in building.nodes)
    devices = tuple(building.devices(node.index) for node in building.nodes)
    return Recorded(life, building.nodes, values, devices)


def swaps(building: Building) -> list[tuple[str, str]]:
    """Rooms that change their people with each other: offices with very different numbers of desks."""
    offices = sorted((room for room in building.rooms if room.kind is Kind.OFFICE), key=lambda room: room.seats)
    half = len(offices) // 2
    return [(few.id, many.id) for few, many in zip(offices[:half], reversed(offices), strict=False)]


def _simulate(life: Life) -> dict[str, Arrays]:
    building = layout(life)
    before = live(building, CHANGE)
    other = deepcopy(building)
    for room, with_room in swaps(other):
        other.rehome(room, with_room)
    later = layout(Life(life.seed, life.start_utc_ms + CHANGE * DAY_MS + SEASON_MS))
    whole = [np.concatenate(parts) for parts in zip(before, live(building, DAYS - CHANGE), strict=True)]
    ends = {"": whole, "use": live(other, AFTER), "season": live(later, AFTER)}
    return {
        f"{life.seed}-{end or 'unchanged'}": {str(n): v.astype(np.float32) for n, v in enumerate(values)}
        for end, values in ends.items()
    }


def live(building: Building, days: int) -> list[Values]:
    """A value a minute and sensor of each node over the next days, [days * PERIOD, sensors]."""
    parts = [_day(building) for _ in range(days)]
    return [np.concatenate(of_node) for of_node in zip(*parts, strict=True)]


def _day(building: Building) -> list[Values]:
    start_ms = building.tick_ms
    samples = building.advance(DAY_S)
    return [_minutes(node, samples[samples["node"] == node.index], start_ms) for node in building.nodes]


def _minutes(node: Node, samples: Samples, start_ms: int) -> Values:
    values = np.full((PERIOD, len(node.sensors)), np.nan)
    for sensor, kind in enumerate(node.sensors):
        mine = samples[samples["sensor"] == sensor]
        minute = (mine["tick_ms"].astype(np.int64) - start_ms - 1) // (1000 * MINUTE_S)
        values[:, sensor] = _column(minute, mine["value"].astype(np.float64), mean=kind in DEVICES)
    return values


def _column(minute: npt.NDArray[np.int64], value: Values, *, mean: bool) -> Values:
    count = np.bincount(minute, minlength=PERIOD)
    total = np.bincount(minute, weights=value, minlength=PERIOD)
    return np.where(count > 0, total / np.where(mean, np.maximum(count, 1), 1), np.nan)
