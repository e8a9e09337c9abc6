"""Accuracy against the number of labels, chosen by the daemon and drawn at random, on held-back days of a stretch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from attuned.labels.pacing import Pace
from attuned.learning.loop.room import LoopRoom
from attuned.learning.loop.run import Asked, Chosen, Loop, hours_of
from attuned.learning.record import UNLABELLED

from bench.looping.rooms import Stretch, judged, stretches

COUNTS = (5, 10, 20, 50, 100)
SEEDS = 5
WHO = ("chosen", "random")

# Share of a stretch's days that is held back.
HELD_BACK = 1 / 3

GAP_DAYS = 20
"""A longer pause parts two stretches."""


@dataclass(frozen=True)
class Point:
    """Balanced accuracy on held-back days after so many labels."""

    row: str
    who: str
    seed: int
    labels: int
    asked: int
    accuracy: float


@dataclass(frozen=True)
class Drawn:
    """Asks about windows that were drawn beforehand, by their ends in seconds; each is asked about in its hour."""

    ends_s: frozenset[int]
    step_s: int

    def __call__(self, rooms: Sequence[LoopRoom], from_utc_ms: int, to_utc_ms: int, left: int) -> Asked:
        mine = [end for end in self.ends_s if from_utc_ms < end * 1000 <= to_utc_ms]
        return [(rooms[0], (end - self.step_s) * 1000, end * 1000) for end in sorted(mine)]


def rows() -> Iterator[Stretch]:
    """Stretches whose accuracy is not at its ceiling with a few labels."""
    for split, stretch in stretches("candanedo", ("light",)):
        if split != "before":  # three days are too few to hold some back
            yield _named(stretch, f"candanedo without light, {split}")
    for _, stretch in stretches("robod-stream"):
        days = stretch.days
        first = days - days[0] < GAP_DAYS
        yield _named(stretch.part(first), f"robod {stretch.stream.room}, September")
        yield _named(stretch.part(~first), f"robod {stretch.stream.room}, December")


def _named(stretch: Stretch, name: str) -> Stretch:
    return Stretch(name, stretch.spec, stretch.stream, stretch.windows, stretch.schemas)


def points(stretch: Stretch) -> list[Point]:
    """All points of a row."""
    found = []
    for seed in range(SEEDS):
        pool, held = parted(stretch, seed)
        order = np.random.default_rng((seed, 1)).permutation(np.flatnonzero(pool.stream.labels != UNLABELLED))
        for count in COUNTS:
            drawn = frozenset(pool.stream.ends_s[order[:count]].tolist())
            for who in WHO:
                asked, reached = after(pool, held, count, drawn if who == "random" else None)
                found.append(Point(stretch.name, who, seed, count, asked, reached))
    return found


def parted(stretch: Stretch, seed: int) -> tuple[Stretch, Stretch]:
    """The days that are learned from, and those that are held back; either has both classes."""
    for attempt in range(100):
        days = np.unique(stretch.days)
        drawn = np.random.default_rng((seed, attempt)).permutation(days)[: max(2, round(HELD_BACK * len(days)))]
        held = np.isin(stretch.days, drawn)
        parts = stretch.part(~held), stretch.part(held)
        if all({0, 1} <= set(part.stream.labels.tolist()) for part in parts):
            return parts
    raise ValueError(f"{stretch.name} has no days to hold back")


def after(pool: Stretch, held: Stretch, count: int, drawn: frozenset[int] | None) -> tuple[int, float]:
    """Labels that were asked for, and what is reached on the held-back days after a loop through the others."""
    known = pool.known()
    room = pool.room(known)
    step_s, spec = pool.spec.window_s, pool.spec
    hours = len(hours_of([room]))
    ask = Chosen(Pace(count, hours), 1000 * step_s) if drawn is None else Drawn(drawn, step_s)
    loop = Loop(spec.zone, spec.timezone, step_s, ask, count)
    loop.run([room])
    return loop.figures.labels_asked, judged(held, known)


def area(counts: Sequence[int], reached: Sequence[float]) -> float:
    """Mean accuracy between the first and the last count, over the logarithm of the count."""
    x, y = np.log(counts), np.array(reached)
    return float(np.sum((y[1:] + y[:-1]) / 2 * np.diff(x)) / (x[-1] - x[0]))


def shifts() -> Iterator[tuple[Stretch, Stretch]]:
    """A stretch that teaches, and another time of the same room that is judged."""
    for name, drop, title in (("candanedo", ("light",), "candanedo without light"), ("robod", (), "robod")):
        found = list(stretches(name, drop))
        for _, train in (each for each in found if each[0] == "train"):
            for split, test in found:
                if split != "train" and test.stream.room == train.stream.room:
                    yield _named(train, f"{title} {train.stream.room}: train, judged {split}"), test


def across(train: Stretch, test: Stretch) -> list[Point]:
    """All points of a shift; the daemon's choice has no seed. The last one learned every label there is."""
    found, labelled = [], np.flatnonzero(train.stream.labels != UNLABELLED)
    for count in COUNTS:
        found.append(Point(train.name, "chosen", 0, count, *after(train, test, count, None)))
        for seed in range(SEEDS):
            order = np.random.default_rng((seed, 1)).permutation(labelled)
            drawn = frozenset(train.stream.ends_s[order[:count]].tolist())
            found.append(Point(train.name, "random", seed, count, *after(train, test, count, drawn)))
    return found
