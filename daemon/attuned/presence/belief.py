"""What the daemon holds of a room, and why."""

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass

# The share of a room's log-odds that its filter carries over from earlier windows.
BEFORE = "before"

# Time without evidence after which a room is unknown, longer than the longest window of a node; and in long steps.
UNKNOWN_AFTER_MS = 900_000
UNKNOWN_AFTER_LEAST_STEPS = 3

HOUR_MS = 3_600_000


class RoomState(enum.IntEnum):
    """The numbers are those of attune.v1.RoomState."""

    UNKNOWN = 0
    FREE = 1
    OCCUPIED = 2


@dataclass(frozen=True)
class Share:
    """One source's part of a room's log-odds (nats): a node id, or BEFORE."""

    source: str
    log_odds: float
    note: str = ""


@dataclass(frozen=True)
class Belief:
    """A room at the end of a step. The shares add up to `log_odds`, the log-odds of being occupied."""

    state: RoomState
    log_odds: float
    since_utc_ms: int
    as_of_utc_ms: int
    valid_until_utc_ms: int
    shares: tuple[Share, ...]

    @property
    def probability(self) -> float:
        """Of being occupied, 0 to 1."""
        return probability(self.log_odds)


# A room of which nothing has been heard yet.
NOTHING = Belief(RoomState.UNKNOWN, 0.0, 0, 0, 0, ())


def unknown_after_steps(step_ms: int) -> int:
    """Steps without evidence after which a room is unknown: a quarter of an hour of them, and at least three."""
    return max(UNKNOWN_AFTER_MS // step_ms, UNKNOWN_AFTER_LEAST_STEPS)


def probability(log_odds: float) -> float:
    """The logistic function, without overflow."""
    if log_odds >= 0:
        return 1 / (1 + math.exp(-log_odds))
    return math.exp(log_odds) / (1 + math.exp(log_odds))


def occupied_evidence(evidence: Sequence[float]) -> float:
    """Log-likelihood ratio of `occupied` against `free` from one value for each class above 0.

    Every class but 0 is a way of being occupied; which of them is left open, so their likelihoods are averaged.
    """
    if len(evidence) == 1:
        return evidence[0]
    highest = max(evidence)
    return highest + math.log(sum(math.exp(nats - highest) for nats in evidence) / len(evidence))
