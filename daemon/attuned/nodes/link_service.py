"""The gRPC service that gateways attach to: batches of frames both ways."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any, Protocol

import grpc
from attune_proto.v1 import link_pb2, link_pb2_grpc
from attune_service.journal import GATEWAY_ATTACHED, GATEWAY_REFUSED, GATEWAY_WENT, about

from attuned.clock import Clock
from attuned.errors import RequestError
from attuned.nodes.air import SLOTS_LIMIT
from attuned.nodes.hub import Hub
from attuned.nodes.radio import Need

log = logging.getLogger(__name__)

# Frames that wait for one gateway: a second's worth at full load. Beyond it frames are dropped; nodes ask again.
OUTGOING_LIMIT = 16_384

# A gateway whose stream is ended has so long to hear why, in seconds.
LAST_WORD_S = 1.0

# Wishes that wait for one gateway; what ends links that nobody asked for is dropped beyond it.
WISH_LIMIT = 8_192

# Links that a gateway may say it has: more than one holds (tcp.max_connections), and few enough to be remembered.
LINKS_LIMIT = 32_768

# Frames in one batch to a gateway.
BATCH_FRAMES = 512

_NEEDS = {
    Need.NONE: link_pb2.NEED_NONE,
    Need.AGE: link_pb2.NEED_AGE,
    Need.BACKLOG: link_pb2.NEED_BACKLOG,
    Need.URGENT: link_pb2.NEED_URGENT,
}

AttachContext = grpc.aio.ServicerContext[link_pb2.GatewayBatch, link_pb2.DaemonBatch]


class Pass(Protocol):
    """What the certificate of a gateway that may attach says."""

    @property
    def name(self) -> str: ...
    @property
    def expires_utc_ms(self) -> int: ...


class Doorkeeper(Protocol):
    """Knows which gateways may attach; `clock` is the machine's."""

    clock: Clock

    def admit(self, pem: bytes) -> Pass:
        """Who a certificate belongs to; RequestError if it does not count any more."""

    def check_local(self, name: str) -> None:
        """RequestError if a gateway on this machine may not call itself so."""

    def came(self, name: str, expires_utc_ms: int) -> None:
        """A gateway that was admitted has attached."""

    def left(self, name: str, heard_utc_ms: int) -> None:
        """A gateway has gone."""


class AttachedGateway:
    """One stream. Frames for its links wait here until the stream takes them, or somebody ends it."""

    def __init__(self, name: str, *, local: bool = True, slots: int = 0) -> None:
        self.name = name
        self.local = local
        self.slots = slots
        self.heard_utc_ms = 0
        self.dropped = 0
        self.links: set[int] = set()
        self.why_ended = ""
        self.expiry: asyncio.TimerHandle | None = None
        self._stream = asyncio.current_task()
        self._frames: list[link_pb2.Frame] = []
        self._wishes: dict[bytes, Need] = {}
        self._ready = asyncio.Event()

    def send(self, link: int, frame: bytes) -> None:
        if self.why_ended or len(self._frames) >= OUTGOING_LIMIT:
            self.dropped += 1
            return
        self._frames.append(link_pb2.Frame(link=link, data=frame))
        self._ready.set()

    def wish(self, hint: bytes, need: Need) -> None:
        """What nobody has asked to be left alone is bounded by the nodes there are, the rest by what it says itself."""
        if self.why_ended or (need is Need.NONE and hint not in self._wishes and len(self._wishes) >= WISH_LIMIT):
            self.dropped += not self.why_ended
            return
        self._wishes[hint] = need
        self._ready.set()

    def end(self, why: str) -> None:
        """Its stream is to end, with this sentence for whoever looks after the gateway."""
        self.why_ended = why
        self._frames.clear()
        self._wishes.clear()
        self._ready.set()
        # One that does not read would never hear it.
        if self._stream is not None:
            asyncio.get_running_loop().call_later(LAST_WORD_S, self._stream.cancel)

    async def next_batch(self) -> link_pb2.DaemonBatch:
        """Waits for frames and wishes and takes up to a batch of them; an empty one says that the stream is to end."""
        await self._ready.wait()
        if self.why_ended:
            return link_pb2.DaemonBatch()
        taken, self._frames = self._frames[:BATCH_FRAMES], self._frames[BATCH_FRAMES:]
        if not self._frames:
            self._ready.clear()
        wishes, self._wishes = self._wishes, {}
        asked = [link_pb2.Wish(hint=hint, need=_NEEDS[need]) for hint, need in wishes.items()]
        return link_pb2.DaemonBatch(frames=taken, wishes=asked)


class LinkService(link_pb2_grpc.NodeLinkServicer):
    """Hands the frames of gateways to the hub. A gateway that attaches again takes the place of its old stream.

    The name of a gateway on another machine is the one of its certificate, whatever it says itself.
    """

    def __init__(self, hub: Hub, doorkeeper: Doorkeeper) -> None:
        self._hub = hub
        self._doorkeeper = doorkeeper
        self.gateways: dict[str, AttachedGateway] = {}

    def drop(self, name: str, why: str) -> bool:
        """Ends the stream of a gateway; False if it has none. It is heard no more when this returns."""
        gateway = self.gateways.get(name)
        if gateway is not None:
            gateway.end(why)
            self._forget(gateway)
        return gateway is not None

    async def Attach(  # noqa: N802 (the name is the contract's)
        self, request_iterator: AsyncIterator[link_pb2.GatewayBatch], context: AttachContext
    ) -> AsyncIterator[link_pb2.DaemonBatch]:
        first = await anext(request_iterator, None)
        if first is None or not first.hello.name:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "The first batch must carry the gateway's hello.")
        try:
            gateway = self._attach(first.hello, certificate_of(context))
        except RequestError as error:
            log.warning("A gateway was refused: %s", error, extra=about(message=GATEWAY_REFUSED))
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, str(error))
        reader = asyncio.create_task(self._read(gateway, first, request_iterator), name=f"read {gateway.name}")
        try:
            async for batch in _until(reader, gateway):
                yield batch
            if gateway.why_ended:
                await context.abort(grpc.StatusCode.ABORTED, gateway.why_ended)
        finally:
            reader.cancel()
            self._detach(gateway)

    def _attach(self, hello: link_pb2.GatewayHello, pem: bytes | None) -> AttachedGateway:
        """RequestError if it may not. Nobody can be revoked between the look at the certificate and the end of this."""
        said = self._doorkeeper.admit(pem) if pem is not None else None
        if said is None:
            self._doorkeeper.check_local(hello.name)
        name = said.name if said else hello.name
        gateway = AttachedGateway(name, local=said is None, slots=min(hello.slots, SLOTS_LIMIT))
        if self.drop(gateway.name, f"Another gateway has attached as {gateway.name}: see that each has its own name."):
            told = about(gateway=gateway.name)
            log.warning("Gateway %s attached while it was attached: its old stream is ended.", name, extra=told)
        self.gateways[gateway.name] = gateway
        if said is not None:
            self._doorkeeper.came(said.name, said.expires_utc_ms)
            left_s = (said.expires_utc_ms - self._doorkeeper.clock.utc_ms()) / 1000
            loop, why = asyncio.get_running_loop(), f"The certificate of {said.name} has expired."
            gateway.expiry = loop.call_later(left_s, self.drop, said.name, why)
        told = about(gateway=name, message=GATEWAY_ATTACHED)
        log.info("Gateway %s (version %s) attached.", name, hello.version, extra=told)
        return gateway

    def _forget(self, gateway: AttachedGateway) -> None:
        self._hub.gateway_gone(gateway)
        if self.gateways.get(gateway.name) is gateway:
            del self.gateways[gateway.name]

    def _detach(self, gateway: AttachedGateway) -> None:
        self._forget(gateway)
        if gateway.expiry is not None:
            gateway.expiry.cancel()
            self._doorkeeper.left(gateway.name, gateway.heard_utc_ms)
        told = about(gateway=gateway.name, message=GATEWAY_WENT)
        log.info("Gateway %s went away.", gateway.name, extra=told)

    async def _read(
        self, gateway: AttachedGateway, first: link_pb2.GatewayBatch, batches: AsyncIterator[link_pb2.GatewayBatch]
    ) -> None:
        self._take(gateway, first)
        async for batch in batches:
            self._take(gateway, batch)

    def _take(self, gateway: AttachedGateway, batch: link_pb2.GatewayBatch) -> None:
        if gateway.why_ended:
            return
        gateway.heard_utc_ms = self._doorkeeper.clock.utc_ms()
        for link in batch.links_up:
            if len(gateway.links) < LINKS_LIMIT or link.link in gateway.links:
                gateway.links.add(link.link)
                self._hub.link_up(gateway, link.link, link)
        for frame in batch.frames:
            self._hub.frame(gateway, frame.link, frame.data)
        for stats in batch.stats:
            self._hub.link_stats(gateway, stats)
        for number in batch.links_down:
            gateway.links.discard(number)
            self._hub.link_down(gateway, number)
        for sighting in batch.sightings:
            self._hub.air.sighted(gateway, sighting)


def certificate_of(context: grpc.aio.ServicerContext[Any, Any]) -> bytes | None:
    """The certificate (PEM) that TLS has checked; None for whoever calls over a socket of this machine."""
    return next(iter(context.auth_context().get("x509_pem_cert", ())), None)


async def _until(end: asyncio.Task[None], gateway: AttachedGateway) -> AsyncIterator[link_pb2.DaemonBatch]:
    """Yields what the gateway's links are sent, until the task `end` is done or the stream is to end."""
    while not end.done():
        waiting = asyncio.create_task(gateway.next_batch(), name=f"write {gateway.name}")
        try:
            await asyncio.wait((waiting, end), return_when=asyncio.FIRST_COMPLETED)
        finally:
            # A stream that is cut off ends here, too. What is done is not changed.
            waiting.cancel()
        if waiting.cancelled() or not waiting.done() or gateway.why_ended:
            return
        yield waiting.result()
