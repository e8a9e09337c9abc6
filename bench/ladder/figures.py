"""Figures of what was said of rooms: beside those of a replay, minutes wrong a day and delays after true changes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from attuned.learning.replay.following import FREE, OCCUPIED, Delays, Track, delays
from attuned.learning.replay.scores import Beliefs, Scores, covered_days, score
from attuned.learning.replay.windows import GAP_MS


@dataclass(frozen=True)
class Figures:
    """Shares 0..1; minutes and changes a day of covered time; delays in minutes.

    A delay runs from the window of a true change to the first that says the new state. Changes that were never followed
    have none, and count in the shares missed. A delay is NaN where no change was followed.
    """

    accuracy: float
    balanced_accuracy: float
    ece: float
    brier: float
    unknown_share: float
    free_min: float
    occupied_min: float
    changes: float
    true_changes: float
    arrival_median: float
    arrival_90: float
    arrivals_missed: float
    departure_median: float
    departure_90: float
    departures_missed: float


def figures(groups: Sequence[Beliefs], window_s: int) -> Figures:
    """The mean of each figure over the groups; delays of all groups together. Each group has a labelled window."""
    scores = [score([group], window_s) for group in groups]
    days = [covered_days(group, window_s) for group in groups]
    arrivals, departures = (_minutes(delays([_track(group) for group in groups], to)) for to in (OCCUPIED, FREE))
    return Figures(
        accuracy=_mean(scores, "accuracy"),
        balanced_accuracy=_mean(scores, "balanced_accuracy"),
        ece=_mean(scores, "ece"),
        brier=_mean(scores, "brier"),
        unknown_share=_mean(scores, "unknown_share"),
        free_min=_false_minutes(groups, days, FREE, window_s),
        occupied_min=_false_minutes(groups, days, OCCUPIED, window_s),
        changes=_mean(scores, "changes_per_day"),
        true_changes=_mean(scores, "true_changes_per_day"),
        arrival_median=arrivals[0],
        arrival_90=arrivals[1],
        arrivals_missed=arrivals[2],
        departure_median=departures[0],
        departure_90=departures[1],
        departures_missed=departures[2],
    )


def _mean(scores: Sequence[Scores], name: str) -> float:
    return float(np.mean([getattr(one, name) for one in scores]))


def _minutes(found: Delays) -> tuple[float, float, float]:
    """Median and 90 % in minutes, and the share missed."""
    if found.median_s is None or found.p90_s is None:
        return np.nan, np.nan, found.missed / found.changes if found.changes else np.nan
    return found.median_s / 60, found.p90_s / 60, found.missed / found.changes


def _false_minutes(groups: Sequence[Beliefs], days: Sequence[float], state: int, window_s: int) -> float:
    """Minutes a day in which this state was said and the other one true; an unknown window is neither."""
    windows = [np.sum((group.said == state) & (group.truth != state)) for group in groups]
    return float(np.mean([count * window_s / 60 / covered for count, covered in zip(windows, days, strict=True)]))


def _track(group: Beliefs) -> Track:
    return Track(group.ends_s, group.truth, group.said, breaks(group))


def breaks(group: Beliefs) -> npt.NDArray[np.bool_]:
    """Where a labelled window does not follow on the one before it [n - 1]."""
    return np.asarray((np.diff(group.stretch) != 0) | (np.diff(group.ends_s) * 1000 > GAP_MS))
