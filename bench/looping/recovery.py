"""Recovery: a lecture room whose node changes one midnight, and how good it is again with at most so many labels.

The first days are labelled and teach; then the change; then the loop runs with its budget; the last days judge. Beside
it a model from scratch that learned every label of the days after the change, and river's learners with the same labels
as the loop.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from attune_core import MISSING, UNIT
from attuned.labels.pacing import Pace
from attuned.learning.loop.run import Chosen, hours_of
from attuned.learning.record import UNLABELLED
from attuned.learning.replay.core import CoreCode
from attuned.learning.replay.observed import NodeWindows
from attuned.learning.replay.run import Effort, Replay, begun
from attuned.learning.replay.scores import balanced_accuracy
from attuned.learning.replay.spec import Spec, load_spec
from attuned.learning.replay.streams import NodeStream, RoomStream, Split, load_splits
from river import linear_model, preprocessing, tree

from bench.drifting.cases import COVERED, OFFSET_PPM
from bench.drifting.peers import DETECTORS
from bench.looping.rooms import DAY_S, SPECS, accuracy

LABELS = 30
TAUGHT, LOOPED, JUDGED = 11, 5, 3
"""Days that teach before the change, days of the loop after it, days that judge."""

HOUR_S = 3600

AHEAD_S = 8 * HOUR_S
"""The building is at UTC+8."""

Change = Callable[[RoomStream, RoomStream, int], RoomStream]

RIVER: Mapping[str, Callable[[], Any]] = {
    "river logistic regression": lambda: preprocessing.StandardScaler() | linear_model.LogisticRegression(),
    "river adaptive Hoeffding tree": lambda: tree.HoeffdingAdaptiveTreeClassifier(seed=0),
}


@dataclass(frozen=True)
class Recovered:
    """One room and change. `event` and `detectors`: hours from the change to the first alarm, None without one, and how
    many there were before the change."""

    room: str
    change: str
    labels: int
    event: tuple[float | None, int]
    accuracy: Mapping[str, float]
    detectors: Mapping[str, tuple[float | None, int]]


def _scaled(kind: str, factor: float, offset: float) -> Change:
    def change(room: RoomStream, _: RoomStream, since_s: int) -> RoomStream:
        return replace(room, nodes=tuple(_node(node, kind, factor, offset, since_s) for node in room.nodes))

    return change


def _node(node: NodeStream, kind: str, factor: float, offset: float, since_s: int) -> NodeStream:
    values, late = node.values.copy(), node.times_ms > since_s * 1000
    column = node.sensors.index(kind)
    values[late, column] = values[late, column] * factor + offset
    return replace(node, values=values)


def _moved(room: RoomStream, other: RoomStream, since_s: int) -> RoomStream:
    """What the node of the other room measures, and how that room is used."""
    before, after = _between(room, 0, since_s), _between(other, since_s, np.iinfo(np.int64).max)
    node, there = before.nodes[0], after.nodes[0]
    moved = replace(
        node,
        times_ms=np.concatenate([node.times_ms, there.times_ms]),
        values=np.concatenate([node.values, there.values]),
    )
    ends_s = np.concatenate([before.ends_s, after.ends_s])
    labels = np.concatenate([before.labels, after.labels])
    return RoomStream(room.room, (moved,), ends_s, labels, np.concatenate([before.stretch, after.stretch]))


CHANGES: Mapping[str, Change] = {
    "light covered": _scaled("light", COVERED, 0.0),
    "CO2 +300 ppm": _scaled("co2", 1.0, OFFSET_PPM),
    "node moved": _moved,
}


def recovered() -> Iterator[Recovered]:
    path = SPECS / "robod-stream.toml"
    spec = load_spec(path)
    (split,) = load_splits(spec, path)
    for number, room in enumerate(split.rooms):
        days = np.unique((room.ends_s - 1 + AHEAD_S) // DAY_S)
        starts = [days[0], days[TAUGHT], days[TAUGHT + LOOPED], days[TAUGHT + LOOPED + JUDGED - 1] + 1]
        midnight = [int(day) * DAY_S - AHEAD_S for day in starts]
        for name, change in CHANGES.items():
            changed = change(room, split.rooms[1 - number], midnight[1])
            yield _measured(spec, name, [_between(changed, a, b) for a, b in pairwise(midnight)])


def _between(room: RoomStream, since_s: int, until_s: int) -> RoomStream:
    chosen = (room.ends_s > since_s) & (room.ends_s <= until_s)
    nodes = []
    for node in room.nodes:
        rows = (node.times_ms > since_s * 1000) & (node.times_ms <= min(until_s, 2**40) * 1000)
        nodes.append(replace(node, times_ms=node.times_ms[rows], values=node.values[rows]))
    return RoomStream(room.room, tuple(nodes), room.ends_s[chosen], room.labels[chosen], room.stretch[chosen])


def _measured(spec: Spec, change: str, parts: list[RoomStream]) -> Recovered:
    taught, looped, judged = parts
    frozen = _frozen(_taught(spec, taught), judged)
    replay = _taught(spec, taught)
    room = replay.loop_room(looped)
    ask = Chosen(Pace(LABELS, len(hours_of([room]))), 1000 * spec.window_s)
    loop = begun(replay, Split("train", (taught,)), ask, LABELS)
    loop.run([room])
    since_ms = (int(looped.ends_s[0]) - spec.window_s) * 1000
    events = [one.utc_ms - since_ms for one in loop.figures.happenings if one.what == "drift"]
    reached = _looped(replay, judged)
    loop.commission([room])
    scores = {
        "frozen": frozen,
        "loop": reached,
        "let out by a person": _looped(replay, judged),
        "from scratch, every label": _frozen(_taught(spec, looped), judged),
    }
    seen = [replay.loop_room(part).windows[room.nodes[0]] for part in parts]
    for name, build in RIVER.items():
        scores[name] = _river(build(), seen, parts, {row.to_utc_ms // 1000 for row in room.rows})
    return Recovered(
        taught.room,
        change,
        loop.figures.labels_asked,
        _first(events),
        scores,
        {name: _first(_alarms(name, seen, since_ms)) for name in DETECTORS},
    )


def _first(after_ms: list[int]) -> tuple[float | None, int]:
    """Hours from the change to the first alarm, and the alarms before it."""
    later = [after for after in after_ms if after > 0]
    return (min(later) / 3_600_000 if later else None), len(after_ms) - len(later)


def _taught(spec: Spec, stream: RoomStream) -> Replay:
    replay = Replay(CoreCode(), spec, "mixture", Effort(lambda: 0.0))
    replay.learn(Split("train", (stream,)))
    return replay


def _looped(replay: Replay, stream: RoomStream) -> float:
    """Balanced accuracy of what nodes run at the end of a loop over a stream that teaches nothing."""
    room = replay.loop_room(stream)
    room.serve(int(stream.ends_s[-1]))
    return accuracy(room.record(0, room.served), room.log_odds, stream.labels)


def _frozen(replay: Replay, stream: RoomStream) -> float:
    """Balanced accuracy of what a replay has learned over a stream that teaches nothing."""
    beliefs = replay.judge(Split("test", (stream,)), "frozen")[stream.room]
    return balanced_accuracy(beliefs.truth, beliefs.said)


def _river(model: Any, seen: list[NodeWindows], parts: list[RoomStream], asked: set[int]) -> float:
    """Balanced accuracy over the last part after every label of the first and the loop's own of the second."""
    inputs = [[dict(enumerate(row)) for row in _units(one).tolist()] for one in seen]
    for number in (0, 1):
        labels = _labels(seen[number], parts[number])
        for x, end, label in zip(inputs[number], seen[number].ends_s.tolist(), labels.tolist(), strict=True):
            if label != UNLABELLED and (number == 0 or end in asked):
                model.learn_one(x, bool(label))
    truth = _labels(seen[2], parts[2])
    said = np.array([model.predict_proba_one(x).get(True, 0.0) > 0.5 for x in inputs[2]], np.int8)
    return balanced_accuracy(truth[truth != UNLABELLED], said[truth != UNLABELLED])


def _units(seen: NodeWindows) -> npt.NDArray[np.float64]:
    """Windows in units of the schema; what is missing is in the middle."""
    return np.where(seen.features == MISSING, 0.0, seen.features / UNIT)


def _labels(seen: NodeWindows, stream: RoomStream) -> npt.NDArray[np.int8]:
    return stream.labels[np.searchsorted(stream.ends_s, seen.ends_s)]


def _alarms(name: str, seen: list[NodeWindows], since_ms: int) -> list[int]:
    """Alarms of a detector for each feature's hourly means before and after the change, in ms from it."""
    ends_s = np.concatenate([one.ends_s for one in seen[:2]])
    hours, which = np.unique((ends_s - 1) // HOUR_S, return_inverse=True)
    units = np.concatenate([_units(one) for one in seen[:2]])
    found = set()
    for column in units.T:
        detector = DETECTORS[name]()
        means = np.bincount(which, column) / np.bincount(which)
        for hour, value in zip(hours.tolist(), means.tolist(), strict=True):
            detector.update(value)  # type: ignore[no-untyped-call]
            if detector.drift_detected:
                found.add((hour + 1) * HOUR_S * 1000 - since_ms)
    return sorted(found)
