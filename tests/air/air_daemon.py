"""A daemon's side of a gateway with a radio, in this process: makes out hints, wishes, and talks with nodes."""

import asyncio
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from air_node import AirNode
from attune_gateway.links import Links
from attune_proto.v1 import node_pb2
from attune_proto.v1.link_pb2 import (
    NEED_AGE,
    Frame,
    GatewayBatch,
    LinkStats,
    LinkUp,
    Need,
    Sighting,
    Wish,
)
from attuned.nodes.codes import read_code

from bench.daemon_side import DaemonSide

UTC_MS = 1_700_000_000_000
_HINT = slice(1, 5)


@dataclass
class Known:
    """A node that the daemon has a key of; reports are numbers in the order in which they came, without repeats."""

    node: AirNode
    side: DaemonSide
    need: Need.ValueType = NEED_AGE
    links: list[int] = field(default_factory=list)
    reports: list[int] = field(default_factory=list)


class AirDaemon:
    """Goes by what `links` has for it; `run` is its life."""

    def __init__(self, links: Links, nodes: Iterable[AirNode]) -> None:
        self.links = links
        self.known = [Known(node, _side_of(node)) for node in nodes]
        self.sightings: dict[bytes, Sighting] = {}
        self.up: dict[int, LinkUp] = {}
        self.was_up: list[LinkUp] = []
        self.stats: dict[int, LinkStats] = {}

    def of(self, node: AirNode) -> Known:
        return next(known for known in self.known if known.node is node)

    def made_out(self, hint: bytes) -> Known | None:
        """Whose hint that is, by hashlib."""
        for known in self.known:
            if hashlib.blake2b(hint[:3], key=known.node.key, digest_size=32).digest()[:5] == hint[3:]:
                return known
        return None

    def wish(self, node: AirNode, need: Need.ValueType) -> None:
        """From now on, also for hints that come."""
        self.of(node).need = need
        self.links.wish([Wish(hint=node.hint, need=need)])

    async def run(self) -> None:
        self.links.restart()
        try:
            while True:
                self.take(await self.links.outbox.take())
        finally:
            self.links.detach()

    def take(self, batch: GatewayBatch) -> None:
        for link in batch.links_up:
            self.up[link.link] = link
            self.was_up.append(link)
        for frame in batch.frames:
            self._answer(frame)
        for number in batch.links_down:
            del self.up[number]
        self.stats.update({stats.link: stats for stats in batch.stats})
        for sighting in batch.sightings:
            self.sightings[sighting.hint] = sighting
            if (known := self.made_out(sighting.hint)) is not None:
                self.links.wish([Wish(hint=sighting.hint, need=known.need)])

    def _answer(self, frame: Frame) -> None:
        known = self.made_out(self.up[frame.link].hint)
        if known is None:
            return
        assert frame.data[_HINT] == bytes(4)
        if frame.link not in known.links:
            known.links.append(frame.link)
        data = frame.data[:1] + known.node.node_hint + frame.data[5:]
        replies, message = known.side.take(data)
        for reply in replies + (self._reply(known, message) if message is not None else []):
            self.links.deliver([Frame(link=frame.link, data=reply[:1] + bytes(4) + reply[5:])])

    def _reply(self, known: Known, message: node_pb2.NodeMessage) -> list[bytes]:
        if message.HasField("hello"):
            time = node_pb2.Time(echo_tick_ms=message.hello.tick_ms, utc_ms=UTC_MS)
            return [known.side.seal(node_pb2.DaemonMessage(time=time))]
        if message.HasField("report"):
            report = message.report
            if report.seq not in known.reports:
                known.reports.append(report.seq)
            through = max(seq for seq in range(1, report.seq + 1) if set(range(1, seq + 1)) <= set(known.reports))
            ack = node_pb2.ReportAck(through=through, boot=report.boot)
            return [known.side.seal(node_pb2.DaemonMessage(report_ack=ack))]
        return []


def _side_of(node: AirNode) -> DaemonSide:
    psk = read_code(node.node.code).psk
    return DaemonSide(lambda _: psk)


async def until(condition: object, what: str, seconds: float = 20.0) -> None:
    """Waits until a function of no arguments says so; AssertionError with `what` if it does not in time."""
    assert callable(condition)
    end = asyncio.get_running_loop().time() + seconds
    while not condition():
        assert asyncio.get_running_loop().time() < end, f"{what} did not come in {seconds} s"
        await asyncio.sleep(0.02)
