"""Turns of tasks: what a task does between two waits for its next work, which ends in its own time or not at all.

A task that waits for work may wait for ever; one that is at work says so with `turn`, and how long that may take from
one step to the next. Whatever it has done makes a `step`, such as each use of the store, so that much to do is no hang.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

# As long as a turn may go without a step, in seconds: it learns a room meanwhile, waits for others of its kind, or for
# a file. A store that is slow is none of it, since nobody is looked at before that has answered.
PATIENCE_S = 120.0

# As long as work may take that makes no steps here: retraining, which a process of its own does, days of all nodes at
# once, or writing a store anew.
LONG_S = 3600.0


@dataclass(eq=False)
class Turn:
    """A turn under way: who is at it, how long it may go without a step (seconds), and when it made its last one
    (monotonic seconds), or began. `within` is the turn that it is a part of.

    In `exclusive` ones others have to wait, who are not late by that.
    """

    task: str
    patience_s: float
    exclusive: bool = False
    within: "Turn | None" = None
    moved_s: float = field(default_factory=time.monotonic)

    def still_s(self, now_s: float) -> float:
        """For how long it has made no step."""
        return now_s - max(self.moved_s, float("-inf") if self.exclusive else _last_exclusive_s)


_under_way: set[Turn] = set()
_last_exclusive_s = float("-inf")

# Also of tasks that are begun in a turn.
_present: ContextVar[Turn | None] = ContextVar("_present", default=None)


@contextmanager
def turn(patience_s: float = PATIENCE_S, *, exclusive: bool = False) -> Iterator[None]:
    """The task that runs is at work until this is left. Only in an event loop."""
    global _last_exclusive_s  # noqa: PLW0603 (what runs in a process is a matter of the process, as its log is)
    task = asyncio.current_task()
    begun = Turn(task.get_name() if task is not None else "main", patience_s, exclusive, _present.get())
    _under_way.add(begun)
    token = _present.set(begun)
    try:
        yield
    finally:
        _present.reset(token)
        _under_way.discard(begun)
        if exclusive:
            _last_exclusive_s = time.monotonic()


def step() -> None:
    """The turn that runs, if one does, goes on."""
    present = _present.get()
    while present is not None:
        present.moved_s = time.monotonic()
        present = present.within


def exclusive_s() -> float:
    """How long the longest exclusive work that is under way may go without a step, in seconds; 0 if there is none."""
    return max((begun.patience_s for begun in _under_way if begun.exclusive), default=0.0)


def late(now_s: float) -> list[Turn]:
    """Turns that go without a step for longer than they may. Others count from the end of exclusive work, for which
    they had to wait."""
    alone = any(begun.exclusive for begun in _under_way)
    counted = [begun for begun in _under_way if begun.exclusive or not alone]
    return [begun for begun in counted if begun.still_s(now_s) > begun.patience_s]
