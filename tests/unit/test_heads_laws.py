"""Laws that hold for every kind of head, or for every kind that is a sum over windows."""

import numpy as np
import numpy.typing as npt
import pytest
from attune_core import MISSING, Head
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

Features = npt.NDArray[np.int16]

D = 4
ADDITIVE = ("gnb", "prototype", "ridge", "mixture")
KINDS = pytest.mark.parametrize("kind", Head.kinds)
SUMS = pytest.mark.parametrize("kind", ["gnb", "prototype", "mixture"])
"""Those of ridge, whose state is no mere row of floats, are in test_core_ridge.py."""

values = st.one_of(st.integers(-6000, 6000), st.just(MISSING))
windows = arrays(np.int16, st.tuples(st.integers(2, 25), st.just(D)), elements=values)
seeds = st.integers(0, 2**32 - 1)


def labels(x: Features, seed: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Classes 0 to 2 and weights of 1/4 to 8."""
    source = np.random.default_rng(seed)
    return source.integers(0, 3, len(x), dtype=np.uint8), source.uniform(0.25, 8, len(x)).astype(np.float32)


def taught(kind: str, x: Features, seed: int, precision: str = "float64") -> Head:
    head = Head(kind, D, precision)
    head.learn(whole(kind, x), *labels(x, seed))
    return head


def whole(kind: str, x: Features) -> Features:
    """The windows, to ridge without anything missing: it takes that as what came before, so that order matters."""
    return x if kind in ("gnb", "prototype") else np.where(x == MISSING, 0, x).astype(np.int16)


def expect_same(a: Head, b: Head, tolerance: float) -> None:
    """The numbers of their states, all of which are of order one or larger where they matter."""
    assert a.classes == b.classes
    ours, theirs = (np.frombuffer(head.export()[4:], "<f4").astype(np.float64) for head in (a, b))
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


@SUMS
@given(x=windows, seed=seeds)
def test_the_order_of_windows_does_not_matter(kind: str, x: Features, seed: int) -> None:
    x, (classes, weights) = whole(kind, x), labels(x, seed)
    order = np.random.default_rng(seed).permutation(len(x))
    head, other = Head(kind, D, "float64"), Head(kind, D, "float64")
    head.learn(x, classes, weights)
    other.learn(x[order], classes[order], weights[order])
    expect_same(head, other, 1e-5)
    np.testing.assert_allclose(head.predict(x)[0], other.predict(x)[0], atol=1e-5)


@SUMS
@given(x=windows, y=windows, seed=seeds)
def test_merging_is_learning_both(kind: str, x: Features, y: Features, seed: int) -> None:
    both = taught(kind, x, seed)
    both.learn(whole(kind, y), *labels(y, seed + 1))
    for parts in ((x, seed, y, seed + 1), (y, seed + 1, x, seed)):
        merged = taught(kind, parts[0], parts[1])
        merged.merge(taught(kind, parts[2], parts[3]))
        expect_same(merged, both, 1e-5)


@SUMS
@given(x=windows, y=windows, seed=seeds)
def test_unmerge_takes_out_what_merge_put_in(kind: str, x: Features, y: Features, seed: int) -> None:
    head, other, before = taught(kind, x, seed), taught(kind, y, seed + 1), taught(kind, x, seed)
    head.merge(other)
    head.unmerge(other)
    if head.classes > before.classes:
        # Classes never shrink; the ones that came with the other are as if never taught.
        assert (head.predict(x)[0][:, before.classes - 1 :] <= 0).all()
        return
    expect_same(head, before, 1e-5)


@SUMS
@given(x=windows, y=windows, seed=seeds)
def test_a_node_merges_as_well_as_float32_can(kind: str, x: Features, y: Features, seed: int) -> None:
    single, double = taught(kind, x, seed, "float32"), taught(kind, x, seed)
    single.merge(taught(kind, y, seed + 1, "float32"))
    double.merge(taught(kind, y, seed + 1))
    expect_same(single, double, 2e-5)


@KINDS
@pytest.mark.parametrize("precision", ["float32", "float64"])
@given(x=windows, seed=seeds)
def test_a_state_of_float32_predicts_the_same(kind: str, precision: str, x: Features, seed: int) -> None:
    head, other = taught(kind, x, seed, precision), Head(kind, D, precision)
    other.import_(head.export())
    assert other.export() == head.export()
    (ours, known), (theirs, told) = head.predict(x), other.predict(x)
    assert known.tolist() == told.tolist()
    np.testing.assert_allclose(theirs, ours, atol=0 if precision == "float32" else 0.01)


@KINDS
@pytest.mark.parametrize(("state_format", "bound"), [("float16", 0.02), ("int8", 0.15)])
@settings(max_examples=30)
@given(seed=seeds)
def test_a_smaller_state_says_almost_the_same(kind: str, state_format: str, bound: float, seed: int) -> None:
    """Of ordinary windows in units of their spread; the bound is that of test_core_head.py, in nats a feature."""
    source = np.random.default_rng(seed)
    classes = np.concatenate([[0, 1, 2], source.integers(0, 3, 197)]).astype(np.uint8)
    centres, spread = source.normal(0, 400, (3, D)), source.uniform(200, 1500, D)
    x = (centres[classes] + source.normal(0, 1, (200, D)) * spread).astype(np.int16)
    head, other = Head(kind, D), Head(kind, D)
    head.learn(x, classes)
    other.import_(head.export(state_format))
    assert len(head.export(state_format)) == head.size(state_format) < head.size()
    difference = np.abs(other.predict(x)[0] - head.predict(x)[0])
    assert difference.max() < D * bound
    assert difference.mean() < bound


@KINDS
def test_a_head_that_is_no_sum_says_so(kind: str) -> None:
    x = np.zeros((4, D), np.int16)
    head, other = taught(kind, x, 1), taught(kind, x, 1)
    state = head.export()
    if kind in ADDITIVE:
        head.merge(other)
        assert head.export() != state
        return
    for change in (head.merge, head.unmerge):
        with pytest.raises(ValueError, match="is no sum over windows"):
            change(other)
    assert head.export() == state
