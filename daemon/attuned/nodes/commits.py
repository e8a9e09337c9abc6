"""From arrival to disk to acknowledgement: windows wait here until they are committed, and only then are answered.

What changes a room is committed at once, and so are nodes that wait for acknowledgements; the rest may wait a little,
so that one commit serves many.
"""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Coroutine, Sequence
from typing import Protocol

from attune_service.journal import STORE_ACCEPTS, STORE_REFUSES, about

from attuned.clock import Clock
from attuned.errors import StoreError
from attuned.nodes.conversation import Conversation
from attuned.nodes.window import Window

log = logging.getLogger(__name__)

# Longest wait of a window for company, in seconds of the daemon's clock; a node asks again after 15.
PATIENCE_S = 10.0

# Windows that are enough company.
ENOUGH_WINDOWS = 256

# Shortest time between two commits in real seconds: each costs whole pages of the log.
REST_S = 0.1

# Wait before the next try when the disk does not take a commit.
TROUBLE_S = 1.0

# Commits and publications whose delay is remembered.
DELAYS = 2048


class Sink(Protocol):
    """Where windows go. `write` returns once they are on the disk, with what has to happen because of them."""

    async def write(self, windows: Sequence[Window]) -> None: ...
    def acknowledge(self, conversations: Sequence[Conversation], windows: Sequence[Window]) -> None: ...


class Commits:
    """The queue in front of the store."""

    def __init__(self, clock: Clock, sink: Sink) -> None:
        self._clock = clock
        self._sink = sink
        self._waiting: list[tuple[Conversation, Window, float]] = []
        self._under_way: list[tuple[Conversation, Window, float]] = []
        self._arrived = asyncio.Event()
        self._urgent = asyncio.Event()
        self._flushes: list[asyncio.Future[None]] = []
        self._last = 0.0
        self.trouble = ""
        self.delays_s: deque[float] = deque(maxlen=DELAYS)

    def add(self, conversation: Conversation, window: Window, *, urgent: bool) -> None:
        self._waiting.append((conversation, window, time.monotonic()))
        self._arrived.set()
        if urgent or len(self._waiting) >= ENOUGH_WINDOWS:
            self._urgent.set()

    @property
    def waiting(self) -> list[Window]:
        """Windows that have arrived and are not known to be on the disk, in order of arrival."""
        return [window for _, window, _ in self._under_way + self._waiting]

    def hurry(self) -> None:
        """Something besides windows has to be written or said."""
        self._arrived.set()
        self._urgent.set()

    async def flush(self) -> None:
        """Commits what has arrived so far; returns when it is on the disk or the disk has refused it."""
        flushed = asyncio.get_running_loop().create_future()
        self._flushes.append(flushed)
        self.hurry()
        await flushed

    async def run(self) -> None:
        """Commits for ever; on cancellation the commit under way is ended, and what waits is committed once more."""
        try:
            while True:
                await self._arrived.wait()
                await self._linger()
                done = await self._wholly(self._commit())
                if not done:
                    await asyncio.sleep(TROUBLE_S)
        except asyncio.CancelledError:
            await self._wholly(self._commit())
            raise

    async def _wholly(self, commit: Coroutine[None, None, bool]) -> bool:
        """A commit that is cancelled half-way might be on the disk, and would be there twice if it were tried again."""
        under_way = asyncio.create_task(commit, name="commit")
        try:
            return await asyncio.shield(under_way)
        except asyncio.CancelledError:
            await under_way
            raise

    async def _linger(self) -> None:
        # Not wait_for: in Python 3.11 it loses a cancellation that comes as the event does.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S / self._clock.rate):
                await self._urgent.wait()
        rest = self._last + REST_S - time.monotonic()
        if rest > 0:
            await asyncio.sleep(rest)

    async def _commit(self) -> bool:
        """Commits what waits; False if the disk refuses it."""
        taken, self._waiting = self._waiting, []
        self._under_way = taken
        flushes, self._flushes = self._flushes, []
        self._arrived.clear()
        self._urgent.clear()
        self._last = time.monotonic()
        try:
            await self._sink.write([window for _, window, _ in taken])
        except StoreError as error:
            self._endure(error, taken)
            return False
        else:
            self._settle(taken)
            return True
        finally:
            self._under_way = []
            for flushed in flushes:
                if not flushed.done():
                    flushed.set_result(None)

    def _endure(self, error: StoreError, taken: list[tuple[Conversation, Window, float]]) -> None:
        """Nothing is acknowledged, so nothing is lost; the windows wait for room on the disk."""
        if not self.trouble:
            log.error("%s Nothing is acknowledged until then.", error, extra=about(message=STORE_REFUSES))
        self.trouble = str(error)
        self._waiting = taken + self._waiting
        self.hurry()

    def _settle(self, taken: list[tuple[Conversation, Window, float]]) -> None:
        if self.trouble:
            log.info("The store takes commits again.", extra=about(message=STORE_ACCEPTS))
            self.trouble = ""
        now = time.monotonic()
        self.delays_s.extend(now - arrived for _, _, arrived in taken)
        for conversation, window, _ in taken:
            conversation.committed(window)
        conversations = list({id(conversation): conversation for conversation, _, _ in taken}.values())
        self._sink.acknowledge(conversations, [window for _, window, _ in taken])
