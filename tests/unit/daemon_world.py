"""What tests of the daemon share: a clock that stands still, nodes' messages, windows, and a site without sockets."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from attune_core import KINDS, Schema, SessionError
from attune_proto.v1 import node_pb2
from attuned.config import Settings
from attuned.nodes.frames import CALL
from attuned.nodes.hub import Hub
from attuned.nodes.own_keys import OwnKeys
from attuned.nodes.radio import Need
from attuned.nodes.trust import Trust
from attuned.nodes.trusted import TrustedNode
from attuned.nodes.window import EVIDENCE_STEPS, Window
from attuned.site import Site
from node_side import NodeSide, public_key_of

MINUTE = 60_000
HOUR = 60 * MINUTE
# Whole hours since 1970, so that hours of the store and of a test are the same.
NOON = 1_790_000_000_000 // (24 * HOUR) * 24 * HOUR + 12 * HOUR

A, B = "a1b2c3d400000001", "b1b2c3d400000002"
SENSORS = ("co2", "pir")
FEATURES = bytes(2 * len(Schema(SENSORS, 60).features))


@dataclass
class FakeClock:
    """Stands still until it is told to go on."""

    now: int = NOON
    rate: float = 1.0

    def utc_ms(self) -> int:
        return self.now


def sensor_bytes(kinds: Sequence[str] = SENSORS) -> bytes:
    """As in a hello."""
    return Schema(kinds, 60).sensor_bytes


def hello(node: str = A, boot: int = 1, kinds: Sequence[str] = SENSORS, **more: Any) -> node_pb2.Hello:
    """What a sound node says first, 100 s after its start."""
    values: dict[str, Any] = {
        "node_id": bytes.fromhex(node),
        "boot": boot,
        "tick_ms": 100_000,
        "window_s": 60,
        "sensors": sensor_bytes(kinds),
        "schema": Schema(kinds, 60).hash,
        "release": bytes(16),
        "classes": 2,
        "first_seq": 1,
        "next_seq": 1,
        "label_capacity": 64,
        "firmware": "0.1.0",
    }
    return node_pb2.Hello(**(values | more))


def report(seq: int, end_s: int, evidence: bytes = b"\x00\x01", **more: Any) -> node_pb2.Report:
    """A sound report; its evidence is one nat."""
    values: dict[str, Any] = {"seq": seq, "end_s": end_s, "features": FEATURES, "evidence": evidence}
    return node_pb2.Report(**(values | more))


def window(seq: int, end_utc_ms: int, nats: float | None = 1.0, node: str = A, boot: int = 1) -> Window:
    """A committed window of a node with the sensors of SENSORS."""
    evidence = b"" if nats is None else round(nats * EVIDENCE_STEPS).to_bytes(2, "little", signed=True)
    return Window(node, boot, seq, seq * 60, end_utc_ms, 0, evidence, FEATURES)


@dataclass(eq=False)
class FakeGateway:
    """Keeps the frames that go out, and plays the nodes behind it."""

    name: str = "gw"
    frames: list[tuple[int, bytes]] = field(default_factory=list)
    sides: dict[str, NodeSide] = field(default_factory=dict)
    wishes: dict[bytes, Need] = field(default_factory=dict)

    def send(self, link: int, frame: bytes) -> None:
        self.frames.append((link, frame))

    def wish(self, hint: bytes, need: Need) -> None:
        self.wishes[hint] = need

    def take(self) -> list[tuple[int, bytes, node_pb2.DaemonMessage]]:
        """(link, hint, message) of the messages that went out since the last time."""
        taken, self.frames = self.frames, []
        return [(link, frame[1:5], self._opened(frame)) for link, frame in taken if frame[0] != CALL]

    def calls(self) -> list[tuple[int, bytes]]:
        """(link, hint) of the calls that went out since the last time; messages are dropped."""
        taken, self.frames = self.frames, []
        return [(link, frame[1:5]) for link, frame in taken if frame[0] == CALL]

    def bodies(self) -> list[str | None]:
        return [message.WhichOneof("body") for _, _, message in self.take()]

    def _opened(self, frame: bytes) -> node_pb2.DaemonMessage:
        for side in self.sides.values():
            with contextlib.suppress(SessionError):
                return side.open(frame)
        raise AssertionError(f"A frame that no node can open: {frame.hex()}")


def wrapped(message: Any) -> node_pb2.NodeMessage:
    """What a node sends of a message."""
    body = next(f.name for f in node_pb2.NodeMessage.DESCRIPTOR.fields if f.message_type is message.DESCRIPTOR)
    return node_pb2.NodeMessage(**{body: message})


def connect(hub: Hub, gateway: FakeGateway, node: str = A, link: int = 1) -> NodeSide:
    """A node has a handshake with the daemon over a link."""
    side = gateway.sides[node] = NodeSide(bytes.fromhex(node), hub.trust.own.public[0])
    before = len(gateway.frames)
    hub.frame(gateway, link, side.begin())
    ((_, reply),) = gateway.frames[before:]
    del gateway.frames[before:]
    side.finish(reply)
    return side


def hear(hub: Hub, gateway: FakeGateway, message: Any, node: str = A, link: int = 1) -> None:
    """The hub gets a node's message, sealed; the node has a handshake first if it had none over this gateway."""
    side = gateway.sides.get(node) or connect(hub, gateway, node, link)
    hub.frame(gateway, link, side.seal(wrapped(message)))


def trusted(node: str, daemon_key: bytes, room: str = "") -> TrustedNode:
    """A node whose key the daemon knows; its room is the configuration's if none is named."""
    return TrustedNode(node, public_key_of(bytes.fromhex(node)), daemon_key, room, "", NOON)


def trust_of(*nodes: str) -> Trust:
    """The daemon's trust in nodes, with a key of its own."""
    own = OwnKeys(Path("nowhere"))
    own.secrets = [bytes(range(32))]
    return Trust(own, [trusted(node, own.public[0]) for node in nodes])


def trust_all(site: Site, *more: str) -> None:
    """As if the nodes of the configuration had been commissioned, and these."""
    for node in [*site.assignments.room_of, *more]:
        site.trust.add(trusted(node, site.trust.own.public[0]))
        site.hub.conversations.setdefault(node, site.hub._new(node))


def site_settings(folder: Path, rooms: dict[str, list[str]] | None = None, **more: Any) -> Settings:
    tables = [{"id": room, "nodes": nodes} for room, nodes in (rooms or {"r": [A, B]}).items()]
    return Settings.model_validate({"site": {"name": "s"}, "store": {"path": folder}, "rooms": tables} | more)


async def opened_site(folder: Path, clock: FakeClock, rooms: dict[str, list[str]] | None = None) -> Site:
    """A site with its store open and no tasks; `commit` does what they do."""
    site = Site(site_settings(folder, rooms), clock, None)
    await site.open()
    trust_all(site)
    return site


async def commit(site: Site, *windows: Window) -> None:
    """Takes windows and writes them, and does every errand that follows."""
    for each in windows:
        site.rooms.take(each)
    await site.write(windows)
    await errands(site)


async def errands(site: Site) -> None:
    """Does what waits to be done, and what follows from it."""
    queues = site.errands, site.lessons.errands, site.updating.deliveries.errands
    while waiting := [queue for queue in queues if queue]:
        await waiting[0].next()


assert set(SENSORS) <= set(KINDS)
