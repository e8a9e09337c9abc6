"""What a rollout is: its nodes with their releases, its stages, what may happen to it, and what it asks for. Values."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from attuned.updates.delivery import Delivery, Stage

# Sequence number and time of a delivery: tells it from those before it.
Mark = tuple[int, int]
NO_MARK: Mark = (-1, -1)

HOUR_MS = 3_600_000


class State(StrEnum):
    RUNNING = "running"
    PAUSED = "paused"  # begins nothing; what is under way is carried through
    ROLLING_BACK = "rolling back"
    DONE = "done"  # every node has it, has refused it, or did not come in time
    STOPPED = "stopped"  # rolled back: every node that had it is back on what it ran before
    ABORTED = "aborted"  # nodes that had committed it keep it


class Step(StrEnum):
    """How far a rollout is with a node."""

    QUEUED = "queued"
    UNDER_WAY = "under way"
    COMMITTED = "committed"
    FAILED = "failed"  # the node, or the judgement of its trial, was against it: an error
    LEAVING = "leaving"  # being taken back before it was committed
    LEFT = "left"  # it runs what it ran before, or what somebody else gave it: no error
    RETURNING = "returning"  # it had committed, and gets what it ran before
    RETURNED = "returned"


class Word(StrEnum):
    """What a person may say to a rollout."""

    PAUSE = "pause"
    RESUME = "resume"
    ABORT = "abort"
    ROLL_BACK = "rollback"

    @property
    def done(self) -> str:
        """What a rollout then is, for people."""
        return "rolled back" if self is Word.ROLL_BACK else f"{self.value.rstrip('e')}ed"


SETTLED = {Step.COMMITTED, Step.FAILED, Step.LEFT, Step.RETURNED}
ACTIVE = {State.RUNNING, State.PAUSED, State.ROLLING_BACK}
MOVING = {Step.UNDER_WAY, Step.LEAVING, Step.RETURNING}


@dataclass(frozen=True)
class Pair:
    """A node and the release that it is to get.

    `stage` counts from 0, the canary. A `straggler` was out of reach when its stage was on. `decision` is that on its
    trial, `way_back` what it gets in a rollback (a release's id or `factory`). `mark` is the newest delivery before the
    one that the rollout wished for, `seen` says that this one was heard of, `at` and `last` what it came to.
    `replaced`: it runs something newer by now.
    """

    node: str
    room: str
    target: str
    stage: int
    step: Step = Step.QUEUED
    reason: str = ""
    straggler: bool = False
    away: bool = False
    decision: bool | None = None
    way_back: str = ""
    mark: Mark = NO_MARK
    seen: bool = False
    at: Stage | None = None
    last: Mark = NO_MARK
    asked_utc_ms: int = 0
    replaced: bool = False

    @property
    def goal(self) -> str:
        return self.way_back if self.step is Step.RETURNING else self.target

    def owns(self, delivery: Delivery | None) -> bool:
        """Whether this delivery is the one that the rollout wished for."""
        return delivery is not None and delivery.target == self.goal and mark_of(delivery) != self.mark

    @property
    def occupies(self) -> bool:
        """Whether it counts against how many nodes may try something at a time."""
        return self.step in {Step.UNDER_WAY, Step.LEAVING} and self.at not in {Stage.COMMITTING, Stage.ENDING}


@dataclass(frozen=True)
class Plan:
    """What a rollout goes by. Shares are of a stage's nodes that are within reach.

    A stage is passed when `success_share` of it has committed, and the rollout rolls back when `error_share` of it has
    failed. A node that is out of reach is waited for `wait_ms`, then the others go on without it; it is taken when it
    comes, until `deadline_ms` after the start. `stages` are names for people; the first is that of `canary` nodes.
    """

    stages: tuple[str, ...]
    canary: int
    success_share: float
    error_share: float
    wait_ms: int
    deadline_ms: int


@dataclass(frozen=True)
class Rollout:
    """`stage` is the one that is on; that of all stages being passed is their number."""

    number: int
    plan: Plan
    state: State
    stage: int
    pairs: Mapping[str, Pair]
    started_utc_ms: int
    stage_utc_ms: int
    ends_utc_ms: int
    paused_utc_ms: int = 0
    reason: str = ""

    @property
    def in_tail(self) -> bool:
        """Whether only stragglers are left."""
        return self.stage >= len(self.plan.stages)

    def members(self, stage: int) -> list[Pair]:
        return [pair for pair in self.pairs.values() if pair.stage == stage]


@dataclass(frozen=True)
class Tick:
    """Time has passed. `reachable` are nodes that a wish would reach, each with the mark of its newest delivery;
    `slots` is how many more nodes may try something."""

    now_utc_ms: int
    reachable: Mapping[str, Mark]
    slots: int


@dataclass(frozen=True)
class Changed:
    """A delivery has changed, or is as it was. `way_back` is what its node ran before: a release's id or `factory`."""

    now_utc_ms: int
    delivery: Delivery
    way_back: str


@dataclass(frozen=True)
class Judged:
    """A trial has been judged."""

    now_utc_ms: int
    node: str
    commit: bool
    reason: str


@dataclass(frozen=True)
class Told:
    """A person's word, which `allowed` takes."""

    now_utc_ms: int
    word: Word
    reason: str = ""


@dataclass(frozen=True)
class Dropped:
    """Nothing comes of what was wished for a node: it cannot be delivered, or never was wished for. `gone`: nor ever
    will, such as for a node that nobody knows any more."""

    now_utc_ms: int
    node: str
    reason: str
    gone: bool = False


Event = Tick | Changed | Judged | Told | Dropped


@dataclass(frozen=True)
class Want:
    node: str
    target: str


@dataclass(frozen=True)
class Decide:
    node: str
    commit: bool


Command = Want | Decide


def mark_of(delivery: Delivery | None) -> Mark:
    return (delivery.sequence, delivery.since_utc_ms) if delivery else NO_MARK
