"""Dwell times from labels: sums by hand, a simulated chain, and the prior where labels say nothing."""

import numpy as np
import pytest
from attune_core import DWELL_BOUNDS_S, DWELL_S
from attuned.learning.dwell import learn_dwell
from hypothesis import given
from hypothesis import strategies as st

HOUR = 3600


def labels(times_s: list[int], classes: list[int]) -> tuple[np.ndarray, np.ndarray]:
    return np.array(times_s, dtype=np.int64), np.array(classes, dtype=np.int8)


def test_by_hand() -> None:
    # Free for an hour, then occupied for half an hour, the change halfway between two labels ten minutes apart:
    # free (2 x 14400 + 3600 + 300) / (2 + 1), occupied (2 x 3600 + 300 + 1800) / (2 + 0).
    times, classes = labels([0, 1800, 3600, 4200, 6000], [0, 0, 0, 1, 1])
    assert learn_dwell(times, classes) == (10_900, 4_650)


@pytest.mark.parametrize(
    ("times", "classes"),
    [([], []), ([60], [1]), ([0, HOUR + 1, 9 * HOUR], [0, 1, 0])],
    ids=["nothing", "one label", "labels far apart"],
)
def test_labels_that_show_no_stay_leave_the_prior(times: list[int], classes: list[int]) -> None:
    assert learn_dwell(*labels(times, classes)) == DWELL_S


@pytest.mark.parametrize(("free_s", "occupied_s"), [(28_800, 10_800), (1800, 5400)])
def test_a_watched_room_shows_its_stays(free_s: float, occupied_s: float) -> None:
    source = np.random.default_rng(1)
    stays = [int(source.exponential((free_s, occupied_s)[i % 2])) // 60 + 1 for i in range(1000)]
    classes = np.repeat(np.arange(1000) % 2, stays).astype(np.int8)
    learned = learn_dwell(60 * np.arange(len(classes), dtype=np.int64), classes)
    # The mean of 500 exponentials has a standard error of 4.5 %.
    assert learned == pytest.approx((free_s, occupied_s), rel=0.15)


@given(st.lists(st.tuples(st.integers(0, 10**7), st.integers(0, 1)), max_size=60))
def test_always_within_the_core_s_bounds(told: list[tuple[int, int]]) -> None:
    told.sort()
    learned = learn_dwell(*labels([time for time, _ in told], [label for _, label in told]))
    assert all(DWELL_BOUNDS_S[0] <= stay <= DWELL_BOUNDS_S[1] for stay in learned)
