"""Held-back evidence: what a window says of itself never comes from a head that had learned its part."""

import numpy as np
import pytest
from attuned.learning.replay.held_back import held_back, parts
from attuned.learning.replay.observed import NodeWindows
from attuned.learning.replay.recording import UNLABELLED
from replay_standin import NumpyHead

DAY_S = 86_400


def windows(count: int, step_s: int) -> tuple[NodeWindows, np.ndarray]:
    source = np.random.default_rng(2)
    labels = (np.arange(count) // 7 % 2).astype(np.int8)
    x = (1024 * (labels[:, None] + source.normal(0, 1, (count, 3)))).astype(np.int16)
    ends_s = 1_000_000 + step_s * np.arange(count, dtype=np.int64)
    return NodeWindows(ends_s, x), labels


@pytest.mark.parametrize("step_s", [300, 7200])
def test_a_label_changes_nothing_that_its_own_part_says(step_s: int) -> None:
    observed, labels = windows(150, step_s)
    part = parts(observed.ends_s, labels)
    said = held_back(NumpyHead, observed, labels, part)
    changed = labels.copy()
    changed[40] = 1 - changed[40]
    after = held_back(NumpyHead, observed, changed, part)
    own = part == part[40]
    np.testing.assert_array_equal(said.nats[own], after.nats[own])
    assert (said.nats[~own] != after.nats[~own]).any()


def test_whole_days_are_held_back_where_labels_lie_on_enough_of_them() -> None:
    observed, labels = windows(600, 1800)
    part = parts(observed.ends_s, labels)
    for day in np.unique(observed.ends_s // DAY_S):
        assert len(np.unique(part[observed.ends_s // DAY_S == day])) == 1
    assert len(np.unique(part)) == 8


def test_stretches_of_a_shorter_time() -> None:
    observed, labels = windows(100, 300)
    labels[50:] = UNLABELLED
    part = parts(observed.ends_s, labels)
    assert (np.diff(part) >= 0).all()
    assert np.bincount(part[:50]).tolist() == [10, 10, 10, 10, 10]


def test_without_labels_heads_have_nothing_to_say() -> None:
    observed, labels = windows(20, 300)
    nobody = np.full_like(labels, UNLABELLED)
    part = parts(observed.ends_s, nobody)
    assert not held_back(NumpyHead, observed, nobody, part).told.any()
