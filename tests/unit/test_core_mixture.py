"""The mixture head against scikit-learn and numpy in float64, and the drift of its covariance.

The laws of sums are in test_heads_laws.py, what it learns in test_heads.py, sums by hand in test_mixture.c.
"""

from typing import Self

import heads_numpy
import numpy as np
import numpy.typing as npt
import pytest
from attune_core import MISSING, UNIT, Head
from hypothesis import given
from hypothesis import strategies as st
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.naive_bayes import GaussianNB

D = 5
PRECISIONS = pytest.mark.parametrize(("precision", "close"), [("float32", 5e-4), ("float64", 1e-9)])

Features = npt.NDArray[np.int16]
Floats = npt.NDArray[np.float64]


def windows(seed: int, n: int, k: int) -> tuple[Features, npt.NDArray[np.uint8], Floats]:
    """Features that vary together and by class, classes that overlap, weights that float32 holds."""
    source = np.random.default_rng(seed)
    classes = np.concatenate([np.arange(k), source.integers(0, k, n - k)]).astype(np.uint8)
    room = np.random.default_rng(k)
    mixed = source.normal(size=(n, D)) @ room.normal(size=(D, D)) * room.uniform(0.5, 1.5, (k, 1))[classes]
    x = room.normal(0, 1, (k, D))[classes] + mixed
    return np.rint(x * UNIT / 2).astype(np.int16), classes, np.rint(source.uniform(0.1, 3, n) * 256) / 256


def units(x: Features) -> Floats:
    return np.where(x == MISSING, np.nan, x / UNIT)


class DriftingCovariance:
    """What scikit-learn averages over classes into (within + P) / (n + 10)."""

    def __init__(self, total: int) -> None:
        self.total = total

    def fit(self, x: Floats) -> Self:
        part = np.cov(x.T, bias=True) + np.diag(heads_numpy.regularisation(x.shape[1], self.total)) / self.total
        self.covariance_ = part * self.total / (self.total + 10)
        return self


@PRECISIONS
@pytest.mark.parametrize("k", [3, 5])
def test_it_is_a_discriminant_and_bounded_naive_bayes_of_scikit_learn(precision: str, close: float, k: int) -> None:
    taught, classes, _ = windows(1, 301, k)
    x = windows(2, 400, k)[0]
    head = Head("mixture", D, precision)
    head.learn(taught, classes)
    evidence, known = head.predict(x)
    discriminant = LinearDiscriminantAnalysis(solver="lsqr", covariance_estimator=DriftingCovariance(301))
    discriminant.fit(taught / UNIT, classes)
    ridge = discriminant.decision_function(x / UNIT) - np.log(discriminant.priors_)
    naive = GaussianNB(var_smoothing=heads_numpy.LEAST_VARIANCE / (taught / UNIT).var(axis=0).max())
    naive.fit(taught / UNIT, classes)
    gnb = heads_numpy.gnb_scores(x / UNIT, naive.theta_, naive.var_)
    expected = heads_numpy.mixture_evidence(ridge, gnb)
    assert known.all()
    assert (np.abs(expected) < heads_numpy.LIMIT).mean() > 0.5
    np.testing.assert_allclose(evidence, expected, atol=close)


@PRECISIONS
@pytest.mark.parametrize("k", [2, 4, 8])
def test_missing_sensors_and_weights_as_in_numpy(precision: str, close: float, k: int) -> None:
    """One in five is missing, and the last feature comes late."""
    taught, classes, weights = windows(3, 400, k)
    x = windows(4, 300, k)[0]
    source = np.random.default_rng(5)
    for rows in (taught, x):
        rows[source.random(rows.shape) < 0.2] = MISSING
    taught[:50, -1] = MISSING
    head = Head("mixture", D, precision)
    head.learn(taught, classes, weights)
    evidence, known = head.predict(x)
    ridge = heads_numpy.drifting_discriminant(units(x), units(taught), classes, weights)
    gnb = heads_numpy.gnb_scores(units(x), *heads_numpy.gnb_moments(units(taught), classes, weights))
    present = (x != MISSING).any(axis=1)
    assert known.tolist() == present.tolist()
    np.testing.assert_allclose(evidence[present], heads_numpy.mixture_evidence(ridge, gnb)[present], atol=close)


def pivots(head: Head) -> Floats:
    """D of ridge's factors [d], after the header, which features were seen, weights and means."""
    start = 4 + 4 + 4 * head.classes + 4 * D
    return np.frombuffer(head.export()[start : start + 4 * D], "<f4").astype(np.float64)


@given(
    st.lists(st.tuples(st.integers(0, 7), st.integers(1, 65535)), min_size=1, max_size=30),
    st.integers(0, 30),
)
def test_drift_follows_from_the_sum_of_weights_alone(taught: list[tuple[int, int]], middle: int) -> None:
    """Windows that are all alike leave nothing but the regularisation; in any order, and merged from two parts."""
    classes, counts = (np.array(part) for part in zip(*taught, strict=True))
    weights = counts / 256
    expected = heads_numpy.regularisation(D, weights.sum())
    same = np.full((len(weights), D), 700, np.int16)
    order = np.random.default_rng(int(counts.sum())).permutation(len(weights))
    heads = [Head("mixture", D, "float64") for _ in range(4)]
    heads[0].learn(same, classes, weights)
    heads[1].learn(same, classes[order], weights[order])
    heads[2].learn(same[:middle], classes[:middle], weights[:middle])
    heads[3].learn(same[middle:], classes[middle:], weights[middle:])
    before = pivots(heads[2])
    heads[2].merge(heads[3])
    for head in heads[:3]:
        np.testing.assert_allclose(pivots(head), expected, rtol=1e-6)
    heads[2].unmerge(heads[3])
    np.testing.assert_allclose(pivots(heads[2]), before, rtol=1e-6)


def test_windows_of_one_day_never_make_it_sure() -> None:
    """What a feature says of itself stays bounded by the drift however often it is seen: 2,000 windows that tell the
    classes apart by a tenth of a unit, without any spread."""
    x = np.tile([[0], [102]], (1000, D)).astype(np.int16)
    classes = np.tile([0, 1], 1000).astype(np.uint8)
    sizes = {}
    for kind in ("ridge", "mixture"):
        head = Head(kind, D, "float64")
        head.learn(x, classes)
        sizes[kind] = head.predict(x[1:2])[0][0, 0]
    apart = 102 / UNIT
    # Ridge: half of apart^2 over each feature's variance, which without drift goes on falling. Naive Bayes is at its
    # limit.
    drifting = 0.5 * apart**2 * (2010 / heads_numpy.regularisation(D, 2000)).sum()
    assert sizes["mixture"] == pytest.approx(drifting + heads_numpy.SHARE * heads_numpy.PART, abs=1e-6)
    assert sizes["ridge"] == pytest.approx(0.5 * apart**2 * D * 2010 / heads_numpy.RIDGE, abs=1e-6)
    assert drifting < sizes["ridge"] / 10


def test_sizes_of_a_full_head() -> None:
    """Ridge of 24 features without its 16 bits a coefficient, and naive Bayes."""
    head = Head("mixture", 24)
    ridge, gnb = Head("ridge", 24), Head("gnb", 24)
    assert head.size() == ridge.size() - 2 * 276 + gnb.size() - 4
    for state_format in ("float16", "int8"):
        assert head.size(state_format) == ridge.size(state_format) + gnb.size(state_format) - 4


def test_a_state_travels_and_lives_on() -> None:
    taught, classes, weights = windows(12, 200, 3)
    head, other = Head("mixture", D), Head("mixture", D)
    head.learn(taught, classes, weights)
    other.import_(head.export())
    for each in (head, other):
        each.learn(taught, classes)
    assert other.export() == head.export()
