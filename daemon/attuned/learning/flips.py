"""Flips: windows that one model had right and another has wrong, and whether they could be chance."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Flips:
    """`negative` windows were right before and are wrong now, `positive` the other way round.

    Neighbouring windows flip together, so the test counts runs of them: `p` is that of McNemar's exact test on
    `negative_runs` and `positive_runs`.
    """

    negative: int
    positive: int
    negative_runs: int
    positive_runs: int
    p: float


def count_flips(before: Flags, now: Flags, follows: Flags) -> Flips:
    """From what was right before and is right now [n], and whether a window follows on the one before it [n - 1]."""
    lost, won = before & ~now, now & ~before
    lost_runs, won_runs = _runs(lost, follows), _runs(won, follows)
    return Flips(int(np.sum(lost)), int(np.sum(won)), lost_runs, won_runs, mcnemar(lost_runs, won_runs))


def mcnemar(one: int, other: int) -> float:
    """Two-sided p of McNemar's exact test: how likely a fair coin parts so many flips so unevenly, or more so."""
    flips, fewer = one + other, min(one, other)
    # In logarithms: 2^flips has no float.
    k = np.arange(1, fewer + 1)
    ways = np.concatenate([[0.0], np.cumsum(np.log((flips - k + 1) / k))])
    return float(min(1.0, 2 * np.sum(np.exp(ways - flips * np.log(2)))))


def _runs(flags: Flags, follows: Flags) -> int:
    starts = flags.copy()
    starts[1:] &= ~(flags[:-1] & follows)
    return int(np.sum(starts))
