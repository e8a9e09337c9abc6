"""How it is with a node of a rollout, in words."""

from dataclasses import replace

import pytest
from attuned.updates.delivery import Delivery, Stage
from attuned.updates.rollout_state import Pair, State, Step
from attuned.updates.rollout_words import mixed_rooms, progress, what
from attuned.updates.stages import Choices, Wish, make_rollout

NEW = "ab" * 16
ROLLOUT = make_rollout([Wish(f"{i:016x}", NEW, f"r{i // 2}", "1") for i in range(4)], Choices(), 0)
PAIR = ROLLOUT.pairs["0" * 16]


def delivery(stage: Stage, reason: str = "") -> Delivery:
    return Delivery(PAIR.node, NEW, 3, stage, reason, 41, 2, 0, "00" * 16)


@pytest.mark.parametrize(
    ("pair", "at", "says"),
    [
        (PAIR, None, "waits for its turn"),
        (replace(PAIR, away=True), None, "out of reach; the stage waits for it"),
        (replace(PAIR, away=True, straggler=True), None, "out of reach; it gets it when it comes"),
        (replace(PAIR, stage=2), None, "waits for the stage floor 1"),
        (replace(PAIR, step=Step.UNDER_WAY), None, "is about to be told"),
        (
            replace(PAIR, step=Step.UNDER_WAY),
            delivery(Stage.WAITING, "Nothing signs."),
            "is about to be told: Nothing signs.",
        ),
        (replace(PAIR, step=Step.UNDER_WAY), delivery(Stage.SENDING), "takes it in"),
        (
            replace(PAIR, step=Step.UNDER_WAY),
            delivery(Stage.TRIAL),
            "tries it: 41 windows so far, 2 of them different",
        ),
        (replace(PAIR, step=Step.UNDER_WAY, decision=True), delivery(Stage.COMMITTING), "is told to keep it"),
        (replace(PAIR, step=Step.UNDER_WAY, decision=False), delivery(Stage.ENDING), "is told to give it up"),
        (replace(PAIR, step=Step.COMMITTED), delivery(Stage.COMMITTED), "runs it"),
        (replace(PAIR, step=Step.COMMITTED, replaced=True), None, "ran it; something newer runs by now"),
        (replace(PAIR, step=Step.FAILED, reason="it refused it"), None, "went wrong: it refused it"),
        (replace(PAIR, step=Step.LEFT, reason="the end"), None, "left as it was: the end"),
        (replace(PAIR, step=Step.LEAVING), delivery(Stage.ENDING), "is told to give it up"),
        (replace(PAIR, step=Step.RETURNING), None, "gets back what it ran before"),
        (
            replace(PAIR, step=Step.RETURNING, at=Stage.FAILED),
            delivery(Stage.FAILED, "Too large."),
            "could not go back, is tried again hourly: Too large.",
        ),
        (replace(PAIR, step=Step.RETURNED), None, "runs again what it ran before"),
    ],
)
def test_what_is_said_of_a_node(pair: Pair, at: Delivery | None, says: str) -> None:
    assert what(ROLLOUT, pair, at) == says


def test_of_a_node_that_waits_in_a_pause() -> None:
    assert what(replace(ROLLOUT, state=State.PAUSED), PAIR, None) == "waits: the rollout is paused"


def test_rooms_in_between_and_progress() -> None:
    steps = dict(zip(ROLLOUT.pairs, (Step.COMMITTED, Step.QUEUED, Step.FAILED, Step.QUEUED), strict=True))
    pairs = {node: replace(pair, step=steps[node]) for node, pair in ROLLOUT.pairs.items()}
    between = replace(ROLLOUT, pairs=pairs)
    assert mixed_rooms(between) == ["r0"]
    assert progress(between) == (2, 4)
    # On the way back the one that has it is not through.
    assert progress(replace(between, state=State.ROLLING_BACK)) == (1, 4)


def test_what_a_newer_rollout_has_replaced_does_not_run_any_more() -> None:
    pairs = {node: replace(pair, step=Step.COMMITTED) for node, pair in ROLLOUT.pairs.items()}
    newer = {**pairs, PAIR.node: replace(pairs[PAIR.node], replaced=True)}
    assert (mixed_rooms(replace(ROLLOUT, pairs=pairs)), mixed_rooms(replace(ROLLOUT, pairs=newer))) == ([], ["r0"])
