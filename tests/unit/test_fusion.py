"""Fusion of a room's nodes."""

from random import Random

import pytest
from attuned.presence.fusion import fuse
from hypothesis import given
from hypothesis import strategies as st


def test_weighted_sum_by_hand() -> None:
    # 0.5 x 2.0 + 1.0 x (-3.0) + 1.0 (no weight given) x 0.25 = -1.75
    fused = fuse({"b": -3.0, "a": 2.0, "c": 0.25}, {"a": 0.5, "b": 1.0}, 9.0)
    assert fused.total == -1.75
    assert fused.shares == {"a": 1.0, "b": -3.0, "c": 0.25}


def test_no_node_says_nothing() -> None:
    assert fuse({}, {}, 9.0).total == 0.0


@given(st.lists(st.floats(-6, 6), min_size=1, max_size=16), st.randoms())
def test_order_of_nodes_changes_nothing_and_shares_add_up(nats: list[float], chance: Random) -> None:
    said = [(f"node-{index}", value) for index, value in enumerate(nats)]
    fused = fuse(dict(said), {}, 9.0)
    chance.shuffle(said)
    assert fuse(dict(said), {}, 9.0) == fused
    assert sum(fused.shares.values()) == pytest.approx(fused.total, abs=1e-12)
