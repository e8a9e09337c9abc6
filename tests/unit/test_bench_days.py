"""Intervals from resampling days, against sums worked by hand."""

from datetime import UTC
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from attuned.learning.replay.scores import Beliefs

from bench.ladder.days import accuracies, day_counts, interval, local_days

DAY = 86_400
HOUR = 3600


def beliefs(days: dict[int, list[tuple[int, int]]]) -> Beliefs:
    """Hourly windows: for each day, truth and what was said from its first hour on."""
    rows = [(day * DAY + (hour + 1) * HOUR, *pair) for day, pairs in days.items() for hour, pair in enumerate(pairs)]
    ends, truth, said = (np.array(column) for column in zip(*rows, strict=True))
    return Beliefs(ends, truth.astype(np.int8), said.astype(float), np.ones(len(ends), bool), np.zeros(len(ends), int))


RIGHT, WRONG = [(0, 0), (1, 1)], [(0, 1), (1, 0)]


def test_a_window_belongs_to_the_local_day_of_its_middle() -> None:
    ends = np.array([DAY, DAY + HOUR, 2 * DAY])
    assert np.diff(local_days(ends, HOUR, UTC)).tolist() == [1, 0]
    # Brussels is an hour ahead in winter: its day begins at 23:00 UTC.
    assert np.diff(local_days(ends, HOUR, ZoneInfo("Europe/Brussels"))).tolist() == [0, 1]


def test_days_are_counted_by_class() -> None:
    group = beliefs({0: [(0, 0), (0, 1), (1, 1)], 2: [(1, 0)]})
    days = local_days(group.ends_s, HOUR, UTC)
    every = np.arange(days[0], days[0] + 3)
    assert day_counts(group, days, every).tolist() == [[2, 1, 1, 1], [0, 0, 0, 0], [0, 0, 1, 0]]


def test_accuracy_and_balanced_accuracy_of_counts() -> None:
    # 10 free windows with 9 right, 2 occupied with 1 right: 10 of 12, and (0.9 + 0.5) / 2.
    counts = np.array([10.0, 9.0, 2.0, 1.0])
    assert accuracies(counts, "accuracy") == pytest.approx(10 / 12)
    assert accuracies(counts, "balanced_accuracy") == pytest.approx(0.7)
    assert np.isnan(accuracies(np.array([5.0, 5.0, 0.0, 0.0]), "balanced_accuracy"))


def test_two_days_one_all_right_and_one_all_wrong() -> None:
    # Four equally likely draws: both right 1, one of each 0.5 twice, both wrong 0. Each end holds a quarter of them.
    span = interval([beliefs({0: RIGHT, 1: WRONG})], "accuracy", HOUR, UTC)
    assert span == (0.0, 1.0)


def test_days_that_are_alike_leave_no_doubt() -> None:
    span = interval([beliefs({day: [(0, 0), (0, 0), (1, 1), (1, 0)] for day in range(6)})], "accuracy", HOUR, UTC)
    assert span == (0.75, 0.75)


def test_days_of_unequal_length_weigh_by_their_windows() -> None:
    # Long day 4 of 4 right, short day 0 of 1: draws give 1, 4/5 and 0. A quarter of all draws lies at either end.
    group = beliefs({0: [(0, 0), (1, 1), (0, 0), (1, 1)], 1: [(0, 1)]})
    span = interval([group], "accuracy", HOUR, UTC)
    assert span == (0.0, 1.0)


def test_seeds_share_their_days() -> None:
    # One seed is right on the first day only, the other on the second only: in every draw their mean is a half.
    groups = [beliefs({0: RIGHT, 1: WRONG}), beliefs({0: WRONG, 1: RIGHT})]
    assert interval(groups, "balanced_accuracy", HOUR, UTC) == (0.5, 0.5)


def test_draws_without_a_class_say_nothing_of_balance() -> None:
    # Only draws with both days have both classes: in them free is all right and occupied half right.
    group = beliefs({0: [(0, 0)], 1: [(1, 1), (1, 0)]})
    assert interval([group], "balanced_accuracy", HOUR, UTC) == (0.75, 0.75)


def test_one_day_has_no_interval() -> None:
    assert interval([beliefs({3: RIGHT})], "accuracy", HOUR, UTC) is None


def test_the_normal_interval_is_met_with_many_days() -> None:
    # 400 days, right with probability 0.8: the standard error of a mean of day shares is sqrt(0.16 / 400) = 0.02.
    right = np.random.default_rng(3).permutation(np.arange(400) < 320)
    group = beliefs({day: [(day % 2, day % 2 if good else 1 - day % 2)] for day, good in enumerate(right.tolist())})
    span = interval([group], "accuracy", HOUR, UTC)
    assert span is not None
    assert span.low == pytest.approx(0.8 - 1.96 * 0.02, abs=0.005)
    assert span.high == pytest.approx(0.8 + 1.96 * 0.02, abs=0.005)
