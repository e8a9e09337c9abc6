"""A server for nodes that speaks the wire format without any of the core's code.

It frames with the package `cobs` and `binascii.crc_hqx`, and speaks protobuf as the daemon does: it answers hello with
the time and acknowledges reports.
"""

import asyncio
import binascii
import struct
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from attune_proto.v1 import node_pb2
from cobs import cobs

from bench.daemon_side import DaemonSide, seeded_psk

# Of a frame: its kind and the node's hint.
HEADER = 5


@dataclass
class Link:
    """One connection: what came over it, and the way back."""

    writer: asyncio.StreamWriter
    sides: dict[bytes, DaemonSide]
    hints: set[bytes] = field(default_factory=set)

    def send(self, hint: bytes, message: node_pb2.DaemonMessage) -> None:
        self.put(self.sides[hint].seal(message))

    def put(self, frame: bytes) -> None:
        checksum = struct.pack("<H", binascii.crc_hqx(frame, 0xFFFF))
        self.writer.write(cobs.encode(frame + checksum) + b"\x00")


@dataclass
class Server:
    """Gateway and daemon in one, for as long as a test needs them."""

    port: int = 0
    acknowledge: bool = True
    links: list[Link] = field(default_factory=list)
    sides: dict[bytes, DaemonSide] = field(default_factory=dict)  # by hint
    hellos: list[node_pb2.Hello] = field(default_factory=list)
    reports: dict[bytes, dict[int, bytes]] = field(default_factory=dict)
    label_acks: list[node_pb2.LabelAck] = field(default_factory=list)
    health: list[node_pb2.Health] = field(default_factory=list)
    presses: list[tuple[bytes, int, int, int]] = field(default_factory=list)  # hint, press, class, tick
    repeated: int = 0
    damaged: int = 0
    heard: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link(writer, self.sides)
        self.links.append(link)
        try:
            while True:
                self.take(link, await reader.readuntil(b"\x00"))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def take(self, link: Link, stream: bytes) -> None:
        body = cobs.decode(stream[:-1])
        frame, checksum = body[:-2], body[-2:]
        if struct.pack("<H", binascii.crc_hqx(frame, 0xFFFF)) != checksum:
            self.damaged += 1
            return
        hint = frame[1:HEADER]
        link.hints.add(hint)
        replies, message = self.sides.setdefault(hint, DaemonSide(seeded_psk)).take(frame)
        for reply in replies:
            link.put(reply)
        if message is not None:
            self.answer(link, hint, message)

    def answer(self, link: Link, hint: bytes, message: node_pb2.NodeMessage) -> None:
        kind = message.WhichOneof("body")
        if kind == "hello":
            self.hellos.append(message.hello)
            tie = node_pb2.Time(echo_tick_ms=message.hello.tick_ms, utc_ms=int(time.time() * 1000))
            link.send(hint, node_pb2.DaemonMessage(time=tie))
        elif kind == "report":
            self.keep(link, hint, message.report)
        elif kind == "label_ack":
            self.label_acks.append(message.label_ack)
        elif kind == "button":
            self.presses.append((hint, message.button.press, message.button.class_index, message.button.tick_ms))
            boot = next(hello.boot for hello in self.hellos if hello.node_id[:4] == hint)
            ack = node_pb2.ButtonAck(boot=boot, press=message.button.press)
            link.send(hint, node_pb2.DaemonMessage(button_ack=ack))
        elif kind == "health":
            self.health.append(message.health)
        self.heard.set()

    def keep(self, link: Link, hint: bytes, report: node_pb2.Report) -> None:
        held = self.reports.setdefault(hint, {})
        self.repeated += report.seq in held
        held[report.seq] = report.SerializeToString()
        if self.acknowledge:
            link.send(hint, node_pb2.DaemonMessage(report_ack=node_pb2.ReportAck(through=contiguous(held))))

    def count(self) -> int:
        return sum(map(len, self.reports.values()))

    async def until(self, done: Callable[[], bool], seconds: float = 10.0) -> None:
        async with asyncio.timeout(seconds):
            while not done():
                self.heard.clear()
                await self.heard.wait()


def contiguous(held: dict[int, bytes]) -> int:
    through = 0
    while through + 1 in held:
        through += 1
    return through


@asynccontextmanager
async def serving(server: Server) -> AsyncIterator[Server]:
    listener = await asyncio.start_server(server.serve, "127.0.0.1", server.port)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for link in server.links:
            link.writer.close()
