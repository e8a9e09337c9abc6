"""What a small building has been through before a demonstration begins: simulated days, labels, and a covered sensor.

Each node computes windows, evidence and its own state with the node's own code, from its factory release and the labels
that its log would hold; each room is judged by the daemon's own code. Nothing of it is live.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone

import numpy as np
from attune_core import Filter, Head, Schema, Windower

from attuned.demo.building import Building
from attuned.demo.layout import DemoError, Kind, Node, Room
from attuned.demo.sensors import SAMPLE, Samples
from attuned.demo.stage import WINDOW_S
from attuned.demo.weather import DAY_MS, HOUR_MS
from attuned.labels.labels import PERSON
from attuned.labels.teaching import CLASSES
from attuned.learning.from_labels import room_record, spans
from attuned.learning.rooms import learn_room
from attuned.nodes.window import EVIDENCE_STEPS, Window
from attuned.presence.costs import DEFAULT_COST_RATIO
from attuned.presence.keeping import said_row
from attuned.presence.model import RoomModel, threshold
from attuned.presence.rooms import Rooms
from attuned.store.beliefs import SaidRow
from attuned.store.site import LabelRow

FRIDAY_UTC_MS = 1_705_014_000_000
"""Friday, 12 January 2024, 00:00 in the building. In winter lamps say most of who is in."""

DAYS = 13
"""Days up to the one with the change, which is a Wednesday: twelve before it are enough to compare it with."""

ROOMS, NODES = 6, 6

TAPED_H = 6.5
"""When the light sensor is covered: before anybody comes."""

EVENING_H = 19
"""When people say how rooms have been on that day."""

WORK_H = (8, 19)
"""The hours of which people say anything."""

LABEL_MIN = 10
AUTHOR = "caretaker"

LOG_WINDOWS = 64
"""Windows in a node's label log (ATTUNE_LABEL_LOG)."""

_STEP_MS = WINDOW_S * 1000


class PastNode:
    """A node without a link: its windows so far, and the head that it would have."""

    def __init__(self, node: Node, boot: int, start_utc_ms: int) -> None:
        self.node = node
        self.schema = Schema(node.sensors, WINDOW_S)
        self.boot = boot
        self.windows: list[Window] = []
        self.release: bytes
        self._factory, self.release = Head.factory(self.schema)
        self._head = self._factory
        self._windower = Windower(self.schema)
        self._filter = Filter(2, WINDOW_S)
        self._start_utc_ms = start_utc_ms

    def measure(self, samples: Samples, until_ms: int) -> list[Window]:
        """The windows that these samples bring up to a tick."""
        mine = samples[samples["node"] == self.node.index]
        parts = (
            self._windower.samples(mine["sensor"], mine["tick_ms"], mine["value"]),
            self._windower.advance(until_ms),
        )
        features = np.concatenate([part[1] for part in parts])
        evidence, told = self._head.predict(features)
        steps = np.clip(np.rint(evidence * EVIDENCE_STEPS), -32767, 32767).astype("<i2")
        states = self._filter.run(evidence, told)
        new = [
            self._window(len(self.windows) + n + 1, x, steps[n].tobytes() if told[n] else b"", _state(states[n]))
            for n, x in enumerate(features)
        ]
        self.windows += new
        return new

    def _window(self, seq: int, features: np.ndarray, evidence: bytes, state: int) -> Window:
        end_s = seq * WINDOW_S
        utc_ms = self._start_utc_ms + end_s * 1000
        return Window(
            self.node.node_id, self.boot, seq, end_s, utc_ms, state, evidence, features.astype("<i2").tobytes()
        )

    def teach(self, labels: Sequence[LabelRow]) -> None:
        """The head of the factory release and of the newest windows of the room's labels, in order of their numbers."""
        told = [
            (window, CLASSES[row.class_name])
            for row in labels
            for window in self.between(row.from_utc_ms, row.to_utc_ms)
        ][-LOG_WINDOWS:]
        self._head = self._factory.copy()
        if told:
            features = np.frombuffer(b"".join(window.features for window, _ in told), "<i2")
            self._head.learn(features.reshape(len(told), -1), np.array([k for _, k in told], np.uint8))

    def between(self, from_utc_ms: int, to_utc_ms: int) -> list[Window]:
        """The windows that end in (from, to]."""
        first, last = (max(0, utc_ms - self._start_utc_ms) // _STEP_MS for utc_ms in (from_utc_ms, to_utc_ms))
        return self.windows[first:last]


def _state(probabilities: np.ndarray) -> int:
    """As in a report: the class of the node's own filter, and its probability in fifteenths."""
    favoured = int(np.argmax(probabilities))
    return favoured | int(np.rint(probabilities[favoured] * 15)) << 4


@dataclass(frozen=True)
class Stretch:
    """A time (from, to] in which a room was free all along, or occupied."""

    room: str
    from_utc_ms: int
    to_utc_ms: int
    occupied: bool

    @property
    def class_name(self) -> str:
        return "occupied" if self.occupied else "free"


@dataclass(frozen=True)
class Onwards:
    """What a stage installs when it takes over from the past (stage.Plan)."""

    start_utc_ms: int
    rooms: tuple[Room, ...]
    nodes: tuple[Node, ...]


class Past:
    """The building, its nodes with their windows, what was `said` of rooms, and `labels` in order of their numbers.

    `truth[utc_ms]` tells, for each end of a minute, which rooms were occupied.
    """

    def __init__(self, seed: int) -> None:
        self.building = Building(seed, ROOMS, NODES, FRIDAY_UTC_MS, step_s=WINDOW_S, main_type="corner")
        self.zone = timezone(timedelta(milliseconds=self.building.site.utc_offset_ms))
        self._rng = np.random.default_rng(seed)
        boots = self._rng.integers(1, 2**32, size=NODES).tolist()
        self.nodes = {
            node.node_id: PastNode(node, boot, FRIDAY_UTC_MS)
            for node, boot in zip(self.building.nodes, boots, strict=True)
        }
        self.rooms = Rooms(
            [room.id for room in self.building.rooms],
            _STEP_MS,
            {node.node_id: node.room for node in self.building.nodes},
            lambda node: self.nodes[node].node.sensors,
            threshold=threshold(DEFAULT_COST_RATIO),
        )
        self.truth: dict[int, frozenset[str]] = {}
        self.said: list[SaidRow] = []
        self.labels: list[LabelRow] = []
        self._covered: Node | None = None

    @property
    def now_utc_ms(self) -> int:
        return self.building.utc_ms

    @property
    def covered(self) -> Node:
        """The node under the tape. Raises DemoError before there is any."""
        if self._covered is None:
            raise DemoError("Nothing is covered yet: live through the past first.")
        return self._covered

    def live(self, until_utc_ms: int) -> Iterator[date]:
        """Lives through all days, and through the first minutes of the day after; tells each day once it is over."""
        for number in range(DAYS):
            midnight = FRIDAY_UTC_MS + number * DAY_MS
            if number < DAYS - 1:
                self._until(midnight + EVENING_H * HOUR_MS)
                self._label(midnight)
            else:
                self._until(midnight + round(TAPED_H * HOUR_MS))
                self._tape()
            self._until(midnight + DAY_MS)
            yield self.day(number)
        self._until(until_utc_ms)

    def day(self, number: int) -> date:
        """The local day of a number, counted from the first."""
        return datetime.fromtimestamp(FRIDAY_UTC_MS / 1000, self.zone).date() + timedelta(days=number)

    def onwards(self) -> Onwards:
        """The same building from its present on."""
        return Onwards(self.now_utc_ms, self.building.rooms, self.building.nodes)

    def stretches(self, room: str, from_utc_ms: int, to_utc_ms: int, least_min: int) -> list[Stretch]:
        """The times of at least so many minutes in which a room was steadily free or occupied, in order."""
        found: list[Stretch] = []
        begin = from_utc_ms
        for utc_ms in range(from_utc_ms + _STEP_MS, to_utc_ms + 1, _STEP_MS):
            occupied = room in self.truth[utc_ms]
            if utc_ms == to_utc_ms or (room in self.truth[utc_ms + _STEP_MS]) != occupied:
                found.append(Stretch(room, begin, utc_ms, occupied))
                begin = utc_ms
        return [one for one in found if one.to_utc_ms - one.from_utc_ms >= least_min * _STEP_MS]

    def _until(self, utc_ms: int) -> None:
        parts = [np.empty(0, dtype=SAMPLE)]
        while self.building.utc_ms < utc_ms:
            parts.append(self.building.advance(WINDOW_S))
            self.truth[self.building.utc_ms] = frozenset(
                room.id for room, people in zip(self.building.rooms, self.building.people, strict=True) if people
            )
        samples = np.concatenate(parts)
        found = [node.measure(samples, self.building.tick_ms) for node in self.nodes.values()]
        for windows in zip(*found, strict=True):
            self._judge(windows)

    def _judge(self, windows: Sequence[Window]) -> None:
        """The rooms take a minute's windows, and say what is worth saying."""
        for window in windows:
            self.rooms.take(window)
        now = windows[0].end_utc_ms
        for room, belief in self.rooms.to_say(now):
            self.rooms.rooms[room].said = belief
            self.said.append(said_row(room, belief, now))

    def _label(self, midnight_utc_ms: int) -> None:
        """People say of ten minutes of each room that it was free then, and of ten that it was in use."""
        first, last = (midnight_utc_ms + hour * HOUR_MS for hour in WORK_H)
        for room in self.building.rooms:
            seen = self.stretches(room.id, first, last, LABEL_MIN)
            for occupied in (False, True):
                if chosen := [one for one in seen if one.occupied is occupied]:
                    self.labels.append(self._ten_minutes(chosen[int(self._rng.integers(len(chosen)))]))
        for node in self.nodes.values():
            node.teach(self.labels_of(node.node.room))
        for room in self.building.rooms:
            self.rooms.adopt(room.id, self._learned(room.id))

    def _ten_minutes(self, stretch: Stretch) -> LabelRow:
        spare = (stretch.to_utc_ms - stretch.from_utc_ms) // _STEP_MS - LABEL_MIN
        begin = stretch.from_utc_ms + int(self._rng.integers(spare + 1)) * _STEP_MS
        end, number = begin + LABEL_MIN * _STEP_MS, len(self.labels) + 1
        said = (stretch.room, stretch.class_name, begin, end)
        return LabelRow(number, *said, 1.0, PERSON, AUTHOR, self.now_utc_ms)

    def labels_of(self, room: str) -> list[LabelRow]:
        """In order of their numbers."""
        return [row for row in self.labels if row.room == room]

    def _learned(self, room: str) -> RoomModel:
        """How the room is judged from now on, as the daemon learns it."""
        labels, (node,) = self.labels_of(room), [one for one in self.nodes.values() if one.node.room == room]
        windows = [window for first, last in spans(labels, self.now_utc_ms) for window in node.between(first, last)]
        record = room_record(labels, windows, [node.node.node_id], _STEP_MS)
        return learn_room(record, {node.node.node_id: node.node.sensors}, WINDOW_S)

    def _tape(self) -> None:
        """Tape goes over the light sensor of the office that was in use most."""
        offices = {room.id for room in self.building.rooms if room.kind is Kind.OFFICE}
        used = Counter(room for rooms in self.truth.values() for room in rooms & offices)
        most = max(sorted(offices), key=lambda room: used[room])
        self._covered = next(node for node in self.building.nodes if node.room == most)
        self.building.cover(self._covered.index)
