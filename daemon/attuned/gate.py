"""A gate between many who work on what the store holds, and one who must be alone with it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attune_service import turns


class Gate:
    """Any number may be inside at a time, or one alone; who wants to be alone lets nobody else in while he waits.

    Each is at a turn while he is inside, and not while he waits.
    """

    def __init__(self) -> None:
        self._inside = 0
        self._changed = asyncio.Condition()
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def shared(self, patience_s: float = turns.PATIENCE_S) -> AsyncIterator[None]:
        """Works beside others, for so long in real seconds."""
        async with self._turn:
            self._inside += 1
        try:
            with turns.turn(patience_s):
                yield
        finally:
            self._inside -= 1
            async with self._changed:
                self._changed.notify_all()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Works when everybody else is done."""
        async with self._turn:
            async with self._changed:
                await self._changed.wait_for(lambda: not self._inside)
            with turns.turn(turns.LONG_S, exclusive=True):
                yield
