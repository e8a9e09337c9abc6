"""What is said of one room, as figures: beside those of a replay, minutes wrong a day and delays after true changes."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np
import numpy.typing as npt
from attuned.learning.replay.scores import DAY_S, Beliefs, covered_days, score
from attuned.learning.replay.windows import GAP_MS


@dataclass(frozen=True)
class Figures:
    """Shares 0..1, minutes and changes a day of covered time, delays in minutes (infinite where most were missed).

    A delay lasts from the window of a true change to the first that says the new state, zero if it is that window, and
    infinite if the state changes again before. An unknown window is wrong, and neither falsely free nor falsely occupied.
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
    departure_median: float
    departure_90: float


def figures(beliefs: Beliefs, window_s: int) -> Figures:
    """Figures of one room's labelled windows, of which there has to be one."""
    scores = score([beliefs], window_s)
    days = covered_days(beliefs, window_s)
    wrong = beliefs.said != beliefs.truth
    minutes = [float(np.sum(wrong & (beliefs.said == state))) * window_s / 60 / days for state in (0, 1)]
    arrivals, departures = (delays(beliefs, state) for state in (1, 0))
    return Figures(
        accuracy=scores.accuracy or 0.0,
        balanced_accuracy=scores.balanced_accuracy or 0.0,
        ece=scores.ece or 0.0,
        brier=scores.brier or 0.0,
        unknown_share=scores.unknown_share or 0.0,
        free_min=minutes[0],
        occupied_min=minutes[1],
        changes=scores.changes_per_day or 0.0,
        true_changes=scores.true_changes_per_day or 0.0,
        arrival_median=quantile(arrivals, 0.5),
        arrival_90=quantile(arrivals, 0.9),
        departure_median=quantile(departures, 0.5),
        departure_90=quantile(departures, 0.9),
    )


def delays(beliefs: Beliefs, state: int) -> npt.NDArray[np.float64]:
    """Minutes after each true change to `state` until it was said [changes]; changes in gaps are none."""
    truth, said, ends_s = beliefs.truth, beliefs.said, beliefs.ends_s
    fresh = np.concatenate(([True], (np.diff(beliefs.stretch) != 0) | (np.diff(ends_s) * 1000 > GAP_MS)))
    changed = np.concatenate(([False], np.diff(truth) != 0)) & ~fresh
    until = [*np.flatnonzero(changed | fresh).tolist(), len(truth)]
    found = []
    for start, end in zip(until, until[1:], strict=False):
        if changed[start] and truth[start] == state:
            there = np.flatnonzero(said[start:end] == state)
            found.append((ends_s[start + there[0]] - ends_s[start]) / 60 if len(there) else np.inf)
    return np.array(found)


def quantile(values: npt.NDArray[np.float64], share: float) -> float:
    """The smallest value that at least a share of the values does not exceed; NaN of nothing."""
    return float(np.quantile(values, share, method="inverted_cdf")) if len(values) else float("nan")


def mean_figures(groups: Sequence[Figures]) -> Figures:
    """The mean of each figure over rooms and seeds."""
    names = [field.name for field in fields(Figures)]
    return Figures(**{name: float(np.mean([asdict(group)[name] for group in groups])) for name in names})


def held(trigger: Beliefs, hold_s: int) -> Beliefs:
    """A hold timer: occupied from a window that says so until `hold_s` after the last one that did."""
    last_s = np.where(trigger.said == 1, trigger.ends_s, -DAY_S)
    on = trigger.ends_s - np.maximum.accumulate(last_s) <= hold_s
    told = np.ones(len(on), dtype=bool)
    return Beliefs(trigger.ends_s, trigger.truth, on.astype(float), told, trigger.stretch)
