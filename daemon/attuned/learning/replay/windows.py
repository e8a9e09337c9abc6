"""Which window a row belongs to, what label a window has, and where a recording has gaps.

Windows end at whole multiples of window_s of UTC. A row belongs to the window whose end is nearest; half-way between
two ends it belongs to the later one.
"""

import numpy as np
import numpy.typing as npt

from attuned.learning.replay.recording import UNLABELLED

# A longer silence means a cold start: slow averages and the filter would carry what is no longer true.
GAP_MS = 3_600_000

Times = npt.NDArray[np.int64]


def window_ends(times_ms: Times, window_s: int) -> Times:
    """End of each row's window in seconds since 1970 [n]."""
    window_ms = window_s * 1000
    return (times_ms + window_ms // 2) // window_ms * window_s


def window_labels(row_ends: Times, labels: npt.NDArray[np.int8]) -> tuple[Times, npt.NDArray[np.int8]]:
    """The windows that have a row, ascending [m], and what most of their labelled rows say [m]; a tie says occupied."""
    ends, which = np.unique(row_ends, return_inverse=True)
    occupied = np.bincount(which, weights=labels == 1, minlength=len(ends))
    free = np.bincount(which, weights=labels == 0, minlength=len(ends))
    majority = np.where(occupied >= free, 1, 0)
    return ends, np.where(occupied + free > 0, majority, UNLABELLED).astype(np.int8)


def stretches(sorted_ms: Times) -> npt.NDArray[np.int64]:
    """Number of the stretch without a gap of more than an hour that each row belongs to, from 0 [n]."""
    return np.concatenate(([0], np.cumsum(np.diff(sorted_ms) > GAP_MS)))


def window_stretches(sorted_ms: Times, window_s: int) -> npt.NDArray[np.int64]:
    """The stretch of each window that has a row [m]; no window lies in two, for it is shorter than a gap."""
    _, first = np.unique(window_ends(sorted_ms, window_s), return_index=True)
    return stretches(sorted_ms)[first]
