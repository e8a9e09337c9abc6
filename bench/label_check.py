"""How many of 20 planted mistakes among 400 labels are among the first 20 that `attune label check` names.

Labels are stretches of a recording in which the room did not change, ten minutes long where windows are a minute and
half an hour where they are five, drawn at random over all of its days.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from attuned.labels.doubts import Lesson, doubts
from attuned.learning.replay.core import CoreCode, schema
from attuned.learning.replay.observed import NodeWindows, observe
from attuned.learning.replay.spec import load_spec
from attuned.learning.replay.streams import NodeStream, RoomStream, load_splits
from rich.console import Console
from rich.table import Table

from bench.output import results

SPECS = Path(__file__).parent / "specs"
ROWS = (("candanedo", ()), ("candanedo", ("light",)), ("robod", ()), ("robod", ("light",)))
LABELS, PLANTED, SEEDS, BAR = 400, 20, 5, 12

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Row:
    recording: str
    room: str
    seed: int
    labels: int
    found: int


def main() -> int:
    rows = [row for name, drop in ROWS for row in measure(name, drop)]
    results.write("label_check", map(asdict, rows), results.surroundings("numpy"))
    Console().print(table(rows))
    return 0


def measure(name: str, drop: tuple[str, ...]) -> list[Row]:
    path = SPECS / f"{name}.toml"
    spec = load_spec(path)
    rooms: dict[str, list[RoomStream]] = {}
    for split in load_splits(spec, path, drop):
        for room in split.rooms:
            rooms.setdefault(room.room, []).append(room)
    title = " without ".join([name, *drop])
    return [
        Row(title, room, seed, *_found(streams, spec.window_s, seed))
        for room, streams in rooms.items()
        for seed in range(SEEDS)
    ]


def _found(streams: Sequence[RoomStream], window_s: int, seed: int) -> tuple[int, int]:
    """Labels drawn, and planted ones among the first that are named."""
    rng = np.random.default_rng(seed)
    length_s = 600 if window_s <= 60 else 1800
    stretches, classes = _stretches(streams, length_s, window_s)
    drawn = np.sort(rng.permutation(len(stretches))[:LABELS])
    stretches, said = stretches[drawn], classes[drawn].copy()
    planted = rng.permutation(len(said))[:PLANTED]
    said[planted] ^= 1
    lessons = [_lesson(streams, node, stretches, length_s, window_s) for node in range(len(streams[0].nodes))]
    middles = (stretches * length_s + length_s // 2) * 1000
    against = doubts(said, middles, lessons, np.ones(len(said), dtype=bool))
    named = np.argsort(-np.nan_to_num(against, nan=-np.inf), kind="stable")[:PLANTED]
    return len(said), len(set(planted.tolist()) & set(named.tolist()))


def _stretches(streams: Sequence[RoomStream], length_s: int, window_s: int) -> tuple[Integers, npt.NDArray[np.int8]]:
    """Numbers of the stretches that are covered and of one class, and their classes."""
    found: dict[int, int] = {}
    for room in streams:
        number = room.ends_s // length_s
        for one in np.unique(number):
            labels = room.labels[number == one]
            if len(labels) * window_s >= 0.8 * length_s and labels.min() == labels.max() >= 0:
                found[int(one)] = int(labels[0])
    order = sorted(found)
    return np.array(order, np.int64), np.array([found[one] for one in order], np.int8)


def _lesson(streams: Sequence[RoomStream], node: int, stretches: Integers, length_s: int, window_s: int) -> Lesson:
    observed = [_observed(room.nodes[node], window_s) for room in streams]
    ends = np.concatenate([windows.ends_s for windows in observed]) // length_s
    features = np.concatenate([windows.features for windows in observed])
    index = np.clip(np.searchsorted(stretches, ends), 0, len(stretches) - 1)
    inside = stretches[index] == ends
    kinds = tuple(streams[0].nodes[node].kinds)
    return Lesson(schema(kinds, window_s), features[inside], index[inside])


def _observed(stream: NodeStream, window_s: int) -> NodeWindows:
    return observe(CoreCode(), stream, window_s)


def table(rows: Sequence[Row]) -> Table:
    shown = Table("recording", "room", "labels", f"found of {PLANTED}, by seed", f"at least {BAR}")
    for recording, room in dict.fromkeys((row.recording, row.room) for row in rows):
        own = [row for row in rows if (row.recording, row.room) == (recording, room)]
        found = [row.found for row in own]
        verdict = "yes" if min(found) >= BAR else "no"
        shown.add_row(recording, room, str(own[0].labels), " ".join(map(str, found)), verdict)
    return shown
