"""Motion as a weak source: how right rooms with few labels of people are, with and without blocks of motion.

Rooms are those of two simulated buildings that no other bench uses (eight days teach, four are judged), and the one
recording that has motion sensors, of which each day teaches once and the other is judged. People label stretches of
ten minutes by day, in turn free and occupied. Rooms are judged as the daemon does before it has learned how. Beside
what the daemon does stand motion that is believed whatever people said of the free room, and motion that teaches only
nodes without a motion sensor: the others could learn from their own input that what stirs nothing is nobody.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from attune_core import MISSING, Filter, Schema, Windower
from attuned.demo.building import STEP_S, Building
from attuned.demo.faults import NO_FAULTS
from attuned.demo.weather import DAY_MS
from attuned.learning import motion
from attuned.learning.blocks import Labelled, as_node, block_head, joined, summed
from attuned.learning.crossing import occupied
from attuned.learning.gathering import WEAK_WINDOWS
from attuned.learning.record import RoomRecord, filtered, fused, run_filter
from attuned.learning.replay.core import CoreCode
from attuned.learning.replay.observed import observe
from attuned.learning.replay.spec import load_spec
from attuned.learning.replay.streams import load_splits
from attuned.presence.costs import DEFAULT_COST_RATIO
from attuned.presence.model import RoomModel, threshold
from attuned.store.reading import Columns
from attuned.store.site import LabelRow
from rich.console import Console
from rich.table import Table

from bench.output import results

SPEC = Path(__file__).parent / "specs" / "singh.toml"
BUILDINGS, ROOMS, NODES, DAYS, TAUGHT = (906, 907), 12, 18, 12, 8
START_UTC_MS = 1_705_273_200_000
LABELS = (0, 2, 4, 10, 20)
SEEDS = 3
STEP = 60
# A room that is hardly used, or always, says nothing.
FEWEST_WINDOWS = 60
WAYS = ("none", "motion", "unbounded", "others")

Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Room:
    """Windows by the minute, n of them: ends_s [n], truth int8 [n]; of each node its schema and features [n, d]."""

    name: str
    ends_s: Numbers
    truth: npt.NDArray[np.int8]
    teaches: Flags
    nodes: Mapping[str, tuple[Schema, npt.NDArray[np.int16]]]

    def columns(self, node: str, chosen: Flags) -> Columns:
        seq = np.flatnonzero(chosen)
        return Columns(self.ends_s[chosen] * 1000, np.zeros(len(seq), np.int64), seq, self.nodes[node][1][chosen])


@dataclass(frozen=True)
class Row:
    """One room taught one way by one seed's labels."""

    rooms: str
    room: str
    labels: int
    seed: int
    way: str
    balanced_accuracy: float
    brier: float


def recorded() -> Iterator[Room]:
    """The recording, each way round."""
    spec = load_spec(SPEC)
    days = [split.rooms[0] for split in load_splits(spec, SPEC)]
    ends_s, truth = np.concatenate([day.ends_s for day in days]), np.concatenate([day.labels for day in days])
    first = np.arange(len(ends_s)) < len(days[0].ends_s)
    nodes = {}
    for number, node in enumerate(days[0].nodes):
        schema = Schema(node.kinds, STEP)
        whole = np.full((len(ends_s), len(schema)), MISSING, np.int16)
        for day in days:
            seen = observe(CoreCode(), day.nodes[number], STEP)
            whole[np.searchsorted(ends_s, seen.ends_s)] = seen.features
        nodes[node.node] = schema, whole
    yield Room("first day teaches", ends_s, truth, first, nodes)
    yield Room("second day teaches", ends_s, truth, ~first, nodes)


def simulated(seed: int) -> Iterator[Room]:
    """The rooms of a building that are in use and have a motion sensor."""
    building = Building(seed, ROOMS, NODES, START_UTC_MS, faults=NO_FAULTS)
    parts, present = [], []
    for _ in range(DAYS * DAY_MS // (1000 * STEP_S)):
        parts.append(building.advance(STEP_S))
        present.append(building.people > 0)
    samples = np.concatenate(parts)
    truth = np.array(present).reshape(-1, STEP // STEP_S, ROOMS).mean(axis=1) >= 0.5
    ends_s = START_UTC_MS // 1000 + STEP * np.arange(1, len(truth) + 1)
    teaches = np.arange(len(truth)) < TAUGHT * DAY_MS // (1000 * STEP)
    for number, room in enumerate(building.rooms):
        nodes = {}
        for node in (node for node in building.nodes if node.room == room.id):
            windower, mine = Windower(Schema(node.sensors, STEP)), samples[samples["node"] == node.index]
            _, early = windower.samples(mine["sensor"], mine["tick_ms"], mine["value"])
            _, late = windower.advance(building.tick_ms)
            nodes[str(node.index)] = windower.schema, np.concatenate([early, late])
        used = truth[:, number]
        fewest = min(np.sum(used[part] == k) for part in (teaches, ~teaches) for k in (False, True))
        if fewest >= FEWEST_WINDOWS and any(motion.has_motion(schema) for schema, _ in nodes.values()):
            yield Room(f"{seed} {room.id}", ends_s, used.astype(np.int8), teaches, nodes)


def told(room: Room, count: int, seed: int) -> list[LabelRow]:
    """Labels of ten minutes, in turn free and occupied, that end where that was true."""
    draw = np.random.default_rng((seed, count, len(room.ends_s)))
    hours = room.ends_s / 3600 % 24
    found = []
    for number in range(count):
        there = np.flatnonzero(room.teaches & (room.truth == number % 2) & (hours >= 7) & (hours < 21))
        end = int(room.ends_s[draw.choice(there)]) * 1000
        name = ("free", "occupied")[number % 2]
        found.append(LabelRow(number + 1, room.name, name, end - 600_000, end, 1.0, "person", "", end))
    return found


def taught(room: Room, labels: Sequence[LabelRow], way: str) -> RoomRecord:
    """What the room's nodes say on the days that are judged."""
    inside = np.zeros(len(room.ends_s), np.int64)
    for row in labels:
        inside[room.teaches & (room.ends_s * 1000 > row.from_utc_ms) & (room.ends_s * 1000 <= row.to_utc_ms)] = (
            row.number
        )
    columns = {node: room.columns(node, room.teaches) for node in room.nodes}
    steps = motion.steps_with_motion({node: (room.nodes[node][0], each) for node, each in columns.items()}, STEP)
    believed = motion.reliability(steps, STEP, labels)
    judged, names = ~room.teaches, tuple(sorted(room.nodes))
    nats, heard = np.zeros((judged.sum(), len(names))), np.zeros((judged.sum(), len(names)), dtype=bool)
    for place, node in enumerate(names):
        schema, features = room.nodes[node]
        mine = columns[node]
        at = inside[room.teaches]
        own = Labelled(mine.ends_ms, mine.boot, mine.seq, at, room.truth[room.teaches].astype(np.uint8), mine.features)[
            at > 0
        ]
        weak = motion.by_day(motion.in_motion(mine, steps, STEP, own), WEAK_WINDOWS)
        weight = motion.weight(believed, float(np.sum(own.classes == 0)), sum(map(len, weak.values())))
        if way == "none" or (way == "others" and motion.has_motion(schema)):
            weight = 0.0
        elif way == "unbounded":
            weight = believed
        parts = [block_head(schema, joined(list(weak.values()), len(schema)), weight)] if weight else []
        head = as_node(schema, summed(schema, [*parts, block_head(schema, own, 1.0)]).export())
        nats[:, place], heard[:, place] = occupied(head, features[judged])
    ends_s = room.ends_s[judged]
    stretch = np.concatenate([[0], np.cumsum(np.diff(ends_s) > 3600)])
    return RoomRecord(names, ends_s, stretch, room.truth[judged], nats, heard)


def judged(room: Room, record: RoomRecord) -> tuple[float, float]:
    """Balanced accuracy and Brier score."""
    model = RoomModel()
    states = Filter(2, STEP, "float64", model.dwell_s)
    evidence = fused(record, {node: room.nodes[node][0].kinds for node in record.nodes}, model, states.limit)
    log_odds = filtered(record, evidence, STEP, run_filter(STEP, model.dwell_s))
    prior = float(np.log(model.dwell_s[1] / model.dwell_s[0]))
    calibrated = model.calibration.slope * log_odds + model.calibration.constant(prior)
    said, known = calibrated > threshold(DEFAULT_COST_RATIO), record.labels >= 0
    right = [float(np.mean(said[known & (record.labels == k)] == k)) for k in (0, 1)]
    brier = np.mean((1 / (1 + np.exp(-calibrated)) - record.labels)[known] ** 2)
    return float(np.mean(right)), float(brier)


def rows() -> Iterator[Row]:
    groups = {"recording": list(recorded()), "simulated": [room for seed in BUILDINGS for room in simulated(seed)]}
    for name, rooms in groups.items():
        for room in rooms:
            for count in LABELS:
                for seed in range(SEEDS if count else 1):
                    labels = told(room, count, seed)
                    for way in WAYS:
                        yield Row(name, room.name, count, seed, way, *judged(room, taught(room, labels, way)))


def table(found: Sequence[Row]) -> Table:
    """Balanced accuracy and Brier score by number of labels, means over rooms and seeds; in brackets how many rooms
    are better and worse by more than .002 than without motion."""
    shown = Table("rooms", "labels", *WAYS, title="balanced accuracy / Brier score (rooms better, worse)")
    for name, count in dict.fromkeys((row.rooms, row.labels) for row in found):
        here = [row for row in found if (row.rooms, row.labels) == (name, count)]
        base = _by_room(here, "none")
        cells = []
        for way in WAYS:
            apart = np.array([value - base[room] for room, value in _by_room(here, way).items()])
            accuracy, brier = (
                np.mean([getattr(row, figure) for row in here if row.way == way])
                for figure in ("balanced_accuracy", "brier")
            )
            moved = "" if way == "none" else f" ({np.sum(apart > 0.002)}, {np.sum(apart < -0.002)})"
            cells.append(f"{accuracy:.3f} / {brier:.3f}{moved}")
        shown.add_row(f"{name}, {len(base)}", str(count), *cells)
    return shown


def _by_room(found: Sequence[Row], way: str) -> dict[str, float]:
    mine = [row for row in found if row.way == way]
    rooms = dict.fromkeys(row.room for row in mine)
    return {room: float(np.mean([row.balanced_accuracy for row in mine if row.room == room])) for room in rooms}


def main() -> int:
    """Prints the table and writes `results/motion.csv`."""
    found = list(rows())
    Console(width=130).print(table(found))
    results.write("motion", [asdict(row) for row in found], results.surroundings("numpy"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
