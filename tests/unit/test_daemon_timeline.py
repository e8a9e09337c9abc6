"""A room's timeline in event time: any order of arrival within an hour gives the same history, to the bit."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import exp, log
from typing import NamedTuple

import pytest
from attuned.presence.belief import BEFORE, Belief, RoomState
from attuned.presence.holding import HOLD_MS
from attuned.presence.model import Calibration, RoomModel
from attuned.presence.rooms import checkpoint_from_json, checkpoint_to_json, pack_hours
from attuned.presence.timeline import Arrival, Checkpoint, RoomTimeline, Step
from attuned.store.beliefs import BeliefHour
from hypothesis import given, settings
from hypothesis import strategies as st

HOUR = 3_600_000
MINUTE = 60_000
START = 1_790_000_000_000 // HOUR * HOUR

SENSORS = {"a": ["co2", "pir"], "b": ["co2"], "c": ["temperature", "humidity"]}


class Told(NamedTuple):
    """One window as a timeline takes it."""

    node: str
    boot: int
    seq: int
    end_utc_ms: int
    evidence: float | None
    held: float | None = None


# What the filter says, as it says it.
AS_FILTERED = RoomModel(calibration=Calibration(slope=1, offset=0))


@dataclass
class Outcome:
    """All that can be seen of a timeline: settled steps, what goes to the store, open history, and the belief."""

    settled: list[tuple[int, float, float, Checkpoint]]
    hours: list[BeliefHour]
    open_steps: list[tuple[int, RoomState, float]]
    belief: Belief


def new(step_ms: int = MINUTE, checkpoint: Checkpoint | None = None) -> RoomTimeline:
    return RoomTimeline(step_ms, SENSORS.__getitem__, checkpoint, model=AS_FILTERED, threshold=0.0)


def feed(timeline: RoomTimeline, windows: Iterable[Told]) -> list[Arrival]:
    return [timeline.add(w.node, (w.boot, w.seq), w.end_utc_ms, w.evidence, w.held) for w in windows]


def outcome(timeline: RoomTimeline) -> Outcome:
    steps = [(s.index, s.before, s.log_odds, s.settled_as()) for s in timeline.settled]
    hours = pack_hours("room", timeline.settled, timeline.step_ms)
    return Outcome(steps, hours, timeline.history(), timeline.belief())


def after(windows: Iterable[Told], step_ms: int = MINUTE) -> Outcome:
    timeline = new(step_ms)
    feed(timeline, windows)
    return outcome(timeline)


@st.composite
def stories(draw: st.DrawFn) -> tuple[int, list[Told], list[Told]]:
    """(step, windows in event time, the same in another order within an hour, some of them twice)."""
    step_ms = draw(st.sampled_from([10_000, 60_000, 300_000, 600_000]))
    hour_steps = HOUR // step_ms
    # Gaps of a step or a few, up to an hour, just around one and two hours, and far beyond.
    edges = [hour_steps - 1, hour_steps, hour_steps + 1, 2 * hour_steps, 2 * hour_steps + 1, 3 * hour_steps]
    # What a quiet node holds ends after an hour and five minutes; and after that, a silence of two hours begins.
    hold = HOLD_MS // step_ms
    edges += [hold - 1, hold, hold + 1, hold + hour_steps, hold + 2 * hour_steps, hold + 2 * hour_steps + 1]
    gap = st.one_of(st.integers(0, 3), st.integers(0, hour_steps), st.sampled_from(edges), st.just(30 * hour_steps))
    evidence = st.one_of(st.none(), st.floats(-6, 6))
    windows: list[Told] = []
    quiet = draw(st.sampled_from(["", "a", "bc"]))
    index = START // step_ms + draw(st.integers(0, hour_steps))
    for seq in range(1, draw(st.integers(2, 14))):
        index += draw(gap)
        end_utc_ms = index * step_ms - draw(st.integers(0, step_ms - 1))
        node, nats = draw(st.sampled_from("abc")), draw(evidence)
        windows.append(Told(node, 7, seq, end_utc_ms, nats, nats if node in quiet else None))
    # A window that is at most an hour late, in steps, comes before any window of more than an hour after it.
    delayed = [(-(-w.end_utc_ms // step_ms) + draw(st.integers(0, hour_steps)), w) for w in windows]
    again = [(late + draw(st.integers(0, 5)), w) for late, w in delayed if draw(st.booleans())]
    again = [(late, w) for late, w in again if late <= w.end_utc_ms // step_ms + hour_steps]
    ordered = [w for _, w in sorted(delayed + again, key=lambda pair: pair[0])]
    return step_ms, sorted(windows, key=lambda w: w.end_utc_ms), ordered


@settings(max_examples=150, deadline=None)
@given(stories())
def test_any_order_within_an_hour_gives_the_same_history(story: tuple[int, list[Told], list[Told]]) -> None:
    step_ms, in_order, as_arrived = story
    shuffled = new(step_ms)
    arrivals = feed(shuffled, as_arrived)
    assert Arrival.LATE not in arrivals
    assert outcome(shuffled) == after(in_order, step_ms)


@settings(max_examples=100, deadline=None)
@given(stories(), st.integers(0, 20))
def test_a_restored_timeline_goes_on_like_one_that_never_stopped(
    story: tuple[int, list[Told], list[Told]], stop: int
) -> None:
    """Stops after some windows; goes on from a stored checkpoint with the windows since then, and the rest."""
    step_ms, in_order, _ = story
    first, rest = in_order[:stop], in_order[stop:]
    timeline = new(step_ms)
    feed(timeline, first)
    stored = timeline.settled[len(timeline.settled) // 2].settled_as() if timeline.settled else None
    checkpoint = checkpoint_from_json(checkpoint_to_json(stored)) if stored else None
    since = [w for w in first if checkpoint is None or -(-w.end_utc_ms // step_ms) > checkpoint.index]
    restored = new(step_ms, checkpoint)
    feed(restored, since + rest)
    feed(timeline, rest)
    expected = outcome(timeline)
    if checkpoint is not None:
        expected.settled = [step for step in expected.settled if step[0] > checkpoint.index]
    found = outcome(restored)
    if since + rest:
        assert (found.settled, found.open_steps, found.belief) == (
            expected.settled,
            expected.open_steps,
            expected.belief,
        )


@settings(max_examples=100, deadline=None)
@given(stories())
def test_shares_add_up_to_the_log_odds_at_every_arrival(story: tuple[int, list[Told], list[Told]]) -> None:
    step_ms, _, as_arrived = story
    timeline = new(step_ms)
    for window in as_arrived:
        feed(timeline, [window])
        belief = timeline.belief()
        assert sum(share.log_odds for share in belief.shares) == pytest.approx(belief.log_odds, abs=1e-9)
        assert belief.probability == pytest.approx(1 / (1 + exp(-belief.log_odds)), abs=1e-12)


def by_hand(evidence: Sequence[float | None], step_s: float) -> list[float]:
    """A two-state hidden Markov model in plain probabilities: free lasts 240 min on average, occupied 60 min."""
    leave_free, leave_occupied = 1 - exp(-step_s / 14_400), 1 - exp(-step_s / 3_600)
    occupied = leave_free / (leave_free + leave_occupied)
    found = []
    for i, nats in enumerate(evidence):
        if i > 0:
            occupied = occupied * (1 - leave_occupied) + (1 - occupied) * leave_free
        if nats is not None:
            odds = occupied / (1 - occupied) * exp(nats)
            occupied = odds / (1 + odds)
        found.append(log(occupied / (1 - occupied)))
    return found


@pytest.mark.parametrize("step_s", [10, 60, 600])
def test_filter_equals_a_sum_worked_by_hand(step_s: int) -> None:
    evidence = [1.5, -0.25, None, 6.0, 6.0, -6.0]
    timeline = new(step_s * 1000)
    for i, nats in enumerate(evidence):
        feed(timeline, [Told("c", 1, i + 1, START + i * step_s * 1000, nats)])
    found = [log_odds for _, _, log_odds in timeline.history()]
    assert found == pytest.approx(by_hand(evidence, step_s), abs=1e-9)


def test_nodes_with_the_same_sensor_share_its_weight() -> None:
    # a has co2 and pir, b has co2: a counts (1/2 + 1) / 2 = 0.75, b counts 1/2, and 0.75 x 2 + 0.5 x 4 = 3.5.
    timeline = new()
    feed(timeline, [Told("b", 1, 1, START, 4.0), Told("a", 1, 1, START, 2.0)])
    shares = {share.source: share.log_odds for share in timeline.belief().shares}
    assert shares == {BEFORE: pytest.approx(by_hand([None], 60)[0]), "a": 1.5, "b": 2.0}


def test_several_windows_of_a_node_in_a_step_count_as_their_mean() -> None:
    timeline = new()
    feed(timeline, [Told("c", 1, seq, START - 50_000 + seq * 10_000, nats) for seq, nats in enumerate([3.0, 1.0, 2.0])])
    assert timeline.belief().shares[1].log_odds == 2.0


def test_a_window_belongs_to_the_step_in_which_it_ends() -> None:
    timeline = new()
    feed(timeline, [Told("c", 1, 1, START, 1.0), Told("c", 1, 2, START + 1, 1.0)])
    assert [utc_ms for utc_ms, _, _ in timeline.history()] == [START, START + MINUTE]


@pytest.mark.parametrize(("step_s", "steps"), [(10, 90), (60, 15), (240, 3), (300, 3), (600, 3)])
def test_unknown_after_silence(step_s: int, steps: int) -> None:
    """Windows without evidence go on; after a quarter of an hour, or three long ones, nothing is known."""
    timeline = new(step_s * 1000)
    feed(timeline, [Told("c", 1, 1, START, 5.0)])
    for i in range(1, steps + 1):
        assert timeline.belief().state is not RoomState.UNKNOWN
        assert timeline.belief().valid_until_utc_ms == START + steps * step_s * 1000
        feed(timeline, [Told("c", 1, 1 + i, START + i * step_s * 1000, None)])
    belief = timeline.belief()
    assert (belief.state, belief.log_odds, belief.probability) == (RoomState.UNKNOWN, 0.0, 0.5)
    assert belief.since_utc_ms == START + steps * step_s * 1000
    assert [share.note for share in belief.shares] == ["has nothing to say"]


@pytest.mark.parametrize("step_s", [10, 60, 600])
def test_a_room_that_was_never_told_anything_is_unknown(step_s: int) -> None:
    timeline = new(step_s * 1000)
    feed(timeline, [Told("c", 1, 1, START, None)])
    assert timeline.belief().state is RoomState.UNKNOWN


def test_since_is_the_step_in_which_the_state_began() -> None:
    timeline = new()
    said = [6.0, 6.0, 6.0, -3.0, -3.0, -3.0]
    feed(timeline, [Told("c", 1, i + 1, START + i * MINUTE, nats) for i, nats in enumerate(said)])
    # An occupied room is left within a minute with a probability of 1/60, so it enters a step with at most
    # log 59 = 4.1: the first -3 leaves it above zero, the second does not.
    assert [state for _, state, _ in timeline.history()][2:5] == [RoomState.OCCUPIED] * 2 + [RoomState.FREE]
    assert timeline.belief().since_utc_ms == START + 4 * MINUTE


def test_a_silence_keeps_since_of_the_unknown_room() -> None:
    """Fifteen minutes after the last evidence the room became unknown, and stays so until evidence comes."""
    timeline = new()
    feed(timeline, [Told("c", 1, 1, START, 5.0), Told("c", 1, 2, START + 50 * HOUR, None)])
    assert timeline.belief().since_utc_ms == START + 15 * MINUTE


def test_what_comes_later_than_an_hour_changes_nothing() -> None:
    timeline = new()
    live = [Told("c", 1, i + 1, START + i * MINUTE, 1.0) for i in range(90)]
    feed(timeline, live)
    before = outcome(timeline)
    late = Told("a", 1, 1, START + 28 * MINUTE, -6.0)
    assert feed(timeline, [late]) == [Arrival.LATE]
    assert outcome(timeline) == before
    assert feed(timeline, [late._replace(end_utc_ms=START + 29 * MINUTE)]) == [Arrival.HISTORY]


def test_finish_settles_to_the_end() -> None:
    timeline = new()
    feed(timeline, [Told("c", 1, 1, START + MINUTE, 5.0)])
    timeline.finish(START + HOUR)
    assert [step.index for step in timeline.settled] == [START // MINUTE + i for i in range(1, 61)]
    assert timeline.history() == []


def test_steps_of_a_long_silence_are_not_handed_over() -> None:
    timeline = new()
    feed(timeline, [Told("c", 1, 1, START, 5.0), Told("c", 1, 2, START + 20 * HOUR, 5.0)])
    timeline.finish(START + 20 * HOUR)
    first = START // MINUTE
    assert [step.index for step in timeline.settled] == [*range(first, first + 60), first + 20 * 60]


def test_checkpoints_come_back_from_the_store_to_the_bit() -> None:
    checkpoint = Checkpoint(3, (0.1 + 0.2, 1 / 3), RoomState.FREE, 17, 2)
    assert checkpoint_from_json(checkpoint_to_json(checkpoint)) == checkpoint
    assert (
        checkpoint_from_json(checkpoint_to_json(replace(checkpoint, state=RoomState.UNKNOWN))).state.name == "UNKNOWN"
    )


def test_a_step_has_no_result_before_it_is_computed() -> None:
    with pytest.raises(ValueError, match="not been computed"):
        Step(1).settled_as()
