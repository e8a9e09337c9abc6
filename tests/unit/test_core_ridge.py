"""The ridge head against scikit-learn and numpy in float64, and its sums against their own laws."""

from random import Random
from typing import Self

import numpy as np
import numpy.typing as npt
import pytest
from attune_core import MISSING, UNIT, Head, Schema
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import Ridge

REGULARISATION = 10.0
PRIOR_WINDOWS = 10.0
LIMIT = 16.0
D = 6

Features = npt.NDArray[np.int16]
Classes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]


def windows(seed: int, n: int, k: int = 2, d: int = D) -> tuple[Features, Classes, npt.NDArray[np.float32]]:
    """Features that vary together, classes that overlap, weights."""
    source = np.random.default_rng(seed)
    classes = np.concatenate([np.arange(k), source.integers(0, k, n - k)]).astype(np.uint8)
    mixed = source.normal(size=(n, d)) @ source.normal(size=(d, d))
    x = source.normal(0, 1.5, (k, d))[classes] + mixed + source.normal(0, 2, d)
    return np.rint(x * UNIT / 2).astype(np.int16), classes, source.uniform(0.1, 3, n).astype(np.float32)


class PooledCovariance:
    """What scikit-learn averages over classes into the covariance that the head uses: (within + 10 I) / (n + 10)."""

    def __init__(self, total: int) -> None:
        self.total = total

    def fit(self, x: Floats) -> Self:
        own = np.cov(x.T, bias=True).reshape(x.shape[1], x.shape[1])
        share = self.total / (self.total + PRIOR_WINDOWS)
        self.covariance_ = share * (own + REGULARISATION / self.total * np.eye(x.shape[1]))
        return self


def bounded(scores: Floats) -> Floats:
    """Log-likelihoods [n, K], no class further than the limit below the best one, as ratios against class 0."""
    kept: Floats = np.maximum(scores - scores.max(axis=1, keepdims=True), -LIMIT)
    return kept[:, 1:] - kept[:, :1]


@pytest.mark.parametrize(("precision", "close"), [("float32", 2e-4), ("float64", 1e-9)])
@pytest.mark.parametrize("k", [2, 3, 5])
def test_evidence_is_that_of_scikit_learns_discriminant(precision: str, close: float, k: int) -> None:
    taught, classes, _ = windows(k, 300, k)
    x = windows(k, 300, k)[0]
    head = Head("ridge", D, precision)
    head.learn(taught, classes)
    evidence, known = head.predict(x)
    reference = LinearDiscriminantAnalysis(solver="lsqr", covariance_estimator=PooledCovariance(300))
    reference.fit(taught / UNIT, classes)
    decision = reference.decision_function(x / UNIT)
    decision = np.column_stack([np.zeros(len(x)), decision]) if k == 2 else decision
    priors = np.log(reference.priors_)
    expected = bounded(decision - (priors - priors[0] if k == 2 else priors))
    assert known.all()
    assert (np.abs(expected) < LIMIT).mean() > 0.3
    np.testing.assert_allclose(evidence, expected, atol=close)


@pytest.mark.parametrize(("precision", "close"), [("float32", 1e-5), ("float64", 1e-12)])
def test_its_regression_is_that_of_scikit_learn(precision: str, close: float) -> None:
    x, classes, weights = windows(6, 500, 4)
    head = Head("ridge", D, precision)
    head.learn(x, classes, weights)
    coefficients, intercepts = head.solution()
    reference = Ridge(alpha=REGULARISATION).fit(x / UNIT, np.eye(4)[classes], weights.astype(np.float64))
    np.testing.assert_allclose(coefficients, reference.coef_, atol=close)
    np.testing.assert_allclose(intercepts, reference.intercept_, atol=close)


def ill_conditioned(seed: int, spectrum: Floats, n: int) -> tuple[Features, Classes]:
    """Windows whose features have these singular values in a random basis; all directions tell the classes apart."""
    source = np.random.default_rng(seed)
    d = len(spectrum)
    basis, _ = np.linalg.qr(source.normal(size=(d, d)))
    x = 8 * (source.normal(size=(n, d)) * spectrum) @ basis.T + source.normal(0, 1, d)
    q = np.clip(np.rint(x * UNIT), -32767, 32767).astype(np.int16)
    tells = basis @ (source.normal(size=d) / spectrum) / 30
    score = (q / UNIT - q.mean(axis=0) / UNIT) @ tells
    return q, (score + source.normal(0, 0.5, n) > 0).astype(np.uint8)


def covariance_form(x: npt.NDArray[np.float32], y: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The textbook's recursive least squares in float32: intercept (hardly regularised) and weights."""
    rows = np.column_stack([np.ones(len(x), np.float32), x])
    p = np.eye(rows.shape[1], dtype=np.float32) / np.float32(REGULARISATION)
    p[0, 0] = 1e4
    weights = np.zeros(rows.shape[1], np.float32)
    for row, target in zip(rows, y, strict=True):
        gain = p @ row
        gain /= np.float32(1) + gain @ row
        weights += gain * (target - row @ weights)
        p -= np.outer(gain, row @ p)
    return weights


SPECTRA = {
    "falling": np.geomspace(1, 1e-4, 24),
    "half": np.repeat([1, 1e-4], 12),
    "one": np.append(1, np.full(23, 1e-4)),
}


@pytest.mark.parametrize("spectrum", SPECTRA)
def test_a_hundred_thousand_ill_conditioned_windows(spectrum: str) -> None:
    """At condition numbers of 10,000 float32 stays within 5e-4 of scikit-learn's float64, the covariance form does not.

    With -s it prints the weights side by side.
    """
    x, classes = ill_conditioned(3, SPECTRA[spectrum], 100_000)
    values = np.linalg.svd((x - x.mean(axis=0)) / UNIT, compute_uv=False)
    assert 5_000 < values[0] / values[-1] < 20_000
    reference = Ridge(alpha=REGULARISATION, solver="svd").fit(x / UNIT, classes)
    head = Head("ridge", 24)
    head.learn(x, classes)
    coefficients, intercepts = head.solution()
    textbook = covariance_form((x / UNIT).astype(np.float32), classes.astype(np.float32))
    expected = reference.predict(x / UNIT)
    ours, theirs = (
        np.abs(x / UNIT @ w.astype(np.float64) + float(b) - expected).max()
        for w, b in ((coefficients[1], intercepts[1]), (textbook[1:], textbook[0]))
    )
    print(f"\n{spectrum}: predictions differ by {ours:.1e}, in the covariance form by {theirs:.1e}")
    for row in zip(reference.coef_, coefficients[1], textbook[1:], strict=True):
        print("".join(f"{weight:14.6f}" for weight in row))
    assert ours < 5e-4
    assert not theirs < 5e-4


cells = arrays(np.int16, st.tuples(st.integers(2, 20), st.just(D)), elements=st.integers(-8000, 8000))


def taught_head(x: Features, precision: str = "float64", order: npt.NDArray[np.intp] | None = None) -> Head:
    """Rows alternate between the classes; they may be learned in another order."""
    classes = np.arange(len(x), dtype=np.uint8) % 2
    head = Head("ridge", D, precision)
    order = np.arange(len(x)) if order is None else order
    head.learn(x[order], classes[order])
    return head


PROBES = np.random.default_rng(20).integers(-4000, 4000, (50, D)).astype(np.int16)


def says(head: Head) -> Floats:
    """Evidence and regression, all of order one."""
    coefficients, intercepts = head.solution()
    return np.concatenate([head.predict(PROBES)[0].ravel(), coefficients.ravel(), intercepts]).astype(np.float64)


@given(cells, st.randoms(use_true_random=False))
def test_the_order_of_samples_does_not_matter(x: Features, chance: Random) -> None:
    order = list(range(len(x)))
    chance.shuffle(order)
    np.testing.assert_allclose(says(taught_head(x)), says(taught_head(x, order=np.array(order))), atol=1e-9)


@given(cells, cells)
def test_merging_equals_learning_both_in_either_order(first: Features, second: Features) -> None:
    both = taught_head(first)
    both.learn(second, np.arange(len(second), dtype=np.uint8) % 2)
    for order in ((first, second), (second, first)):
        merged = taught_head(order[0])
        merged.merge(taught_head(order[1]))
        np.testing.assert_allclose(says(merged), says(both), atol=1e-8)


@given(cells, cells)
def test_unmerge_takes_out_what_merge_put_in(first: Features, second: Features) -> None:
    head, other = taught_head(first), taught_head(second)
    before = says(head)
    head.merge(other)
    head.unmerge(other)
    np.testing.assert_allclose(says(head), before, atol=1e-5)


@given(cells, cells)
def test_merging_on_a_node_loses_no_more_than_float32_has_to(first: Features, second: Features) -> None:
    single, double = taught_head(first, "float32"), taught_head(first)
    single.merge(taught_head(second, "float32"))
    double.merge(taught_head(second))
    np.testing.assert_allclose(says(single), says(double), atol=1e-3)


@given(cells, arrays(np.bool_, (20, D)))
def test_missing_features_never_break_anything(x: Features, gone: npt.NDArray[np.bool_]) -> None:
    holed = np.where(gone[: len(x)], MISSING, x).astype(np.int16)
    head = taught_head(holed, "float32")
    evidence, known = head.predict(holed)
    assert np.isfinite(evidence).all()
    assert (np.abs(evidence) <= LIMIT).all()
    assert not known[gone[: len(x)].all(axis=1)].any()


def test_what_was_never_merged_cannot_be_taken_out() -> None:
    head = taught_head(windows(10, 10)[0], "float32")
    state = head.export()
    with pytest.raises(ValueError, match="only what was merged or learned before can be taken out"):
        head.unmerge(taught_head(windows(11, 100)[0], "float32"))
    assert head.export() == state


@pytest.mark.parametrize("kind", ["ridge", "mixture"])
@pytest.mark.parametrize(("state_format", "mean", "largest"), [("float16", 0.005, 0.02), ("int8", 0.1, 0.25)])
@pytest.mark.parametrize("n", [20, 2000])
def test_a_quantised_state_says_almost_the_same(
    kind: str, state_format: str, mean: float, largest: float, n: int
) -> None:
    """Of 24 features with a common cause; classes that overlap (0.2) and that lie far apart (1.0)."""
    for k, apart in ((2, 0.2), (2, 1.0), (4, 0.2), (8, 1.0)):
        source = np.random.default_rng(14)
        classes = np.concatenate([np.arange(k), source.integers(0, k, n + 2000 - k)]).astype(np.uint8)
        common = source.normal(size=(len(classes), 1)) * source.normal(size=24)
        x = source.normal(0, apart, (k, 24))[classes] + common + source.normal(0, 0.6, (len(classes), 24))
        q = np.rint(x * UNIT).astype(np.int16)
        head, other = Head(kind, 24), Head(kind, 24)
        head.learn(q[:n], classes[:n])
        state = head.export(state_format)
        assert len(state) == head.size(state_format)
        other.import_(state)
        difference = np.abs(other.predict(q[n:])[0] - head.predict(q[n:])[0])
        assert difference.mean() < mean
        assert k > 2 or difference.max() < largest


def test_sizes_of_a_full_head() -> None:
    head = Head("ridge", 24)
    assert [head.size(state_format) for state_format in ("float32", "float16", "int8")] == [1960, 716, 492]


def test_a_state_travels_and_lives_on() -> None:
    taught, classes, weights = windows(12, 200, 3)
    head, other = Head("ridge", D), Head("ridge", D)
    head.learn(taught, classes, weights)
    other.import_(head.export())
    assert other.export() == head.export()
    for each in (head, other):
        each.learn(taught, classes)
    assert other.export() == head.export()


@pytest.mark.parametrize("state_format", ["float32", "float16", "int8"])
def test_learning_goes_on_after_a_journey(state_format: str) -> None:
    """What was learned before weighs as much after it: 200 windows more lead to the same place."""
    taught, classes, _ = windows(13, 400)
    head, other = Head("ridge", D), Head("ridge", D)
    head.learn(taught[:200], classes[:200])
    other.import_(head.export(state_format))
    for each in (head, other):
        each.learn(taught[200:], classes[200:])
    assert np.abs(head.predict(taught)[0] - other.predict(taught)[0]).mean() < 0.05


def test_forgetting_makes_room_for_what_is_new() -> None:
    """The classes change places; a head that forgets a hundredth a window follows, one that does not is at a loss."""
    x, classes, _ = windows(15, 2000)
    heads = [Head("ridge", D) for _ in range(2)]
    for row in range(2000):
        label = classes[row : row + 1] if row < 1400 else 1 - classes[row : row + 1]
        for head in heads:
            head.learn(x[row], label)
        heads[1].forget(0.99)
    right = [np.mean((head.predict(x)[0][:, 0] > 0) == (classes == 0)) for head in heads]
    assert right[0] < 0.4
    assert right[1] > 0.75


def test_only_a_ridge_head_has_a_regression_and_a_factor() -> None:
    with pytest.raises(ValueError, match="Only a ridge head has a regression, not a gnb head"):
        Head("gnb", 2).solution()
    with pytest.raises(ValueError, match="Only a ridge head has a forgetting factor, not a gnb head"):
        Head("gnb", 2).forget(0.5)
    with pytest.raises(ValueError, match="by a factor above 0 and up to 1"):
        Head("ridge", 2).forget(1.5)


def test_the_factory_release_is_windows_of_its_table() -> None:
    """Two windows a class with the means and variances of the naive Bayes release; level is not in the table."""
    schema = Schema(["light+mean", "level+mean", "co2+mean"])
    head, _ = Head.factory(schema, "ridge", "float64")
    naive, _ = Head.factory(schema, "gnb", "float64")
    x = np.random.default_rng(16).integers(-2000, 3000, (200, 3)).astype(np.int16)
    evidence, known = head.predict(x)
    assert known.all()
    # For each class the weights of 3 sensors, the squares and the means of 3 features.
    state = np.frombuffer(naive.export()[4:], "<f4").reshape(2, 3, 3).astype(np.float64)
    counts, squares, means = state.transpose(1, 0, 2)
    tells = (counts[:, 0].sum() + PRIOR_WINDOWS) * (means[1] - means[0]) / (squares.sum(axis=0) + REGULARISATION)
    expected = np.clip((x / UNIT - means.mean(axis=0)) @ tells, -LIMIT, LIMIT)
    assert not tells[1]
    np.testing.assert_allclose(evidence[:, 0], expected, atol=1e-5)
    # A first label moves what the table does not name to where it is, and says nothing of it yet.
    head.learn(np.array([[0, 9000, 0]], np.int16), [0])
    probe = np.array([[0, 9000, 0], [0, 12000, 0]], np.int16)
    assert head.predict(probe)[0][0] == pytest.approx(head.predict(probe)[0][1])
