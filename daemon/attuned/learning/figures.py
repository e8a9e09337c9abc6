"""Figures of what was said against what was true, written as sums: of windows, days, rooms, whatever is added up."""

import numpy as np
import numpy.typing as npt

CALIBRATION_BINS = 15
UNKNOWN = 2

# Rows: the truth, free and occupied. Columns: what was said, free, occupied and UNKNOWN.
CONFUSION = (2, 3)

Reals = npt.NDArray[np.float64]


def confusion(truth: npt.NDArray[np.int8], said: npt.NDArray[np.int8]) -> npt.NDArray[np.int64]:
    """Windows by truth (0, 1) and by what was said of them (0, 1, UNKNOWN), int64 of the shape CONFUSION."""
    found: npt.NDArray[np.int64] = np.bincount(truth * CONFUSION[1] + said, minlength=6).reshape(CONFUSION)
    return found


def recall(counts: npt.NDArray[np.generic]) -> Reals:
    """Share of each class that was recognised [..., 2], from confusions [..., 2, 3]; NaN where it does not occur."""
    whole = counts.astype(np.float64).sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        shares: Reals = np.diagonal(counts, axis1=-2, axis2=-1) / whole
    return shares


def calibration_gaps(confidence: Reals, right: npt.NDArray[np.bool_]) -> Reals:
    """Windows that were right less those that should have been, by bins (low, high] of the confidence in the more
    probable class [CALIBRATION_BINS].

    The sum of what gaps amount to, divided by the number of windows, is the expected calibration error of Guo et al.
    (2017), equation 3.
    """
    bins = np.clip(np.ceil(confidence * CALIBRATION_BINS).astype(int) - 1, 0, CALIBRATION_BINS - 1)
    weights = right.astype(float) - confidence
    gaps: Reals = np.bincount(bins, weights, CALIBRATION_BINS).astype(np.float64)
    return gaps
