"""How closely a state follows people: delays after true arrivals and departures, and the hold timer to compare with."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

FREE, OCCUPIED = 0, 1
# What motion lights and thermostats are commonly set to.
HOLD_S = 600

States = npt.NDArray[np.int8]


@dataclass(frozen=True)
class Track:
    """A state beside the truth in one room's labelled windows, by time.

    ends_s int64 [n] ascending; truth int8 [n] of 0 and 1; state int8 [n], any other number for unknown; breaks bool
    [n - 1], true where a window does not follow on the one before it.
    """

    ends_s: npt.NDArray[np.int64]
    truth: States
    state: States
    breaks: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Delays:
    """Delays after true changes to one state.

    A delay runs from the end of the first window of the new truth to the end of the first window whose state agrees
    with it: 0 where that is the same window, or where the state was there before the change. A change is `missed`
    where the truth changes back before the state has agreed once; missed changes count in `changes` and have no delay.
    A change that the state had not followed when the recording broke off counts nowhere. `median_s` and `p90_s` (90th
    percentile, between delays by linear interpolation) are in seconds of event time, None where nothing was followed.
    """

    changes: int
    missed: int
    median_s: float | None
    p90_s: float | None


def delays(tracks: Sequence[Track], to: int) -> Delays:
    """Delays after all true changes to FREE or OCCUPIED of several rooms."""
    found = [delay for track in tracks for delay in _delays(track, to)]
    followed = [delay for delay in found if delay is not None]
    # Interpolation leaves dust behind: what is 48 s should not read 48.00000000000004.
    median, p90 = np.quantile(followed, [0.5, 0.9]).round(3).tolist() if followed else (None, None)
    return Delays(len(found), len(found) - len(followed), median, p90)


def _delays(track: Track, to: int) -> Iterator[int | None]:
    """The delay after each change to a state, None where it was missed."""
    changed = np.diff(track.truth) != 0
    edges = [0, *(np.flatnonzero(changed | track.breaks) + 1).tolist(), len(track.truth)]
    for start, end in pairwise(edges):
        begun = start > 0 and changed[start - 1] and not track.breaks[start - 1]
        if not begun or track.truth[start] != to:
            continue
        agreed = np.flatnonzero(track.state[start:end] == to)
        if len(agreed):
            yield int(track.ends_s[start + agreed[0]] - track.ends_s[start])
        elif end < len(track.truth) and not track.breaks[end - 1]:
            yield None


def held(ends_s: npt.NDArray[np.int64], occupied: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """State of a hold timer after each window: occupied from a window that says so until HOLD_S after the last one."""
    never = np.iinfo(np.int64).min // 2
    last = np.maximum.accumulate(np.where(occupied, ends_s, never))
    state: npt.NDArray[np.bool_] = ends_s - last < HOLD_S
    return state
