"""What heads cost on the board, and that they say and learn there, bit for bit, what they do in the binding."""

import functools
import hashlib
from collections.abc import Iterator

import numpy as np
import pytest
from attune_core import MISSING, Head
from firmware_build import firmware

from bench.cost import BUDGETS, CODE_BUDGET, STEP_BUDGET, Counted, code_sizes, count, rows

WINDOWS = 300
FEATURES = 24


@functools.cache
def counted() -> Counted:
    return count(firmware() / "attune-cost.elf")


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
    assert counted().digests[kind] == digest.hexdigest()


def test_ridge_keeps_its_budgets() -> None:
    table = {row.what: row for row in rows(counted(), code_sizes((firmware() / "attune-cost.elf.map").read_text()))}
    step = table["window close + ridge predict + filter"]
    assert (step.budget, step.measured <= STEP_BUDGET) == (STEP_BUDGET, True)
    for what in ("ridge 24x2 learn", "ridge 24x2 state", "ridge 5x3 learn"):
        assert table[what].measured <= BUDGETS[what]
    code = table["window, heads, filter"]
    assert table["learner/ridge_rotate"].measured > 200
    assert (code.budget, code.measured <= CODE_BUDGET) == (CODE_BUDGET, True)
