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
    spent: int = 0
    gone: int = 0
    lately: deque[float] = field(default_factory=lambda: deque(maxlen=DAY_H))

    @property
    def most(self) -> int:
        """Labels that one hour may ask for."""
        return int(np.ceil(self.left / max(self.hours - self.gone, 1)))

    @property
    def left(self) -> int:
        return self.budget - self.spent

    def asks(self, worths: Sequence[float]) -> int:
        """How many of an hour's questions are asked, by what they are worth, the best first; the hour is gone then."""
        share = self.left / max(self.hours - self.gone, 1)
        self.gone += 1
        if not worths:
            return 0
        self.lately.append(worths[0])
        ahead = self.spent - self.budget * self.gone / self.hours
        worthy = share >= 1 or worths[0] >= float(np.quantile(list(self.lately), 1 - share))
        if not worthy or ahead >= AHEAD + AHEAD_SHARE * self.budget:
            return 0
        return min(len(worths), int(np.ceil(share)), self.left)
