"""What a room's releases are built from, gathered from the store; and found again by the names of its blocks."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Protocol

import numpy as np
import numpy.typing as npt
from attune_core import Schema

from attuned.drift.life import breaks
from attuned.drift.rows import event_of
from attuned.labels.teaching import CLASSES, label_share
from attuned.learning import motion
from attuned.learning.blocks import Block, Labelled, evenly, factory_block, make_block
from attuned.learning.effective import DAY_S
from attuned.learning.releases import NodePart, Release, RoomInputs, Summand
from attuned.learning.reliability import Reliability
from attuned.nodes.facts import NodeFacts
from attuned.store.drift import DriftRow
from attuned.store.reading import Columns
from attuned.store.site import LabelRow
from attuned.store.spans import Span, merged

DAY_MS = DAY_S * 1000

# Windows of another room and class that tell what rooms of this kind are like, and the rooms that are asked: enough
# that one odd room does not decide, and so few that a release stays small.
COHORT_WINDOWS, COHORT_ROOMS = 32, 16

# Windows that are looked at to find one: some are missing.
MOMENT = 5

# What the cohort weighs in all: that of half an hour of the room's own labels, which soon outweigh it.
COHORT_WEIGHT = 30.0

# What labels from before a change of a node weigh in all: that of five hours, which a few days of answers outweigh.
PAST_WEIGHT = 300.0

# After every window, in the year 2527.
EVER_MS = 1 << 44

# How the names of blocks begin that motion sensors make.
_MOTION = "motion "

# Weak windows of one source and day: a source that speaks all day says no more than this.
WEAK_WINDOWS = 120


class Source(Protocol):
    """Where windows, labels and releases are read from: the store (store/reading.py), or what a replay keeps of one."""

    def facts(self) -> dict[str, str]: ...

    def labels_in_force(self) -> dict[str, list[LabelRow]]: ...

    def labels(self, numbers: Iterable[int]) -> dict[int, LabelRow]: ...

    def deployed(self) -> dict[str, bytes]: ...

    def drift(self) -> list[DriftRow]: ...

    def windows(self, features: Mapping[str, int], spans: Sequence[Span]) -> dict[str, Columns]: ...


@dataclass
class Gathering:
    """Gathers for many rooms in turn; what one room tells the others is kept. `rooms` are their nodes, `zone` the
    site's."""

    reader: Source
    rooms: Mapping[str, Sequence[str]]
    step_s: int
    zone: tzinfo
    facts: dict[str, NodeFacts] = field(init=False)
    labels: dict[str, list[LabelRow]] = field(init=False)
    changed: dict[str, int] = field(init=False)
    _told: dict[str, dict[str, Labelled]] = field(default_factory=dict)
    _reliability: Reliability | None = None

    def __post_init__(self) -> None:
        self.facts = {node: NodeFacts.from_json(text) for node, text in self.reader.facts().items()}
        self.labels = self.reader.labels_in_force()
        self.changed = breaks(map(event_of, self.reader.drift()), self.zone)

    def room(self, room: str) -> RoomInputs:
        """The blocks of each node of a room: cohort, weak sources, then its own labels."""
        rows = self.labels.get(room, [])
        found = self._windows(room, rows)
        said = {node: labelled(found[node], rows) for node in found}
        moved = self._motion(found, said, rows)
        nodes = {}
        for node in self._known(room):
            schema = self.schema(node)
            own = _own(node, said[node], rows, self.changed.get(node, 0))
            weak = self._weak(node, said[node], rows) if any(row.weight < 1 for row in rows) else []
            nodes[node] = NodePart(schema, (*self._cohort(room, node, schema), *weak, *moved[node], *own))
        return RoomInputs(room, self.step_s, nodes)

    def schema(self, node: str) -> Schema:
        """The feature schema of a node that has said hello."""
        return self.facts[node].make_schema()

    def _known(self, room: str) -> list[str]:
        return sorted(node for node in self.rooms[room] if node in self.facts)

    def _windows(self, room: str, rows: Sequence[LabelRow]) -> dict[str, Columns]:
        """The windows of each node that a label speaks of; all that there are where motion may teach."""
        schemas = {node: self.schema(node) for node in self._known(room)}
        spans = merged((row.from_utc_ms, row.to_utc_ms) for row in rows)
        if any(map(motion.has_motion, schemas.values())) and any(map(_says_free, rows)):
            spans = [(0, EVER_MS)]
        return self.reader.windows({node: len(schema) for node, schema in schemas.items()}, spans)

    def _weak(self, node: str, said: Labelled, rows: Sequence[LabelRow]) -> list[Summand]:
        """A block for each day and weak source, as reliable as the source has been."""
        if self._reliability is None:
            every = [row for labels in self.labels.values() for row in labels]
            self._reliability = Reliability.of(every)
        found = []
        by_number = {row.number: row for row in rows if row.weight < 1}
        sources = sorted({row.source for row in by_number.values()})
        for source in sources:
            numbers = [number for number, row in by_number.items() if row.source == source]
            windows = said[np.isin(said.label, numbers)]
            weight = self._reliability.weight(source) * max(by_number[number].weight for number in numbers)
            for day in np.unique(windows.ends_ms // DAY_MS).tolist() if weight > 0 else ():
                name = f"weak {source} {np.datetime64(day, 'D')} {node}"
                of_day = windows[windows.ends_ms // DAY_MS == day]
                found.append(_summand(name, node, weight, of_day[evenly(len(of_day), WEAK_WINDOWS)]))
        return found

    def _motion(
        self, found: Mapping[str, Columns], said: Mapping[str, Labelled], rows: Sequence[LabelRow]
    ) -> dict[str, list[Summand]]:
        """By node a block for each day in which the room's motion sensors saw somebody; none before people have told
        any node what the free room is like."""
        steps = motion.steps_with_motion({node: (self.schema(node), found[node]) for node in said}, self.step_s)
        believed = motion.reliability(steps, self.step_s, rows)
        blocks = {}
        for node, told in said.items():
            seen = motion.in_motion(found[node], steps, self.step_s, told)
            blocks[node] = _motion_blocks(node, seen, believed, _free_weight(told, rows))
        return blocks

    def _cohort(self, room: str, node: str, schema: Schema) -> list[Summand]:
        """What people said of other rooms with a node of this schema, down-weighted."""
        others = [
            (other, twin, windows)
            for other in self._cohort_rooms(room)
            for twin, windows in self._typical(other).items()
            if self.facts[twin].schema == schema.hash.hex() and len(windows)
        ]
        total = sum(len(windows) for _, _, windows in others)
        weight = min(1.0, COHORT_WEIGHT / total) if total else 0.0
        return [_summand(f"cohort {other} {twin} for {node}", node, weight, windows) for other, twin, windows in others]

    def _cohort_rooms(self, room: str) -> list[str]:
        """The rooms that people have labelled most often, without this one."""
        people = {other: sum(row.weight >= 1 for row in self.labels.get(other, ())) for other in self.rooms}
        most = sorted((other for other in people if people[other] and other != room), key=lambda o: (-people[o], o))
        return sorted(most[:COHORT_ROOMS])

    def _typical(self, room: str) -> dict[str, Labelled]:
        """Some windows of each node of a room, as many free as occupied, spread over all that people have labelled."""
        if room not in self._told:
            rows = [row for row in self.labels.get(room, []) if row.weight >= 1]
            features = {node: len(self.schema(node)) for node in self._known(room)}
            longest_ms = 1000 * max((self.facts[node].window_s for node in features), default=0)
            found = self.reader.windows(features, _moments(rows, MOMENT * longest_ms))
            self._told[room] = {
                node: _balanced(labelled(windows, rows), COHORT_WINDOWS) for node, windows in found.items()
            }
        return self._told[room]


@dataclass(frozen=True)
class Found:
    """A release's blocks as the store still has them: `missing` are the names of those that it has not, or not as
    they were."""

    inputs: RoomInputs
    missing: tuple[str, ...]


def find_again(reader: Source, release: Release) -> Found:
    """The blocks of a release, by their names and windows."""
    rows = reader.labels(number for block in release.blocks for number in block.labels) | {0: motion.ROW}
    schemas = {node: kind.features for node, kind in release.types.items()}
    parts: dict[str, list[Summand]] = {node: [] for node in schemas}
    stored = _stored(reader, release.blocks, rows, schemas)
    places = {node: _places(columns) for node, columns in stored.items()}
    missing = []
    for block in release.blocks:
        again = None
        if not block.windows:
            again = factory_block(block.node, schemas[block.node])
        elif found := _find(block, stored[source_of(block)], places[source_of(block)], rows):
            again = make_block(block.name, block.node, block.weight, found)
            parts[block.node].append((block, found))
        if again != block:
            missing.append(block.name)
    nodes = {node: NodePart(schemas[node], tuple(each)) for node, each in parts.items()}
    return Found(RoomInputs(release.room, release.step_s, nodes), tuple(missing))


def _stored(
    reader: Source, blocks: Sequence[Block], rows: Mapping[int, LabelRow], schemas: Mapping[str, Schema]
) -> dict[str, Columns]:
    """All windows that the labels of some blocks speak of, by the node that measured them."""
    told = ((row.from_utc_ms, row.to_utc_ms) for row in rows.values())
    spans = merged([*told, *(motion_day(block) for block in blocks if is_motion(block))])
    return reader.windows({source_of(block): len(schemas[block.node]) for block in blocks}, spans)


def is_motion(block: Block) -> bool:
    return block.name.startswith(_MOTION)


def motion_day(block: Block) -> Span:
    day = int(np.datetime64(block.name.split()[1], "D").astype(np.int64))
    return day * DAY_MS - 1, (day + 1) * DAY_MS


def source_of(block: Block) -> str:
    """The node that measured a block's windows: of a cohort block, the twin in the other room."""
    return block.name.split()[2] if block.name.startswith("cohort ") else block.node


def _places(stored: Columns) -> dict[tuple[int, int], int]:
    """Where each window stands, by boot and seq."""
    return {key: i for i, key in enumerate(zip(stored.boot.tolist(), stored.seq.tolist(), strict=True))}


def _find(
    block: Block, stored: Columns, places: Mapping[tuple[int, int], int], rows: Mapping[int, LabelRow]
) -> Labelled | None:
    """The windows of a block; None if a label or a window is gone."""
    if not block.labels <= rows.keys():
        return None
    wanted = [(label, boot, seq) for label, boot, first, last in block.windows for seq in range(first, last + 1)]
    if any((boot, seq) not in places for _, boot, seq in wanted):
        return None
    kept = np.array([places[boot, seq] for _, boot, seq in wanted], np.int64)
    return _labelled(stored, kept, np.array([label for label, _, _ in wanted], np.int64), rows)


def labelled(windows: Columns, rows: Sequence[LabelRow]) -> Labelled:
    """The windows of one node that a label of `rows` speaks of, by time, each with the label that counts.

    People go before weak sources; of several, the last one told.
    """
    label = np.zeros(len(windows), np.int64)
    for row in sorted(rows, key=lambda row: (row.weight >= 1, row.number)):
        first, last = np.searchsorted(windows.ends_ms, [row.from_utc_ms, row.to_utc_ms], side="right")
        label[first:last] = row.number
    kept = np.flatnonzero(label > 0)
    return _labelled(windows, kept, label[kept], {row.number: row for row in rows})


def _labelled(
    windows: Columns, kept: npt.NDArray[np.int64], label: npt.NDArray[np.int64], rows: Mapping[int, LabelRow]
) -> Labelled:
    numbers, which = np.unique(label, return_inverse=True)
    classes = np.array([CLASSES[rows[number].class_name] for number in numbers.tolist()], np.uint8)
    identity = (windows.ends_ms[kept], windows.boot[kept], windows.seq[kept])
    return Labelled(*identity, label, classes[which], windows.features[kept])


def _own(node: str, said: Labelled, rows: Sequence[LabelRow], changed_utc_ms: int) -> list[Summand]:
    """A block for each label that people gave, in order of their numbers.

    What was measured before the node changed counts for less: it is a prior for what it measures now, like the labels
    of earlier studies (the power prior of Ibrahim and Chen, Statistical Science 15, 2000).
    """
    people = {row.number: row.weight for row in rows if row.weight >= 1}
    kept = said[np.isin(said.label, list(people))]
    numbers, counts = np.unique(kept.label, return_counts=True)
    weights = {n: people[n] * label_share(k) for n, k in zip(numbers.tolist(), counts.tolist(), strict=True)}
    past = kept.ends_ms <= changed_utc_ms
    share = min(1.0, PAST_WEIGHT / max(sum(weights[n] for n in kept.label[past].tolist()), 1.0))
    return [
        *_by_label("before", node, kept[past], {n: share * weight for n, weight in weights.items()}),
        *_by_label("label", node, kept[~past], weights),
    ]


def _by_label(name: str, node: str, windows: Labelled, weights: Mapping[int, float]) -> list[Summand]:
    numbers = np.unique(windows.label).tolist()
    return [_summand(f"{name} {n} {node}", node, weights[n], windows[windows.label == n]) for n in numbers]


def _says_free(row: LabelRow) -> bool:
    return row.weight >= 1 and row.class_name == "free"


def _free_weight(said: Labelled, rows: Sequence[LabelRow]) -> float:
    """What people said of the free room, in windows of one person's word."""
    people = [row.number for row in rows if row.weight >= 1]
    return float(np.sum((said.classes == CLASSES["free"]) & np.isin(said.label, people)))


def _motion_blocks(node: str, windows: Labelled, believed: float, free: float) -> list[Summand]:
    kept = motion.by_day(windows, WEAK_WINDOWS)
    weight = motion.weight(believed, free, sum(map(len, kept.values())))
    if not weight:
        return []
    return [_summand(f"{_MOTION}{np.datetime64(day, 'D')} {node}", node, weight, part) for day, part in kept.items()]


def _summand(name: str, node: str, weight: float, windows: Labelled) -> Summand:
    return make_block(name, node, weight, windows), windows


def _moments(rows: Sequence[LabelRow], length_ms: int) -> list[Span]:
    """Stretches of a length, as many in each class as the cohort needs windows, evenly spread over the labels."""
    found: list[Span] = []
    for name in CLASSES:
        spans = merged((row.from_utc_ms, row.to_utc_ms) for row in rows if row.class_name == name)
        ends = np.cumsum([last - first for first, last in spans], dtype=np.int64)
        for place in evenly(int(ends[-1]), COHORT_WINDOWS).tolist() if spans else ():
            index = int(np.searchsorted(ends, place, side="right"))
            start = spans[index][1] - int(ends[index]) + place
            found.append((start, min(start + length_ms, spans[index][1])))
    return merged(found)


def _balanced(windows: Labelled, each: int) -> Labelled:
    """At most `each` windows of either class, in order of time."""
    kept = [np.flatnonzero(windows.classes == k)[evenly(int(np.sum(windows.classes == k)), each)] for k in (0, 1)]
    return windows[np.sort(np.concatenate(kept))]
