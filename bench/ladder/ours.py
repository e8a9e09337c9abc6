"""Attune's own rows, through the replay that everybody can run."""

import time
from dataclasses import replace

from attuned.learning.replay.core import CoreCode
from attuned.learning.replay.run import Options, run
from attuned.learning.replay.scores import Beliefs
from attuned.learning.replay.spec import load_spec

from bench.ladder.rows import Row

DEFAULT = "Attune"
HEADS = tuple(CoreCode.heads)

Rooms = dict[tuple[str, str], Beliefs]


def head_of(who: str) -> str | None:
    """The head that a name asks for; None for the default configuration."""
    return None if who == DEFAULT else who


def options(row: Row, head: str | None, seed: int) -> Options:
    """A row's condition; everything that it does not name, the head without one, is the default of this version."""
    asked = Options(train_days=row.train_days, labels=row.labels, drop=row.drop, seed=seed, clock=row.clock)
    if row.late_h is not None:
        asked = replace(asked, mode="online", late_h=row.late_h)
    return asked if head is None else replace(asked, head=head)


def attune(row: Row, head: str | None, seed: int) -> Rooms:
    """What was said by (split, room), with one head or with the default configuration."""
    spec = load_spec(row.path)
    result = run(spec, row.path, options(row, head, seed), CoreCode(), clock=time.perf_counter)
    return {(split, room): said for split, one in result.splits.items() for room, said in one.beliefs.items()}
