"""Figures of a model over held-back days, and how far they would differ had it been other days."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from attuned.learning.effective import DAY_S
from attuned.learning.figures import CALIBRATION_BINS, calibration_gaps
from attuned.learning.replay.scores import Beliefs, starts

Reals = npt.NDArray[np.float64]

MEASURES = ("balanced accuracy", "Brier score", "calibration error", "changes a day")

# Days are drawn again so often, always by the same dice: a verdict does not change when it is asked for twice.
DRAWS, SEED = 2000, 4


@dataclass(frozen=True)
class DaySums:
    """What the figures of some windows are computed from, a row [m] for each day that has such windows.

    total and right [m, 2] count windows of each true class and those recognised; squares [m] sums (p - truth)^2;
    over [m, 15] sums, in each bin of confidence, what was right less the confidence; changes [m] counts changes of the
    state; covered [m] is the time of the windows in days.
    """

    total: Reals
    right: Reals
    squares: Reals
    over: Reals
    changes: Reals
    covered: Reals

    @classmethod
    def of(cls, beliefs: Beliefs, chosen: npt.NDArray[np.bool_], window_s: int) -> "DaySums":
        """From the windows where `chosen` [n]; a change counts if both of its windows are chosen."""
        # A window that ends at midnight belongs to the day before.
        _, day = np.unique((beliefs.ends_s[chosen] - 1) // DAY_S, return_inverse=True)
        days = int(day.max()) + 1 if len(day) else 0
        truth, said, told = beliefs.truth[chosen], beliefs.said[chosen], beliefs.told[chosen]
        p = np.where(told, beliefs.probability[chosen], 0.5)
        right = told & ((p > 0.5) == truth)
        confidence = np.maximum(p, 1 - p)
        over = [calibration_gaps(confidence[day == each], right[day == each]) for each in range(days)]
        between = np.zeros(len(beliefs.ends_s), dtype=bool)
        between[1:] = ~starts(beliefs) & chosen[1:] & chosen[:-1] & (np.diff(beliefs.said) != 0)
        return cls(
            total=np.stack([np.bincount(day[truth == k], minlength=days) for k in (0, 1)], axis=1).astype(float),
            right=np.stack(
                [np.bincount(day[(truth == k) & (said == k)], minlength=days) for k in (0, 1)], axis=1
            ).astype(float),
            squares=np.bincount(day, weights=(p - truth) ** 2, minlength=days).astype(float),
            over=np.array(over).reshape(days, CALIBRATION_BINS),
            changes=np.bincount(day[between[chosen]], minlength=days).astype(float),
            covered=np.bincount(day, minlength=days) * window_s / DAY_S,
        )

    @property
    def days(self) -> int:
        return len(self.squares)

    @property
    def windows(self) -> int:
        return int(np.sum(self.total))

    def figures(self, weights: Reals) -> dict[str, Reals]:
        """Each measure [b] with the days weighed [b, m]; NaN where nothing has weight."""
        total, right = weights @ self.total, weights @ self.right
        with np.errstate(invalid="ignore", divide="ignore"):
            # The mean over the classes that occur.
            balanced = np.nanmean(np.where(total > 0, right / total, np.nan), axis=1) if self.days else total[:, 0]
            windows = total.sum(axis=1)
            return {
                "balanced accuracy": balanced,
                "Brier score": weights @ self.squares / windows,
                "calibration error": np.abs(weights @ self.over).sum(axis=1) / windows,
                "changes a day": weights @ self.changes / (weights @ self.covered),
            }


@dataclass(frozen=True)
class Compared:
    """A measure of the deployed model and of the candidate, and the 95 % interval of their difference."""

    measure: str
    deployed: float
    candidate: float
    low: float
    high: float

    @property
    def difference(self) -> float:
        return self.candidate - self.deployed

    @property
    def gain(self) -> tuple[float, float]:
        """The interval of what the candidate gains, whichever way the measure is better."""
        return (self.low, self.high) if self.measure == "balanced accuracy" else (-self.high, -self.low)


def compare(deployed: DaySums, candidate: DaySums) -> list[Compared]:
    """Every measure of both over the same windows; intervals by drawing as many days with replacement."""
    m = candidate.days
    if not m:
        return []
    dice = np.random.default_rng(SEED)
    drawn = dice.multinomial(m, np.full(m, 1 / m), DRAWS).astype(float)
    weights = np.concatenate([np.ones((1, m)), drawn])
    before, now = deployed.figures(weights), candidate.figures(weights)
    found = []
    for measure in MEASURES:
        low, high = np.quantile((now[measure] - before[measure])[1:], [0.025, 0.975])
        found.append(Compared(measure, float(before[measure][0]), float(now[measure][0]), float(low), float(high)))
    return found
