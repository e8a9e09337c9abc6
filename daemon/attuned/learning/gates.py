"""The gate: candidate and deployed model over the same held-back days, and whether the candidate may go out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import tzinfo

import numpy as np
import numpy.typing as npt
from attune_core import Schema, plain_kind

from attuned.learning.crossing import Crossing, RoomEvidence
from attuned.learning.days import Compared, DaySums, compare
from attuned.learning.effective import DAY_S
from attuned.learning.flips import Flips, count_flips
from attuned.learning.folds import Folds, folds_of
from attuned.learning.record import RoomRecord
from attuned.learning.releases import NodePart, RoomInputs
from attuned.learning.replay.core import CoreCode
from attuned.learning.replay.judging import RoomJudge
from attuned.learning.replay.scores import Beliefs, starts
from attuned.learning.rooms import learn_room
from attuned.learning.slices import slices
from attuned.presence.model import RoomModel

# The slice of everything.
ALL = "all"

# Steps that a fold's room model is learned from: minutes next to each other say almost the same.
MODEL_STEPS = 10_000


@dataclass(frozen=True)
class SliceFigures:
    """What both models reach in a part of the held-back time; `both` says whether both classes occur in it."""

    name: str
    days: int
    windows: int
    both: bool
    measures: tuple[Compared, ...]


@dataclass(frozen=True)
class Findings:
    """What the gate has measured. `days` were held back, and the truth changed `changes` times in them."""

    days: int
    changes: int
    slices: tuple[SliceFigures, ...]
    flips: Flips


@dataclass(frozen=True)
class Contest:
    """Two sets of blocks of one room, judged over the windows of `said`: what people said of the room."""

    deployed: RoomInputs
    candidate: RoomInputs
    said: RoomEvidence
    zone: tzinfo
    cost_ratio: float

    def findings(self) -> Findings:
        """Everything in order: all windows, the slices, and each sensor missing."""
        folds = folds_of(self.said.ends_s)
        before, now = (self._player(inputs, folds) for inputs in (self.deployed, self.candidate))
        said_before, said_now = before.beliefs(), now.beliefs()
        every = np.ones(len(self.said.ends_s), dtype=bool)
        parts = [self._figures(ALL, said_before, said_now, every)]
        parts += [self._figures(name, said_before, said_now, steps) for name, steps in self._slices().items()]
        parts += [
            self._figures(f"without {kind}", before.beliefs(kind), now.beliefs(kind), every) for kind in self._kinds()
        ]
        right = [beliefs.said == beliefs.truth for beliefs in (said_before, said_now)]
        return Findings(
            days=parts[0].days,
            changes=changes_of(said_now.truth, said_now.ends_s),
            slices=tuple(parts),
            flips=count_flips(right[0], right[1], ~starts(said_now)),
        )

    def _player(self, inputs: RoomInputs, folds: Folds) -> "_Player":
        return _Player.of(with_nodes(inputs, self.candidate), self.said, folds, self.cost_ratio)

    def _slices(self) -> Mapping[str, npt.NDArray[np.bool_]]:
        return slices(self.said, self._schemas(), self.zone)

    def _schemas(self) -> dict[str, Schema]:
        return {node: part.schema for node, part in self.candidate.nodes.items()}

    def _kinds(self) -> Iterator[str]:
        """Each kind of sensor, where the room has others to go by."""
        kinds = {plain_kind(kind) for schema in self._schemas().values() for kind in schema.kinds}
        if len(kinds) > 1:
            yield from sorted(kinds)

    def _figures(self, name: str, before: Beliefs, now: Beliefs, steps: npt.NDArray[np.bool_]) -> SliceFigures:
        sums = [DaySums.of(beliefs, steps, self.candidate.step_s) for beliefs in (before, now)]
        both = bool((sums[1].total.sum(axis=0) > 0).all())
        return SliceFigures(name, sums[1].days, sums[1].windows, both, tuple(compare(*sums)))


def changes_of(truth: npt.NDArray[np.int8], ends_s: npt.NDArray[np.int64]) -> int:
    """How often the truth differs from that of the labelled window before it, at most a day before: between answers
    that are hours apart it has changed at least once."""
    return int(np.sum((np.diff(truth) != 0) & (np.diff(ends_s) <= DAY_S)))


def with_nodes(inputs: RoomInputs, other: RoomInputs) -> RoomInputs:
    """The same with the nodes of another: those that it did not know are on the factory release."""
    nodes = {
        node: inputs.nodes[node]
        if node in inputs.nodes and inputs.nodes[node].schema.hash == part.schema.hash
        else NodePart(part.schema, ())
        for node, part in other.nodes.items()
    }
    return RoomInputs(inputs.room, inputs.step_s, nodes)


@dataclass(frozen=True)
class _Player:
    """One set of blocks on the field: heads and room models, one for each fold that they know nothing of."""

    inputs: RoomInputs
    said: RoomEvidence
    folds: Folds
    crossing: Crossing
    near: npt.NDArray[np.bool_]
    models: tuple[RoomModel, ...]
    cost_ratio: float

    @classmethod
    def of(cls, inputs: RoomInputs, said: RoomEvidence, folds: Folds, cost_ratio: float) -> "_Player":
        crossing = Crossing.of(inputs.nodes, folds)
        own = RoomEvidence.of(inputs.own, inputs.step_s)
        models = (RoomModel(),) * folds.count if own is None else _fold_models(crossing.record(own), inputs, folds)
        return cls(inputs, said, folds, crossing, folds.near(said.ends_s), models, cost_ratio)

    def beliefs(self, without: str = "") -> Beliefs:
        """What would have been said in each labelled step, a sensor kind missing or none."""
        record = self.crossing.record(self.said, without)
        fold = self.folds.fold(record.ends_s)
        log_odds = np.zeros(len(record.ends_s))
        for number, model in enumerate(self.models):
            here = np.flatnonzero(fold == number)
            if len(here):
                # With the hour before, in which the filter settles.
                around = np.flatnonzero(self.near[:, number])
                judge = RoomJudge(CoreCode(), self.inputs.step_s, self.inputs.sensors, model)
                log_odds[here] = judge.judge(_taken(record, around))[np.searchsorted(around, here)]
        return Beliefs(
            ends_s=record.ends_s,
            truth=self.said.classes,
            probability=1 / (1 + np.exp(-np.clip(log_odds, -700, 700))),
            told=record.heard,
            stretch=record.stretch,
            threshold=1 / (1 + self.cost_ratio),
        )


def _taken(record: RoomRecord, steps: npt.NDArray[np.int64]) -> RoomRecord:
    """Some steps of a record, each stretch without a gap for itself."""
    breaks = (np.diff(steps) > 1) | (np.diff(record.stretch[steps]) != 0)
    return RoomRecord(
        record.nodes,
        record.ends_s[steps],
        np.concatenate([[0], np.cumsum(breaks)]),
        record.labels[steps],
        record.nats[steps],
        record.told[steps],
    )


def _fold_models(record: RoomRecord, inputs: RoomInputs, folds: Folds) -> tuple[RoomModel, ...]:
    near = folds.near(record.ends_s)
    stride = -(-len(record.ends_s) // MODEL_STEPS)
    some = np.arange(len(record.ends_s)) % stride == 0
    return tuple(
        learn_room(record.labelled_where(some & ~near[:, fold]), inputs.sensors, inputs.step_s)
        for fold in range(folds.count)
    )
