"""A room's beliefs in event time: the same history for any order of arrival within an hour.

Time is cut into steps on a fixed grid of UTC; a node's window belongs to the step in which it ends. Each step weighs
what the room's filter predicts with the evidence of the nodes. The steps of the last hour are kept open: a window that
belongs to one of them changes it and those after it. Older steps are settled and handed over for the store, but for
those of a silence of an hour and more: nothing is known of them.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from math import log

from attune_core import Filter

from attuned.presence.belief import BEFORE, HOUR_MS, NOTHING, Belief, RoomState, Share, unknown_after_steps
from attuned.presence.fusion import FusedEvidence, fuse
from attuned.presence.holding import HOLD_MS, Held, still_held
from attuned.presence.model import RoomModel
from attuned.presence.weights import room_weights

# How long a step stays open for windows that arrive late, and the gap after which a room starts cold.
HORIZON_MS = HOUR_MS

WindowKey = tuple[int, int]  # boot, seq
StepWindow = tuple[str, WindowKey, float | None, float | None]  # node, key, evidence, what is held after it


class Arrival(Enum):
    """What a window changed."""

    LIVE = "the newest step"
    HISTORY = "an earlier step of the last hour"
    LATE = "a settled step: for the history in the store, never for the live state"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """All that a timeline needs to go on after a step."""

    index: int
    filter_state: tuple[float, ...]
    state: RoomState
    since_utc_ms: int
    quiet_steps: int  # steps since the last evidence, at most an hour of them
    held: tuple[Held, ...] = ()  # what quiet nodes say in the steps after it, by node


@dataclass(slots=True)
class Step:
    """One step: its windows in order of node and key, with their evidence (nats; None if the node had nothing to say)
    and what it says of the steps that follow (None of a node that is not quiet), and what follows."""

    index: int
    windows: list[StepWindow] = field(default_factory=list)
    before: float = 0.0
    log_odds: float = 0.0
    checkpoint: Checkpoint | None = None

    def take(self, node: str, key: WindowKey, evidence: float | None, held: float | None) -> None:
        """Adds a window; one that is there already changes nothing."""
        place = bisect_left(self.windows, (node, key), key=_identity)
        if place == len(self.windows) or _identity(self.windows[place]) != (node, key):
            self.windows.insert(place, (node, key, evidence, held))

    def settled_as(self) -> Checkpoint:
        """What follows from the step, once it has been computed."""
        if self.checkpoint is None:
            raise ValueError("The step has not been computed yet.")
        return self.checkpoint


def _identity(window: StepWindow) -> tuple[str, WindowKey]:
    return window[:2]


class RoomTimeline:
    """The open steps of one room. `sensors` gives each node's sensor kinds, for the weights.

    A room is occupied where its calibrated log-odds lie above `threshold`.
    """

    def __init__(
        self,
        step_ms: int,
        sensors: Callable[[str], Sequence[str]],
        checkpoint: Checkpoint | None = None,
        *,
        model: RoomModel,
        threshold: float,
    ) -> None:
        self.step_ms = step_ms
        self.threshold = threshold
        self._horizon = HORIZON_MS // step_ms
        self._unknown_after = unknown_after_steps(step_ms)
        self._hold = HOLD_MS // step_ms
        self._sensors = sensors
        self._base = checkpoint
        self._steps: deque[Step] = deque()
        self.settled: list[Step] = []
        self._follow_model(model)

    def adopt(self, model: RoomModel) -> None:
        """Judges the open steps anew, and all that come. What is settled stays."""
        self._follow_model(model)
        if self._steps:
            self._recompute(self._steps[0].index)

    def _follow_model(self, model: RoomModel) -> None:
        step_s = self.step_ms // 1000
        self._filter = Filter(classes=2, step_s=step_s, precision="float64", dwell_s=model.dwell_s)
        self._cold = self._filter.state
        self._limit = self._filter.limit
        self._model = model
        self._slope = model.calibration.slope
        self._constant = model.calibration.constant(self._filter.log_odds())
        self._weights: dict[tuple[str, ...], Mapping[str, float]] = {}

    def add(
        self, node: str, key: WindowKey, end_utc_ms: int, evidence: float | None, held: float | None = None
    ) -> Arrival:
        """Takes one window; `held` is what a quiet node says in the steps until its next one. The same window twice
        changes nothing."""
        index = -(-end_utc_ms // self.step_ms)
        if not self._make_room(index):
            return Arrival.LATE
        step = self._steps[index - self._steps[0].index]
        step.take(node, key, evidence, held)
        self._recompute(step.index)
        return Arrival.LIVE if step is self._steps[-1] else Arrival.HISTORY

    def belief(self) -> Belief:
        """The room after its newest step."""
        newest = self._newest_step()
        return self._belief(newest, self._shares(newest)) if newest else NOTHING

    def outline(self) -> Belief:
        """The belief without its shares, which cost the most."""
        newest = self._newest_step()
        return self._belief(newest, []) if newest else NOTHING

    @property
    def state(self) -> RoomState:
        """The room's state after its newest step."""
        newest = self._newest_step()
        return newest.settled_as().state if newest else RoomState.UNKNOWN

    @property
    def newest_utc_ms(self) -> int:
        """End of the newest step; 0 if there is none."""
        return self._newest(0) * self.step_ms

    def history(self) -> list[tuple[int, RoomState, float]]:
        """(UTC of the step's end in ms, state, log-odds) of the open steps."""
        return [(s.index * self.step_ms, s.settled_as().state, s.log_odds) for s in self._steps]

    def finish(self, end_utc_ms: int) -> None:
        """Goes on to the step that ends at `end_utc_ms`, at or after the newest one, and settles every step."""
        index = end_utc_ms // self.step_ms
        if self._make_room(index):
            self._recompute(index)
        self._settle_all()

    def _make_room(self, index: int) -> bool:
        """Brings the step into the deque; False if it is settled."""
        if self._base is not None and index <= self._base.index:
            return False
        if self._steps and index < self._steps[-1].index - self._horizon:
            return False
        if index > self._newest(index) + 2 * self._horizon + self._hold:
            self._leap(index)
        self._extend(index)
        while self._steps[0].index < self._steps[-1].index - self._horizon:
            self._settle()
        return True

    def _newest_step(self) -> Step | None:
        if self._steps or self._base is None:
            return self._steps[-1] if self._steps else None
        free, occupied = self._base.filter_state
        log_odds = self._calibrated(log(occupied / free))
        return Step(self._base.index, before=log_odds, log_odds=log_odds, checkpoint=self._base)

    def _newest(self, default: int) -> int:
        if self._steps:
            return self._steps[-1].index
        return self._base.index if self._base else default

    def _leap(self, index: int) -> None:
        """Crosses a long silence: what lies more than an hour from both of its ends is not worth a step."""
        quiet = self._newest(index) + self._hold + self._horizon
        self._extend(quiet)
        self._recompute(quiet)
        self._settle_all()
        if self._base is not None:
            self._base = replace(self._base, index=index - self._horizon - 1)
        self._steps.append(Step(index - self._horizon))
        self._compute(self._steps[0])

    def _extend(self, index: int) -> None:
        """Adds steps up to `index`, at the end or, while nothing is settled before them, at the beginning.

        All but the step at `index` and those put in at the beginning are computed.
        """
        if not self._steps:
            self._steps.append(Step(self._base.index + 1 if self._base else index))
        while self._steps[0].index > index:
            self._steps.appendleft(Step(self._steps[0].index - 1))
        while self._steps[-1].index < index:
            if self._steps[-1].checkpoint is None:
                self._compute(self._steps[-1])
            self._steps.append(Step(self._steps[-1].index + 1))

    def _settle(self) -> None:
        step = self._steps.popleft()
        self._base = step.settled_as()
        if self._base.quiet_steps < self._horizon:
            step.windows.clear()  # nothing is asked of them any more, and an hour of them waits for the store
            self.settled.append(step)

    def _settle_all(self) -> None:
        while self._steps:
            self._settle()

    def _recompute(self, index: int) -> None:
        offset = index - self._steps[0].index
        for i in range(offset, len(self._steps)):
            self._compute(self._steps[i])

    def _compute(self, step: Step) -> None:
        previous = self._previous(step)
        if previous is None or previous.quiet_steps >= self._horizon:
            self._filter.state = self._cold
        else:
            self._filter.state = previous.filter_state
            self._filter.predict()
        step.before = self._calibrated(self._filter.log_odds(1))
        evidence = self._evidence(step, previous)
        if evidence:
            self._filter.update((self._fused(evidence).total,))
        step.log_odds = self._calibrated(self._filter.log_odds(1))
        step.checkpoint = self._follow(step, previous, quiet=not evidence)

    def _calibrated(self, log_odds: float) -> float:
        return self._slope * log_odds + self._constant

    def _follow(self, step: Step, previous: Checkpoint | None, *, quiet: bool) -> Checkpoint:
        since_evidence = previous.quiet_steps + 1 if previous else self._horizon
        quiet_steps = min(since_evidence, self._horizon) if quiet else 0
        state = RoomState.OCCUPIED if step.log_odds > self.threshold else RoomState.FREE
        if quiet_steps >= self._unknown_after:
            state = RoomState.UNKNOWN
        same = previous is not None and previous.state is state
        since = previous.since_utc_ms if same and previous else step.index * self.step_ms
        return Checkpoint(step.index, self._filter.state, state, since, quiet_steps, self._held(step, previous))

    def _held(self, step: Step, previous: Checkpoint | None) -> tuple[Held, ...]:
        """What quiet nodes say after the step: a node's last window takes the place of what it held before."""
        before = previous.held if previous else ()
        if not before and all(window[3] is None for window in step.windows):
            return ()
        held = {one[0]: one for one in still_held(before, step.index + 1)}
        for node, _, _, nats in step.windows:
            held.pop(node, None)
            if nats is not None:
                held[node] = node, nats, step.index + self._hold
        return tuple(held[node] for node in sorted(held))

    def _previous(self, step: Step) -> Checkpoint | None:
        offset = step.index - self._steps[0].index
        if offset > 0:
            return self._steps[offset - 1].settled_as()
        return self._base if self._base and self._base.index == step.index - 1 else None

    def _evidence(self, step: Step, previous: Checkpoint | None) -> dict[str, float]:
        """Each node's evidence in the step, by node in order: the mean over its windows that end there, else what it
        holds."""
        told: dict[str, list[float]] = {}
        for node, _, nats, _ in step.windows:
            if nats is not None:
                told.setdefault(node, []).append(nats)
        evidence = {node: sum(nats) / len(nats) for node, nats in told.items()}
        if previous is None or not previous.held:
            return evidence
        heard = {window[0] for window in step.windows}
        evidence |= {node: nats for node, nats, _ in still_held(previous.held, step.index) if node not in heard}
        return dict(sorted(evidence.items()))

    def _fused(self, evidence: Mapping[str, float]) -> FusedEvidence:
        nodes = tuple(evidence)
        if nodes not in self._weights:
            self._weights[nodes] = room_weights({node: self._sensors(node) for node in nodes}, self._model)
        return fuse(evidence, self._weights[nodes], self._limit)

    def _shares(self, step: Step) -> list[Share]:
        evidence = self._evidence(step, self._previous(step) if self._steps else None)
        mute = [Share(node, 0.0, "has nothing to say") for node in sorted({w[0] for w in step.windows} - set(evidence))]
        if step.settled_as().state is RoomState.UNKNOWN:
            return mute
        weighed = self._fused(evidence).shares if evidence else {}
        shares = [Share(node, self._slope * nats) for node, nats in weighed.items()]
        return [Share(BEFORE, step.before), *shares, *mute]

    def _belief(self, step: Step, shares: Sequence[Share]) -> Belief:
        checkpoint, as_of = step.settled_as(), step.index * self.step_ms
        if checkpoint.state is RoomState.UNKNOWN:
            return Belief(RoomState.UNKNOWN, 0.0, checkpoint.since_utc_ms, as_of, 0, tuple(shares))
        held = max((until - step.index for _, _, until in checkpoint.held), default=0)
        valid_until = as_of + (held + self._unknown_after - checkpoint.quiet_steps) * self.step_ms
        return Belief(checkpoint.state, step.log_odds, checkpoint.since_utc_ms, as_of, valid_until, tuple(shares))
