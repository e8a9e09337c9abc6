"""The stages of a rollout: some canaries, then what is ever further away from them."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from attuned.errors import RequestError
from attuned.updates.rollout_state import HOUR_MS, Pair, Plan, Rollout, State

# A stage is passed with four out of five, and one out of five sends the rollout back: what is not the one is the other.
SUCCESS_SHARE, ERROR_SHARE = 0.8, 0.2

# Nodes that sleep speak hourly; a stage waits for those that missed an hour or three.
WAIT_H = 4.0

# A node that was taken along for a week's holiday is still taken.
DEADLINE_H = 14 * 24.0

LONGEST_H = 366 * 24.0


@dataclass(frozen=True)
class Wish:
    """A pair of node and release, and where the node stands."""

    node: str
    target: str
    room: str
    floor: str = ""
    building: str = ""


@dataclass(frozen=True)
class Choices:
    """What whoever starts a rollout may choose. `canary` is a number of nodes, or with `canary_share` a share."""

    canary: int = 1
    canary_share: float = 0.0
    success_share: float = SUCCESS_SHARE
    error_share: float = ERROR_SHARE
    wait_h: float = WAIT_H
    deadline_h: float = DEADLINE_H

    def check(self) -> None:
        """Raises RequestError for what cannot be."""
        if self.canary < 1 or not 0 <= self.canary_share <= 1:
            raise RequestError("The canary is a number of nodes from 1 on, or a share from 1% to 100%.")
        if not 0 < self.error_share <= 1 or not 0 < self.success_share <= 1:
            raise RequestError("Shares are more than 0% and at most 100%.")
        if self.success_share + self.error_share > 1 + 1e-9:
            raise RequestError(
                "The shares of success and of error are at most 100% together, or a stage could end without either."
            )
        if not 0 < self.wait_h <= self.deadline_h <= LONGEST_H:
            raise RequestError(
                "The hours to wait are more than 0 and at most those to the end, which are at most a year's."
            )


def make_rollout(wishes: Sequence[Wish], choices: Choices, now_utc_ms: int) -> Rollout:
    """A rollout that has begun nothing yet, without a number. The first of the wishes are its canaries.

    Then come the rooms of the canaries, their floors, their buildings, and the other buildings one by one. What has no
    floor or building in the configuration is not taken to be near anything.
    """
    choices.check()
    canary = min(len(wishes), max(choices.canary, math.ceil(choices.canary_share * len(wishes))))
    stages = _stages(wishes[:canary], list(wishes[canary:]))
    pairs = {w.node: Pair(w.node, w.room, w.target, i) for i, (_, members) in enumerate(stages) for w in members}
    plan = Plan(
        tuple(name for name, _ in stages),
        canary,
        choices.success_share,
        choices.error_share,
        round(choices.wait_h * HOUR_MS),
        round(choices.deadline_h * HOUR_MS),
    )
    return Rollout(0, plan, State.RUNNING, 0, pairs, now_utc_ms, now_utc_ms, now_utc_ms + plan.deadline_ms)


def _stages(canaries: Sequence[Wish], rest: list[Wish]) -> list[tuple[str, list[Wish]]]:
    """The stages with a name each; none is empty."""
    near: list[tuple[str, Callable[[Wish], object]]] = [
        ("room", lambda wish: wish.room),
        ("floor", lambda wish: wish.floor and (wish.building, wish.floor)),
        ("building", lambda wish: wish.building),
    ]
    stages = [("canary", list(canaries))]
    for word, place_of in near:
        places = {place_of(wish) for wish in canaries} - {""}
        stages.append(_stage(word, [wish for wish in rest if place_of(wish) in places]))
        rest = [wish for wish in rest if place_of(wish) not in places]
    others = sorted({wish.building for wish in rest} - {""})
    stages += [_stage("building", [wish for wish in rest if wish.building == name]) for name in others]
    stages.append(("everywhere else", [wish for wish in rest if not wish.building]))
    return [(name, members) for name, members in stages if members]


def _stage(word: str, members: list[Wish]) -> tuple[str, list[Wish]]:
    """With its name: `room 2.13`, or `3 rooms`."""
    names = sorted({getattr(wish, word) for wish in members})
    return (f"{word} {names[0]}" if len(names) == 1 else f"{len(names)} {word}s"), members
