"""Which labelled windows of the train split a replay learns from."""

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest

import numpy as np

from attuned.learning.replay.recording import UNLABELLED
from attuned.learning.replay.streams import RoomStream, Split

CLASSES = (1, 0)


def first_days(split: Split, days: float, window_s: int) -> Split | None:
    """The windows that end within days x 24 h of the split's beginning, and no row after them; or None."""
    until_s = split.start_s - window_s + days * 86_400
    rooms = [_until(room, until_s, window_s) for room in split.rooms]
    kept = tuple(room for room in rooms if len(room.ends_s))
    return Split(split.name, kept) if kept else None


def _until(room: RoomStream, until_s: float, window_s: int) -> RoomStream:
    count = int(np.searchsorted(room.ends_s, until_s, side="right"))
    last_end_s = int(room.ends_s[count - 1]) if count else 0
    before_ms = last_end_s * 1000 + window_s * 500
    nodes = []
    for node in room.nodes:
        rows = int(np.searchsorted(node.times_ms, before_ms, side="left")) if count else 0
        if rows:
            nodes.append(replace(node, times_ms=node.times_ms[:rows], values=node.values[:rows]))
    return RoomStream(room.room, tuple(nodes), room.ends_s[:count], room.labels[:count], room.stretch[:count])


def draw(split: Split, count: int, seed: int) -> Split:
    """The split with `count` of its labels, drawn at random, and the rest taken off.

    Classes take turns, and within a class rooms, as long as they have windows left. A larger draw with the same seed
    contains the smaller one.
    """
    chosen = [np.full_like(room.labels, UNLABELLED) for room in split.rooms]
    for index, window in _drawn(split, random.Random(seed))[:count]:  # noqa: S311 - a sample, not a secret
        chosen[index][window] = split.rooms[index].labels[window]
    rooms = zip(split.rooms, chosen, strict=True)
    return Split(split.name, tuple(replace(room, labels=labels) for room, labels in rooms))


def _drawn(split: Split, chance: random.Random) -> list[tuple[int, int]]:
    """All labelled windows as (room, window) in the order in which they are drawn."""
    return _turns(
        [_turns([_shuffled(room, index, label, chance) for index, room in enumerate(split.rooms)]) for label in CLASSES]
    )


def _shuffled(room: RoomStream, index: int, label: int, chance: random.Random) -> list[tuple[int, int]]:
    # random() alone is promised to give the same numbers in every version of Python.
    windows = [(chance.random(), int(window)) for window in np.flatnonzero(room.labels == label)]
    return [(index, window) for _, window in sorted(windows)]


def _turns(queues: Sequence[list[tuple[int, int]]]) -> list[tuple[int, int]]:
    return [item for turn in zip_longest(*queues) for item in turn if item is not None]


def label_count(split: Split) -> int:
    return sum(int(np.sum(room.labels != UNLABELLED)) for room in split.rooms)
