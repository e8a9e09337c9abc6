"""A daemon's side for gateways of other machines, in a folder: store, authority, and its servers on free ports."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
from attune_proto.v1 import gateways_pb2_grpc, link_pb2_grpc
from attuned.clock import SystemClock
from attuned.errands import Errands
from attuned.gate import Gate
from attuned.gateways.authority import Authority
from attuned.gateways.enrolled import EnrolledGateways
from attuned.gateways.invitations import text_of
from attuned.gateways.listening import OPTIONS, Door, OwnCertificate
from attuned.gateways.service import RenewalService
from attuned.gone import FILE, GoneBook
from attuned.nodes.hub import Hub
from attuned.nodes.link_service import LinkService
from attuned.store.site import SiteStore
from daemon_world import FakeClock, trust_of
from gateway_ports import two_free_ports
from test_daemon_hub import Listener

HOUR_S = 3600


@dataclass
class ShiftedClock:
    """The machine's clock, and what a test adds to it."""

    shift: timedelta = timedelta(0)
    rate: float = 1.0

    def utc_ms(self) -> int:
        return SystemClock().utc_ms() + int(self.shift.total_seconds() * 1000)


@dataclass
class GatewayDaemon:
    """`clock` is what certificates and invitations go by; TLS itself goes by the machine's."""

    folder: Path
    port: int = field(default_factory=two_free_ports)
    clock: ShiftedClock = field(default_factory=ShiftedClock)

    async def open(self) -> None:
        self.store = SiteStore(self.folder)
        await self.store.open()
        self.errands = Errands(Gate())
        authority = Authority(self.folder, self.clock)
        self.gateways = EnrolledGateways(
            self.clock,
            store=self.store.gateways,
            authority=authority,
            errands=self.errands,
            gone=GoneBook(self.folder / FILE),
        )
        await self.gateways.open()
        self.hub = Hub(FakeClock(), {}, {}, {}, trust=trust_of())
        self.hub.dispatch.listener = Listener()
        self.links = LinkService(self.hub, self.gateways)
        self.door = Door(self.gateways, "127.0.0.1", self.port)

    async def close(self) -> None:
        while self.errands:
            await self.errands.next()
        await self.store.close()

    @property
    def authority(self) -> Authority:
        assert self.gateways.authority is not None
        return self.gateways.authority

    async def invite(self, name: str = "north", valid_s: int = HOUR_S) -> str:
        """The text of an invitation; the door is open."""
        invited = await self.gateways.invite(name, valid_s)
        await self.door.open()
        return text_of(invited.token, invited.authority, "127.0.0.1", self.door.port)

    @contextlib.asynccontextmanager
    async def listening(self, more: Any = None) -> AsyncIterator[None]:
        """Gateways may attach, by certificates; the door closes at the end."""
        server = grpc.aio.server(options=OPTIONS)
        link_pb2_grpc.add_NodeLinkServicer_to_server(self.links, server)
        gateways_pb2_grpc.add_RenewalServicer_to_server(RenewalService(self.gateways), server)
        server.add_secure_port(f"127.0.0.1:{self.port}", more or OwnCertificate(self.authority).credentials())
        await server.start()
        try:
            yield
        finally:
            await server.stop(None)
            await self.door._close()


@contextlib.asynccontextmanager
async def gateway_daemon(folder: Path) -> AsyncIterator[GatewayDaemon]:
    """Open, and not listening yet."""
    daemon = GatewayDaemon(folder)
    await daemon.open()
    try:
        yield daemon
    finally:
        await daemon.close()
