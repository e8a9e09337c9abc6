"""What follows from messages but must not hold up the next one: done one after the other, until the disk takes it."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable

from attuned.errors import StoreError
from attuned.gate import Gate

log = logging.getLogger(__name__)

# Wait before an errand is tried again when the disk refuses it, in real seconds.
TROUBLE_S = 1.0

Errand = Callable[[], Awaitable[None]]


class Errands:
    """A queue of errands; `rest_s` is the pause after each, in real seconds, in which others may have the disk.

    Nobody who wants to be alone behind the `gate` comes between an errand.
    """

    def __init__(self, gate: Gate, rest_s: float = 0.0) -> None:
        self._gate = gate
        self._rest_s = rest_s
        self._waiting: deque[tuple[str, Errand]] = deque()
        self._names: set[str] = set()
        self._more = asyncio.Event()

    def __len__(self) -> int:
        """Errands that wait."""
        return len(self._waiting)

    def __contains__(self, name: str) -> bool:
        """Whether an errand waits that was put with this name in `once`."""
        return name in self._names

    def put(self, errand: Errand, once: str = "") -> None:
        """Adds an errand. Of those with the same name in `once`, one serves all that come before it is begun."""
        if once in self._names:
            return
        if once:
            self._names.add(once)
        self._waiting.append((once, errand))
        self._more.set()

    async def run(self) -> None:
        """Does what is to be done, for ever."""
        while True:
            await self.next()
            await asyncio.sleep(self._rest_s)

    async def next(self) -> None:
        """Waits for an errand and does it."""
        while not self._waiting:
            self._more.clear()
            await self._more.wait()
        name, errand = self._waiting.popleft()
        self._names.discard(name)
        trouble = ""
        while True:
            try:
                async with self._gate.shared():
                    return await errand()
            except StoreError as error:
                if not trouble:
                    log.error("%s It is tried again.", error)
                trouble = str(error)
            await asyncio.sleep(TROUBLE_S)
