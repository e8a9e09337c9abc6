"""The forward filter against matrices in numpy, in float64."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from attune_core import DWELL_BOUNDS_S, Filter
from hypothesis import given
from hypothesis import strategies as st

# Free, then every other class, in seconds: what holds until labels say better.
DEFAULT_S = (14_400.0, 3_600.0)


def transitions(dwell_s: Sequence[float], step_s: int) -> npt.NDArray[np.float64]:
    """A(j, k): leave class j at the rate of its mean dwell time, to all others alike."""
    leave = 1 - np.exp(-step_s / np.array(dwell_s))
    classes = len(dwell_s)
    matrix = np.repeat(leave[:, None] / (classes - 1), classes, axis=1)
    np.fill_diagonal(matrix, 1 - leave)
    return matrix


def stationary(matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    distribution: npt.NDArray[np.float64] = np.linalg.matrix_power(matrix, 1 << 20)[0]
    return distribution


def forward(
    dwell_s: Sequence[float], step_s: int, evidence: npt.NDArray[np.float64], known: npt.NDArray[np.bool_]
) -> list[object]:
    """By whole matrices; a class counts as no less likely than 3 nats beyond the rarest change of class."""
    matrix = transitions(dwell_s, step_s)
    limit = 3 - np.log(matrix[~np.eye(len(matrix), dtype=bool)].min())
    p = stationary(matrix)
    rows: list[object] = []
    for values, told in zip(evidence, known, strict=True):
        p = p @ matrix
        if told:
            nats = np.concatenate([[0.0], values])
            p = p * np.exp(np.maximum(nats - nats.max(), -limit))
        p = p / p.sum()
        rows.append(p)
    return rows


def random_evidence(seed: int, n: int, classes: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    source = np.random.default_rng(seed)
    trend = np.repeat(source.choice([-2.0, 0.0, 3.0], (n // 50, classes - 1)), 50, axis=0)
    return np.clip(trend + source.normal(0, 2, trend.shape), -6, 6), source.random(n) < 0.8


STAYS = [[*DEFAULT_S], [14_400.0, 3_600.0, 3_600.0], [1_209_600.0, 5_000.0], [7_000.0, 90_000.0, 1_200.0, 43_210.0]]


@pytest.mark.parametrize("dwell_s", [*STAYS, [14_400.0, *[3_600.0] * 7]])
@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 2e-5), ("float64", 1e-12)])
@pytest.mark.parametrize("step_s", [10, 60, 600])
def test_the_filter_agrees_with_numpy(dwell_s: list[float], precision: str, tolerance: float, step_s: int) -> None:
    classes = len(dwell_s)
    evidence, known = random_evidence(classes, 2000, classes)
    given = None if (dwell_s[0], *dwell_s[1:]) == (DEFAULT_S[0], *[DEFAULT_S[1]] * (classes - 1)) else dwell_s
    probabilities = Filter(classes, step_s, precision, given).run(evidence.astype(precision), known)
    expected = np.array(forward(dwell_s, step_s, evidence.astype(precision).astype(np.float64), known))
    np.testing.assert_allclose(probabilities, expected, atol=tolerance)


@pytest.mark.parametrize("dwell_s", STAYS)
def test_the_limit_is_three_nats_beyond_the_rarest_change(dwell_s: list[float]) -> None:
    matrix = transitions(dwell_s, 60)
    rarest = min(matrix[j, k] for j in range(len(matrix)) for k in range(len(matrix)) if j != k)
    assert Filter(len(dwell_s), 60, "float64", dwell_s).limit == pytest.approx(3 - np.log(rarest))


@given(
    step_s=st.sampled_from([10, 60, 600]),
    dwell_s=st.tuples(*[st.floats(60, 14 * 86_400)] * 2),
    steps=st.integers(0, 500),
    arriving=st.booleans(),
)
def test_one_window_at_the_limit_turns_any_state_around(
    step_s: int, dwell_s: tuple[float, float], steps: int, arriving: bool
) -> None:
    settled = Filter(2, step_s, "float32", dwell_s)
    strong = 16.0 if arriving else -16.0
    for _ in range(steps):
        settled.step([-strong])
    settled.step([strong])
    # From a settled state e^3 to one; before that the state leans to where it begins.
    assert (settled.log_odds() > 2.9) if arriving else (settled.log_odds() < -2.9)


def test_dwell_times_are_held_within_bounds() -> None:
    least, most = DWELL_BOUNDS_S
    assert Filter(2, 10, dwell_s=(1, 1e9)).state == Filter(2, 10, dwell_s=(least, most)).state
    with pytest.raises(ValueError, match="Dwell times for 2 classes are 2 numbers of seconds above 0"):
        Filter(2, 60, dwell_s=(1.0, 2.0, 3.0))
    with pytest.raises(ValueError, match="Dwell times"):
        Filter(2, 60, dwell_s=(float("nan"), 2.0))


def test_it_starts_at_its_stationary_distribution_and_returns_to_it() -> None:
    cold = Filter(2, 60, "float64")
    # Flows balance: p0 / 240 min = p1 / 60 min, but for the curvature of the exponential within a step.
    assert cold.probabilities == pytest.approx((0.8, 0.2), abs=2e-3)
    again = Filter(2, 60, "float64")
    again.update([6.0])
    for _ in range(5000):
        again.predict()
    assert again.probabilities == pytest.approx(cold.probabilities, abs=1e-9)


def test_step_is_predict_and_update_and_gives_the_probability_of_not_being_free() -> None:
    stepped, apart = Filter(3), Filter(3)
    for evidence in ((1.5, -2.0), None, (0.25, 3.0)):
        apart.predict()
        if evidence is not None:
            apart.update(evidence)
        assert stepped.step(evidence) == pytest.approx(1 - apart.probabilities[0], abs=1e-6)
        assert stepped.state == apart.state


def test_log_odds_follow_the_evidence_and_stay_within_30_nats() -> None:
    steady = Filter(2, 60, "float64")
    before = steady.log_odds()
    steady.update([1.25])
    assert steady.log_odds(1) - before == pytest.approx(1.25, abs=1e-9)
    for _ in range(20):
        steady.update([6.0])
    assert steady.log_odds() == 30


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_a_checkpoint_goes_on_with_the_same_bits(precision: str) -> None:
    evidence, known = random_evidence(5, 400, 3)
    values = evidence.astype(precision)
    whole = Filter(3, 60, precision).run(values, known)
    first = Filter(3, 60, precision)
    first.run(values[:123], known[:123])
    second = Filter(3, 60, precision)
    second.state = first.state
    assert np.array_equal(second.run(values[123:], known[123:]), whole[123:])


def test_evidence_that_is_no_number_says_nothing() -> None:
    deaf, idle = Filter(), Filter()
    deaf.step([float("nan")])
    idle.step(None)
    assert deaf.state == pytest.approx(idle.state, abs=1e-6)


def test_what_does_not_fit_is_refused_with_a_sentence() -> None:
    with pytest.raises(ValueError, match="A filter has 2 to 8 classes, not 1"):
        Filter(1)
    with pytest.raises(ValueError, match="A step lasts 1 to 65535 seconds, not 0"):
        Filter(2, 0)
    good = Filter(3)
    with pytest.raises(ValueError, match="Evidence for 3 classes is 2 values, not 1"):
        good.step([1.0])
    with pytest.raises(ValueError, match="Evidence is n rows of 2 values"):
        good.run(np.zeros((4, 1), np.float32), np.ones(4, np.bool_))
    with pytest.raises(ValueError, match="from 1 to 2, not 3"):
        good.log_odds(3)
    for state in [(0.5, 0.5), (0.5, 0.5, 0.5), (1.5, -0.5, 0.0), (float("nan"), 0.5, 0.5)]:
        with pytest.raises(ValueError, match="3 probabilities that sum to one"):
            good.state = state
