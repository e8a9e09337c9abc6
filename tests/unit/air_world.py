"""A site, and nodes of the core that its gateways reach over Bluetooth: hints on the air, frames without them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from attune_core import Keeper, Node
from attune_proto.v1 import link_pb2
from attuned.nodes.advertising import advertised
from attuned.nodes.codes import read_code
from attuned.nodes.radio import Need
from attuned.site import Site
from daemon_world import HOUR, NOON, FakeClock, errands, site_settings

SENSORS = ("co2", "pir")
MTU = 243


@dataclass(eq=False)
class AirGateway:
    """Keeps what it is told."""

    name: str
    slots: int = 8
    wishes: list[tuple[bytes, Need]] = field(default_factory=list)
    frames: list[tuple[int, bytes]] = field(default_factory=list)

    def send(self, link: int, frame: bytes) -> None:
        self.frames.append((link, frame))

    def wish(self, hint: bytes, need: Need) -> None:
        self.wishes.append((hint, need))

    def told(self) -> list[tuple[bytes, Need]]:
        told, self.wishes = self.wishes, []
        return told


class AirNode:
    """A node and its advertisements; frames leave it without its hint, and get it back there."""

    def __init__(self, node: str, seed: int) -> None:
        self.id = node
        self.core = Node(bytes.fromhex(node), 7, SENSORS, 60, keeper=Keeper(bytes([seed]) * 32))
        self.key = read_code(self.core.code).advertising
        self.restarts = 0

    @property
    def hint(self) -> bytes:
        return advertised(self.key, self.restarts.to_bytes(3, "big"))

    def frames(self) -> list[bytes]:
        return [frame[:1] + bytes(4) + frame[5:] for frame in self.core.frames()]

    def receive(self, frame: bytes) -> None:
        assert frame[1:5] == bytes(4), "a frame on the air that names its node"
        self.core.receive(frame[:1] + bytes.fromhex(self.id)[:4] + frame[5:])


class AirSite:
    """Rooms r and s. Links are made by `connect`; nothing happens by itself but by `settle` and `live`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = FakeClock(NOON + 2 * HOUR)
        self.links: dict[tuple[AirGateway, int], AirNode] = {}
        self.numbers = 0

    async def open(self) -> None:
        self.site = Site(site_settings(self.folder, {"r": [], "s": []}), self.clock, None)
        await self.site.open()

        async def flush() -> None:
            """Nothing is on its way to the disk."""

        self.site.commits.flush = flush  # type: ignore[method-assign]
        self.site.labels._flush = flush
        self.site.hub.air._now_ms = self.clock.utc_ms

    def sighted(self, gateway: AirGateway, node: AirNode, rssi_dbm: int = -60) -> None:
        self.site.hub.air.sighted(gateway, link_pb2.Sighting(hint=node.hint, rssi_dbm=rssi_dbm))

    def connect(self, gateway: AirGateway, node: AirNode) -> int:
        self.numbers += 1
        self.links[gateway, self.numbers] = node
        up = link_pb2.LinkUp(link=self.numbers, transport="ble", peer="F0", hint=node.hint, mtu=MTU)
        self.site.hub.link_up(gateway, self.numbers, up)
        node.core.link(True)
        return self.numbers

    def disconnect(self, gateway: AirGateway, number: int) -> None:
        self.links.pop((gateway, number)).core.link(False)
        gateway.frames = [sent for sent in gateway.frames if sent[0] != number]
        self.site.hub.link_down(gateway, number)

    async def settle(self) -> None:
        busy = True
        while busy:
            busy = False
            for (gateway, number), node in self.links.items():
                for frame in node.frames():
                    busy = True
                    self.site.hub.frame(gateway, number, frame)
            await errands(self.site)
            for gateway in {gateway for gateway, _ in self.links}:
                down, gateway.frames = gateway.frames, []
                for number, frame in down:
                    busy = True
                    self.links[gateway, number].receive(frame)

    async def add(self, gateway: AirGateway, node: AirNode, room: str = "r") -> int:
        """A code is given, and its node comes; the number of its link."""
        await self.site.commissioning.add(node.core.code, room, "", take_over=False)
        self.sighted(gateway, node)
        assert (node.hint, Need.URGENT) in gateway.told()
        number = self.connect(gateway, node)
        await self.settle()
        assert node.core.facts.timed
        return number

    def live(self, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.now += 1000
            self.site.hub.look()


@asynccontextmanager
async def air_site(folder: Path) -> AsyncIterator[AirSite]:
    world = AirSite(folder)
    await world.open()
    yield world
    await world.site.close()
