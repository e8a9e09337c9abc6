"""Rows to windows, labels of windows, gaps."""

import numpy as np
import pytest
from attuned.learning.replay.windows import stretches, window_ends, window_labels, window_stretches
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("seconds", "window_s", "end"),
    [
        (0, 60, 0),
        (29.999, 60, 0),
        (30, 60, 60),  # half-way: up
        (59, 60, 60),
        (60, 60, 60),
        (61, 60, 60),
        (89.999, 60, 60),
        (90, 60, 120),
        (4.999, 10, 0),
        (5, 10, 10),
        (-30, 60, 0),  # before 1970 as well
        (-31, 60, -60),
        (449.999, 300, 300),
    ],
)
def test_nearest_end(seconds: float, window_s: int, end: int) -> None:
    assert window_ends(np.array([round(seconds * 1000)]), window_s).tolist() == [end]


@given(st.integers(-(10**12), 10**13), st.integers(10, 600))
def test_no_other_end_is_nearer(time_ms: int, window_s: int) -> None:
    end_ms = int(window_ends(np.array([time_ms]), window_s)[0]) * 1000
    assert end_ms % (window_s * 1000) == 0
    assert -window_s * 500 <= time_ms - end_ms < window_s * 500


def test_majority_of_labelled_rows_and_ties_say_occupied() -> None:
    ends = np.array([60, 60, 60, 120, 120, 180, 180, 240, 300])
    labels = np.array([0, 0, 1, 0, 1, -1, 0, -1, 1], dtype=np.int8)
    windows, said = window_labels(ends, labels)
    assert windows.tolist() == [60, 120, 180, 240, 300]
    assert said.tolist() == [0, 1, 0, -1, 1]


def test_a_gap_is_more_than_an_hour() -> None:
    hour = 3_600_000
    assert stretches(np.array([0, hour, 2 * hour + 1, 2 * hour + 2])).tolist() == [0, 0, 1, 1]
    assert window_stretches(np.array([0, 1000, hour + 1001]), 60).tolist() == [0, 1]
