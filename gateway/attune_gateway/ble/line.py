"""A line over a connection with one node: frames in parts."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from attune_gateway.ble.central import ATT_HEADER, Connection, NodeFailedError
from attune_gateway.ble.nearby import smoothed
from attune_gateway.ble.parts import PartCutter, PartJoiner
from attune_gateway.framing import FRAME_MIN, is_frame
from attune_gateway.link import Link
from attune_gateway.links import Links

# What may wait for a node: it answers whatever is larger before more is sent, so that this is a node that hangs.
WAITING_BYTES = 16 * 1024

# Notifications cannot be held back. What comes while the daemon takes nothing waits here: a node has some twenty frames
# without an answer at most. The connection of one that sends more is given up, and the node keeps what it has.
HELD_FRAMES = 64

_RSSI_EVERY_S = 10.0


class BleLine:
    """Begins before its connection, which may have something to say at once.

    active(good): a frame went to the node (False) or a good one came (True).
    """

    def __init__(self, links: Links, hint: bytes, active: Callable[[bool], None]) -> None:
        self._links = links
        self._hint = hint
        self._active = active
        self._joiner = PartJoiner()
        self._held: deque[bytes] = deque()
        self._reads = True
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._wake = asyncio.Event()
        self._closing = asyncio.Event()
        self._link: Link | None = None

    def notified(self, part: bytes) -> None:
        """A part has come from the node."""
        if self._closing.is_set() or (frame := self._joiner.feed(part)) is None:
            return
        if len(frame) < FRAME_MIN:
            self._joiner.counts.truncated += 1
            return
        self._joiner.counts.good += 1
        self._held.append(frame)
        self._active(True)
        if len(self._held) > HELD_FRAMES:
            self.close()
        self._pass_on()

    async def run(self, connection: Connection, peer: str, rssi_dbm: float) -> None:
        """Is a link until the connection or the line is closed; leaves the connection to the caller."""
        mtu = connection.mtu - ATT_HEADER - 1
        link = self._links.up(self, self._joiner.counts, "ble", peer, hint=self._hint, mtu=mtu)
        link.rssi_dbm = round(rssi_dbm)
        self._link = link
        self._pass_on()
        ends: list[asyncio.Future[Any]] = [
            asyncio.create_task(self._write(connection, PartCutter(mtu + 1)), name=f"ble writer {link.number}"),
            asyncio.create_task(self._measure(connection, link, rssi_dbm), name=f"ble signal {link.number}"),
            asyncio.create_task(self._closing.wait(), name=f"ble line {link.number}"),
        ]
        try:
            await asyncio.wait([*ends, connection.closed], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._closing.set()
            for task in ends:
                task.cancel()
            self._joiner.end()
            self._links.down(link)

    def send(self, frames: list[bytes]) -> int:
        taken = 0
        for frame in frames:
            if is_frame(frame) and self._waiting_bytes + len(frame) <= WAITING_BYTES:
                self._waiting.append(frame)
                self._waiting_bytes += len(frame)
                taken += 1
        self._wake.set()
        return len(frames) - taken

    def pause(self) -> None:
        self._reads = False

    def resume(self) -> None:
        self._reads = True
        self._pass_on()

    def close(self) -> None:
        self._closing.set()

    def _pass_on(self) -> None:
        if self._link is not None and self._reads and self._held and not self._closing.is_set():
            frames = list(self._held)
            self._held.clear()
            self._links.received(self._link, frames)

    async def _write(self, connection: Connection, cutter: PartCutter) -> None:
        """Ends when the node takes nothing any more."""
        while True:
            while not self._waiting:
                self._wake.clear()
                await self._wake.wait()
            frame = self._waiting.popleft()
            try:
                for part in cutter.cut(frame):
                    await connection.write(part)
            except NodeFailedError:
                return
            self._waiting_bytes -= len(frame)
            self._active(False)

    async def _measure(self, connection: Connection, link: Link, rssi_dbm: float) -> None:
        while True:
            await asyncio.sleep(_RSSI_EVERY_S)
            if (now_dbm := await connection.rssi_dbm()) is not None:
                rssi_dbm = smoothed(rssi_dbm, now_dbm)
                link.rssi_dbm = round(rssi_dbm)
