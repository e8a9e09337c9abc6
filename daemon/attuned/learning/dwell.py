"""How long rooms stay free and occupied, learned from labels: the dwell times of the filter.

Maximum a posteriori of the mean stays of a Markov chain in continuous time, seen at the times of the labels (panel
data; Kalbfleisch and Lawless 1985), with a log-normal prior around the core's own dwell times.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from attune_core import DWELL_BOUNDS_S, DWELL_S

# Spread (standard deviation of the logarithm) of the prior: of stays as a whole a factor of two either way; of their
# ratio a quarter. The ratio is the share of time in use, which changes with the season: on two lecture rooms it was .45
# in the weeks that train and .05 to .24 in those that test.
SPREAD = 0.7
RATIO_SPREAD = 0.25

# Where dense labels are counted, a longer pause between two of them is no stay.
PAUSE_S = 3600

_ROUNDS, _POINTS, _WIDTH = 5, 21, 3.0

Reals = npt.NDArray[np.float64]


def learn_dwell(ends_s: npt.NDArray[np.int64], classes: npt.NDArray[np.int8], count: int = 2) -> tuple[float, ...]:
    """Mean stay in each of `count` classes, in seconds, within the core's bounds.

    ends_s int64 [n] ascending and classes int8 [n] (0 to count - 1) of the labelled windows. Two classes may be
    labelled now and then, in any proportion to each other; for more, labels have to be dense. Where the labels say
    nothing, the core's own dwell times.
    """
    pairs = classes[:-1], classes[1:], np.diff(ends_s).astype(np.float64)
    stays = _two(*pairs, share=_odds(classes)) if count == 2 else _dense(*pairs, count)
    return tuple(float(stay) for stay in np.clip(stays, *DWELL_BOUNDS_S))


def _odds(classes: npt.NDArray[np.int8]) -> float | None:
    """Labels of class 1 for each one of class 0; None without both."""
    ones = int(np.sum(classes == 1))
    return ones / (len(classes) - ones) if 0 < ones < len(classes) else None


def _two(before: npt.NDArray[np.int8], after: npt.NDArray[np.int8], seconds: Reals, share: float | None) -> Reals:
    if share is None:
        return np.array(DWELL_S)
    # Dense labels make few different pairs.
    pairs, counts = np.unique(np.column_stack([before, after, seconds]), axis=0, return_counts=True)

    def cost(scale: Reals, ratio: Reals) -> Reals:
        free, occupied = DWELL_S[0] * np.exp(scale - ratio / 2), DWELL_S[1] * np.exp(scale + ratio / 2)
        # The probability comes last, so that it runs along the pairs.
        chance = _seen(free[..., None], occupied[..., None], pairs[:, 0], pairs[:, 2], share)
        likely = np.where(pairs[:, 1] == 1, chance, 1 - chance)
        prior = (scale / SPREAD) ** 2 / 2 + (ratio / RATIO_SPREAD) ** 2 / 2
        return prior - np.log(np.maximum(likely, 1e-12)) @ counts

    scale, ratio = _least(cost)
    return np.array([DWELL_S[0] * np.exp(scale - ratio / 2), DWELL_S[1] * np.exp(scale + ratio / 2)])


def _seen(free: Reals, occupied: Reals, before: Reals, seconds: Reals, share: float) -> Reals:
    """Probability that the next label says 1, so many seconds after one that says `before`.

    P(0 -> 1) = pi (1 - e^(-r t)), with rates 1 / free and 1 / occupied, r their sum and pi = occupied / (free +
    occupied). Labels may favour a class: drawn in balance, one of a rare class is more likely to be among them. So the
    odds are multiplied by what brings the share of labels far apart to the one that was found, which then says nothing
    about the stays (sampling as in case-control studies, Prentice and Pyke 1979).
    """
    mixed = -np.expm1(-seconds * (1 / free + 1 / occupied))
    pi = occupied / (free + occupied)
    chance = np.where(before == 1, 1 - (1 - pi) * mixed, pi * mixed)
    favoured = share * free / occupied * chance
    result: Reals = favoured / (favoured + 1 - chance)
    return result


def _least(cost: Callable[[Reals, Reals], Reals]) -> tuple[float, float]:
    """Where a smooth function of two numbers around 0 is least: ever finer grids, robust against several valleys."""
    x = y = 0.0
    width = _WIDTH
    for _ in range(_ROUNDS):
        offsets = np.linspace(-width, width, _POINTS)
        grid = np.meshgrid(x + offsets, y + offsets, indexing="ij")
        best = int(np.argmin(cost(grid[0], grid[1])))
        x, y = float(grid[0].flat[best]), float(grid[1].flat[best])
        width *= 3 / (_POINTS - 1)
    return x, y


def _dense(before: npt.NDArray[np.int8], after: npt.NDArray[np.int8], seconds: Reals, count: int) -> Reals:
    """Times and exits are all that matters: each class by itself, -log posterior n u + t e^-u + (u - u0)^2 / 2 s^2."""
    close = seconds <= PAUSE_S
    times = np.bincount(before[close], weights=seconds[close], minlength=count)
    exits = np.bincount(before[close & (before != after)], minlength=count)
    expected = np.log(np.array([DWELL_S[0], *[DWELL_S[1]] * (count - 1)]))
    u = expected.copy()
    for _ in range(50):  # convex in u; a step of at most 1 cannot overshoot for long
        left = times * np.exp(-u)
        step = (exits - left + (u - expected) / SPREAD**2) / (left + 1 / SPREAD**2)
        u -= np.clip(step, -1, 1)
    result: Reals = np.exp(u)
    return result
