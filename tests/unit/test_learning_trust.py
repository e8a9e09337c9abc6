"""Trust in nodes: against scikit-learn where labels decide; what sees nothing fades out, and copies share."""

import numpy as np
import pytest
from attuned.learning.fusion import learn_trust
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

MANY = 1e8


def heard(count: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Classes, and evidence of three nodes: right and too quiet, right and too loud, noise."""
    source = np.random.default_rng(7)
    occupied = source.random(count) < 0.4
    sign = np.where(occupied, 1.0, -1.0)
    nodes = [sign * 1.0 + source.normal(0, 1.4, count), 4 * (sign + source.normal(0, 1.4, count))]
    return np.column_stack([*nodes, source.normal(0, 2, count)]), occupied


def test_many_labels_are_logistic_regression() -> None:
    evidence, occupied = heard()
    found = learn_trust(evidence, occupied, [1.0, 1.0, 1.0], MANY)
    reference = LogisticRegression(C=np.inf, tol=1e-10).fit(evidence, occupied).coef_[0]
    # Which node counts how much against which other; the sum stays that of the weights.
    assert found[:2] / found[0] == pytest.approx(reference[:2] / reference[0], rel=1e-3)
    assert found.sum() == pytest.approx(3)


def test_a_node_that_sees_nothing_fades_out() -> None:
    evidence, occupied = heard()
    for effective, most in ((20, 0.5), (200, 0.1)):
        assert learn_trust(evidence, occupied, [1.0, 1.0, 1.0], effective)[2] < most


def test_a_node_that_is_always_wrong_is_not_turned_around() -> None:
    evidence, occupied = heard()
    evidence[:, 2] = np.where(occupied, -3.0, 3.0)
    found = learn_trust(evidence, occupied, [1.0, 1.0, 1.0], 200)
    assert found[2] == 0


def test_two_copies_get_the_weight_of_one() -> None:
    evidence, occupied = heard()
    alone = learn_trust(evidence, occupied, [1.0, 0.5, 1.0], 12)
    halves = np.column_stack([evidence[:, 0] / 2, evidence[:, 0] / 2, evidence[:, 1:]])
    doubled = learn_trust(halves, occupied, [0.5, 0.5, 0.5, 1.0], 12)
    assert doubled == pytest.approx([alone[0], alone[0], alone[1], alone[2]], rel=1e-6)


@pytest.mark.parametrize("occupied", [[], [True] * 4, [False] * 4])
def test_without_both_classes_all_are_trusted(occupied: list[bool]) -> None:
    found = learn_trust(np.zeros((len(occupied), 2)), np.array(occupied, dtype=bool), [1.0, 0.5], 4)
    assert found.tolist() == [1, 1]


@given(
    st.lists(st.tuples(*[st.floats(-16, 16)] * 3, st.booleans()), min_size=2, max_size=30),
    st.lists(st.floats(0.05, 1), min_size=3, max_size=3),
    st.floats(1, 1e4),
)
def test_any_labels_give_factors(told: list[tuple[float, ...]], weights: list[float], effective: float) -> None:
    evidence, occupied = np.array([row[:3] for row in told]), np.array([row[3] for row in told], dtype=bool)
    found = learn_trust(evidence, occupied, weights, effective)
    assert np.isfinite(found).all()
    assert (found >= 0).all()
    assert np.dot(found, weights) <= sum(weights) * (1 + 1e-9)
