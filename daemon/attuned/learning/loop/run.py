"""The protocol of a loop: every window is judged, then asked about, learned from, watched and retrained with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, tzinfo

import numpy as np
import numpy.typing as npt

from attuned.config import RetrainingSettings
from attuned.drift.day import NodeDay, Windows, node_day, stretch_of
from attuned.drift.detector import GRACE_MS
from attuned.drift.judge import History
from attuned.drift.life import State
from attuned.labels.pacing import Pace
from attuned.labels.questions import rank_questions
from attuned.learning.blocks import as_node
from attuned.learning.gathering import Gathering, find_again
from attuned.learning.jobs import Answer, Job
from attuned.learning.loop.recorded import Recorded
from attuned.learning.loop.room import Known, LoopRoom
from attuned.learning.loop.watching import Watch
from attuned.learning.record import UNLABELLED, RoomRecord
from attuned.learning.releases import Release, build, held_back_record
from attuned.learning.replay.core import CoreHead
from attuned.learning.retraining import due, ready, release_rows
from attuned.learning.worker import work
from attuned.presence.costs import DEFAULT_COST_RATIO
from attuned.store.releases import REFUSED, ReleaseRow

HOUR_S = 3600
HOUR_MS = 1000 * HOUR_S

Ends = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]

# Labels that are asked for a day where nobody says how many.
LABELS_A_DAY = 5

CLASS_NAMES = ("free", "occupied")

# Of rooms' windows in (from, to] those to ask about, as (room, from, to), when so many labels are left: the daemon's
# choice, or what it is compared with.
Asked = list[tuple[LoopRoom, int, int]]
Ask = Callable[[Sequence[LoopRoom], int, int, int], Asked]


@dataclass(frozen=True)
class Happening:
    """What happened in the loop: `what` is drift, released, refused or undecided."""

    utc_ms: int
    room: str
    what: str
    text: str


@dataclass
class LoopFigures:
    """What a loop did. Negative flips are windows of held-back days that were right before a release was taken up and
    are wrong with it."""

    labels_asked: int = 0
    releases: int = 0
    refused: int = 0
    undecided: int = 0
    drift_events: int = 0
    negative_flips: int = 0
    happenings: list[Happening] = field(default_factory=list)


@dataclass
class Chosen:
    """Asks by the daemon's own choice: at most one window a question, an hour's best if they are worth it."""

    pace: Pace
    stretch_ms: int

    def __call__(self, rooms: Sequence[LoopRoom], from_utc_ms: int, to_utc_ms: int, left: int) -> Asked:
        by_name = {room.stream.room: room for room in rooms}
        now = [room.now(from_utc_ms, to_utc_ms) for room in rooms]
        ranked = rank_questions(now, from_utc_ms, to_utc_ms, self.pace.most(left), self.stretch_ms)
        asked = ranked[: self.pace.asks([worth for worth, _ in ranked], left)]
        return [(by_name[one.room], one.from_utc_ms, one.to_utc_ms) for _, one in asked]


class Loop:
    """Rooms that go on learning. `ask` says what is asked about, at most `budget` labelled windows in all."""

    def __init__(self, zone: tzinfo, zone_name: str, step_s: int, ask: Ask, budget: int) -> None:
        self.zone = zone
        self.zone_name = zone_name
        self.step_s = step_s
        self.ask = ask
        self.budget = budget
        self.settings = RetrainingSettings()
        self.source = Recorded()
        self.watch = Watch(History(self.source.schemas), zone, self.source.events)
        self.figures = LoopFigures()
        self.known: dict[str, Known] = {}
        self._rooms: list[LoopRoom] = []
        self._nodes: dict[str, list[str]] = {}
        self._last: dict[str, tuple[int, int]] = {}

    def learned(self, room: LoopRoom, record: RoomRecord) -> None:
        """Takes a split that was learned before the loop began, with what heads said that had not learned it."""
        self._put(room)
        for first, last, label in _runs(record, self.step_s):
            row = self.source.tell(room.stream.room, CLASS_NAMES[label], first, last, last)
            for node in room.nodes:
                room.note(node, row)
        room.known.past.append(record)
        for column, node in enumerate(record.nodes):
            nats = np.where(record.told[:, column], record.nats[:, column], np.nan)
            self._add_days(room, node, record.ends_s, nats)

    def commission(self, rooms: Sequence[LoopRoom]) -> None:
        """Nodes begin on what was learned: a node's log holds a few dozen windows, so it is a release of its own."""
        for room in rooms:
            made = build(self._gathering().room(room.stream.room))
            self._take_up(room, made)
            self._last[room.stream.room] = self.source.rows[-1].told_utc_ms, made[0].through_label

    def run(self, rooms: Sequence[LoopRoom]) -> None:
        """Runs through a split, hour by hour."""
        for room in rooms:
            self._put(room)
        self._rooms = list(rooms)
        last_ms = max(int(room.stream.ends_s[-1]) for room in rooms) * 1000
        for hour in hours_of(rooms):
            until_s = (hour + 1) * HOUR_S
            self.source.hidden = until_s * 1000, last_ms
            for room in rooms:
                room.serve(until_s)
            self._ask(until_s * 1000)
            self._look(until_s * 1000)
        for room in rooms:
            room.end()

    def _put(self, room: LoopRoom) -> None:
        for node, windows in room.windows.items():
            self.source.add(node, room.schemas[node], windows)
        known = self._nodes.setdefault(room.stream.room, [])
        known += [node for node in room.nodes if node not in known]
        self.known[room.stream.room] = room.known

    def _ask(self, now_utc_ms: int) -> None:
        """Asks about the last hour."""
        left = self.budget - self.figures.labels_asked
        for room, first, last in self.ask(self._rooms, now_utc_ms - HOUR_MS, now_utc_ms, left):
            truth = room.truth(first, last)[: self.budget - self.figures.labels_asked]
            for end, label in truth:
                start = end - 1000 * self.step_s
                row = self.source.tell(room.stream.room, CLASS_NAMES[label], start, end, now_utc_ms)
                room.learn(row)
            self.figures.labels_asked += len(truth)

    def _look(self, now_utc_ms: int) -> None:
        """Judges days that are over, and retrains the rooms that are due."""
        reasons: dict[str, str] = {}
        for day in self.watch.complete(now_utc_ms, GRACE_MS):
            for event in self.watch.look(day, self._days(day)):
                room = self._room_of(event.node)
                self._note(now_utc_ms, room, "drift", f"{event.number}: {event.cause}: {', '.join(event.sensors)}")
                self.figures.drift_events += 1
                if room:
                    reasons[room] = f"drift event {event.number}"
        for one in self._rooms:
            name = one.stream.room
            if trigger := reasons.get(name) or self._due(name, now_utc_ms):
                self._retrain(one, trigger, now_utc_ms)

    def _due(self, room: str, now_utc_ms: int) -> str:
        made, through = self._last.get(room, (0, 0))
        new = [row for row in self.source.rows if row.room == room and row.number > through]
        age_ms = now_utc_ms - (made or min((row.told_utc_ms for row in new), default=0))
        open_in = {self._room_of(event.node) for event in self.watch.events if event.state is State.OPEN}
        return due(self.settings, len(new), age_ms, fresh=len(new), drifting=room in open_in)

    def _retrain(self, room: LoopRoom, trigger: str, now_utc_ms: int) -> None:
        name = room.stream.room
        job = Job(
            what="retrain",
            store="",
            rooms={room: list(nodes) for room, nodes in self._nodes.items()},
            step_s=self.step_s,
            timezone=self.zone_name,
            cost_ratio=DEFAULT_COST_RATIO,
            targets=(name,),
        )
        for answer in work(job, self.source):
            rows = release_rows(answer, trigger, now_utc_ms)
            if rows:
                through = max(row.through_label for row in rows)
                self._last[name] = now_utc_ms, max(through, self._last.get(name, (0, 0))[1])
                self._decide(room, answer, rows, now_utc_ms)

    def _decide(self, room: LoopRoom, answer: Answer, rows: Sequence[ReleaseRow], now_utc_ms: int) -> None:
        """Takes up what is ready, refuses what is worse, and leaves what cannot be told to people."""
        text = f"{rows[0].trigger}: {rows[0].verdict}"
        if all(ready(row) for row in rows):
            self.figures.releases += 1
            self.figures.negative_flips += answer.report.findings.flips.negative if answer.report else 0
            self._take_up(room, answer.releases)
            self._note(now_utc_ms, room.stream.room, "released", text)
        elif rows[0].state == REFUSED:
            self.figures.refused += 1
            self._note(now_utc_ms, room.stream.room, "refused", text)
        else:
            self.figures.undecided += 1
            self._note(now_utc_ms, room.stream.room, "undecided", text)

    def _take_up(self, room: LoopRoom, releases: Sequence[Release]) -> None:
        """The nodes run their releases, and learn again what was told since they were built."""
        heads = {}
        for release in releases:
            self.source.released[release.node] = release.canonical()
            schema = self.source.schemas[release.node]
            heads[release.node] = CoreHead(as_node(schema, bytes.fromhex(release.state)))
        record = held_back_record(find_again(self.source, releases[0]).inputs)
        room.take_up(heads, releases[0].model, record)
        for release in releases:
            later = [row for row in room.rows if row.number > release.through_label]
            if release.node in room.windows:
                room.teach(release.node, later)

    def _gathering(self) -> Gathering:
        return Gathering(self.source, self._nodes, self.step_s, self.zone)

    def _room_of(self, node: str) -> str:
        return next((room for room, nodes in self._nodes.items() if node in nodes), "")

    def _note(self, utc_ms: int, room: str, what: str, text: str) -> None:
        self.figures.happenings.append(Happening(utc_ms, room, what, text))

    def _days(self, day: date) -> list[NodeDay]:
        found = []
        for room in self._rooms:
            for column, node in enumerate(room.nodes):
                nats = np.where(room.heard[:, column], room.nats[:, column], np.nan)
                found += self._day(room, node, day, room.stream.ends_s, nats)
        return found

    def _add_days(
        self, room: LoopRoom, node: str, ends_s: npt.NDArray[np.int64], nats: npt.NDArray[np.float64]
    ) -> None:
        """Days of a node that were never judged, as a reference for those that are."""
        for number in np.unique((ends_s - 1) // (24 * HOUR_S)).tolist():
            day = date(1970, 1, 1).toordinal() + number
            for local in (day - 1, day, day + 1):
                for one in self._day(room, node, date.fromordinal(local), ends_s, nats):
                    self.watch.history.add(one)

    def _day(self, room: LoopRoom, node: str, day: date, ends_s: Ends, nats: Reals) -> list[NodeDay]:
        windows = room.windows[node]
        first, last = np.searchsorted(windows.ends_s * 1000, stretch_of(day, self.zone), side="right").tolist()
        if first == last:
            return []
        ends = windows.ends_s[first:last]
        said = nats[np.searchsorted(ends_s, ends)]
        made = node_day(
            node, day, self.zone, room.schemas[node], Windows(ends * 1000, windows.features[first:last], said)
        )
        return [made] if made else []


def hours_of(rooms: Sequence[LoopRoom]) -> list[int]:
    """The hours in which any room has windows, by time."""
    hours = np.unique(np.concatenate([(room.stream.ends_s - 1) // HOUR_S for room in rooms]))
    return [int(hour) for hour in hours]


def _runs(record: RoomRecord, step_s: int) -> list[tuple[int, int, int]]:
    """(from, to, class) in UTC ms of each stretch of equal labels without a gap."""
    taught = np.flatnonzero(record.labels != UNLABELLED)
    if not len(taught):
        return []
    ends, said = record.ends_s[taught], record.labels[taught]
    cut = np.flatnonzero((np.diff(said) != 0) | (np.diff(ends) != step_s)) + 1
    firsts, lasts = np.concatenate([[0], cut]), np.concatenate([cut - 1, [len(ends) - 1]])
    return [
        (1000 * (int(ends[a]) - step_s), 1000 * int(ends[b]), int(said[a])) for a, b in zip(firsts, lasts, strict=True)
    ]
