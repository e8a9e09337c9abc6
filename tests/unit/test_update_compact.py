"""A head in one packet: what a node makes of the bytes, against a reading of them in numpy; what is lost on the way;
and bytes that nobody wrote."""

import struct

import numpy as np
import numpy.typing as npt
import pytest
from attune_core import MISSING, UNIT, Head, Schema
from attune_core.update import Model, UpdateKind, compact, delivered, of_compact
from attuned.updates.envelope import Kind
from heads_numpy import PART, SHARE, bounded, gnb_scores
from hypothesis import given, settings
from hypothesis import strategies as st
from update_payloads import release_payload
from update_world import SCHEMA, taught, windows

D = len(SCHEMA)
Floats = npt.NDArray[np.float64]


def signed_nibble(bits: npt.NDArray[np.integer]) -> Floats:
    return np.where(bits < 8, bits, bits.astype(np.int64) - 16).astype(np.float64)


class Said:
    """The bytes as docs/protocol.md has them, read in float64."""

    def __init__(self, data: bytes, d: int = D) -> None:
        self.classes = data[0] >> 4
        n = np.frombuffer(data, np.uint8, self.classes, 1).astype(float)
        self.n = np.where(n > 0, 2 ** ((n - 1) / 8 - 6), 0)
        at = 1 + self.classes
        self.centre = np.frombuffer(data, "<f2", d, at).astype(float)
        code = np.frombuffer(data, np.uint8, d, at + 2 * d).astype(float)
        self.scale = np.where(code > 0, 2 ** ((code - 129) / 16), 0)
        at += 3 * d
        weights: list[Floats] = []
        apart: list[Floats] = [np.zeros(d)]
        ratio: list[Floats] = [np.zeros(d)]
        for _ in range(1, self.classes):
            (unit,) = struct.unpack_from("<e", data, at)
            weights.append(
                unit * np.frombuffer(data, np.int8, d, at + 2) / np.where(self.scale > 0, self.scale, np.inf)
            )
            both = np.frombuffer(data, np.uint8, d, at + 2 + d)
            low, high = signed_nibble(both & 15), signed_nibble(both >> 4)
            apart.append(np.where(low == 0, 0, np.sign(low) * 2.0 ** (np.abs(low) - 5)))
            ratio.append(0.5 * high)
            at += 2 + 2 * d
        assert at == len(data)
        self.weights = np.array(weights)
        taught_classes = self.n > 0
        steps = np.array(apart) * taught_classes[:, None]
        self.means = self.centre + (steps - steps.sum(axis=0) / taught_classes.sum()) * self.scale
        free = self.n.sum() / (self.n[:, None] * np.exp(ratio)).sum(axis=0)
        self.variances = self.scale**2 * free * np.exp(ratio)

    def evidence(self, x: Floats) -> Floats:
        """Of a mixture of two classes: the weights that were sent, off the middle, and naive Bayes beside them."""
        middle = (self.means[0] + self.means[1]) / 2
        ridge = np.nansum((x - middle) * self.weights[0], axis=1)
        bayes = bounded(gnb_scores(x, self.means, self.variances + 1e-3), PART)[:, 0]
        evidence: Floats = np.clip(np.clip(ridge, -PART, PART) + SHARE * bayes, -16, 16)
        return evidence


def units(x: npt.NDArray[np.int16]) -> Floats:
    return np.where(x == MISSING, np.nan, x / UNIT)


@pytest.mark.parametrize("labels", [2, 20, 400, 5000])
def test_a_node_says_what_the_bytes_say(labels: int) -> None:
    data = compact(taught(1, labels))
    x, _ = windows(9, 500)
    evidence, known = of_compact(SCHEMA, data).predict(x)
    assert known.all()
    np.testing.assert_allclose(evidence[:, 0], Said(data).evidence(units(x)), atol=2e-3)


def test_a_missing_sensor_is_left_out() -> None:
    data = compact(taught(1))
    x, _ = windows(9, 200)
    x[:, :3] = MISSING
    said = Said(data)
    # Ridge takes the mean for it, by weight; naive Bayes says nothing of it.
    mean = (said.means * said.n[:, None]).sum(axis=0) / said.n.sum()
    middle = (said.means[0] + said.means[1]) / 2
    ridge = (np.where(x == MISSING, mean, x / UNIT) - middle) @ said.weights[0]
    bayes = bounded(gnb_scores(units(x), said.means, said.variances + 1e-3), PART)[:, 0]
    evidence, _ = of_compact(SCHEMA, data).predict(x)
    np.testing.assert_allclose(evidence[:, 0], np.clip(np.clip(ridge, -PART, PART) + SHARE * bayes, -16, 16), atol=2e-3)


@pytest.mark.parametrize("labels", [20, 400, 5000])
def test_it_says_almost_what_the_whole_head_says(labels: int) -> None:
    head = taught(1, labels)
    x, classes = windows(9, 2000)
    before, after = (each.predict(x)[0][:, 0] for each in (head, of_compact(SCHEMA, compact(head))))
    assert np.mean(np.abs(before - after)) < 0.6
    assert np.mean((before > 0) == (after > 0)) > 0.98
    assert abs(np.mean((before > 0) == classes) - np.mean((after > 0) == classes)) < 0.01


@given(st.integers(0, 10_000), st.integers(2, 300))
@settings(max_examples=50)
def test_written_again_it_is_the_same(seed: int, labels: int) -> None:
    data = compact(taught(seed, labels))
    assert compact(of_compact(SCHEMA, data)) == data


@pytest.mark.parametrize("kind", Head.kinds)
@pytest.mark.parametrize("classes", [2, 3, 8])
def test_what_was_judged_is_what_arrives(kind: str, classes: int) -> None:
    head, _ = Head.factory(SCHEMA, kind)
    head.learn(*windows(1, 900, classes))
    judged = delivered(head, SCHEMA)
    sent, payload = release_payload(judged, SCHEMA, 9)
    brought = Model(Head.factory(SCHEMA, kind)[0], SCHEMA).updated(UpdateKind(sent), payload)
    assert brought.head.export() == judged.export()
    assert brought.through_label == 9
    assert sent is Kind.HEAD or (kind, classes) != ("mixture", 2)


@pytest.mark.parametrize("classes", [3, 5, 8])
def test_more_classes_keep_their_order(classes: int) -> None:
    head = taught(3, 3000, classes)
    x, truth = windows(4, 1000, classes)

    def chosen(each: Head) -> npt.NDArray[np.int64]:
        evidence, _ = each.predict(x)
        best: npt.NDArray[np.int64] = np.column_stack([np.zeros(len(x)), evidence]).argmax(axis=1)
        return best

    data = compact(head)
    assert len(data) == 1 + classes + 3 * D + (classes - 1) * (2 + 2 * D)
    before, after = chosen(head), chosen(of_compact(SCHEMA, data))
    assert np.mean(after == truth) > np.mean(before == truth) - 0.02


def test_labels_are_learned_onto_it_as_onto_the_whole_head() -> None:
    whole, small = taught(1, 100), of_compact(SCHEMA, compact(taught(1, 100)))
    moved, classes = windows(5, 400)
    moved = (moved + 700).astype(np.int16)
    before = np.mean((small.predict(moved[200:])[0][:, 0] > 0) == classes[200:])
    for head in (whole, small):
        head.learn(moved[:200], classes[:200])
    after = [np.mean((head.predict(moved[200:])[0][:, 0] > 0) == classes[200:]) for head in (whole, small)]
    assert after[1] > before
    assert after[1] > after[0] - 0.02


def test_a_class_or_sensor_that_nobody_taught_stays_unknown() -> None:
    head = Head("mixture", SCHEMA)
    x, classes = windows(1, 200)
    x[:, :3] = MISSING
    head.learn(x, np.where(classes == 1, 2, 0))
    small = of_compact(SCHEMA, compact(head))
    assert small.classes == 3
    other, _ = windows(2, 50)
    evidence, known = small.predict(other)
    assert known.all()
    assert (evidence[:, 0] <= evidence[:, 1]).all()
    alone = np.full((1, D), MISSING, np.int16)
    alone[0, :3] = 100
    assert not small.predict(alone)[1].any()


def test_a_head_of_another_kind_has_no_such_form() -> None:
    for head in (Head("gnb", SCHEMA), Head("mixture", SCHEMA), taught(1).copy()):
        if head.kind == "mixture" and head.predict(windows(1, 4)[0])[1].any():
            assert compact(head)
        else:
            with pytest.raises(ValueError, match="send it as a model"):
                compact(head)


def consistent(head: Head, schema: Schema) -> None:
    """Whatever the bytes were, the state is one that a node may run and teach."""
    x, classes = windows(6, 40, 2, len(schema))
    for _ in range(2):
        evidence, _ = head.predict(x)
        assert np.isfinite(evidence).all()
        Head("mixture", schema).import_(head.export())
        head.learn(x, classes)


@settings(max_examples=400)
@given(st.data())
def test_no_bytes_make_a_state_that_is_not_finite(data: st.DataObject) -> None:
    golden = bytearray(compact(taught(1)))
    places = st.tuples(st.integers(0, len(golden) - 1), st.integers(0, 255))
    for place, value in data.draw(st.lists(places, max_size=40)):
        golden[place] = value
    try:
        head = of_compact(SCHEMA, bytes(golden))
    except ValueError:
        return
    consistent(head, SCHEMA)


SMALL = Schema(("temperature", "pir"), 60)


@settings(max_examples=600)
@given(st.data())
def test_wild_bytes_of_a_small_node(data: st.DataObject) -> None:
    d, classes = len(SMALL), data.draw(st.integers(2, 8))
    size = 1 + classes + 3 * d + (classes - 1) * (2 + 2 * d) - 1
    try:
        head = of_compact(SMALL, bytes([5 | classes << 4]) + data.draw(st.binary(min_size=size, max_size=size)))
    except ValueError:
        return
    consistent(head, SMALL)


@pytest.mark.parametrize("size", [0, 1, 124, 126])
def test_a_wrong_size_is_none(size: int) -> None:
    with pytest.raises(ValueError, match="no head"):
        of_compact(SCHEMA, (compact(taught(1)) + b"\0")[:size])
