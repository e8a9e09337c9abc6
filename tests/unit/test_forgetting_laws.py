"""Forgetting is subtraction where knowledge is a sum, in float64, and a replay on the node, to the last bit."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pytest
from attune_core import Head, Node, Schema
from attune_proto.v1 import node_pb2
from hypothesis import given, settings
from hypothesis import strategies as st

Features = npt.NDArray[np.int16]
Classes = npt.NDArray[np.uint8]
Weights = npt.NDArray[np.float32]
Windows = tuple[Features, Classes, Weights]

D = 6
CLOSE = 1e-9
KINDS = pytest.mark.parametrize("kind", ["gnb", "prototype", "ridge", "mixture"])
NODE_ID = bytes.fromhex("0102030405060708")
SENSORS = ["co2", "temperature"]

seeds = st.integers(0, 2**32 - 1)


def windows(seed: int) -> Windows:
    """Up to 60 windows of both classes, the first two one of each; the scales of features go from 10 to 3,000 steps."""
    source = np.random.default_rng(seed)
    n = int(source.integers(6, 60))
    x = source.normal(0, 1, (n, D)) * 10 ** source.uniform(1, 3.5, D)
    classes = np.concatenate([[0, 1], source.integers(0, 2, n - 2)]).astype(np.uint8)
    return np.clip(x, -32000, 32000).astype(np.int16), classes, source.uniform(0.1, 3, n).astype(np.float32)


def leverage(x: Features) -> npt.NDArray[np.float64]:
    """How far each window pulls a regression towards itself: the diagonal of the hat matrix."""
    z = (x - x.mean(axis=0)).astype(np.float64)
    return np.asarray(np.einsum("ij,jk,ik->i", z, np.linalg.pinv(z.T @ z), z))


def parted(given: Windows, *, adversarial: bool) -> tuple[Windows, Windows]:
    """What stays and what goes: the half with the largest leverage, or every second window."""
    x, classes, weights = given
    order = np.argsort(leverage(x)) if adversarial else np.argsort(np.arange(len(x)) % 2, kind="stable")
    order = np.concatenate([[0, 1], order[order > 1]])
    kept, gone = order[: len(x) // 2 + 1], order[len(x) // 2 + 1 :]
    return (x[kept], classes[kept], weights[kept]), (x[gone], classes[gone], weights[gone])


def taught(kind: str, parts: Iterable[Windows]) -> Head:
    head = Head(kind, D, "float64")
    for part in parts:
        head.learn(*part)
    return head


def entries(head: Head) -> npt.NDArray[np.float64]:
    """Every number of a head's state; what is packed otherwise, counts of classes and bits, reads as zero."""
    state = bytes(head._core.ffi.buffer(head.memory.pointer, head.memory.size))
    values = np.frombuffer(state[: len(state) // 8 * 8], "<f8")
    plain = np.isfinite(values) & (np.abs(values) < 1e15) & ((np.abs(values) > 1e-200) | (values == 0))
    return np.where(plain, values, 0.0)


def expect_close(ours: Head, theirs: Head, largest: float) -> None:
    assert ours.classes == theirs.classes
    assert np.abs(entries(ours) - entries(theirs)).max() <= CLOSE * largest


@KINDS
@pytest.mark.parametrize("adversarial", [False, True])
@given(seed=seeds)
def test_forgetting_what_was_added_gives_what_was_before(kind: str, adversarial: bool, seed: int) -> None:
    kept, gone = parted(windows(seed), adversarial=adversarial)
    before, head = taught(kind, [kept]), taught(kind, [kept])
    head.merge(taught(kind, [gone]))
    largest = float(np.abs(entries(head)).max())
    head.unmerge(taught(kind, [gone]))
    expect_close(head, before, largest)


@KINDS
@given(seed=seeds)
def test_sums_may_be_made_in_any_order(kind: str, seed: int) -> None:
    a, b = parted(windows(seed), adversarial=True)
    c = windows(seed + 1)
    heads = [taught(kind, [part]) for part in (a, b, c)]
    left, right, turned = heads[0].copy(), heads[1].copy(), heads[2].copy()
    left.merge(heads[1])
    left.merge(heads[2])  # (A + B) + C
    right.merge(heads[2])
    last = heads[0].copy()
    last.merge(right)  # A + (B + C)
    turned.merge(heads[1])
    turned.merge(heads[0])  # (C + B) + A
    largest = float(np.abs(entries(left)).max())
    expect_close(last, left, largest)
    expect_close(turned, left, largest)


def told(node: Node, message: node_pb2.Label | node_pb2.Unlearn) -> None:
    body = "label" if isinstance(message, node_pb2.Label) else "unlearn"
    frame = node_pb2.DaemonMessage(**{body: message}).SerializeToString()  # type: ignore[arg-type]
    node.receive(b"\x01" + NODE_ID[:4] + frame)
    node.frames()


def fresh() -> Node:
    node = Node(NODE_ID, 77, SENSORS, 60)
    node.link(True)
    node.frames()
    return node


def labels(seed: int) -> list[node_pb2.Label]:
    """Up to nine labels of up to five windows each, fewer in all than a node's log holds."""
    source, d = np.random.default_rng(seed), len(Schema(SENSORS, 60))
    found = []
    for number in range(1, int(source.integers(2, 10))):
        x = source.normal(0, 700 * 3 ** source.uniform(-1, 2), (int(source.integers(1, 6)), d))
        parts = [
            node_pb2.LabelWindow(boot=7, seq=8 * number + i, features=row.astype("<i2").tobytes())
            for i, row in enumerate(np.clip(x, -32000, 32000))
        ]
        weight = int(source.integers(64, 4096))
        found.append(node_pb2.Label(number=number, class_index=number % 2, weight=weight, windows=parts))
    return found


def most_influential(given: list[node_pb2.Label]) -> int:
    """The label with the window that pulls hardest."""
    rows = [np.frombuffer(window.features, "<i2") for label in given for window in label.windows]
    of = [label.number for label in given for _ in label.windows]
    return of[int(np.argmax(leverage(np.array(rows, np.int16))))]


@settings(max_examples=60)
@given(seed=seeds, adversarial=st.booleans())
def test_a_node_that_unlearns_is_as_one_that_was_never_told(seed: int, adversarial: bool) -> None:
    given_labels = labels(seed)
    gone = most_influential(given_labels) if adversarial else given_labels[seed % len(given_labels)].number
    node, other = fresh(), fresh()
    for label in given_labels:
        told(node, label)
        if label.number != gone:
            told(other, label)
    told(node, node_pb2.Unlearn(number=gone))
    assert node.head().export() == other.head().export()
    assert node.facts.label_windows == other.facts.label_windows


@given(seed=seeds)
def test_a_label_that_lost_windows_is_told_again_without_them(seed: int) -> None:
    first, *others = labels(seed)
    node, other = fresh(), fresh()
    for label in (first, *others):
        told(node, label)
    left = node_pb2.Label(number=1, part=2, class_index=1, weight=first.weight, windows=first.windows[:-1])
    told(node, node_pb2.Unlearn(number=1, part=1))
    told(node, left)
    # What is told again comes to the end of the log.
    for label in (*others, left):
        told(other, label)
    assert node.head().export() == other.head().export()
