"""Which labels are likely mistakes: what each says, against what all the others have taught about such windows.

Each label is judged by heads that learned the labels of other stretches of time alone (cross-validation in blocks), and
once more without those that stood out, since a wrong label teaches the heads wrong answers as well: confident learning
(Northcutt, Jiang and Chuang, J. AI Research 70, 2021), ranked by self-confidence. To this comes what the labels just
before and after it say, by a two-state Markov chain.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from attune_core import Head, Schema

# Blocks of time that are left out in turn: neighbouring windows are almost the same, and would vouch for each other.
BLOCKS = 20

# A label that all the others are so sure against, in nats, teaches nothing in the second round.
SURE_NATS = 1.0

# So few labels of a class teach too little to doubt any.
LEAST_LABELS = 5

# Heads are so much surer than they are right over a whole label: the slope that rooms' calibration starts from.
SLOPE = 0.375

# Mean stay in a class, in hours, of the chain that ties labels to their neighbours. Between 2 and 12 h the recordings
# show little difference.
STAY_H = 4.0

# The most that one neighbour can say, in nats: it may be a mistake itself.
NEIGHBOUR_NATS = 2.5

HEAD = "mixture"

Features = npt.NDArray[np.int16]
Classes = npt.NDArray[np.int8]
Times = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Lesson:
    """One node's windows of the labels: features int16 [n, d], and the index of each window's label [n]."""

    schema: Schema
    features: Features
    label: npt.NDArray[np.int64]


def doubts(classes: Classes, middles_ms: Times, lessons: Sequence[Lesson], words: Flags) -> Reals:
    """Nats that speak against each label [m]; above 0 the other class is likelier, NaN: there are no windows of it.

    classes int8 [m] are 0 or 1, middles_ms int64 [m] the middle of each label's time. Only labels with words [m] teach:
    the others, weak ones, are judged and vouch for nobody.
    """
    against = np.full(len(classes), np.nan)
    if min(np.count_nonzero(words & (classes == k)) for k in (0, 1)) < LEAST_LABELS:
        return against
    block, trusted = _blocks(middles_ms), words
    for _ in range(2):
        against = _judged(classes, block, lessons, trusted)
        trusted = words & ~(against > SURE_NATS)
    result: Reals = SLOPE * against + _neighbours(classes, middles_ms, words)
    return result


def _neighbours(classes: Classes, middles_ms: Times, words: Flags) -> Reals:
    """What the nearest words before and after a label say against it [m], in nats."""
    against = np.zeros(len(classes))
    order = np.argsort(middles_ms, kind="stable")
    for sequence in (order, order[::-1]):
        last = -1
        for index in sequence:
            if last >= 0:
                hours = abs(middles_ms[index] - middles_ms[last]) / 3.6e6
                same = np.exp(-2 * hours / STAY_H)
                nats = min(2 * np.arctanh(min(same, 1 - 1e-9)), NEIGHBOUR_NATS)
                against[index] += nats if classes[index] != classes[last] else -nats
            last = index if words[index] else last
    return against


def _blocks(middles_ms: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Labels by time in blocks of about the same number [m]."""
    rank = np.argsort(np.argsort(middles_ms, kind="stable"), kind="stable")
    return np.asarray(rank * BLOCKS // len(rank))


def _judged(
    classes: Classes,
    block: npt.NDArray[np.int64],
    lessons: Sequence[Lesson],
    trusted: Flags,
) -> Reals:
    total, heard = np.zeros(len(classes)), np.zeros(len(classes), dtype=bool)
    for lesson in lessons:
        nats, known = _held_back(classes, block, lesson, trusted)
        sign = np.where(classes[lesson.label] == 1, -1.0, 1.0)
        counts = np.bincount(lesson.label[known], minlength=len(classes))
        sums = np.bincount(lesson.label[known], (sign * nats)[known], minlength=len(classes))
        here = counts > 0
        total[here] += sums[here] / counts[here]
        heard |= here
    return np.where(heard, total, np.nan)


def _held_back(
    classes: Classes,
    block: npt.NDArray[np.int64],
    lesson: Lesson,
    trusted: Flags,
) -> tuple[Reals, Flags]:
    """Evidence for occupied of each window [n] from a head that did not learn its block, and where there is any [n]."""
    nats, known = np.zeros(len(lesson.label)), np.zeros(len(lesson.label), dtype=bool)
    of, said = block[lesson.label], classes[lesson.label].astype(np.uint8)
    for number in np.unique(of):
        here, others = of == number, (of != number) & trusted[lesson.label]
        if len(np.unique(said[others])) < 2:
            continue
        head = Head(HEAD, lesson.schema)
        head.learn(lesson.features[others], said[others])
        evidence, told = head.predict(lesson.features[here])
        nats[here], known[here] = evidence[:, 0], told
    return nats, known
