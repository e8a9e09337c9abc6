"""A man in the middle of real TCP links between nodes and their gateway, on a thread of its own.

Each node dials a port of its own. Until `attack` frames pass as they are; from then on they are what the link's
`Hostile` makes of them, the stream is damaged now and then, and connections end. `relent` makes the links good again:
what was held back is gone with the connections.
"""

import asyncio
import contextlib
import random
import threading
from collections.abc import Sequence

from cobs import cobs
from dialled import stream_of
from hostile import ON_LINKS, Hostile

# Chances for each piece of a stream while a link is hostile.
HANG_UP, GARBAGE = 0.01, 0.02


class HostileLink:
    """The way between one node and the gateway."""

    def __init__(self, seed: int, hint: bytes, seen: list[bytes], gateway_port: int) -> None:
        self._draw = random.Random(seed)
        self._gateway_port = gateway_port
        self._hostile = Hostile(self._draw, hint, ON_LINKS, seen)
        self._open: set[asyncio.StreamWriter] = set()
        self.attacks = False
        self.port = 0
        self.meddled = 0
        """Pieces that did not go on as they came."""

    async def listen(self) -> None:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]

    def hang_up(self) -> None:
        for writer in self._open:
            writer.close()
        self._open.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._gateway_port)
        except OSError:
            writer.close()
            return
        ends = {writer, up_writer}
        self._open |= ends
        await asyncio.gather(self._pump(reader, up_writer), self._pump(up_reader, writer))
        for end in ends:
            end.close()
        self._open -= ends

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            while True:
                piece = await reader.readuntil(b"\0")
                writer.write(self._passed_on(piece))
                await writer.drain()
        writer.close()

    def _passed_on(self, piece: bytes) -> bytes:
        if not self.attacks or len(piece) < 2:
            return piece
        frame = bytes(cobs.decode(piece[:-1]))[:-2]
        sent = b"".join(stream_of(made) for made in self._hostile([frame], self._draw))
        if self._draw.random() < GARBAGE:
            sent = self._draw.randbytes(self._draw.randrange(1, 300)) + sent[self._draw.randrange(5) :]
        if self._draw.random() < HANG_UP:
            self.hang_up()
        self.meddled += sent != piece
        return sent


class HostileLinks:
    """Links of several nodes that share what they have seen. Use as a context."""

    def __init__(self, seeds: Sequence[int], nodes: Sequence[str], seen: list[bytes], gateway_port: int) -> None:
        pairs = zip(seeds, nodes, strict=True)
        self.links = [HostileLink(seed, bytes.fromhex(node)[:4], seen, gateway_port) for seed, node in pairs]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="hostile links", daemon=True)

    def __enter__(self) -> "HostileLinks":
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        self.hang_up()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def attack(self, links: Sequence[HostileLink]) -> None:
        for link in links:
            link.attacks = True

    def relent(self) -> None:
        for link in self.links:
            link.attacks = False
        self.hang_up()

    def hang_up(self) -> None:
        """Every connection ends; nodes dial again."""
        asyncio.run_coroutine_threadsafe(self._hang_up(), self._loop).result(10)

    async def _hang_up(self) -> None:
        for link in self.links:
            link.hang_up()

    async def _listen(self) -> None:
        await asyncio.gather(*(link.listen() for link in self.links))
