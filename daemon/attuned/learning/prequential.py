"""A room's days judged by what was said of it at the time, against what people said later (Dawid, 1984).

Nobody is judged on answers that he knew: a step counts if every label that speaks of it was told after it, and of what
was said of it only what was said before the first of them.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from attuned.learning.figures import CALIBRATION_BINS, CONFUSION, UNKNOWN, Reals, calibration_gaps, confusion
from attuned.learning.from_labels import label_classes
from attuned.learning.record import UNLABELLED
from attuned.presence.belief import RoomState
from attuned.store.accuracy import AccuracyDay, RoomRelease
from attuned.store.beliefs import SaidRow
from attuned.store.site import LabelRow

DAY_MS = 86_400_000

# What was said, as a column of a confusion.
_SAID = {RoomState.FREE: 0, RoomState.OCCUPIED: 1, RoomState.UNKNOWN: UNKNOWN}

# What is added up of a day: seconds by truth and what was said, then the gaps of the calibration.
SUMS = CONFUSION[0] * CONFUSION[1] + CALIBRATION_BINS

Times = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Spoken:
    """All that was said of a room in a stretch of time and just before it, in order of saying, n rows; its releases.

    at_ms int64 [n] is the event time; by_ms int64 [n] ascending, when it was said; states int8 [n], as in a confusion;
    probability float64 [n] of occupied, 0.5 where the state was unknown.
    """

    at_ms: Times
    by_ms: Times
    states: npt.NDArray[np.int8]
    probability: Reals
    releases: Sequence[RoomRelease]

    @classmethod
    def of(cls, said: Sequence[SaidRow], releases: Sequence[RoomRelease]) -> "Spoken":
        states = np.array([_SAID[RoomState(row.state)] for row in said], dtype=np.int8)
        probability = np.array([row.probability for row in said], dtype=np.float64)
        return cls(
            np.array([row.utc_ms for row in said], dtype=np.int64),
            # A clock that was put back between two rows does not change their order.
            np.maximum.accumulate(np.array([row.spoken_utc_ms for row in said], dtype=np.int64)),
            states,
            np.where(states == UNKNOWN, 0.5, probability),
            releases,
        )


def label_days(labels: Iterable[LabelRow]) -> dict[int, list[LabelRow]]:
    """The labels that speak of each day of UTC, a day being (midnight, midnight]; in the same order."""
    days: dict[int, list[LabelRow]] = defaultdict(list)
    for row in labels:
        for day in range(row.from_utc_ms // DAY_MS, -(-min(row.to_utc_ms, row.told_utc_ms) // DAY_MS)):
            days[day].append(row)
    return days


def fingerprint(labels: Iterable[LabelRow]) -> str:
    """Changes whenever labels of a day come, change or no longer count."""
    told = [(row.number, row.class_name, row.from_utc_ms, row.to_utc_ms, row.in_force) for row in labels]
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


def judge_day(room: str, day: int, labels: Sequence[LabelRow], spoken: Spoken, step_ms: int) -> list[AccuracyDay]:
    """The room's day by release, from all labels that were ever told of it, in order of their numbers.

    One row without seconds where nothing can be judged: that is known then.
    """
    ends_ms = np.arange(day * DAY_MS, (day + 1) * DAY_MS, step_ms, dtype=np.int64) + step_ms
    truth, told_ms = label_classes([row for row in labels if row.in_force], ends_ms), _first_told(labels, ends_ms)
    labelled = (truth != UNLABELLED) & (told_ms >= ends_ms)
    ends_ms, truth = ends_ms[labelled], truth[labelled]
    standing = _standing(spoken, ends_ms, told_ms[labelled])
    judged = standing >= 0
    releases = _releases(spoken.releases, ends_ms)
    by_release = {name: judged & (releases == name) for name in np.unique(releases[judged]).tolist()} or {"": judged}
    labels_print = fingerprint(labels)
    return [
        AccuracyDay(room, day, name, labels_print, *_sums(truth[here], spoken, standing[here], step_ms // 1000))
        for name, here in by_release.items()
    ]


def _first_told(labels: Iterable[LabelRow], ends_ms: Times) -> Times:
    """When the first of the labels of each step was told [n]."""
    first = np.full(len(ends_ms), np.iinfo(np.int64).max)
    for row in labels:
        covered = (ends_ms > row.from_utc_ms) & (ends_ms <= row.to_utc_ms)
        first[covered] = np.minimum(first[covered], row.told_utc_ms)
    return first


def _standing(spoken: Spoken, ends_ms: Times, told_ms: Times) -> npt.NDArray[np.intp]:
    """For each step the last row of event times up to its end that was said by the time it was told of [n]; or -1."""
    standing = np.full(len(ends_ms), -1, dtype=np.intp)
    for told in np.unique(told_ms):
        at_ms = spoken.at_ms[: np.searchsorted(spoken.by_ms, told, side="right")]
        # Rows that no later one makes obsolete from their own time on.
        later = np.minimum.accumulate(np.append(at_ms, np.iinfo(np.int64).max)[::-1])[::-1][1:]
        rows = np.flatnonzero(at_ms < later)
        steps = told_ms == told
        found = np.searchsorted(at_ms[rows], ends_ms[steps], side="right") - 1
        standing[steps] = np.append(rows, -1)[found]
    return standing


def _releases(releases: Sequence[RoomRelease], ends_ms: Times) -> npt.NDArray[np.str_]:
    """The release in force at each step [n]; the first one counts for all time before."""
    names = np.array([row.release for row in releases] or [""])
    since = np.array([row.since_utc_ms for row in releases[1:]], dtype=np.int64)
    found: npt.NDArray[np.str_] = names[np.searchsorted(since, ends_ms, side="left")]
    return found


def _sums(
    truth: npt.NDArray[np.int8], spoken: Spoken, rows: npt.NDArray[np.intp], step_s: int
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Seconds by truth and by what was said in these rows, and the gaps of the calibration, of as many steps."""
    states, p = spoken.states[rows], spoken.probability[rows]
    right = (states != UNKNOWN) & ((p > 0.5) == truth)
    seconds = confusion(truth, states) * step_s
    gaps = calibration_gaps(np.maximum(p, 1 - p), right) * step_s
    return tuple(seconds.reshape(-1).tolist()), tuple(gaps.round(6).tolist())


def by_day(days: Iterable[AccuracyDay]) -> tuple[Times, Reals]:
    """The days that were judged [n] ascending, and the sums of each: [n, SUMS]."""
    sums: dict[int, Reals] = defaultdict(lambda: np.zeros(SUMS))
    for row in days:
        if sum(row.seconds):
            sums[row.day] += np.array([*row.seconds, *row.gaps])
    numbers = sorted(sums)
    return np.array(numbers, dtype=np.int64), np.array([sums[day] for day in numbers]).reshape(-1, SUMS)
