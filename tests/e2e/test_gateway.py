"""The gateway between real sockets and a daemon that writes down what it gets."""

import asyncio
import contextlib
import itertools
import os
import random
import tty
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import psutil
import pytest
from attune_gateway.config import Settings
from attune_gateway.framing import StreamDecoder, encode
from attune_gateway.main import run
from attune_proto.v1.link_pb2 import DaemonBatch, Frame, GatewayBatch, GatewayHello, LinkStats, LinkUp
from attune_proto.v1.link_pb2_grpc import NodeLinkServicer, add_NodeLinkServicer_to_server
from attuned.demo.ports import free_port

HINT = b"\x01node"


class FakeDaemon(NodeLinkServicer):
    """Serves `target`; keeps what the present stream said and, over all streams, every frame."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.reading = asyncio.Event()
        self.reading.set()
        self.frames: list[bytes] = []
        self.hellos: list[GatewayHello] = []
        self.up: dict[int, LinkUp] = {}
        self.down: set[int] = set()
        self.stats: dict[int, LinkStats] = {}
        self.frames_of: dict[int, list[bytes]] = {}
        self._context: Any = None

    async def start(self) -> None:
        self._server = grpc.aio.server()
        add_NodeLinkServicer_to_server(self, self._server)
        self._server.add_insecure_port(self.target)
        await self._server.start()

    async def stop(self) -> None:
        await self._server.stop(grace=None)

    async def Attach(self, request_iterator: Any, context: Any) -> None:  # type: ignore[override] # noqa: N802
        self._context = context
        self.up, self.down, self.stats, self.frames_of = {}, set(), {}, {}
        first = await context.read()
        assert first.HasField("hello")
        self.hellos.append(first.hello)
        self.note(first)
        while (batch := await context.read()) is not grpc.aio.EOF:
            self.note(batch)
            await self.reading.wait()

    def note(self, batch: GatewayBatch) -> None:
        for link in batch.links_up:
            assert link.link not in self.up, "announced twice in one stream"
            self.up[link.link] = link
        for frame in batch.frames:
            assert frame.link in self.up, "frame of a link that was not announced"
            assert frame.link not in self.down, "frame of a link that is down"
            self.frames_of.setdefault(frame.link, []).append(frame.data)
            self.frames.append(frame.data)
        self.stats |= {stats.link: stats for stats in batch.stats}
        assert set(batch.links_down) <= set(self.up)
        self.down |= set(batch.links_down)

    async def send(self, frames: list[Frame]) -> None:
        await self._context.write(DaemonBatch(frames=frames))


class Node:
    """A TCP client that speaks frames."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.decoder = StreamDecoder()
        self.received: list[bytes] = []

    async def say(self, *frames: bytes) -> None:
        self.writer.write(b"".join(map(encode, frames)))
        await self.writer.drain()

    async def hear(self, count: int) -> list[bytes]:
        async with asyncio.timeout(10):
            while len(self.received) < count:
                data = await self.reader.read(65536)
                assert data, "the gateway closed the connection"
                self.received += self.decoder.feed(data)
        return self.received

    async def hears_the_end(self) -> bool:
        async with asyncio.timeout(10):
            return await self.reader.read(1) == b""


async def eventually(condition: Callable[[], bool], within_s: float = 10.0) -> None:
    async with asyncio.timeout(within_s):
        while True:
            if condition():
                return
            await asyncio.sleep(0.005)


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[FakeDaemon]:
    fake = FakeDaemon(f"unix:{tmp_path}/gateway.sock")
    await fake.start()
    yield fake
    await fake.stop()


@contextlib.asynccontextmanager
async def gateway(daemon: FakeDaemon, port: int = 0, **more: Any) -> AsyncIterator[Callable[[], Awaitable[Node]]]:
    """Runs a gateway in this process; yields what connects a node to it. Afterwards nothing of it may be left."""
    port = port or free_port()
    tcp = {"listen": [f"127.0.0.1:{port}"]} | more.pop("tcp", {})
    tasks_before = asyncio.all_tasks()
    task = asyncio.create_task(run(Settings.model_validate({"name": "g", "daemon": daemon.target, "tcp": tcp} | more)))
    nodes: list[Node] = []

    async def connect() -> Node:
        async with asyncio.timeout(10):
            while True:
                with contextlib.suppress(ConnectionRefusedError):
                    nodes.append(Node(*await asyncio.open_connection("127.0.0.1", port)))
                    return nodes[-1]
                await asyncio.sleep(0.01)

    (await connect()).writer.close()
    hellos = len(daemon.hellos)
    yield connect
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        async with asyncio.timeout(1):
            await task
    assert hellos <= len(daemon.hellos)
    sockets = [c for c in psutil.Process().net_connections("tcp") if c.laddr.port == port and c.status != "TIME_WAIT"]
    assert not [c for c in sockets if c.status in ("LISTEN", "ESTABLISHED")]
    for node in nodes:
        node.writer.close()
    left = {task.get_name() for task in asyncio.all_tasks() - tasks_before}
    assert not {name for name in left if name.startswith(("uplink", "watch", "serial"))}


def link_of(daemon: FakeDaemon, frame: bytes) -> int:
    return next((link for link, frames in daemon.frames_of.items() if frame in frames), 0)


def serial_links(daemon: FakeDaemon) -> list[int]:
    return [link for link, up in daemon.up.items() if up.transport == "serial" and link not in daemon.down]


async def test_frames_both_ways(daemon: FakeDaemon) -> None:
    async with gateway(daemon) as connect:
        first, second = await connect(), await connect()
        await first.say(HINT + b"one", HINT + b"two")
        await second.say(HINT + b"three")
        await eventually(lambda: len(daemon.frames) == 3)
        links = [link_of(daemon, HINT + word) for word in (b"one", b"two", b"three")]
        assert links[0] == links[1] != links[2]
        assert daemon.hellos[0].name == "g"
        assert daemon.hellos[0].version
        peer = "{}:{}".format(*first.writer.get_extra_info("sockname"))
        assert daemon.up[links[0]] == LinkUp(link=links[0], transport="tcp", peer=peer)
        answers = [Frame(link=links[2], data=b"\0" * 1024), Frame(link=links[0], data=b"\xff" * 5)]
        await daemon.send([*answers, Frame(link=9999, data=b"nobody"), Frame(link=links[0], data=HINT)])
        assert await second.hear(1) == [b"\0" * 1024]
        assert await first.hear(2) == [b"\xff" * 5, HINT]


async def test_link_down_is_announced_with_its_last_totals(daemon: FakeDaemon) -> None:
    async with gateway(daemon) as connect:
        node = await connect()
        await node.say(HINT)
        await eventually(lambda: bool(daemon.frames))
        link = link_of(daemon, HINT)
        node.writer.write(encode(HINT)[:4])
        node.writer.close()
        await eventually(lambda: link in daemon.down)
        assert daemon.stats[link] == LinkStats(link=link, frames=1, damaged=1)


async def test_hostile_bytes_are_counted_and_hurt_nobody(daemon: FakeDaemon) -> None:
    good = encode(HINT + b"good")
    damaged = [good[:-2] + bytes([good[-2] ^ 1]) + b"\0"] * 3 + [good[:3] + b"\0"] * 2
    async with gateway(daemon) as connect:
        bad, noisy, well = await connect(), await connect(), await connect()
        bad.writer.write(b"".join(damaged) + b"\x11" * 5000 + b"\0\0\0" + good)
        noise = random.Random(5)
        noisy.writer.write(noise.randbytes(300_000))
        await well.say(*[HINT + b"%d" % number for number in range(100)])
        await eventually(lambda: link_of(daemon, HINT + b"99") > 0 and link_of(daemon, HINT + b"good") > 0)
        expected = LinkStats(link=link_of(daemon, HINT + b"good"), frames=1, damaged=5, oversized=1)
        await eventually(lambda: daemon.stats.get(expected.link) == expected)
        assert len(daemon.frames_of[link_of(daemon, HINT + b"99")]) == 100


async def test_two_hundred_links(daemon: FakeDaemon) -> None:
    async with gateway(daemon) as connect:
        nodes = [await connect() for _ in range(200)]
        for number, round_ in itertools.product(range(200), range(5)):
            await nodes[number].say(HINT + b"%d/%d" % (number, round_))
        await eventually(lambda: len(daemon.frames) == 1000)
        links = [link_of(daemon, HINT + b"%d/0" % number) for number in range(200)]
        assert len(set(links)) == 200
        for number, link in enumerate(links):
            assert daemon.frames_of[link] == [HINT + b"%d/%d" % (number, round_) for round_ in range(5)]
        await daemon.send([Frame(link=link, data=HINT + b"%d" % number) for number, link in enumerate(links)])
        for number, node in enumerate(nodes):
            assert await node.hear(1) == [HINT + b"%d" % number]
        for node in nodes[::2]:
            node.writer.close()
        await eventually(lambda: set(links[::2]) <= daemon.down)
        assert not daemon.down & set(links[1::2])


async def test_too_many_connections(daemon: FakeDaemon, caplog: pytest.LogCaptureFixture) -> None:
    async with gateway(daemon, tcp={"max_connections": 2}) as connect:
        await eventually(lambda: len(daemon.down) == len(daemon.up))
        first, second = await connect(), await connect()
        await second.say(HINT)
        await eventually(lambda: bool(daemon.frames))
        assert await (await connect()).hears_the_end()
        assert "Refused a connection: 2 are open; raise tcp.max_connections" in caplog.text
        first.writer.close()
        await eventually(lambda: len(daemon.down) == len(daemon.up) - 1)
        third = await connect()
        await third.say(HINT + b"third")
        await eventually(lambda: len(daemon.frames) == 2)


async def test_dead_connections_make_room_while_links_are_held_back(daemon: FakeDaemon) -> None:
    await daemon.stop()
    async with gateway(daemon, tcp={"max_connections": 3}) as connect:
        flood = await connect()
        # More than the queue and the kernel's buffers hold, so that the gateway stops reading.
        flood.writer.write(encode(bytes(1024)) * 4096)
        await asyncio.sleep(0.2)
        for _ in range(2):
            node = await connect()
            await node.say(HINT + b"gone")
            node.writer.close()
        assert await (await connect()).hears_the_end()
        back = await connect()
        await back.say(HINT + b"back")
        await daemon.start()
        await eventually(lambda: HINT + b"back" in daemon.frames)


async def test_slow_link_loses_what_it_does_not_take(daemon: FakeDaemon) -> None:
    async with gateway(daemon) as connect:
        slow, quick = await connect(), await connect()
        slow.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await slow.say(HINT + b"slow")
        await quick.say(HINT + b"quick")
        await eventually(lambda: len(daemon.frames) == 2)
        link, other = (link_of(daemon, HINT + word) for word in (b"slow", b"quick"))
        total = 8000
        for start in range(0, total, 100):
            frames = [Frame(link=link, data=b"%05d" % number * 200) for number in range(start, start + 100)]
            await daemon.send([*frames, Frame(link=other, data=HINT)])
        await quick.hear(total // 100)
        await eventually(lambda: link in daemon.stats and daemon.stats[link].unsendable > 0)
        await asyncio.sleep(1.1)
        lost = daemon.stats[link].unsendable
        assert 0 < lost < total
        slow.writer.transport.resume_reading()  # type: ignore[attr-defined]
        received = await slow.hear(total - lost)
        assert received == sorted(received)
        assert len(received) == total - lost
        assert daemon.stats[other].unsendable == 0


async def test_frame_of_wrong_size_is_unsendable(daemon: FakeDaemon) -> None:
    async with gateway(daemon) as connect:
        node = await connect()
        await node.say(HINT)
        await eventually(lambda: bool(daemon.frames))
        link = link_of(daemon, HINT)
        await daemon.send([Frame(link=link, data=data) for data in (b"tiny", bytes(1025), HINT)])
        assert await node.hear(1) == [HINT]
        await eventually(lambda: link in daemon.stats and daemon.stats[link].unsendable == 2)


async def test_daemon_that_stops_reading_holds_the_senders(daemon: FakeDaemon) -> None:
    total = 24_000
    async with gateway(daemon) as connect:
        node = await connect()
        node.writer.transport.set_write_buffer_limits(0)
        await node.say(HINT)
        await eventually(lambda: bool(daemon.frames))
        daemon.reading.clear()
        before = psutil.Process().memory_info().rss
        said = 0

        async def talk() -> None:
            nonlocal said
            for said in range(1, total + 1):
                await node.say(HINT + b"%08d" % said * 120)

        talking = asyncio.create_task(talk())
        last = -1
        while last != said:
            last = said
            await asyncio.sleep(0.5)
        # 24 MB are to be sent; the queue (1 MB), gRPC and the kernel hold a part, the rest waits in the sender.
        assert said < total / 2
        assert psutil.Process().memory_info().rss - before < 24e6
        daemon.reading.set()
        async with asyncio.timeout(30):
            await talking
        await eventually(lambda: len(daemon.frames) == total + 1, 30)
        assert daemon.frames[1:] == [HINT + b"%08d" % number * 120 for number in range(1, total + 1)]


async def test_daemon_comes_back(daemon: FakeDaemon, caplog: pytest.LogCaptureFixture) -> None:
    async with gateway(daemon) as connect:
        stays, leaves = await connect(), await connect()
        await stays.say(HINT + b"stays")
        await leaves.say(HINT + b"leaves")
        await eventually(lambda: len(daemon.frames) == 2)
        links = {word: link_of(daemon, HINT + word) for word in (b"stays", b"leaves")}
        await daemon.stop()
        # What is under way when the stream breaks may be lost, and its node sends it again.
        await eventually(lambda: f"The daemon at {daemon.target}" in caplog.text)
        leaves.writer.close()
        await stays.say(HINT + b"meanwhile")
        await asyncio.sleep(0.3)
        await daemon.start()
        await eventually(lambda: len(daemon.hellos) == 2 and HINT + b"meanwhile" in daemon.frames)
        assert set(daemon.up) == {links[b"stays"]}
        assert daemon.frames_of == {links[b"stays"]: [HINT + b"meanwhile"]}
        await daemon.send([Frame(link=links[b"stays"], data=HINT + b"again")])
        assert await stays.hear(1) == [HINT + b"again"]
        newcomer = await connect()
        await newcomer.say(HINT + b"new")
        await eventually(lambda: HINT + b"new" in daemon.frames)
        assert link_of(daemon, HINT + b"new") not in links.values()


async def test_serial_server_is_dialled_again(daemon: FakeDaemon) -> None:
    served: asyncio.Queue[Node] = asyncio.Queue()
    server = await asyncio.start_server(lambda reader, writer: served.put_nowait(Node(reader, writer)), "127.0.0.1", 0)
    device = f"socket://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with gateway(daemon, serial=[{"device": device}]):
        links = []
        for word in (b"first", b"second"):
            async with asyncio.timeout(10):
                node = await served.get()
            await node.say(HINT + word)
            await eventually(lambda word=word: HINT + word in daemon.frames)  # type: ignore[misc]
            links.append(link_of(daemon, HINT + word))
            assert daemon.up[links[-1]] == LinkUp(link=links[-1], transport="serial", peer=device)
            await daemon.send([Frame(link=links[-1], data=HINT + b"down")])
            assert await node.hear(1) == [HINT + b"down"]
            node.writer.close()
            await eventually(lambda: links[-1] in daemon.down)
        assert links[0] != links[1]
    server.close()


async def test_serial_device(daemon: FakeDaemon, tmp_path: Path) -> None:
    # A link in place of the device, as udev makes them, so that it can go and come again.
    device = tmp_path / "ttyNode"
    async with gateway(daemon, serial=[{"device": str(device), "baud": 9600}]):
        for word in (b"first", b"\0\x11\x13\x03\r\n\xff"):
            master, slave = os.openpty()
            tty.setraw(master)
            device.unlink(missing_ok=True)
            device.symlink_to(os.ttyname(slave))
            await eventually(lambda: len(serial_links(daemon)) == 1)
            os.close(slave)
            os.write(master, encode(HINT + word))
            await eventually(lambda word=word: HINT + word in daemon.frames)  # type: ignore[misc]
            link = link_of(daemon, HINT + word)
            assert (daemon.up[link].transport, daemon.up[link].peer) == ("serial", str(device))
            await daemon.send([Frame(link=link, data=HINT + word)])
            os.set_blocking(master, False)
            heard = b""
            while heard.count(b"\0") < 2:
                with contextlib.suppress(BlockingIOError):
                    heard += os.read(master, 1000)
                await asyncio.sleep(0.01)
            # A zero before the first frame ends what an earlier connection left.
            assert heard == b"\0" + encode(HINT + word)
            os.close(master)
            await eventually(lambda: not serial_links(daemon))
