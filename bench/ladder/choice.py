"""Which peer a user would pick from the train split alone: cross-validation over days, or over blocks of one day."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FOLDS = 5
# With fewer days than this, days say too little of each other: the train split is cut into contiguous blocks.
FEWEST_DAYS = 3
BLOCKS = 6


def folds(days: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The fold of each labelled window [n], from its local day [n] ascending.

    Days go to the folds in turn, so that no day is in two; with too few days, contiguous blocks of equal length.
    """
    every, which = np.unique(days, return_inverse=True)
    if len(every) < FEWEST_DAYS:
        return np.arange(len(days), dtype=np.int64) * BLOCKS // max(len(days), 1)
    return which.astype(np.int64) % FOLDS


@dataclass(frozen=True)
class Standing:
    """How a peer did where it is judged: higher balanced accuracy first, then lower Brier score."""

    balanced_accuracy: float
    brier: float


def standing(truth: npt.NDArray[np.int8], probability: npt.NDArray[np.float64]) -> Standing:
    """Over windows of both classes, as probabilities of occupied [n]; free wins a tie."""
    said = probability > 0.5
    recalls = [float(np.mean(said[truth == label] == label)) for label in (0, 1) if (truth == label).any()]
    return Standing(float(np.mean(recalls)), float(np.mean((probability - truth) ** 2)))


def best(standings: Mapping[str, Sequence[Standing]]) -> str:
    """The peer with the best mean standing; the first named wins a tie."""

    def rank(name: str) -> tuple[float, float]:
        mine = standings[name]
        balanced = float(np.mean([one.balanced_accuracy for one in mine]))
        return -round(balanced, 9), float(np.mean([one.brier for one in mine]))

    return min(standings, key=rank)
