"""The softmax and prototype heads against their float64 selves in numpy, and against scikit-learn.

That of gnb is in test_core_head.py.
"""

import heads_numpy
import numpy as np
import numpy.typing as npt
import pytest
from attune_core import MISSING, UNIT, Head
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

Features = npt.NDArray[np.int16]
Classes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

D = 5
TOLERANCE = {"float32": 1e-3, "float64": 1e-9}


def windows(seed: int, n: int, k: int = 2, shares: list[float] | None = None) -> tuple[Features, Classes, Floats]:
    """Classes that overlap, each at least once, in random order but for class 0 first; weights from 0.1 to 3."""
    source = np.random.default_rng(seed)
    classes = source.permutation(np.concatenate([np.arange(k), source.choice(k, n - k, p=shares)])).astype(np.uint8)
    centres = np.random.default_rng(seed % 10).normal(0, 500, (k, D))
    x = centres[classes] + source.normal(0, 1, (n, D)) * np.array([300, 600, 900, 1200, 1500])
    return x.astype(np.int16), classes, source.uniform(0.1, 3, n).astype(np.float32).astype(np.float64)


def units(x: Features) -> Floats:
    return np.where(x == MISSING, np.nan, x / UNIT)


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("k", [2, 3, 5])
def test_softmax_takes_the_steps_of_its_paper(precision: str, k: int) -> None:
    """With missing inputs, weights, and classes that come one by one; the reference keeps all rows and recomputes."""
    x, classes, weights = windows(11, 400, k)
    x[np.random.default_rng(1).random(x.shape) < 0.1] = MISSING
    order = np.argsort(np.where(np.arange(400) < 300, np.minimum(classes, np.arange(400) // 60), k), kind="stable")
    head, paper = Head("softmax", D, precision), heads_numpy.Softmax(D)
    head.learn(x[order], classes[order], weights[order])
    paper.learn(units(x[order]), classes[order], weights[order])
    seen = windows(21, 200, k)[0]
    seen[np.random.default_rng(2).random(seen.shape) < 0.1] = MISSING
    evidence, known = head.predict(seen)
    expected = paper.evidence(units(seen))
    assert known.tolist() == (seen != MISSING).any(axis=1).tolist()
    assert (np.abs(expected) < heads_numpy.LIMIT).mean() > 0.5
    np.testing.assert_allclose(evidence[known], expected[known], atol=TOLERANCE[precision])


@pytest.mark.parametrize("shares", [[0.5, 0.5], [0.85, 0.15]])
def test_softmax_sways_about_logistic_regression(shares: list[float]) -> None:
    """Less the log of the class shares, which are a prior. Constant steps never rest: small ones, of weights of a
    twentieth, and the average of 200 moments show about which point they sway."""
    x, classes, _ = windows(31, 40_000, 2, shares)
    head = Head("softmax", D, "float64")
    seen = windows(41, 1000, 2)[0]
    said = []
    for part in range(400):
        rows = slice(100 * part, 100 * (part + 1))
        head.learn(x[rows], classes[rows], np.full(100, 0.05))
        said.append(head.predict(seen)[0][:, 0])
    scaler = StandardScaler().fit(x / UNIT)
    reference = LogisticRegression(C=np.inf).fit(scaler.transform(x / UNIT), classes)
    expected = reference.decision_function(scaler.transform(seen / UNIT)) - np.log(shares[1] / shares[0])
    near = np.abs(expected) < 3
    np.testing.assert_allclose(np.mean(said[200:], axis=0)[near], expected[near], atol=0.1)


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("k", [2, 4, 7])
def test_prototype_is_nearest_mean_with_the_correction_of_teen(precision: str, k: int) -> None:
    shares = np.geomspace(1, 0.02, k)
    x, classes, weights = windows(12, 150, k, (shares / shares.sum()).tolist())
    seen = windows(22, 300, k)[0]
    head = Head("prototype", D, precision)
    head.learn(x, classes, weights)
    evidence, known = head.predict(seen)
    expected = heads_numpy.prototype_evidence(units(seen), units(x), classes, weights)
    assert known.all()
    assert (np.abs(expected) < heads_numpy.LIMIT).mean() > 0.5
    np.testing.assert_allclose(evidence, expected, atol=TOLERANCE[precision])


def test_prototype_with_many_labels_is_a_discriminant_with_the_diagonal_of_the_covariance() -> None:
    """Of independent features, so that scikit-learn's full covariance is diagonal but for chance."""
    x, classes, _ = windows(13, 20_000, 3)
    seen = windows(23, 500, 3)[0]
    head = Head("prototype", D)
    head.learn(x, classes)
    reference = LinearDiscriminantAnalysis(priors=[1 / 3] * 3).fit(x / UNIT, classes)
    expected = heads_numpy.bounded(reference.decision_function(seen / UNIT))
    # Chance moves slopes, so what lies further out by more.
    np.testing.assert_allclose(head.predict(seen)[0], expected, atol=0.25, rtol=0.03)


@pytest.mark.parametrize("labels", [1, 2, 5])
def test_the_correction_lets_fewer_windows_of_a_new_class_pass_for_old_ones(labels: int) -> None:
    """Five old classes of 100 labels each and a new one, in 40 buildings; numpy without the correction beside it."""
    wrong = np.zeros(2)
    for seed in range(40):
        source = np.random.default_rng(seed)
        centres = source.normal(0, 0.5, (6, D))
        classes = np.repeat(np.arange(6), [100] * 5 + [labels]).astype(np.uint8)
        x = np.rint(UNIT * (centres[classes] + source.normal(size=(len(classes), D)))).astype(np.int16)
        seen = np.rint(UNIT * (centres[5] + source.normal(size=(200, D)))).astype(np.int16)
        head = Head("prototype", D)
        head.learn(x, classes)
        plain = heads_numpy.prototype_evidence(units(seen), units(x), classes, np.ones(len(x)), correct=False)
        for number, evidence in enumerate([head.predict(seen)[0], plain]):
            wrong[number] += (np.column_stack([np.zeros(200), evidence]).argmax(axis=1) != 5).mean() / 40
    assert wrong[0] < wrong[1]
