"""The daemon's site, a gateway with a radio, and nodes on the air, in one event loop; nothing is played but the air."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc.aio
from air_daemon import until
from air_node import AirNode
from air_peripheral import AirPort
from attune_core import Keeper, Node
from attune_gateway.ble.radio import Radio
from attune_gateway.config import BleSettings
from attune_gateway.links import Links
from attune_gateway.pacing import Backoff
from attune_gateway.uplink import Uplink
from attune_gateway.way import LocalWay
from attune_proto.v1.link_pb2 import GatewayHello
from attune_proto.v1.link_pb2_grpc import add_NodeLinkServicer_to_server
from attuned.config import Settings
from attuned.nodes.link_service import LinkService
from attuned.nodes.radio import Need
from attuned.site import Site

from bench.over_air.recorder import Recorder

__all__ = ["ADVERTISING_MS", "AirNode", "Place", "gateway", "node_id", "place", "until"]

WINDOW_S = 60

# As nodes do (mcu_firmware/ble/advertise.c).
ADVERTISING_MS = 211.25

_BEGAN_UTC_MS = 1_790_000_000_000


class Clock:
    """Of nodes and daemon: goes as the event loop's does, and skips where it is told to."""

    rate = 1.0

    def __init__(self) -> None:
        self._time_s = asyncio.get_running_loop().time
        self._began_s = self._time_s() - 1
        self._skipped_ms = 0

    def skip(self, ms: int) -> None:
        self._skipped_ms += ms

    def tick_ms(self) -> int:
        """Since the nodes' start."""
        return self._skipped_ms + int(1000 * (self._time_s() - self._began_s))

    def utc_ms(self) -> int:
        return _BEGAN_UTC_MS + self.tick_ms()


@dataclass(eq=False)
class Wire:
    """A serial line to one node, for what happens before a measurement."""

    node: AirNode
    name: str = "wire"

    def send(self, link: int, frame: bytes) -> None:
        self.node.node.receive(frame)

    def wish(self, hint: bytes, need: Need) -> None:
        """There is no radio."""


@dataclass
class Place:
    """kinds: the sensors of its nodes."""

    site: Site
    clock: Clock
    ether: Recorder
    port: AirPort
    kinds: tuple[str, ...]
    nodes: list[AirNode] = field(default_factory=list)

    def make(self, node_id: bytes) -> AirNode:
        """A node that is not on the air so far."""
        inside = Node(node_id, 1, self.kinds, WINDOW_S, keeper=Keeper(node_id * 4))
        node = AirNode(self.ether, inside, self.clock.tick_ms, interval_ms=ADVERTISING_MS)
        self.nodes.append(node)
        return node

    async def commission(self, node: AirNode, room: int = 0) -> None:
        """Over a wire, up to the time."""
        await self.site.commissioning.add(node.node.code, f"room-{room}", "", take_over=False)
        wire, hub = Wire(node), self.site.hub
        node.node.poll(self.clock.tick_ms())
        hub.link_up(wire, 1)
        node.node.link(True)

        def said() -> bool:
            for frame in node.node.frames():
                hub.frame(wire, 1, frame)
            return node.node.facts.timed and not self.site.trust.waiting

        await until(said, "the time of a new node")
        said()
        node.node.link(False)
        hub.link_down(wire, 1)

    def let_pass(self, windows: int) -> None:
        """So many windows pass for the nodes, each with readings of all sensors."""
        for _ in range(windows):
            for node in self.nodes:
                for sensor in range(len(self.kinds)):
                    node.node.sample(sensor, self.clock.tick_ms(), 20.0 + sensor)
            self.clock.skip(WINDOW_S * 1000)
            for node in self.nodes:
                node.node.poll(self.clock.tick_ms())


@contextlib.asynccontextmanager
async def place(
    folder: Path, kinds: tuple[str, ...], rooms: int = 1, ether: Recorder | None = None
) -> AsyncIterator[Place]:
    """A site with its service for gateways on a socket in the folder, and an ether with a port for radios."""
    clock, ether = Clock(), ether or Recorder()
    named = [{"id": f"room-{number}", "nodes": []} for number in range(rooms)]
    site = Site(
        Settings.model_validate({"site": {"name": "bench"}, "store": {"path": folder}, "rooms": named}), clock, None
    )
    await site.open()
    made = Place(site, clock, ether, AirPort(ether), kinds)
    await made.port.open()
    server = grpc.aio.server()
    add_NodeLinkServicer_to_server(LinkService(site.hub, site.gateways), server)
    server.add_insecure_port(_target(folder))
    await server.start()
    try:
        async with running(
            site.commits.run(),
            site.teaching.run(),
            site.errands.run(),
            site.lessons.errands.run(),
            site.updating.deliveries.errands.run(),
            site.run_radios(),
        ):
            yield made
    finally:
        for node in made.nodes:
            node.stop()
        made.port.unplug()
        await server.stop(0.5)
        await site.close()


@contextlib.asynccontextmanager
async def gateway(of: Place, folder: Path, connections: int = 8) -> AsyncIterator[None]:
    """A gateway with a radio at the place, attached to the daemon as any other is."""
    clock = asyncio.get_running_loop().time
    links = Links(600, clock)
    radio = Radio(links, BleSettings(radio=of.port.name, connections=connections), Backoff(0.05, 0.2), clock=clock)
    hello = GatewayHello(name="north", version="bench", slots=connections)
    uplink = Uplink(links, LocalWay(_target(folder)), hello, Backoff(0.05, 0.2))
    async with running(uplink.run(), links.watch(), radio.run()):
        yield


@contextlib.asynccontextmanager
async def running(*lives: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Coroutines that run until the block ends. What ends one of them with an error is raised."""
    tasks = [asyncio.create_task(life) for life in lives]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        for end in ends:
            if isinstance(end, Exception):
                raise end


def _target(folder: Path) -> str:
    return f"unix:{folder / 'daemon.sock'}"


_numbers = itertools.count(1)


def node_id() -> bytes:
    """Of another node each time; the first half is the hint."""
    return next(_numbers).to_bytes(4, "big") + b"node"
