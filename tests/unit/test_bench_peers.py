"""How peers are chosen and rules are learned, against cases worked by hand."""

from typing import Any

import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier

from bench.ladder.choice import Standing, best, folds, standing
from bench.ladder.peers import LEARNERS, Peer, held_out
from bench.ladder.rules import Schedule, Threshold
from bench.ladder.streams import REFIT_S, RIVER, Late, as_dicts, refitted, river, yesterday


def test_days_go_to_folds_in_turn() -> None:
    assert folds(np.array([7, 7, 8, 9, 10, 13, 14, 14, 15])).tolist() == [0, 0, 1, 2, 3, 4, 0, 0, 1]


def test_two_days_are_cut_into_contiguous_blocks() -> None:
    assert folds(np.array([7] * 6 + [8] * 6)).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]


def test_standing_is_balanced_and_free_wins_a_tie() -> None:
    # Free: said 0.5 (free) and 0.9 (occupied), half right; occupied: said 0.8, right. Brier (0.25 + 0.81 + 0.04) / 3.
    found = standing(np.array([0, 0, 1], np.int8), np.array([0.5, 0.9, 0.8]))
    assert found.balanced_accuracy == pytest.approx(0.75)
    assert found.brier == pytest.approx(1.1 / 3)


@pytest.mark.parametrize(
    ("standings", "expected"),
    [
        ({"a": [Standing(0.8, 0.1)], "b": [Standing(0.9, 0.3)]}, "b"),
        ({"a": [Standing(0.9, 0.3)], "b": [Standing(0.9, 0.1)]}, "b"),
        ({"a": [Standing(0.9, 0.1)], "b": [Standing(0.9, 0.1)]}, "a"),
        # Means over seeds: 0.7 against 0.75.
        ({"a": [Standing(0.9, 0.1), Standing(0.5, 0.1)], "b": [Standing(0.75, 0.2), Standing(0.75, 0.2)]}, "b"),
    ],
)
def test_the_best_peer(standings: dict[str, list[Standing]], expected: str) -> None:
    assert best(standings) == expected


class Memory:
    """Knows what it was taught by heart, and says 0.5 of everything else."""

    def __init__(self) -> None:
        self.known: dict[float, int] = {}

    def fit(self, x: Any, y: Any) -> "Memory":
        self.known = dict(zip(x[:, 0].tolist(), y.tolist(), strict=True))
        return self

    def predict_proba(self, x: Any) -> Any:
        said = np.array([self.known.get(value, 0.5) for value in x[:, 0].tolist()])
        return np.column_stack([1 - said, said])


def test_no_window_is_judged_by_who_learned_it() -> None:
    x, y = np.arange(8.0)[:, None], np.array([0, 1] * 4, np.int8)
    said = held_out(Peer("memory", "raw", Memory), x, y, np.array([0, 0, 1, 1, 2, 2, 3, 3]))
    assert said.tolist() == [0.5] * 8


def test_without_two_classes_nobody_can_tell() -> None:
    x, y = np.arange(4.0)[:, None], np.array([0, 0, 1, 1], np.int8)
    assert held_out(Peer("memory", "raw", Memory), x, y, np.array([0, 0, 1, 1])).tolist() == [0.5] * 4


def test_threshold_lies_half_way_where_most_are_right() -> None:
    # Sorted 1 f, 2 f, 4 o, 6 f, 8 o, 9 o: above 3 five of six are right, above 7 five too; the lower one is taken.
    x, y = np.array([[4.0], [1.0], [9.0], [6.0], [2.0], [8.0]]), np.array([1, 0, 1, 0, 0, 1], np.int8)
    rule = Threshold(rising=True).fit(x, y)
    assert rule.value == 3.0
    # Above: 3 of 4 occupied, so (3 + 1) / (4 + 2); below: none of 2, so 1 / 4. Missing counts as the mean, 5.
    assert rule.predict_proba(np.array([[3.5], [2.5], [np.nan]]))[:, 1].tolist() == pytest.approx([4 / 6, 1 / 4, 4 / 6])


def test_a_rising_rule_does_not_turn_round_and_the_free_one_does() -> None:
    x, y = np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0], [4.0, 5.0]]), np.array([1, 1, 0, 0], np.int8)
    free = Threshold(rising=False).fit(x, y)
    assert (free.column, free.value) == (0, 2.5)
    assert (free.predict_proba(x)[:, 1] > 0.5).tolist() == [True, True, False, False]
    rising = Threshold(rising=True).fit(x[:, :1], y)
    assert rising.predict_proba(x[:, :1])[:, 1].tolist() == [0.5] * 4


def test_threshold_agrees_with_a_stump_on_separable_data() -> None:
    source = np.random.default_rng(5)
    x = source.normal(size=(200, 3))
    y = (x[:, 1] > 0.3).astype(np.int8)
    stump = DecisionTreeClassifier(max_depth=1).fit(x, y)
    rule = Threshold(rising=False).fit(x, y)
    assert rule.column == stump.tree_.feature[0]
    assert rule.value == pytest.approx(stump.tree_.threshold[0])


def test_schedule_is_the_share_of_each_hour() -> None:
    x, y = np.array([[9.0], [9.0], [33.0], [33.0]]), np.array([0, 1, 1, 1], np.int8)
    said = Schedule().fit(x, y).predict_proba(np.array([[9.0], [33.0], [20.0]]))[:, 1]
    assert said.tolist() == [0.5, 1.0, 0.75]


def test_a_label_counts_only_after_it_arrived() -> None:
    # Six windows of ten minutes' distance, labels three windows late.
    order = Late(np.array([0, 1, 1, 0, 1, 0], np.int8), np.array([0, 0, 0, 0, 1, 2]))
    assert yesterday(order).tolist() == [0.5, 0.5, 0.5, 0.5, 0.0, 1.0]


def test_rules_are_learned_anew_from_what_had_arrived() -> None:
    ends = np.array([1, 2, 3, 4]) * REFIT_S
    order = Late(np.array([0, 1, 0, 1], np.int8), np.array([0, 0, 1, 2]))
    said = refitted(Peer("memory", "raw", Memory), np.array([[1.0], [2.0], [1.0], [2.0]]), order, ends)
    # One label is of one class only; with both the fourth window is like the second, which was occupied.
    assert said.tolist() == [0.5, 0.5, 0.5, 1.0]


class Recorder:
    """Says nothing and writes down what it is told and asked, in order."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, float]] = []

    def learn_one(self, x: dict[int, float], y: bool) -> None:
        self.calls.append(("learn", x[0]))

    def predict_proba_one(self, x: dict[int, float]) -> dict[bool, float]:
        self.calls.append(("judge", x[0]))
        return {}


def test_river_learns_late_and_skips_windows_without_label() -> None:
    model = Recorder()
    order = Late(np.array([1, -1, 0, 1], np.int8), np.array([0, 0, 2, 3]))
    said = river(model, np.array([[10.0], [11.0], [12.0], [13.0]]), order)
    wanted = [("judge", 10), ("judge", 11), ("learn", 10), ("judge", 12), ("learn", 12), ("judge", 13)]
    assert model.calls == wanted
    assert said.tolist() == [0.5, 0.5, 0.0, 0.0]


def test_river_takes_the_mean_so_far_for_a_missing_value() -> None:
    rows = list(as_dicts(np.array([[np.nan], [2.0], [4.0], [np.nan]])))
    assert [row[0] for row in rows] == [0.0, 2.0, 4.0, 3.0]


@pytest.mark.parametrize("name", LEARNERS)
def test_every_learner_takes_missing_values(name: str) -> None:
    source = np.random.default_rng(2)
    y = np.arange(80) % 2
    x = source.normal(size=(80, 2)) + 3 * y[:, None]
    x[::7, 0] = np.nan
    model = LEARNERS[name]().fit(x, y)
    assert np.mean((model.predict_proba(x)[:, 1] > 0.5) == y) > 0.9


@pytest.mark.parametrize("name", RIVER)
def test_every_river_model_learns(name: str) -> None:
    source = np.random.default_rng(2)
    y = source.integers(0, 2, 400).astype(np.int8)
    x = source.normal(size=(400, 2)) + 4 * y[:, None]
    said = river(RIVER[name](), x, Late(y, np.maximum(np.arange(400) - 20, 0)))
    assert np.mean((said[200:] > 0.5) == y[200:]) > 0.9
