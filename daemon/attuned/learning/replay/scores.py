"""How good a sequence of beliefs was: accuracy, calibration and steadiness, against recorded truth."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from attuned.learning.figures import UNKNOWN, calibration_gaps, confusion, recall
from attuned.learning.replay.following import FREE, OCCUPIED, Delays, Track, delays
from attuned.learning.replay.windows import GAP_MS

DAY_S = 86_400


@dataclass(frozen=True)
class Beliefs:
    """What was said of one room in its labelled windows, by time.

    ends_s int64 [n] ascending; truth int8 [n] of 0 and 1; probability float64 [n] of occupied; told bool [n], false
    where the room was unknown; stretch int64 [n], changing where the recording has a gap of more than an hour; held
    bool [n], the state of a hold timer fed by the same windows, None where there is none; threshold, the probability
    above which the room was said to be occupied.
    """

    ends_s: npt.NDArray[np.int64]
    truth: npt.NDArray[np.int8]
    probability: npt.NDArray[np.float64]
    told: npt.NDArray[np.bool_]
    stretch: npt.NDArray[np.int64]
    held: npt.NDArray[np.bool_] | None = None
    threshold: float = 0.5

    @property
    def said(self) -> npt.NDArray[np.int8]:
        """The class chosen in each window: 0, 1 or UNKNOWN; free wins a tie."""
        return np.where(self.told, self.probability > self.threshold, UNKNOWN).astype(np.int8)


@dataclass(frozen=True)
class Steadiness:
    """How a state follows people: changes and minutes a day of covered time, of one room; unknown is neither false."""

    changes_per_day: float
    false_free_min_per_day: float
    false_occupied_min_per_day: float
    arrivals: Delays
    departures: Delays


@dataclass(frozen=True)
class Scores:
    """Figures of one room or split; all but `windows` are None where there was nothing to judge.

    Shares and scores are 0..1. An unknown window is an error, and 0.5 in `brier` and `ece`. `brier` is the mean squared
    difference of the probability of occupied from the truth (Brier 1950, of one class). `ece` is that of Guo et al.
    (2017), equation 3, of the more probable class, which need not be the one that was said. Changes and minutes are a
    day of covered time. `hold_timer` is how a hold timer fed by the same windows, each for itself, would have done.
    """

    windows: int
    accuracy: float | None = None
    balanced_accuracy: float | None = None
    macro_f1: float | None = None
    brier: float | None = None
    ece: float | None = None
    unknown_share: float | None = None
    changes_per_day: float | None = None
    true_changes_per_day: float | None = None
    false_free_min_per_day: float | None = None
    false_occupied_min_per_day: float | None = None
    arrivals: Delays | None = None
    departures: Delays | None = None
    hold_timer: Steadiness | None = None


def score(rooms: Sequence[Beliefs], window_s: int) -> Scores:
    """Figures over all windows of the rooms; changes are a day of one room."""
    windows = sum(len(room.ends_s) for room in rooms)
    if not windows:
        return Scores(0)
    truth = np.concatenate([room.truth for room in rooms])
    said = np.concatenate([room.said for room in rooms])
    told = np.concatenate([room.told for room in rooms])
    probability = np.where(told, np.concatenate([room.probability for room in rooms]), 0.5)
    days = sum(covered_days(room, window_s) for room in rooms)
    followed = steadiness(rooms, [room.said for room in rooms], window_s)
    holds = [room.held.astype(np.int8) for room in rooms if room.held is not None]
    return Scores(
        windows=windows,
        accuracy=float(np.mean(said == truth)),
        balanced_accuracy=balanced_accuracy(truth, said),
        macro_f1=macro_f1(truth, said),
        brier=float(np.mean((probability - truth) ** 2)),
        ece=calibration_error(np.maximum(probability, 1 - probability), told & ((probability > 0.5) == truth)),
        unknown_share=float(np.mean(~told)),
        changes_per_day=followed.changes_per_day,
        true_changes_per_day=sum(changes(room.truth, room) for room in rooms) / days,
        false_free_min_per_day=followed.false_free_min_per_day,
        false_occupied_min_per_day=followed.false_occupied_min_per_day,
        arrivals=followed.arrivals,
        departures=followed.departures,
        hold_timer=steadiness(rooms, holds, window_s) if len(holds) == len(rooms) else None,
    )


def steadiness(rooms: Sequence[Beliefs], states: Sequence[npt.NDArray[np.int8]], window_s: int) -> Steadiness:
    """How a state of each room, int8 [n] in its windows, follows people."""
    days = sum(covered_days(room, window_s) for room in rooms)
    pairs = list(zip(rooms, states, strict=True))
    tracks = [Track(room.ends_s, room.truth, state, starts(room)) for room, state in pairs]

    def false_minutes(truth: int, said: int) -> float:
        windows = sum(int(np.sum((room.truth == truth) & (state == said))) for room, state in pairs)
        return windows * window_s / 60 / days

    return Steadiness(
        changes_per_day=sum(changes(state, room) for room, state in pairs) / days,
        false_free_min_per_day=false_minutes(OCCUPIED, FREE),
        false_occupied_min_per_day=false_minutes(FREE, OCCUPIED),
        arrivals=delays(tracks, OCCUPIED),
        departures=delays(tracks, FREE),
    )


def balanced_accuracy(truth: npt.NDArray[np.int8], said: npt.NDArray[np.int8]) -> float:
    """Mean over the classes that occur of the share of their windows that was recognised."""
    return float(np.nanmean(recall(confusion(truth, said))))


def macro_f1(truth: npt.NDArray[np.int8], said: npt.NDArray[np.int8]) -> float:
    """Mean F1 over the classes that occur in the truth or were said; unknown is no class."""
    classes = np.setdiff1d(np.union1d(truth, said), [UNKNOWN])
    return float(np.mean([_f1(truth == label, said == label) for label in classes]))


def _f1(true: npt.NDArray[np.bool_], said: npt.NDArray[np.bool_]) -> float:
    return float(2 * np.sum(true & said) / (np.sum(true) + np.sum(said)))


def calibration_error(confidence: npt.NDArray[np.float64], right: npt.NDArray[np.bool_]) -> float:
    """Expected calibration error over equal-width bins (low, high] of the confidence of a chosen class."""
    return float(np.sum(np.abs(calibration_gaps(confidence, right))) / len(confidence))


def starts(room: Beliefs) -> npt.NDArray[np.bool_]:
    """Where a labelled window does not follow on the one before it [n - 1]."""
    breaks: npt.NDArray[np.bool_] = (np.diff(room.stretch) != 0) | (np.diff(room.ends_s) * 1000 > GAP_MS)
    return breaks


def changes(states: npt.NDArray[np.int8], room: Beliefs) -> int:
    """How often the state differs from the window before, not counting what happened in gaps."""
    return int(np.sum((np.diff(states) != 0) & ~starts(room)))


def covered_days(room: Beliefs, window_s: int) -> float:
    """Time that the labelled windows cover, without gaps, in days."""
    between = np.where(starts(room), window_s, np.diff(room.ends_s))
    return float(np.sum(between) + (window_s if len(room.ends_s) else 0)) / DAY_S
