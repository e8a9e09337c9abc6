"""Rules that a caretaker would use, behind the interface of scikit-learn's classifiers."""

from dataclasses import dataclass, field
from typing import Self

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]
Classes = npt.NDArray[np.int8]


@dataclass
class Threshold:
    """One column against one value, learned for the most windows right.

    With `rising` more means occupied, and where it does not the rule knows only the share of occupied windows; without
    it either direction may be learned. The best column is taken. The probability is the share of occupied windows on
    that side when it was learned, each side with one window of either class added. A missing value counts as the mean.
    """

    rising: bool
    column: int = 0
    value: float = 0.0
    above: float = 0.5
    below: float = 0.5
    middle: float = 0.0

    def fit(self, x: Matrix, y: Classes) -> Self:
        """Learns windows [n, columns] of classes 0 and 1 [n]."""
        fitted = [self._best(filled(x[:, column], mean_of(x[:, column])), y) for column in range(x.shape[1])]
        self.column = int(np.argmax([right for right, _ in fitted]))
        self.value = fitted[self.column][1]
        self.middle = mean_of(x[:, self.column])
        over = filled(x[:, self.column], self.middle) > self.value
        self.above, self.below = (float((y[side].sum() + 1) / (side.sum() + 2)) for side in (over, ~over))
        if self.rising and self.above < self.below:
            self.above = self.below = float(y.mean())
        return self

    def _best(self, values: Matrix, y: Classes) -> tuple[float, float]:
        """Windows right with the best threshold, half-way between two values, and that threshold."""
        order = np.argsort(values, kind="stable")
        values, occupied = values[order], np.cumsum(y[order])
        cuts = np.flatnonzero(np.diff(values) > 0)
        if not len(cuts):
            return float(max(occupied[-1], len(y) - occupied[-1])), float(values[0])
        right = (cuts + 1 - occupied[cuts]) + (occupied[-1] - occupied[cuts])
        if not self.rising:
            right = np.maximum(right, len(y) - right)
        cut = int(cuts[np.argmax(right)])
        return float(right.max()), float((values[cut] + values[cut + 1]) / 2)

    def predict_proba(self, x: Matrix) -> Matrix:
        """Probabilities of free and occupied [n, 2]."""
        occupied = np.where(filled(x[:, self.column], self.middle) > self.value, self.above, self.below)
        return np.column_stack([1 - occupied, occupied])


@dataclass
class Schedule:
    """The share of occupied windows in each hour of workdays and of other days; the overall share where none is."""

    shares: Matrix = field(default_factory=lambda: np.full(48, 0.5))

    def fit(self, x: Matrix, y: Classes) -> Self:
        """Learns windows by their slot [n, 1] of 0 to 47."""
        slot = x[:, 0].astype(int)
        count, occupied = np.bincount(slot, minlength=48), np.bincount(slot, weights=y, minlength=48)
        self.shares = np.where(count > 0, occupied / np.maximum(count, 1), y.mean())
        return self

    def predict_proba(self, x: Matrix) -> Matrix:
        occupied = self.shares[x[:, 0].astype(int)]
        return np.column_stack([1 - occupied, occupied])


def mean_of(values: Matrix) -> float:
    """The mean of what is there; 0 of nothing."""
    there = values[~np.isnan(values)]
    return float(there.mean()) if len(there) else 0.0


def filled(values: Matrix, middle: float) -> Matrix:
    return np.where(np.isnan(values), middle, values)
