"""The stages of a rollout: some canaries, then what is ever further away from them."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from attuned.errors import RequestError
from attuned.updates.rollout import HOUR_MS, Pair, Plan, Rollout, State

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
    rest, stages = list(wishes[canary:]), [("canary", list(wishes[:canary]))]
    first = wishes[:canary]
    rooms, floors = {w.room for w in first}, {(w.building, w.floor) for w in first if w.floor}
    homes = {w.building for w in first if w.building}
    for name, near in (
        (_named("room", sorted(rooms)), [w for w in rest if w.room in rooms]),
        (_named("floor", sorted(floor for _, floor in floors)), [w for w in rest if (w.building, w.floor) in floors]),
        (_named("building", sorted(homes)), [w for w in rest if w.building in homes]),
    ):
        taken = {wish.node for _, members in stages for wish in members}
        stages.append((name, [wish for wish in near if wish.node not in taken]))
    stages += _others(rest, {wish.node for _, members in stages for wish in members})
    kept = [(name, members) for name, members in stages if members]
    pairs = {w.node: Pair(w.node, w.room, w.target, i) for i, (_, members) in enumerate(kept) for w in members}
    plan = Plan(
        tuple(name for name, _ in kept),
        canary,
        choices.success_share,
        choices.error_share,
        round(choices.wait_h * HOUR_MS),
        round(choices.deadline_h * HOUR_MS),
    )
    return Rollout(0, plan, State.RUNNING, 0, pairs, now_utc_ms, now_utc_ms, now_utc_ms + plan.deadline_ms)


def _others(rest: Sequence[Wish], taken: Collection[str]) -> list[tuple[str, list[Wish]]]:
    """One stage a building, in order of their names; at last what is in none."""
    left = [wish for wish in rest if wish.node not in taken]
    buildings = sorted({wish.building for wish in left}, key=lambda name: (not name, name))
    return [
        (_named("building", [name]) if name else "everywhere else", [wish for wish in left if wish.building == name])
        for name in buildings
    ]


def _named(word: str, names: Sequence[str]) -> str:
    """`room 2.13`, or `3 rooms`."""
    return f"{word} {names[0]}" if len(names) == 1 else f"{len(names)} {word}s"
