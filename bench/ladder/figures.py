"""Figures of what was said of rooms: beside those of a replay, minutes wrong a day and delays after true changes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from attuned.learning.replay.following import Delays
from attuned.learning.replay.scores import Beliefs, Scores, score


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
    together = score(groups, window_s)
    arrivals, departures = _minutes(together.arrivals), _minutes(together.departures)
    return Figures(
        accuracy=_mean(scores, "accuracy"),
        balanced_accuracy=_mean(scores, "balanced_accuracy"),
        ece=_mean(scores, "ece"),
        brier=_mean(scores, "brier"),
        unknown_share=_mean(scores, "unknown_share"),
        free_min=_mean(scores, "false_free_min_per_day"),
        occupied_min=_mean(scores, "false_occupied_min_per_day"),
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


def _minutes(found: Delays | None) -> tuple[float, float, float]:
    """Median and 90 % in minutes, and the share missed; NaN where there is nothing to tell."""
    if found is None or not found.changes:
        return np.nan, np.nan, np.nan
    median, most = (np.nan if delay is None else delay / 60 for delay in (found.median_s, found.p90_s))
    return median, most, found.missed / found.changes
