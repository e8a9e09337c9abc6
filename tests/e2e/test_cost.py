"""What heads cost on the board, and that they say and learn there, bit for bit, what they do in the binding."""

import functools
import hashlib
from collections.abc import Iterator

import numpy as np
import pytest
from attune_core import MISSING, Head
from firmware_build import firmware

from bench.cost import BUDGETS, DEFAULT, Measured, Row, measure, rows

WINDOWS = 300
FEATURES = 24


@functools.cache
def measured(image: str) -> Measured:
    return measure(firmware() / f"{image}.elf")


def numbers(seed: int) -> Iterator[int]:
    """The image's random numbers."""
    state = seed
    while True:
        state = (state * 1664525 + 1013904223) % 2**32
        yield state >> 16


def stream(seed: int) -> Iterator[tuple[np.ndarray, int, float]]:
    """The image's windows: features, class, weight."""
    source = numbers(seed)
    for window in range(WINDOWS):
        k = window % 3
        row = np.zeros(FEATURES, np.int16)
        for i in range(FEATURES):
            row[i] = next(source) % 4096 - 2048 + (k * 5 + i * 3) % 7 * 200
            if next(source) % 8 == 0:
                row[i] = MISSING
        yield row, k, (1 + window % 5) / 4


@pytest.mark.parametrize("kind", Head.kinds)
def test_a_board_says_and_learns_the_bytes_of_the_binding(kind: str) -> None:
    digest = hashlib.blake2b(digest_size=16)
    head = Head(kind, FEATURES)
    for row, k, weight in stream(Head.kinds[kind]):
        digest.update(head.predict(row)[0].tobytes())
        head.learn(row, [k], [weight])
    for state_format in ("float32", "float16", "int8"):
        digest.update(head.export(state_format))
    assert measured("attune-cost").counted.digests[kind] == digest.hexdigest()


def table() -> dict[str, Row]:
    return {row.what: row for row in rows(measured("attune-cost"), measured("attune-cost-default"))}


def test_every_figure_is_within_its_budget() -> None:
    missed = {row.what for row in table().values() if row.budget is not None and row.measured > row.budget}
    assert missed <= {"window close + prototype predict + filter"}
    assert table().keys() >= BUDGETS.keys() | {f"window close + {DEFAULT} predict + filter", "window, heads, filter"}


def test_the_default_alone_is_a_part_of_everything() -> None:
    whole, alone = measured("attune-cost"), measured("attune-cost-default")
    assert alone.sizes.keys() < whole.sizes.keys()
    assert {name for name in whole.sizes.keys() - alone.sizes.keys() if "ridge" in name or "gnb" in name} == set()
    assert list(alone.counted.digests) == [DEFAULT]
    assert table()["learner/ridge_rotate"].measured > 200
