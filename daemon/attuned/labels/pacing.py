"""When a question is worth somebody's time: a budget of labels, spread over the time that it is for.

What a question is worth is only known when its hour comes, and hours do not come back. So an hour's question is asked
if it is worth more than those of so many of the last day's hours that the rest of the budget would last (a variable
threshold on what is left, after Zliobaite et al., IEEE Trans. Neural Networks and Learning Systems 25, 2014).
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

# Rooms differ by the hour of the day.
DAY_H = 24

# How far asking may run ahead of the hours: of a whole budget, one label and a tenth.
AHEAD, AHEAD_SHARE = 1.0, 0.1


@dataclass
class Pace:
    """`budget` labels for the next `hours` hours."""

    budget: int
    hours: int
    gone: int = 0
    lately: deque[float] = field(default_factory=lambda: deque(maxlen=DAY_H))

    def most(self, left: int) -> int:
        """Labels that the next hour may ask for, when so many are left."""
        return int(np.ceil(self._share(left)))

    def asks(self, worths: Sequence[float], left: int) -> int:
        """How many of an hour's questions are asked, by what they are worth, the best first; the hour is gone then."""
        share, most = self._share(left), self.most(left)
        self.gone += 1
        if not worths:
            return 0
        self.lately.append(worths[0])
        ahead = self.budget - left - self.budget * self.gone / self.hours
        worthy = share >= 1 or worths[0] >= float(np.quantile(list(self.lately), 1 - share))
        return min(len(worths), most, left) if worthy and ahead < AHEAD + AHEAD_SHARE * self.budget else 0

    def _share(self, left: int) -> float:
        return left / max(self.hours - self.gone, 1)
