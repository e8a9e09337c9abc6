"""The protocol of a replay: learn on the train split, then judge every other split, frozen or going on learning."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import tzinfo
from functools import partial
from pathlib import Path
from typing import Literal

import attune_core
import numpy as np
import numpy.typing as npt

from attuned.labels.pacing import Pace
from attuned.learning.blocks import HEAD
from attuned.learning.loop.room import Known, LoopRoom
from attuned.learning.loop.run import LABELS_A_DAY, Ask, Chosen, Loop, LoopFigures, hours_of
from attuned.learning.record import RoomRecord
from attuned.learning.replay.core import new_head, schema
from attuned.learning.replay.errors import SpecError
from attuned.learning.replay.following import held
from attuned.learning.replay.held_back import held_back, parts
from attuned.learning.replay.judging import RoomJudge
from attuned.learning.replay.labels import draw, first_days, label_count
from attuned.learning.replay.local_time import with_clock
from attuned.learning.replay.nodes import Evidence, Head, NodeCode
from attuned.learning.replay.observed import NodeWindows, observe
from attuned.learning.replay.online import Student
from attuned.learning.replay.recording import UNLABELLED
from attuned.learning.replay.scores import Beliefs, Scores, score
from attuned.learning.replay.spec import TRAIN, Spec
from attuned.learning.replay.streams import NodeStream, RoomStream, Split, load_splits
from attuned.presence.costs import DEFAULT_COST_RATIO

Mode = Literal["frozen", "online", "loop"]
# Nobody labels what was longer ago than a year.
MAX_LATE_H = 8760
# A node's evidence, and the index of each of its windows among those of its room.
Heard = tuple[npt.NDArray[np.int64], Evidence]


@dataclass(frozen=True)
class Options:
    """What the command line can ask for; train_days and labels are None for all there is.

    late_h: hours of event time from the end of a window to the arrival of its label, with the mode online. clock: nodes
    are told the local time. label_budget: windows whose label the mode loop may ask for, None for LABELS_A_DAY.
    """

    head: str = attune_core.Head.factory_kind
    train_days: float | None = None
    labels: int | None = None
    drop: tuple[str, ...] = ()
    mode: Mode = "frozen"
    seed: int = 0
    late_h: float = 0.0
    clock: bool = False
    label_budget: int | None = None

    @property
    def late_s(self) -> int:
        return round(self.late_h * 3600)


@dataclass(frozen=True)
class SplitScores:
    """Figures of a split and of each room, and what was said of each room, from which they come."""

    overall: Scores
    rooms: Mapping[str, Scores]
    beliefs: Mapping[str, Beliefs]


@dataclass(frozen=True)
class Result:
    """The outcome; `labels` counts the labelled windows of rooms that were learned before judging began."""

    name: str
    head: str
    mode: Mode
    late_h: float
    clock: bool
    labels: int
    splits: Mapping[str, SplitScores]
    us_per_window: float
    head_bytes: int
    zone: tzinfo
    loop: LoopFigures | None = None


@dataclass
class Effort:
    """Seconds spent in the node's code, and the windows that went through it."""

    clock: Callable[[], float]
    seconds: float = 0.0
    windows: int = 0

    @contextmanager
    def spent(self) -> Iterator[None]:
        before = self.clock()
        try:
            yield
        finally:
            self.seconds += self.clock() - before


@dataclass
class Replay:
    """Nodes with what they have learned so far."""

    code: NodeCode
    spec: Spec
    head: str
    effort: Effort
    late_s: int = 0
    heads: dict[str, Head] = field(default_factory=dict)
    students: dict[str, Student] = field(default_factory=dict)
    judges: dict[str, RoomJudge] = field(default_factory=dict)
    known: dict[str, Known] = field(default_factory=dict)

    def learn(self, split: Split) -> None:
        """Stream a split and learn its labels, judging nothing."""
        for room in split.rooms:
            part = parts(room.ends_s, room.labels)
            heard: dict[str, Heard] = {}
            for node in room.nodes:
                windows = self._observe(node)
                labels = _labels_at(room, windows)
                taught = labels != UNLABELLED
                with self.effort.spent():
                    self._head(node).learn(windows.features[taught], labels[taught].astype(np.uint8))
                at = np.searchsorted(room.ends_s, windows.ends_s)
                heard[node.node] = at, held_back(partial(self._new_head, node), windows, labels, part[at])
            self._judge(room).study(recorded(room, heard))

    def loop_room(self, room: RoomStream) -> LoopRoom:
        """A room of a split for a loop, with what was learned so far."""
        windows = {node.node: self._observe(node) for node in room.nodes}
        schemas = {node.node: schema(node.kinds, self.spec.window_s) for node in room.nodes}
        judge = self._judge(room)
        known = self.known.setdefault(room.room, Known(judge))
        for node in room.nodes:
            known.heads.setdefault(node.node, new_head(schemas[node.node]))
        return LoopRoom(room, windows, schemas, known)

    def judge(self, split: Split, mode: Mode) -> dict[str, Beliefs]:
        """What was said of each room in its labelled windows.

        Going online, a window is learned after it was judged, when its label has arrived. Labels that are still on
        their way at the end of a split arrive in the next.
        """
        return {room.room: self._room(room, mode) for room in split.rooms}

    def _room(self, room: RoomStream, mode: Mode) -> Beliefs:
        record = recorded(room, {node.node: self._hear(room, node, mode) for node in room.nodes})
        judge = self._judge(room)
        log_odds = judge.judge_online(record, self.late_s) if mode == "online" else judge.judge(record)
        return _beliefs(room, record, judge, log_odds)

    def _hear(self, room: RoomStream, node: NodeStream, mode: Mode) -> Heard:
        """What a node says in this split."""
        windows = self._observe(node)
        labels = _labels_at(room, windows)
        with self.effort.spent():
            if mode == "online":
                evidence = self._student(node).judge(windows, labels)
            else:
                evidence = self._head(node).predict(windows.features)
        return np.searchsorted(room.ends_s, windows.ends_s), evidence

    def _observe(self, node: NodeStream) -> NodeWindows:
        with self.effort.spent():
            windows = observe(self.code, node, self.spec.window_s)
        self.effort.windows += len(windows.ends_s)
        return windows

    def _head(self, node: NodeStream) -> Head:
        if node.node not in self.heads:
            self.heads[node.node] = self._new_head(node)
        return self.heads[node.node]

    def _new_head(self, node: NodeStream) -> Head:
        return self.code.head(self.head, node.kinds, self.spec.window_s)

    def _judge(self, room: RoomStream) -> RoomJudge:
        judge = self.judges.setdefault(room.room, RoomJudge(self.code, self.spec.window_s))
        judge.sensors |= {node.node: node.kinds for node in room.nodes}
        return judge

    def _student(self, node: NodeStream) -> Student:
        return self.students.setdefault(node.node, Student(self._head(node), self.late_s))


def _beliefs(room: RoomStream, record: RoomRecord, judge: RoomJudge, log_odds: npt.NDArray[np.float64]) -> Beliefs:
    """What was said in a room's labelled windows, by the log-odds of all of them."""
    hold = held(room.ends_s, record.heard & (judge.by_kind(record) > 0))
    judged = room.labels != UNLABELLED
    return Beliefs(
        ends_s=room.ends_s[judged],
        truth=room.labels[judged],
        probability=1 / (1 + np.exp(-log_odds[judged])),
        told=record.heard[judged],
        stretch=room.stretch[judged],
        held=hold[judged],
        threshold=1 / (1 + DEFAULT_COST_RATIO),
    )


def _labels_at(room: RoomStream, windows: NodeWindows) -> npt.NDArray[np.int8]:
    """The room's label in each of a node's windows; every window of a node is one of its room."""
    return room.labels[np.searchsorted(room.ends_s, windows.ends_s)]


def recorded(room: RoomStream, heard: Mapping[str, Heard]) -> RoomRecord:
    """What a room's nodes said, in each of its windows."""
    nodes = tuple(sorted(heard))
    shape = len(room.ends_s), len(nodes)
    nats, told = np.zeros(shape), np.zeros(shape, dtype=bool)
    for column, node in enumerate(nodes):
        at, evidence = heard[node]
        nats[at, column], told[at, column] = evidence.nats, evidence.told
    return RoomRecord(nodes, room.ends_s, room.stretch, room.labels, nats, told)


def run(
    spec: Spec,
    path: Path,
    options: Options,
    code: NodeCode,
    *,
    clock: Callable[[], float],
    progress: Callable[[str], None] = lambda _: None,
) -> Result:
    """Replay the spec that was read from `path`. SpecError where spec, recordings and options do not fit together."""
    if options.head not in code.heads:
        raise SpecError(f"--head {options.head} is no head; write one of {', '.join(code.heads)}.")
    _check(options)
    splits = load_splits(spec, path, options.drop, progress)
    if options.clock:
        splits = [with_clock(split, spec.zone) for split in splits]
    train, tests = _train(splits, spec, options), [split for split in splits if split.name != TRAIN]
    replay = Replay(code, spec, options.head, Effort(clock), options.late_s)
    if train is not None:
        progress("learning on train")
        replay.learn(train)
    figures = None
    if options.mode == "loop":
        judged, figures = _loop(replay, train, tests, options.label_budget, progress)
    else:
        judged = _judge(replay, tests, options.mode, progress)
    return Result(
        name=spec.name,
        head=options.head,
        mode=options.mode,
        late_h=options.late_h,
        clock=options.clock,
        labels=0 if train is None else label_count(train),
        splits={split.name: judged[split.name] for split in tests},
        us_per_window=replay.effort.seconds * 1e6 / replay.effort.windows if replay.effort.windows else 0.0,
        head_bytes=max((head.size_bytes for head in replay.heads.values()), default=0),
        zone=spec.zone,
        loop=figures,
    )


def _check(options: Options) -> None:
    if not 0 <= options.late_h <= MAX_LATE_H:
        raise SpecError(f"--late {options.late_h:g} is no lateness; write hours from 0 to {MAX_LATE_H:,}.")
    if options.train_days is not None and not options.train_days >= 0:
        raise SpecError(f"--train-days {options.train_days:g} is no number of days; write 0 or more.")
    if options.mode == "loop" and options.head != HEAD:
        raise SpecError(f"--loop builds releases, whose head is {HEAD}; leave --head {options.head} out.")
    if options.label_budget is not None and options.mode != "loop":
        raise SpecError("--label-budget needs somebody who asks; add --loop.")
    if options.label_budget is not None and options.label_budget < 0:
        raise SpecError(f"--label-budget {options.label_budget} is no number of labels; write 0 or more.")
    if options.late_h and options.mode != "online":
        raise SpecError("--late needs labels that arrive while judging; add --mode online.")


def _train(splits: Sequence[Split], spec: Spec, options: Options) -> Split | None:
    """What of the train split is streamed, with the labels that are learned."""
    train = next((split for split in splits if split.name == TRAIN), None)
    if train is not None and options.train_days is not None:
        train = first_days(train, options.train_days, spec.window_s)
    if train is not None and options.labels is not None:
        train = draw(train, options.labels, options.seed)
    return train


def _loop(
    replay: Replay,
    train: Split | None,
    tests: Sequence[Split],
    budget: int | None,
    progress: Callable[[str], None],
) -> tuple[dict[str, SplitScores], LoopFigures]:
    """The figures of each split, and what the loop did; `budget` counts labelled windows of all splits together."""
    splits = {split.name: [replay.loop_room(room) for room in split.rooms] for split in in_time(tests)}
    hours = sum(len(hours_of(rooms)) for rooms in splits.values())
    most = round(hours / 24 * LABELS_A_DAY) if budget is None else budget
    spec = replay.spec
    loop = begun(replay, train, Chosen(Pace(most, hours), 1000 * spec.window_s), most)
    judged = {}
    for name, rooms in splits.items():
        progress(f"looping through {name}")
        with replay.effort.spent():
            loop.run(rooms)
        judged[name] = _scored(spec, {room.stream.room: looped(room) for room in rooms})
    return judged, loop.figures


def begun(replay: Replay, train: Split | None, ask: Ask, budget: int) -> Loop:
    """A loop whose nodes run what the train split, learned by the replay already, has taught."""
    spec = replay.spec
    loop = Loop(spec.zone, spec.timezone, spec.window_s, ask, budget)
    taught = [replay.loop_room(room) for room in train.rooms] if train is not None and label_count(train) else []
    for room in taught:
        loop.learned(room, replay.judges[room.stream.room].past[-1][0])
    loop.commission(taught)
    return loop


def looped(room: LoopRoom) -> Beliefs:
    """What was said of a room that a loop has run through."""
    return _beliefs(room.stream, room.record(0, room.served), room.known.judge, room.log_odds)


def in_time(splits: Sequence[Split]) -> list[Split]:
    """What is learned in one split stays for the next: in time order, or a later split would tell an earlier one."""
    return sorted(splits, key=lambda split: split.start_s)


def _judge(
    replay: Replay, tests: Sequence[Split], mode: Mode, progress: Callable[[str], None]
) -> dict[str, SplitScores]:
    judged = {}
    for split in in_time(tests):
        progress(f"replaying {split.name}")
        judged[split.name] = _scored(replay.spec, replay.judge(split, mode))
    return judged


def _scored(spec: Spec, rooms: Mapping[str, Beliefs]) -> SplitScores:
    by_room = {room: score([beliefs], spec.window_s) for room, beliefs in rooms.items()}
    return SplitScores(score(list(rooms.values()), spec.window_s), by_room, dict(rooms))
