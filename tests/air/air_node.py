"""A node of the core, in this process, on the air: for tests of gateways and of BlueZ, and for benchmarks."""

import asyncio
import base64
import hashlib
import itertools
import os
from collections.abc import Callable

from air import Ether
from air_peripheral import AirPeripheral
from attune_core import Node, PartDecoder, part_encode

_HINT = slice(1, 5)
_NODE_FRAME = 640
_POLL_S = 0.05

_serial = itertools.count(1)


def advertising_key(hint: bytes, bits: bytes) -> bytes:
    """As docs/protocol.md says, by hashlib."""
    return hashlib.blake2b(b"attune-advertising-1" + hint + bits, digest_size=32).digest()


def advertised_hint(key: bytes, drawn: bytes) -> bytes:
    """What a node with that key advertises when it has drawn three bytes."""
    return drawn + hashlib.blake2b(drawn, key=key, digest_size=32).digest()[:5]


def static_address() -> str:
    """A random static device address of its own."""
    number = next(_serial)
    return f"F0:00:00:00:{number >> 8:02X}:{number & 0xFF:02X}"


class AirNode:
    """Carries a node of the binding by parts, with hints of zeros. now_ms: the node's ticks.

    While a central listens the node is polled 20 times a second; else it only advertises.
    """

    def __init__(
        self,
        ether: Ether,
        node: Node,
        now_ms: Callable[[], int],
        *,
        address: str = "",
        interval_ms: float = 100.0,
    ) -> None:
        code = base64.b32decode(node.code.replace("-", "")[:32])
        self.node = node
        self.node_hint = code[:4]
        self.key = advertising_key(self.node_hint, code[4:20])
        self.frames: list[bytes] = []
        """Sent, as they went over the air."""
        self._now_ms = now_ms
        hint = advertised_hint(self.key, os.urandom(3))
        self.peripheral = AirPeripheral(ether, hint, address or static_address(), interval_ms=interval_ms)
        self.peripheral.subscribed = self._begin
        self.peripheral.written = self._take
        self.peripheral.left = self._end
        self._decoder = PartDecoder(_NODE_FRAME)
        self._task: asyncio.Task[None] | None = None

    @property
    def hint(self) -> bytes:
        """The advertised one."""
        return self.peripheral.hint

    async def start(self) -> None:
        await self.peripheral.start()

    async def change_hint(self) -> None:
        """Draws another one, as a node does every four hours."""
        await self.peripheral.advertise(advertised_hint(self.key, os.urandom(3)))

    def stop(self) -> None:
        """Is gone from the air."""
        self._end()
        self.peripheral.stop()

    def _begin(self) -> None:
        self._end()
        self._decoder = PartDecoder(_NODE_FRAME)
        self.node.poll(self._now_ms())
        self.node.link(True)
        self._task = asyncio.get_running_loop().create_task(self._carry(), name="air node")

    def _end(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None
            self.node.link(False)

    def _take(self, part: bytes) -> None:
        frame = self._decoder.take(part)
        if frame is not None:
            assert frame[_HINT] == bytes(4), "a frame over Bluetooth names its node"
            self.node.receive(frame[:1] + self.node_hint + frame[5:])

    async def _carry(self) -> None:
        number = 0
        while True:
            self.node.poll(self._now_ms())
            for sealed in self.node.frames():
                frame = sealed[:1] + bytes(4) + sealed[5:]
                self.frames.append(frame)
                for part in part_encode(frame, self.peripheral.part_size, number % 64):
                    number += 1
                    await self.peripheral.notify(part)
            await asyncio.sleep(_POLL_S)
