"""Whole days: which local day a window belongs to, and intervals from resampling days with replacement.

Windows of one day resemble each other, so days and not windows are the independent samples (Efron and Tibshirani, An
Introduction to the Bootstrap, 1993, chapter 13: percentile intervals; blocks as in Kunsch, 1989).
"""

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from attuned.learning.replay.scores import Beliefs

DRAWS = 2000
SEED = 1
COVERED = (2.5, 97.5)

Measure = Literal["accuracy", "balanced_accuracy"]


class Interval(NamedTuple):
    low: float
    high: float


def local_days(ends_s: npt.NDArray[np.int64], window_s: int, zone: tzinfo) -> npt.NDArray[np.int64]:
    """Number of the local day in which the middle of each window lies [n]."""
    middles = (ends_s - window_s / 2).tolist()
    return np.array([datetime.fromtimestamp(middle, zone).toordinal() for middle in middles], dtype=np.int64)


def day_counts(beliefs: Beliefs, days: npt.NDArray[np.int64], every: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """For each day of `every`: free windows, those recognised, occupied windows, those recognised [days, 4]."""
    place = np.searchsorted(every, days)
    right = beliefs.said == beliefs.truth
    masks = [beliefs.truth == 0, (beliefs.truth == 0) & right, beliefs.truth == 1, (beliefs.truth == 1) & right]
    return np.column_stack([np.bincount(place[mask], minlength=len(every)) for mask in masks]).astype(float)


def accuracies(counts: npt.NDArray[np.float64], measure: Measure) -> npt.NDArray[np.float64]:
    """The measure of sums of day counts [..., 4]; balanced accuracy is NaN where a class does not occur."""
    free, free_right, occupied, occupied_right = np.moveaxis(counts, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        if measure == "accuracy":
            return np.asarray((free_right + occupied_right) / (free + occupied))
        return np.asarray((free_right / free + occupied_right / occupied) / 2)


def interval(
    groups: Sequence[Beliefs], measure: Measure, window_s: int, zone: tzinfo, draws: int = DRAWS
) -> Interval | None:
    """95 % of the mean of the groups' measure when whole days are drawn anew, the same for all groups.

    None where all windows are of one day: nothing is known then of how days differ.
    """
    days = [local_days(group.ends_s, window_s, zone) for group in groups]
    every = np.unique(np.concatenate(days))
    if len(every) < 2:
        return None
    chance = np.random.default_rng(SEED)
    times = chance.multinomial(len(every), np.full(len(every), 1 / len(every)), size=draws).astype(float)
    counts = [day_counts(group, day, every) for group, day in zip(groups, days, strict=True)]
    means = np.mean([accuracies(times @ count, measure) for count in counts], axis=0)
    low, high = np.nanpercentile(means, COVERED)
    return Interval(float(low), float(high))
