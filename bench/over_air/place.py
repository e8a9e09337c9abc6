"""The daemon's site, a gateway with a radio, and nodes on the air, in one event loop; nothing is played but the air."""

import asyncio
import contextlib
import itertools
import time
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

ROOM = "room"
WINDOW_S = 60
_BEGAN_UTC_MS = 1_790_000_000_000


class Clock:
    """Of nodes and daemon: goes as the machine's does, and skips where it is told to."""

    rate = 1.0

    def __init__(self) -> None:
        self._began_s = time.monotonic() - 1
        self._skipped_ms = 0

    def skip(self, ms: int) -> None:
        self._skipped_ms += ms

    def tick_ms(self) -> int:
        """Since the nodes' start."""
        return self._skipped_ms + int(1000 * (time.monotonic() - self._began_s))

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
    radio: Radio | None = None

    def make(self, node_id: bytes) -> AirNode:
        """A node that is not on the air so far."""
        inside = Node(node_id, 1, self.kinds, WINDOW_S, keeper=Keeper(node_id * 4))
        node = AirNode(self.ether, inside, self.clock.tick_ms)
        self.nodes.append(node)
        return node

    async def commission(self, node: AirNode) -> None:
        """Over a wire, up to the time."""
        await self.site.commissioning.add(node.node.code, ROOM, "", take_over=False)
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

    def measure(self, node: AirNode, windows: int) -> None:
        """So many windows pass for the node, each with readings of all sensors."""
        for _ in range(windows):
            for sensor in range(len(self.kinds)):
                node.node.sample(sensor, self.clock.tick_ms() + sensor, 20.0 + sensor)
            self.clock.skip(WINDOW_S * 1000)
            node.node.poll(self.clock.tick_ms())


@contextlib.asynccontextmanager
async def place(folder: Path, kinds: tuple[str, ...]) -> AsyncIterator[Place]:
    """A site with its service for gateways on a socket in the folder, and an ether with a port for radios."""
    clock, ether = Clock(), Recorder()
    tables = {"site": {"name": "bench"}, "store": {"path": folder}, "rooms": [{"id": ROOM, "nodes": []}]}
    site = Site(Settings.model_validate(tables), clock, None)
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
    links = Links(600, time.monotonic)
    of.radio = Radio(links, BleSettings(radio=of.port.name, connections=connections), Backoff(0.05, 0.2))
    hello = GatewayHello(name="north", version="bench", slots=connections)
    uplink = Uplink(links, LocalWay(_target(folder)), hello, Backoff(0.05, 0.2))
    async with running(uplink.run(), links.watch(), of.radio.run()):
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
