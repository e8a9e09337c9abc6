"""An event loop whose time passes only while it waits: what its process computes takes none on any machine.

What other threads do (the disk, gRPC) has the time that the loop gives it before its clock goes on to the next timer.
"""

import asyncio
import selectors
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

# Threads of this process are heard in less.
_GRACE_S = 0.001


class _Waiting(selectors.DefaultSelector):
    """waited_s: what a clock would say that stands still while there is something to do."""

    waited_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        began_s = time.monotonic()
        found = super().select(min(timeout, _GRACE_S))
        self.waited_s += min(time.monotonic() - began_s, timeout) if found else timeout
        return found


class IdleLoop(asyncio.SelectorEventLoop):
    """time() is in seconds since its making."""

    def __init__(self) -> None:
        self._waiting = _Waiting()
        super().__init__(self._waiting)

    def time(self) -> float:
        return self._waiting.waited_s


def run(work: Coroutine[Any, Any, T]) -> T:
    """As asyncio.run, in such a loop."""
    with asyncio.Runner(loop_factory=IdleLoop) as runner:
        return runner.run(work)
