"""Turns of tasks: what a task does between two waits for its next work, which ends in its own time or not at all.

A task that waits for work may wait for ever; one that is at work says so with `turn`, and how long that may take.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

# As long as a turn may take that waits for no more than the disk and for others of its kind, in seconds.
PATIENCE_S = 300.0

# As long as work may take that grows with the site or is somebody else's: retraining, days that were missed.
LONG_S = 3600.0


@dataclass(frozen=True, eq=False)
class Turn:
    """A turn under way: who is at it, since when (monotonic seconds), and how long it may take (seconds).

    In `exclusive` ones others have to wait, who are not late by that.
    """

    task: str
    since_s: float
    patience_s: float
    exclusive: bool = False

    def age_s(self, now_s: float) -> float:
        return now_s - self.since_s


_under_way: set[Turn] = set()
_last_exclusive_s = float("-inf")


@contextmanager
def turn(patience_s: float = PATIENCE_S, *, exclusive: bool = False) -> Iterator[None]:
    """The task that runs is at work until this is left. Only in an event loop."""
    global _last_exclusive_s  # noqa: PLW0603 (what runs in a process is a matter of the process, as its log is)
    task = asyncio.current_task()
    begun = Turn(task.get_name() if task is not None else "main", time.monotonic(), patience_s, exclusive)
    _under_way.add(begun)
    try:
        yield
    finally:
        _under_way.discard(begun)
        if exclusive:
            _last_exclusive_s = time.monotonic()


def exclusive_s() -> float:
    """How long the longest exclusive work that is under way may take in all, in seconds; 0 if there is none."""
    return max((begun.patience_s for begun in _under_way if begun.exclusive), default=0.0)


def late(now_s: float) -> list[Turn]:
    """Turns that take longer than they may. Others count from the end of exclusive work, for which they had to wait."""
    if any(begun.exclusive for begun in _under_way):
        return [begun for begun in _under_way if begun.exclusive and begun.age_s(now_s) > begun.patience_s]
    return [begun for begun in _under_way if now_s - max(begun.since_s, _last_exclusive_s) > begun.patience_s]
