"""What a default may be chosen by: cross-validation over days inside train splits, with no look at a test split.

Each row's train split is streamed whole, with the labels of four of five parts of its days; the days left out are
judged. Rows with few labels draw them from those four parts.
"""

import time
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from attuned.learning.replay.core import CoreCode
from attuned.learning.replay.labels import draw
from attuned.learning.replay.recording import UNLABELLED
from attuned.learning.replay.run import Effort, Replay
from attuned.learning.replay.scores import Beliefs, Scores, score
from attuned.learning.replay.spec import TRAIN
from attuned.learning.replay.streams import RoomStream, Split

from bench.ladder.choice import folds
from bench.ladder.days import local_days
from bench.ladder.inputs import splits
from bench.ladder.ours import options
from bench.ladder.rows import Row


def crossed(row: Row, head: str | None) -> Scores:
    """Figures of all train windows, each judged by a node without a label of its fold; rooms and seeds pooled."""
    window_s = splits(row)[0].window_s
    return score([part for seed in row.seeds for part in held_out(row, head, seed)], window_s)


def held_out(row: Row, head: str | None, seed: int) -> list[Beliefs]:
    """What was said of each room in each fold."""
    spec, found = splits(row)
    train, asked = found[TRAIN], options(row, head, seed)
    fold = {room.room: _folds(room, local_days(room.ends_s, spec.window_s, spec.zone)) for room in train.rooms}
    said: list[Beliefs] = []
    for number in sorted({int(one) for room in fold.values() for one in np.unique(room) if one >= 0}):
        taught = _masked(train, {room: one != number for room, one in fold.items()})
        if row.labels is not None:
            taught = draw(taught, row.labels, seed)
        replay = Replay(CoreCode(), spec, asked.head, Effort(time.perf_counter))
        replay.learn(taught)
        said += replay.judge(_masked(train, {room: one == number for room, one in fold.items()}), "frozen").values()
    return said


def _folds(room: RoomStream, days: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The fold of each window [n]; -1 without a label."""
    known = room.labels != UNLABELLED
    fold = np.full(len(days), -1, dtype=np.int64)
    fold[known] = folds(days[known])
    return fold


def _masked(split: Split, kept: dict[str, npt.NDArray[np.bool_]]) -> Split:
    """The split with the labels of these windows only."""
    rooms = tuple(
        replace(room, labels=np.where(kept[room.room], room.labels, UNLABELLED).astype(np.int8)) for room in split.rooms
    )
    return Split(split.name, rooms)
