"""Delays, missed changes, false minutes and the hold timer against tables worked by hand."""

import numpy as np
import pytest
from attuned.learning.figures import UNKNOWN
from attuned.learning.replay.following import FREE, HOLD_S, OCCUPIED, Delays, Track, delays, held
from attuned.learning.replay.scores import Beliefs, score
from hypothesis import given
from hypothesis import strategies as st

MINUTE = 60


def digits(text: str) -> np.ndarray:
    """`0 0 1 ?` as states; a bar between two of them is a gap."""
    return np.array([UNKNOWN if word == "?" else int(word) for word in text.replace("|", " ").split()], dtype=np.int8)


def track(truth: str, state: str, ends: list[int] | None = None) -> Track:
    """One window a minute; a bar in the truth says that the next window does not follow on the one before."""
    words = truth.split()
    breaks, seen = [], 0
    for index, word in enumerate(words):
        if word == "|":
            breaks.append(index - 1 - seen)
            seen += 1
    n = len(words) - seen
    starts = np.zeros(n - 1, dtype=bool)
    starts[breaks] = True
    ends_s = np.arange(1, n + 1) * MINUTE if ends is None else np.array(ends)
    return Track(ends_s, digits(truth), digits(state), starts)


def both(*tracks: Track) -> tuple[Delays, Delays]:
    return delays(tracks, OCCUPIED), delays(tracks, FREE)


def test_delays_by_hand() -> None:
    # People come at 3 and leave at 7, come at 10 and leave at 13. The state follows at 5, at 7 (at once), at 10 (at
    # once), and at 15: delays of two minutes and none, and of none and two minutes.
    truth = "0 0 1 1 1 1 0 0 0 1 1 1 0 0 0 0"
    state = "0 0 0 0 1 1 0 0 0 1 1 1 1 1 0 0"
    arrivals, departures = both(track(truth, state))
    assert arrivals == Delays(2, 0, 60.0, 108.0)  # 0 and 120: half-way, and nine tenths of the way
    assert departures == Delays(2, 0, 60.0, 108.0)


def test_a_change_that_the_return_overtakes_is_missed() -> None:
    # The state sleeps through an absence of two minutes, and a visit of one later.
    truth = "0 1 1 0 0 1 1 0 0 1 0 0"
    state = "0 1 1 1 1 1 1 0 0 0 0 0"
    arrivals, departures = both(track(truth, state))
    # Come: at once; there before; never. Left: never; at once; there before.
    assert arrivals == Delays(3, 1, 0.0, 0.0)
    assert departures == Delays(3, 1, 0.0, 0.0)


def test_a_state_that_follows_after_the_return_has_missed_the_change() -> None:
    # It falls to free only when people are back: one absence missed, and the arrival followed a minute late.
    truth = "1 1 0 0 1 1 1"
    state = "1 1 1 1 0 1 1"
    arrivals, departures = both(track(truth, state))
    assert arrivals == Delays(1, 0, 60.0, 60.0)
    assert departures == Delays(1, 1, None, None)


def test_unknown_follows_nothing() -> None:
    arrivals, _ = both(track("0 0 1 1 1", "0 0 ? ? 1"))
    assert arrivals == Delays(1, 0, 120.0, 120.0)


def test_a_change_that_was_not_followed_when_the_recording_broke_off_counts_nowhere() -> None:
    # Before the gap and at the end the state was still wrong; and what happened in the gap is no change.
    truth = "0 0 1 1 | 0 0 1 1"
    state = "0 0 0 0 | 0 0 0 0"
    assert both(track(truth, state)) == (Delays(0, 0, None, None), Delays(0, 0, None, None))
    # Followed before the gap, it counts.
    assert both(track(truth, "0 0 0 1 | 0 0 0 0"))[0] == Delays(1, 0, 60.0, 60.0)


def test_delays_are_of_event_time() -> None:
    # Windows without rows lie between: a quarter of an hour passes from the change to the state's.
    truth, state = "0 1 1 1", "0 0 0 1"
    assert both(track(truth, state, [60, 120, 600, 1020]))[0] == Delays(1, 0, 900.0, 900.0)


def test_rooms_are_pooled() -> None:
    one, two = track("0 1 1 1", "0 1 1 1"), track("0 1 1 1", "0 0 0 1")
    assert both(one, two)[0] == Delays(2, 0, 60.0, 108.0)
    assert both()[0] == Delays(0, 0, None, None)


def test_hold_timer_by_hand() -> None:
    assert HOLD_S == 600
    # Occupied at 60 and at 180: until 780, which the window that ends there no longer is.
    ends = np.arange(60, 1021, 60)
    occupied = np.isin(ends, [60, 180])
    assert ends[held(ends, occupied)].tolist() == list(range(60, 780, 60))


def test_hold_timer_with_windows_of_ten_minutes_holds_nothing() -> None:
    ends = np.array([600, 1200, 1800])
    assert held(ends, np.array([True, False, False])).tolist() == [True, False, False]


def test_hold_timer_passes_time_in_gaps() -> None:
    ends = np.array([60, 120, 600, 660, 720])
    assert held(ends, np.array([False, True, False, False, False])).tolist() == [False, True, True, True, False]


@given(st.lists(st.tuples(st.integers(1, 900), st.booleans()), min_size=1, max_size=60))
def test_hold_timer_follows_its_definition(steps: list[tuple[int, bool]]) -> None:
    ends = np.cumsum([step for step, _ in steps])
    occupied = np.array([word for _, word in steps])
    expected = [any(said and 0 <= now - then < 600 for then, said in zip(ends, occupied, strict=True)) for now in ends]
    assert held(ends, occupied).tolist() == expected


def beliefs(truth: str, said: str, hold: str) -> Beliefs:
    state = digits(said)
    n = len(state)
    return Beliefs(
        ends_s=np.arange(1, n + 1) * MINUTE,
        truth=digits(truth),
        probability=np.where(state == OCCUPIED, 0.9, 0.1),
        told=state != UNKNOWN,
        stretch=np.zeros(n, np.int64),
        held=digits(hold) == OCCUPIED,
    )


def test_false_minutes_by_hand() -> None:
    # Said free twice and occupied once wrongly, and unknown once; the timer held on for two minutes too long.
    room = beliefs("0 0 1 1 1 1 0 0 0 0", "1 0 0 ? 0 1 0 0 0 0", "0 0 1 1 1 1 1 1 0 0")
    figures = score([room], MINUTE)
    days = 10 / 1440
    assert figures.false_free_min_per_day == pytest.approx(2 / days)
    assert figures.false_occupied_min_per_day == pytest.approx(1 / days)
    assert figures.arrivals == Delays(1, 0, 180.0, 180.0)
    assert figures.departures == Delays(1, 0, 0.0, 0.0)
    timer = figures.hold_timer
    assert timer is not None
    assert timer.false_free_min_per_day == 0.0
    assert timer.false_occupied_min_per_day == pytest.approx(2 / days)
    assert (timer.arrivals, timer.departures) == (Delays(1, 0, 0.0, 0.0), Delays(1, 0, 120.0, 120.0))
    assert timer.changes_per_day == pytest.approx(2 / days)


def test_false_minutes_are_a_day_of_one_room_and_count_whole_windows() -> None:
    room = beliefs("0 0 1 1", "1 0 1 1", "0 0 1 1")
    quiet = beliefs("0 0 0 0", "0 0 0 0", "0 0 0 0")
    assert score([room, quiet], MINUTE).false_occupied_min_per_day == pytest.approx(1 / (8 / 1440))
    # Windows of 30 s at the same ends: half a minute in four minutes less half a minute.
    assert score([room], 30).false_occupied_min_per_day == pytest.approx(0.5 / (3.5 / 1440))


def test_without_a_hold_timer_there_are_no_figures_of_one() -> None:
    room = beliefs("0 1", "0 1", "0 1")
    bare = Beliefs(room.ends_s, room.truth, room.probability, room.told, room.stretch)
    assert score([bare], MINUTE).hold_timer is None
    assert score([room, bare], MINUTE).hold_timer is None
