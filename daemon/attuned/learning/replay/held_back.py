"""Evidence of labelled windows from heads that did not learn them, for what is learned from evidence."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from attuned.learning.effective import DAY_S
from attuned.learning.replay.nodes import Evidence, Head
from attuned.learning.replay.observed import NodeWindows
from attuned.learning.replay.recording import UNLABELLED

# Days are held back one by one where labels lie on at least so many, and at most so many parts are held back.
LEAST_DAYS, MOST_PARTS = 4, 8

# Parts of a shorter time.
PARTS = 5

Parts = npt.NDArray[np.int64]


def parts(ends_s: npt.NDArray[np.int64], labels: npt.NDArray[np.int8]) -> Parts:
    """The part that each window [n] is held back with: its day, or a stretch of the time that labels cover.

    ends_s int64 [n] ascending, labels int8 [n]. Whole days, because what a window has in common with the next hour is
    no test of what has been learned.
    """
    taught = ends_s[labels != UNLABELLED]
    days = ends_s // DAY_S
    if len(np.unique(taught // DAY_S)) >= LEAST_DAYS:
        return np.asarray((days - days[0]) % MOST_PARTS)
    if not len(taught):
        return np.zeros(len(ends_s), dtype=np.int64)
    whole = int(taught[-1] - taught[0]) + 1
    return np.asarray(np.clip((ends_s - taught[0]) * PARTS // whole, 0, PARTS - 1))


def held_back(
    new_head: Callable[[], Head], windows: NodeWindows, labels: npt.NDArray[np.int8], part: Parts
) -> Evidence:
    """Each window's evidence from a head that has learned every label but those of the window's part.

    labels int8 [n] and part [n] of the node's windows.
    """
    nats, told = np.zeros(len(labels)), np.zeros(len(labels), dtype=bool)
    for number in np.unique(part):
        here = part == number
        others = ~here & (labels != UNLABELLED)
        head = new_head()
        head.learn(windows.features[others], labels[others].astype(np.uint8))
        evidence = head.predict(windows.features[here])
        nats[here], told[here] = evidence.nats, evidence.told
    return Evidence(nats, told)
