"""Somebody who looks on: which rooms have changed since the last look."""

import asyncio
from collections.abc import Iterable


class Watcher:
    """Remembers rooms, however many notices come before the next look."""

    def __init__(self) -> None:
        self._rooms: set[str] = set()
        self._noted = asyncio.Event()

    def note(self, rooms: Iterable[str]) -> None:
        """These rooms have changed."""
        self._rooms.update(rooms)
        self._noted.set()

    async def changed(self) -> frozenset[str]:
        """Waits for a notice; the rooms noted since the last call."""
        await self._noted.wait()
        self._noted.clear()
        rooms, self._rooms = frozenset(self._rooms), set()
        return rooms
