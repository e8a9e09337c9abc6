"""Which blocks of a release rest on what is forgotten."""

import numpy as np
import pytest
from attuned.learning.blocks import Block
from attuned.learning.stripping import _rests_on
from attuned.store.audit import Selection

DAY_MS = 86_400_000
# 2024-10-01, midnight of UTC.
DAY = int(np.datetime64("2024-10-01", "D").astype(np.int64))
A, B = "a1b2c3d400000001", "b1b2c3d400000002"

MOTION = Block(name=f"motion 2024-10-01 {A}", digest="00", node=A, windows=((0, 1, 1, 5),))
OWN = Block(name=f"label 7 {A}", digest="00", node=A, windows=((7, 1, 1, 5),))
COHORT = Block(name=f"cohort s {B} for {A}", digest="00", node=A, windows=((7, 1, 1, 5), (9, 1, 6, 8)))
FACTORY = Block(name=f"factory {A}", digest="00", node=A)


def selection(first: int, last: int, **more: object) -> Selection:
    """Days from one to another, counted from that of the motion."""
    return Selection((DAY + first) * DAY_MS, (DAY + last) * DAY_MS, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("block", "labels", "selected", "goes"),
    [
        (MOTION, (), selection(0, 1, nodes=(A,)), True),
        (MOTION, (), selection(-3, 3, nodes=(A, B)), True),
        (MOTION, (), selection(-3, 3, nodes=(B,)), False),
        (MOTION, (), selection(1, 3, nodes=(A,)), False),
        (MOTION, (7,), selection(-3, 3, source="person"), False),
        (OWN, (7,), selection(0, 1, nodes=(A,)), True),
        (OWN, (8,), selection(0, 1, nodes=(A,)), False),
        (OWN, (7,), selection(0, 1, source="person"), True),
        (OWN, (7,), selection(0, 1, node=B, nodes=(B,)), False),
        (COHORT, (9,), selection(0, 1, node=B, nodes=(B,)), True),
        (COHORT, (9,), selection(0, 1, node=A, nodes=(A,)), False),
        (FACTORY, (7,), selection(0, 1, nodes=(A,)), False),
    ],
)
def test_a_block_goes_with_its_label_or_its_windows(
    block: Block, labels: tuple[int, ...], selected: Selection, goes: bool
) -> None:
    assert _rests_on(block, labels, selected) == goes
