"""Days of the buildings' nodes, as they were and with one thing changed from day CHANGE on."""

from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from functools import cache

import numpy as np
from attune_core import Head, Schema, Windower
from attuned.demo.layout import Node
from attuned.demo.sensors import DEVICES
from attuned.drift.day import NodeDay, Windows, node_day

from bench.drifting.buildings import AFTER, CHANGE, MINUTE_S, PERIOD, Life, Recorded, Values, layout, recorded, swaps

ZONE = timezone(timedelta(hours=1))
_MS = 1000 * MINUTE_S

COVERED = 0.03
"""Share of the light that a cover lets through."""

OFFSET_PPM = 300.0
REPLACED = {"temperature": 2.0, "humidity": 10.0, "co2": 150.0}
"""What another sensor of the kind reads more or less."""

Change = Callable[[Recorded, Node, Values, np.random.Generator], Values | None]


def windows(node: Node, values: Values, start_utc_ms: int) -> Windows:
    """A node's windows from its values a minute; evidence is what the factory release says."""
    schema = schema_of(node)
    windower = Windower(schema)
    minute, sensor = np.nonzero(~np.isnan(values))
    ticks = minute * _MS + _MS // 2
    _, first = windower.samples(sensor.astype(np.uint8), ticks, values[minute, sensor].astype(np.float32))
    _, last = windower.advance(len(values) * _MS)
    features = np.concatenate([first, last])
    head, _ = Head.factory(schema)
    evidence, told = head.predict(features)
    said = np.where(told, evidence[:, 0].astype(np.float64), np.nan)
    return Windows(start_utc_ms + (np.arange(len(features)) + 1) * _MS, features, said)


@cache
def schema_of(node: Node) -> Schema:
    return Schema(node.sensors, MINUTE_S)


def first_day(life: Life) -> date:
    return datetime.fromtimestamp(life.start_utc_ms / 1000, ZONE).date()


def days(node: Node, values: Values, start_utc_ms: int) -> list[NodeDay]:
    """All whole days of the values, which begin at a midnight."""
    start = datetime.fromtimestamp(start_utc_ms / 1000, ZONE).date()
    found = windows(node, values, start_utc_ms)
    numbers = range(len(values) // PERIOD)
    every = [node_day(node.node_id, start + timedelta(days=n), ZONE, schema_of(node), found) for n in numbers]
    return [day for day in every if day is not None]


def unchanged(building: Recorded) -> list[NodeDay]:
    start = building.life.start_utc_ms
    return [day for node in building.nodes for day in days(node, building.values[node.index], start)]


def changed(
    building: Recorded, node: Node, change: Change, rng: np.random.Generator, later_s: int = 0
) -> list[NodeDay]:
    """A node's days from CHANGE on, changed from `later_s` after that midnight; none where it cannot change so."""
    begin, late = (CHANGE - 1) * PERIOD, later_s // MINUTE_S
    # One day before the change, so that slow averages have settled.
    before = building.values[node.index][begin : (CHANGE + AFTER) * PERIOD]
    after = change(building, node, before.copy(), rng)
    if after is None:
        return []
    after[: PERIOD + late] = before[: PERIOD + late]
    return days(node, after, building.life.start_utc_ms + begin * _MS)[1:]


def covered(_: Recorded, node: Node, values: Values, __: np.random.Generator) -> Values | None:
    if "light" not in node.sensors:
        return None
    values[:, node.sensors.index("light")] *= COVERED
    return values


def offset(_: Recorded, node: Node, values: Values, __: np.random.Generator) -> Values | None:
    if "co2" not in node.sensors:
        return None
    values[:, node.sensors.index("co2")] += OFFSET_PPM
    return values


def moved(building: Recorded, node: Node, _: Values, rng: np.random.Generator) -> Values | None:
    """What another node of the type measures in its room, with this node's own sensors."""
    others = [one for one in building.nodes if one.type == node.type and one.room != node.room]
    if not others:
        return None
    other = others[rng.integers(len(others))]
    values = building.values[other.index][(CHANGE - 1) * PERIOD : (CHANGE + AFTER) * PERIOD].copy()
    for sensor, kind in enumerate(node.sensors):
        if kind in DEVICES:
            gain, zero = building.devices[other.index][kind]
            own_gain, own_zero = building.devices[node.index][kind]
            values[:, sensor] = (values[:, sensor] - zero) / gain * own_gain + own_zero
    return values


def stuck(_: Recorded, node: Node, values: Values, rng: np.random.Generator) -> Values | None:
    levels = [number for number, kind in enumerate(node.sensors) if kind in DEVICES]
    sensor = levels[rng.integers(len(levels))]
    values[:, sensor] = values[PERIOD - 1, sensor]
    return values


def replaced(_: Recorded, node: Node, values: Values, rng: np.random.Generator) -> Values | None:
    kinds = [kind for kind in node.sensors if kind in REPLACED]
    if not kinds:
        return None
    kind = kinds[rng.integers(len(kinds))]
    values[:, node.sensors.index(kind)] += REPLACED[kind] * rng.choice([-1, 1])
    return values


def another_end(end: str) -> Change:
    """The node in the life that ends in another way."""

    def change(building: Recorded, node: Node, values: Values, _: np.random.Generator) -> Values:
        values[PERIOD:] = recorded(building.life, end).values[node.index][: AFTER * PERIOD]
        return values

    return change


def rehomed(building: Recorded) -> frozenset[str]:
    """Rooms whose people have changed in the end `use`."""
    return frozenset(room for pair in swaps(layout(building.life)) for room in pair)


CHANGES: dict[str, Change] = {
    "light covered": covered,
    "CO2 +300 ppm": offset,
    "node moved": moved,
    "sensor stuck": stuck,
    "sensor replaced": replaced,
    "use of room": another_end("use"),
}
