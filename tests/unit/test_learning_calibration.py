"""Calibration: Platt's numbers against scikit-learn where labels decide, the default where they do not."""

import numpy as np
import pytest
from attuned.learning.calibration import learn_calibration
from attuned.learning.effective import effective_labels
from attuned.presence.model import Calibration
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

MANY = 1e7


def drawn(slope: float, offset: float, prior: float, count: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Log-odds, and classes as frequent as calibrated log-odds of prior + slope (log-odds - prior) + offset say."""
    source = np.random.default_rng(3)
    log_odds = source.normal(prior, 6, count)
    truth = prior + slope * (log_odds - prior) + offset
    return log_odds, source.random(count) < 1 / (1 + np.exp(-truth))


@pytest.mark.parametrize(("slope", "offset"), [(0.2, 0.0), (0.6, 0.5), (1.2, -0.8)])
def test_many_labels_are_platts_fit(slope: float, offset: float) -> None:
    log_odds, occupied = drawn(slope, offset, 0.0)
    # Each class counts as much as the prior holds it for frequent, here one half.
    found = learn_calibration(log_odds, occupied, 0.0, MANY)
    reference = LogisticRegression(C=np.inf, class_weight="balanced", tol=1e-10).fit(log_odds[:, None], occupied)
    expected = reference.coef_[0, 0], reference.intercept_[0]
    assert (found.slope, found.offset) == pytest.approx(expected, rel=2e-3, abs=2e-3)  # float16


def test_labels_drawn_in_balance_are_put_right_by_the_prior() -> None:
    prior = -2.0
    log_odds, occupied = drawn(0.5, 0.0, prior, 200_000)
    true_prior = float(np.log(occupied.mean() / (1 - occupied.mean())))
    rare = np.flatnonzero(occupied)
    balanced = np.concatenate([rare, np.flatnonzero(~occupied)[: len(rare)]])
    whole = learn_calibration(log_odds, occupied, true_prior, MANY)
    found = learn_calibration(log_odds[balanced], occupied[balanced], true_prior, MANY)
    assert found.slope == pytest.approx(whole.slope, rel=0.03)
    assert found.offset == pytest.approx(whole.offset, abs=0.05)


@pytest.mark.parametrize("occupied", [[], [True] * 5, [False] * 5])
def test_without_both_classes_the_default(occupied: list[bool]) -> None:
    said = np.zeros(len(occupied))
    assert learn_calibration(said, np.array(occupied, dtype=bool), -1.4, 5) == Calibration()


@given(st.lists(st.tuples(st.floats(-30, 30), st.booleans()), min_size=2, max_size=12), st.floats(-4, 4))
def test_two_labels_move_little(told: list[tuple[float, bool]], prior: float) -> None:
    log_odds, occupied = np.array([nats for nats, _ in told]), np.array([label for _, label in told])
    found, default = learn_calibration(log_odds, occupied, prior, 2), Calibration()
    assert default.slope / 6 < found.slope < default.slope * 6
    assert abs(found.offset) < 0.5


@given(
    st.lists(st.tuples(st.floats(-30, 30), st.booleans()), max_size=40),
    st.floats(-8, 8),
    st.floats(1, 1e6),
)
def test_any_labels_give_numbers_of_a_calibration(
    told: list[tuple[float, bool]], prior: float, effective: float
) -> None:
    log_odds, occupied = np.array([nats for nats, _ in told]), np.array([label for _, label in told], dtype=bool)
    found = learn_calibration(log_odds, occupied, prior, effective)
    assert found.slope > 0
    assert (found.slope, found.offset) == (float(np.float16(found.slope)), float(np.float16(found.offset)))


def test_calibrated_log_odds_by_hand() -> None:
    # -1 + 0.5 (3 - -1) + 0.25; without evidence -1 + 0.25.
    calibration = Calibration(slope=0.5, offset=0.25)
    assert (calibration.apply(3, -1), calibration.apply(-1, -1)) == (1.25, -0.75)


def test_labels_count_by_days_and_changes() -> None:
    # Two days, and one change within an hour; the other lies five hours apart.
    times = np.array([100, 160, 220, 18_220, 90_000], dtype=np.int64)
    assert effective_labels(times, np.array([0, 0, 1, 0, 0], dtype=np.int8)) == 3
