"""The gnb head against scikit-learn and numpy, and what the binding does for every head.

The laws of sums are in test_heads_laws.py.
"""

from typing import Any

import heads_numpy
import numpy as np
import numpy.typing as npt
import pytest
from attune_core import MISSING, UNIT, Head
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.naive_bayes import GaussianNB

FLOOR = 1e-3
LIMIT = 16.0
D = 5

Features = npt.NDArray[np.int16]
Classes = npt.NDArray[np.uint8]
Weights = npt.NDArray[np.float32]


def windows(seed: int, n: int, k: int = 2, d: int = D) -> tuple[Features, Classes, Weights]:
    """Classes that overlap, so that evidence is rarely at its limit."""
    source = np.random.default_rng(seed)
    classes = np.concatenate([np.arange(k), source.integers(0, k, n - k)]).astype(np.uint8)
    centres = source.normal(0, 300, (k, d))
    x = centres[classes] + source.normal(0, 1, (n, d)) * source.uniform(300, 1500, (k, d))[classes]
    return x.astype(np.int16), classes, source.uniform(0.1, 3, n).astype(np.float32)


def units(x: Features) -> npt.NDArray[np.float64]:
    return np.where(x == MISSING, np.nan, x / UNIT)


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("k", [2, 4])
def test_evidence_agrees_with_scikit_learn(precision: str, k: int) -> None:
    taught, classes, weights = windows(1, 400, k)
    x = windows(2, 300, k)[0]
    head = Head("gnb", D, precision)
    head.learn(taught, classes, weights)
    evidence, known = head.predict(x)
    reference = GaussianNB(var_smoothing=FLOOR / (taught / UNIT).var(axis=0).max())
    reference.fit(taught / UNIT, classes, weights)
    expected = heads_numpy.bounded(heads_numpy.gnb_scores(x / UNIT, reference.theta_, reference.var_))
    assert known.all()
    assert (np.abs(expected) < LIMIT).mean() > 0.5
    assert evidence.dtype == precision
    np.testing.assert_allclose(evidence, expected, atol=1e-4 if precision == "float32" else 1e-9)
    # Where nothing is far from any class, that is all that scikit-learn says.
    near = ((x[:, None] / UNIT - reference.theta_) ** 2 / reference.var_ < heads_numpy.FURTHEST).all(axis=(1, 2))
    joint = reference.predict_joint_log_proba(x[near] / UNIT) - np.log(reference.class_prior_)
    assert near.mean() > 0.2
    np.testing.assert_allclose(expected[near], heads_numpy.bounded(joint), atol=1e-9)


def test_missing_features_are_left_out_of_learning_and_of_evidence() -> None:
    taught, classes, weights = windows(3, 300)
    x = windows(4, 200)[0]
    source = np.random.default_rng(5)
    taught[source.random(taught.shape) < 0.3] = MISSING
    x[source.random(x.shape) < 0.3] = MISSING
    x[0] = MISSING
    head = Head("gnb", D)
    head.learn(taught, classes, weights)
    evidence, known = head.predict(x)
    moments = heads_numpy.gnb_moments(units(taught), classes, weights.astype(np.float64))
    np.testing.assert_allclose(evidence, heads_numpy.bounded(heads_numpy.gnb_scores(units(x), *moments)), atol=1e-4)
    assert known.tolist() == (x != MISSING).any(axis=1).tolist()


def test_one_sensor_that_is_off_does_not_silence_the_others() -> None:
    """A reading a thousand deviations off says no more than one of three, and the other features decide."""
    source = np.random.default_rng(18)
    classes = np.arange(400, dtype=np.uint8) % 2
    x = np.rint(300 * source.normal(size=(400, D)) + 600.0 * classes[:, None]).astype(np.int16)
    head = Head("gnb", D)
    head.learn(x, classes)
    x[:, 0] = -32767
    right = (head.predict(x)[0][:, 0] > 0) == classes
    assert right.mean() > 0.95


def test_float32_and_float64_agree_over_a_hundred_thousand_windows() -> None:
    """Sums of float32 lose a little with every window; a year of labels must not move the evidence."""
    taught, classes, weights = windows(6, 100_000, d=24)
    x = windows(7, 500, d=24)[0]
    heads = [Head("gnb", 24, precision) for precision in ("float32", "float64")]
    for head in heads:
        head.learn(taught, classes, weights)
    (single, _), (double, _) = (head.predict(x) for head in heads)
    np.testing.assert_allclose(single, double, atol=0.02)


def test_nothing_learned_is_nothing_known() -> None:
    head = Head("gnb", D)
    x, classes, _ = windows(8, 20)
    for label in (None, 0):
        if label is not None:
            head.learn(x[classes == label], classes[classes == label])
        evidence, known = head.predict(x)
        assert not known.any()
        assert not evidence.any()


def test_a_new_class_makes_the_head_grow() -> None:
    head = Head("gnb", D)
    x, classes, _ = windows(9, 60, 3)
    head.learn(x[classes < 2], classes[classes < 2])
    assert (head.classes, head.size_bytes) == (2, 4 + 12 * D * 2)
    head.learn(x, classes)
    assert (head.classes, head.predict(x)[0].shape, head.size_bytes) == (3, (60, 2), 4 + 12 * D * 3)


def taught_head(x: Features, precision: str) -> Head:
    """Rows alternate between the classes."""
    head = Head("gnb", D, precision)
    head.learn(x, np.arange(len(x), dtype=np.uint8) % 2)
    return head


def test_what_was_never_merged_cannot_be_taken_out() -> None:
    head = taught_head(windows(10, 10)[0], "float32")
    state = head.export()
    with pytest.raises(ValueError, match="only what was merged or learned before can be taken out"):
        head.unmerge(taught_head(windows(11, 100)[0], "float32"))
    assert head.export() == state


def test_a_state_travels_and_lives_on() -> None:
    taught, classes, weights = windows(12, 50, 3)
    head, other = Head("gnb", D), Head("gnb", D, "float64")
    head.learn(taught, classes, weights)
    other.import_(head.export())
    twin = head.copy()
    head.learn(taught, classes)
    assert twin.export() == other.export() != head.export()
    assert other.classes == 3


@pytest.mark.parametrize(
    "damage", [lambda s: s[:-1], lambda s: b"\x09" + s[1:], lambda s: s[:4] + b"\xff" * 12 + s[16:]]
)
def test_bytes_that_are_no_state_change_nothing(damage: object) -> None:
    head = taught_head(windows(13, 20)[0], "float32")
    state = head.export()
    assert callable(damage)
    with pytest.raises(ValueError, match=r"no gnb state of 5 features\."):
        head.import_(damage(state))
    assert head.export() == state


@pytest.mark.parametrize(("state_format", "bound"), [("float16", 0.02), ("int8", 0.15)])
@pytest.mark.parametrize("k", [2, 4])
def test_a_quantised_state_says_almost_the_same(state_format: str, bound: float, k: int) -> None:
    """Of 24 features, with weights from a hundredth to a hundred thousand labels."""
    taught, classes, weights = windows(14, 500, k, 24)
    x = windows(15, 500, k, 24)[0]
    for scale in (0.01, 1, 1e5):
        head, other = Head("gnb", 24), Head("gnb", 24)
        head.learn(taught, classes, weights * np.float32(scale))
        state = head.export(state_format)
        assert len(state) == head.size(state_format) < head.size() * {"float16": 0.51, "int8": 0.34}[state_format]
        other.import_(state)
        (exact, _), (quantised, _) = head.predict(x), other.predict(x)
        assert np.abs(quantised - exact).max() < 24 * bound
        assert np.abs(quantised - exact).mean() < bound


@given(arrays(np.int16, D, elements=st.integers(-32767, 32767)))
def test_float16_is_that_of_numpy(x: Features) -> None:
    """One window of weight one has the mean of its coordinates, which are exact in float32."""
    head = Head("gnb", D)
    head.learn(x, [0])
    state = np.frombuffer(head.export("float16")[4:], "<f2").reshape(2, 3, D)
    assert state[0, 2].tolist() == (x / UNIT).astype(np.float16).tolist()


def test_running_is_predicting_and_then_learning_each_row() -> None:
    x, classes, weights = windows(16, 120, 4)
    labels = np.where(np.random.default_rng(17).random(120) < 0.5, classes.astype(np.int8), -1)
    labels[:4] = [0, -1, -1, 1]
    head, other = Head("gnb", D), Head("gnb", D)
    evidence, known = head.run(x, labels, weights)
    for row in range(len(x)):
        expected, told = other.predict(x[row])
        assert known[row] == told[0]
        got = evidence[row, : other.classes - 1]
        assert got.tolist() == expected[0].tolist()
        # A class that is still to come is what a class without knowledge is: the least likely.
        least = max(0.0, float(got.max())) - LIMIT if told[0] else 0.0
        assert (evidence[row, other.classes - 1 :] == least).all()
        if labels[row] >= 0:
            other.learn(x[row], labels[row : row + 1], weights[row : row + 1])
    assert head.export() == other.export()


def test_a_run_with_a_bad_class_learns_nothing() -> None:
    head = Head("gnb", D)
    state = head.export()
    for labels in ([0, 1, 8], [0, 1, -2], [0, 254, -1]):
        with pytest.raises(ValueError, match=r"A class is a number from 0 to 7\."):
            head.run(np.zeros((3, D), np.int16), labels)
    assert head.export() == state


def test_what_does_not_fit_is_refused_with_a_sentence_and_nothing_learned() -> None:
    head = Head("gnb", D)
    x, state = np.zeros((3, D), np.int16), head.export()
    cases: list[tuple[tuple[Any, ...], str]] = [
        ((x, [0, 1, 8]), r"A class is a number from 0 to 7\. Row 2 breaks this\."),
        ((x, [0, -1, 1]), r"A class is a number from 0 to 7\."),
        ((x, [0, 1]), "Each of the 3 windows needs one class"),
        ((x, [0, 1, 1], [1.0, 0.0, 1.0]), r"A weight has to be a number from 1e-6 to 1e6\. Row 1 breaks this\."),
        ((x, [0, 1, 1], [1.0, 1.0, float("nan")]), "Row 2 breaks this"),
        ((x, [0, 1, 1], [1.0]), "Each of the 3 windows needs one weight"),
        ((x[:, :4], [0, 1, 1]), "Features have to be rows of 5 values"),
        ((x.astype(np.int32), [0, 1, 1]), "Features are int16 coordinates, not int32"),
    ]
    for arguments, says in cases:
        with pytest.raises(ValueError, match=says):
            head.learn(*arguments)
    assert head.export() == state


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("svm", 3), f"There is no head 'svm'; the heads are {', '.join(Head.kinds)}."),
        (("gnb", 25), "A head has 1 to 24 features, not 25."),
        (("gnb", 3, "float16"), "There is no precision 'float16'"),
    ],
)
def test_heads_that_there_are_not(arguments: tuple[str, int], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Head(*arguments)


def test_heads_of_different_shape_or_precision_do_not_merge() -> None:
    with pytest.raises(ValueError, match="another number of features"):
        Head("gnb", 3).merge(Head("gnb", 4))
    with pytest.raises(ValueError, match="different precisions"):
        Head("gnb", 3).merge(Head("gnb", 3, "float64"))
