"""Figures of a replay against sums worked by hand and against scikit-learn."""

import numpy as np
import pytest
from attuned.learning.figures import UNKNOWN
from attuned.learning.replay.scores import Beliefs, calibration_error, covered_days, score

# Six windows of a minute, one unknown, then (after two hours) two more.
#   end      60   120   180   240   300   360 | 7560  7620
#   truth     0     0     1     1     1     0 |    1     1
#   p        .1    .4    .6    .9     ?    .8 |   .2    .7
#   said      0     0     1     1     ?     1 |    0     1
ROOM = Beliefs(
    ends_s=np.array([60, 120, 180, 240, 300, 360, 7560, 7620]),
    truth=np.array([0, 0, 1, 1, 1, 0, 1, 1], dtype=np.int8),
    probability=np.array([0.1, 0.4, 0.6, 0.9, 0.99, 0.8, 0.2, 0.7]),
    told=np.array([True, True, True, True, False, True, True, True]),
    stretch=np.array([0, 0, 0, 0, 0, 0, 1, 1]),
)


def test_figures_by_hand() -> None:
    figures = score([ROOM], 60)
    assert figures.windows == 8
    assert figures.accuracy == 5 / 8
    # free: 2 of 3 recognised; occupied: 3 of 5.
    assert figures.balanced_accuracy == pytest.approx((2 / 3 + 3 / 5) / 2)
    # free: 2 hits, 3 true, 3 said; occupied: 3 hits, 5 true, 4 said.
    assert figures.macro_f1 == pytest.approx((4 / 6 + 6 / 9) / 2)
    squares = [0.01, 0.16, 0.16, 0.01, 0.25, 0.64, 0.64, 0.09]
    assert figures.brier == pytest.approx(sum(squares) / 8)
    assert figures.unknown_share == 1 / 8
    # said 0 0 1 1 ? 1 | 0 1: three changes, then one; truth 0 0 1 1 1 0 | 1 1: two.
    # Covered: six minutes and two minutes.
    assert figures.changes_per_day == pytest.approx(4 / (8 / 1440))
    assert figures.true_changes_per_day == pytest.approx(2 / (8 / 1440))


def test_calibration_by_hand() -> None:
    # Bins of 1/15: .5 in (7/15, 8/15]; .6 (said with p .4 and .6) in (8/15, 9/15]; .7 in (10/15, 11/15];
    # .8 (p .8 and .2) in (11/15, 12/15]; .9 (p .1 and .9) in (13/15, 14/15].
    # |right - confidence| summed a bin: .5 - 0; 2 - 1.2; 1 - .7; 1.6 - 0; 2 - 1.8.
    assert score([ROOM], 60).ece == pytest.approx((0.5 + 0.8 + 0.3 + 1.6 + 0.2) / 8)


def test_calibration_bins_span_zero_to_one() -> None:
    # .51 and .53 share the bin (7/15, 8/15]: their errors .49 and -.53 offset each other.
    # .53 and .54 lie on both sides of 8/15: they do not.
    right = np.array([True, False])
    assert calibration_error(np.array([0.51, 0.53]), right) == pytest.approx(0.04 / 2)
    assert calibration_error(np.array([0.53, 0.54]), right) == pytest.approx((0.47 + 0.54) / 2)
    assert calibration_error(np.array([1.0, 1.0]), right) == pytest.approx(1 / 2)


def test_all_unknown_is_all_wrong() -> None:
    silent = Beliefs(ROOM.ends_s, ROOM.truth, ROOM.probability, np.zeros(8, dtype=bool), ROOM.stretch)
    figures = score([silent], 60)
    assert (figures.accuracy, figures.balanced_accuracy, figures.macro_f1) == (0.0, 0.0, 0.0)
    assert (figures.brier, figures.ece, figures.unknown_share) == (0.25, 0.5, 1.0)
    assert figures.changes_per_day == 0.0


def test_no_window_has_no_figures() -> None:
    none = np.array([])
    whole = none.astype(np.int64)
    empty = Beliefs(whole, none.astype(np.int8), none, none.astype(bool), whole)
    figures = score([empty], 60)
    assert figures.windows == 0
    assert figures.accuracy is None


def test_rooms_are_pooled_by_window_and_days_add_up() -> None:
    other = Beliefs(ROOM.ends_s[:2], ROOM.truth[:2], ROOM.probability[:2], ROOM.told[:2], ROOM.stretch[:2])
    figures = score([ROOM, other], 60)
    assert figures.windows == 10
    assert figures.accuracy == 7 / 10
    assert figures.changes_per_day == pytest.approx(4 / (10 / 1440))


def test_time_without_windows_counts_as_covered_up_to_an_hour() -> None:
    def room(ends: list[int]) -> Beliefs:
        n = len(ends)
        return Beliefs(np.array(ends), np.zeros(n, np.int8), np.zeros(n), np.ones(n, dtype=bool), np.zeros(n, np.int64))

    assert covered_days(room([60, 3660]), 60) == pytest.approx(3660 / 86_400)
    assert covered_days(room([60, 3720]), 60) == pytest.approx(120 / 86_400)


def test_figures_agree_with_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    chance = np.random.default_rng(1)
    n = 2000
    truth = (chance.random(n) < 0.3).astype(np.int8)
    told = chance.random(n) < 0.9
    probability = np.clip(truth * 0.4 + chance.random(n) * 0.6, 0, 1)
    room = Beliefs(np.arange(n) * 60, truth, probability, told, np.zeros(n, np.int64))
    said = np.where(told, (probability > 0.5).astype(int), UNKNOWN)
    figures = score([room], 60)
    assert figures.accuracy == pytest.approx(metrics.accuracy_score(truth, said))
    assert figures.balanced_accuracy == pytest.approx(metrics.recall_score(truth, said, labels=[0, 1], average="macro"))
    assert figures.macro_f1 == pytest.approx(metrics.f1_score(truth, said, labels=[0, 1], average="macro"))
    assert figures.brier == pytest.approx(metrics.brier_score_loss(truth, np.where(told, probability, 0.5)))
