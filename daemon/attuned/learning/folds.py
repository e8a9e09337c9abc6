"""Which time is held back together, so that no window is judged by what has learned its neighbours."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from attuned.learning.effective import DAY_S, NEAR_S
from attuned.learning.replay.held_back import LEAST_DAYS, MOST_PARTS, PARTS

Seconds = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Folds:
    """Time in stretches of `length_s` from `origin_s` on (seconds since 1970), in turn one of `count` folds.

    What lies within `guard_s` of a fold is left out of the training for it, too.
    """

    origin_s: int
    length_s: int
    count: int
    guard_s: int

    def fold(self, ends_s: Seconds) -> Seconds:
        """The fold of windows that end then [n], 0 to count - 1."""
        stretch = (ends_s - 1 - self.origin_s) // self.length_s
        return np.asarray(stretch % self.count)

    def near(self, ends_s: Seconds) -> npt.NDArray[np.bool_]:
        """Which folds a window is in or near [n, count]: heads that are asked about those may not learn it."""
        found = np.zeros((len(ends_s), self.count), dtype=bool)
        for shift in (-self.guard_s, 0, self.guard_s):
            found[np.arange(len(ends_s)), self.fold(ends_s + shift)] = True
        return found


def folds_of(ends_s: Seconds) -> Folds:
    """Whole days of UTC where labelled windows [n > 0] lie on several, else stretches of the time that they cover."""
    # A window that ends at midnight belongs to the day before.
    first, last = int(ends_s.min()) - 1, int(ends_s.max()) - 1
    days = len(np.unique((ends_s - 1) // DAY_S))
    if days >= LEAST_DAYS:
        return Folds(first // DAY_S * DAY_S, DAY_S, min(days, MOST_PARTS), NEAR_S)
    return Folds(first, (last - first) // PARTS + 1, PARTS, 0)
