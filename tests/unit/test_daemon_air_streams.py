"""Two gateways with radios on the real service, and a node that walks from one to the other."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc.aio
from attune_proto.v1 import link_pb2
from attuned.nodes import radio
from attuned.nodes.advertising import advertised
from attuned.nodes.radio import Need
from daemon_world import A, hello, trusted, wrapped
from node_side import NodeSide
from test_daemon_link_service import Service

KEY = bytes(range(32))
PATIENCE_S = 5.0


class Gateway:
    """A stream; `wishes` as the last word on each hint, and `events` what all gateways and the node did, in order."""

    def __init__(self, name: str, stub: Any, events: list[str]) -> None:
        self.name, self.events = name, events
        self.call = stub.Attach()
        self.wishes: dict[bytes, int] = {}
        self.frames: asyncio.Queue[bytes] = asyncio.Queue()
        self.news = asyncio.Event()
        self.reading: asyncio.Task[None] | None = None

    async def start(self, **more: Any) -> None:
        await self.say(hello=link_pb2.GatewayHello(name=self.name, slots=8), **more)
        self.reading = asyncio.create_task(self._read())

    async def say(self, **batch: Any) -> None:
        await self.call.write(link_pb2.GatewayBatch(**batch))

    async def hear(self, hint: bytes, rssi_dbm: int) -> None:
        await self.say(sightings=[link_pb2.Sighting(hint=hint, rssi_dbm=rssi_dbm)])

    async def until(self, hint: bytes, need: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while self.wishes.get(hint) != need:
                self.news.clear()
                await self.news.wait()

    async def _read(self) -> None:
        with contextlib.suppress(grpc.aio.AioRpcError, asyncio.CancelledError):
            while (batch := await self.call.read()) != grpc.aio.EOF:
                for wish in batch.wishes:
                    self.wishes[wish.hint] = wish.need
                    self.events.append(f"{self.name} {link_pb2.Need.Name(wish.need)}")
                self.news.set()
                for frame in batch.frames:
                    self.frames.put_nowait(frame.data)


class AirService(Service):
    """The service with a node whose hints it makes out, and a clock of the radio that tests put on."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.events: list[str] = []
        own = self.hub.trust.own.public[0]
        self.hub.trust.add(type(trusted(A, own))(**{**trusted(A, own).__dict__, "advertising": KEY}))
        self.hub.air._now_ms = lambda: self.now
        self.hub.look()

    @contextlib.asynccontextmanager
    async def gateways(self, folder: Path) -> AsyncIterator[tuple[Gateway, Gateway]]:
        async with self.stub(folder) as stub:
            north, south = Gateway("north", stub, self.events), Gateway("south", stub, self.events)
            yield north, south
            for gateway in (north, south):
                gateway.call.cancel()

    async def walk(self, seconds: int, heard: dict[Gateway, int], hint: bytes) -> None:
        """Time passes; each second gateways say how they hear the node."""
        for _ in range(seconds):
            self.now += 1000
            for gateway, rssi_dbm in heard.items():
                await gateway.hear(hint, rssi_dbm)
            await asyncio.sleep(0.01)
            self.hub.look()


def up(hint: bytes, number: int = 1) -> list[link_pb2.LinkUp]:
    return [link_pb2.LinkUp(link=number, transport="ble", peer="F0:00", hint=hint, mtu=243)]


async def talk(gateway: Gateway, node: NodeSide, link: int = 1) -> None:
    """The node has its handshake over a gateway and says hello; nothing on the air names it."""

    async def answer(kind: int) -> bytes:
        while (frame := await gateway.frames.get())[0] != kind:
            assert frame[1:5] == bytes(4)
        return frame[:1] + node.hint + frame[5:]

    async def say(frame: bytes) -> None:
        assert frame[1:5] == node.hint
        data = frame[:1] + bytes(4) + frame[5:]
        await gateway.say(frames=[link_pb2.Frame(link=link, data=data)])

    async with asyncio.timeout(PATIENCE_S):
        await say(node.begin())
        node.finish(await answer(2))
        await say(node.seal(wrapped(hello())))
        assert node.open(await answer(4)).HasField("time")


async def begin_at(north: Gateway, south: Gateway, service: AirService, hint: bytes) -> None:
    """Both gateways hear the node; north, which hears it better, serves it."""
    await north.start()
    await south.start()
    await north.hear(hint, -50)
    await north.until(hint, link_pb2.NEED_AGE)
    await service.walk(2, {north: -50, south: -80}, hint)
    await north.say(links_up=up(hint))
    await talk(north, service.node)


async def test_a_node_that_walks_is_served_by_one_gateway_after_the_other(tmp_path: Path) -> None:
    service, hint = AirService(), advertised(KEY, b"one")
    async with service.gateways(tmp_path) as (north, south):
        await begin_at(north, south, service, hint)
        assert service.hub.gateway_of(service.hub.conversations[A]) == "north"
        # It is carried to the other gateway, while it is connected to the first one.
        await north.say(stats=[link_pb2.LinkStats(link=1, rssi_dbm=-90)])
        await service.walk(radio.BETTER_MS // 1000 + 2, {south: -60}, hint)
        await north.until(hint, link_pb2.NEED_NONE)
        await service.walk(radio.SETTLE_MS // 1000 + 1, {south: -60}, hint)
        assert hint not in south.wishes
        await north.say(links_down=[1])
        await south.until(hint, link_pb2.NEED_AGE)
        await south.say(links_up=up(hint))
        await talk(south, service.node)
        assert service.hub.gateway_of(service.hub.conversations[A]) == "south"
        assert [event for event in service.events if event.startswith("north")] == ["north NEED_AGE", "north NEED_NONE"]
        assert service.events.index("north NEED_NONE") < service.events.index("south NEED_AGE")


async def test_a_gateway_that_goes_away_is_followed_by_the_other(tmp_path: Path) -> None:
    service, hint = AirService(), advertised(KEY, b"one")
    async with service.gateways(tmp_path) as (north, south):
        await begin_at(north, south, service, hint)
        assert south.wishes == {}
        north.call.cancel()
        await south.until(hint, link_pb2.NEED_AGE)
        await south.say(links_up=up(hint))
        await talk(south, service.node)


async def test_wishes_of_a_stream_that_was_replaced_are_void(tmp_path: Path) -> None:
    """Two streams of one name: what the first was told to serve the second hears anew."""
    service, hint = AirService(), advertised(KEY, b"one")
    async with service.stub(tmp_path) as stub:
        old, new = Gateway("north", stub, []), Gateway("north", stub, [])
        await old.start(links_up=up(hint))
        await old.until(hint, link_pb2.NEED_AGE)
        await new.start(links_up=up(hint, 7), sightings=[link_pb2.Sighting(hint=hint, rssi_dbm=-40)])
        await new.until(hint, link_pb2.NEED_AGE)
        await talk(new, service.node, link=7)
        (attached,) = service.links.gateways.values()
        assert attached.slots == 8
        assert service.hub.air.slots_used(attached) == 1
        for gateway in (old, new):
            gateway.call.cancel()


async def test_a_link_of_a_stranger_is_told_to_end(tmp_path: Path) -> None:
    service = AirService()
    async with service.gateways(tmp_path) as (north, _):
        await north.start(links_up=up(bytes(8)))
        await north.until(bytes(8), link_pb2.NEED_NONE)
        await north.say(frames=[link_pb2.Frame(link=1, data=b"\x02" + bytes(4) + b"\x01" + bytes(48))])
        await service.walk(1, {north: -50}, bytes(8))
        assert north.frames.empty()


def test_needs_are_those_of_the_wire() -> None:
    assert {need.name: need.value for need in Need} == {
        name.removeprefix("NEED_"): number for name, number in link_pb2.Need.items()
    }
