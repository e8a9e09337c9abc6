"""The gRPC service that gateways attach to: batches of frames both ways."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine

import grpc
from attune_proto.v1 import link_pb2, link_pb2_grpc

from attuned.nodes.hub import Hub

log = logging.getLogger(__name__)

# Frames that wait for one gateway: a second's worth at full load. Beyond it frames are dropped; nodes ask again.
OUTGOING_LIMIT = 16_384

# Frames in one batch to a gateway.
BATCH_FRAMES = 512

AttachContext = grpc.aio.ServicerContext[link_pb2.GatewayBatch, link_pb2.DaemonBatch]


class AttachedGateway:
    """One stream. Frames for its links wait here until the stream takes them."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.dropped = 0
        self._frames: list[link_pb2.Frame] = []
        self._ready = asyncio.Event()

    def send(self, link: int, frame: bytes) -> None:
        if len(self._frames) >= OUTGOING_LIMIT:
            self.dropped += 1
            return
        self._frames.append(link_pb2.Frame(link=link, data=frame))
        self._ready.set()

    async def next_batch(self) -> link_pb2.DaemonBatch:
        """Waits for frames and takes up to a batch of them."""
        await self._ready.wait()
        taken, self._frames = self._frames[:BATCH_FRAMES], self._frames[BATCH_FRAMES:]
        if not self._frames:
            self._ready.clear()
        return link_pb2.DaemonBatch(frames=taken)


class LinkService(link_pb2_grpc.NodeLinkServicer):
    """Hands the frames of gateways to the hub. A gateway that attaches again takes the place of its old stream."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.gateways: dict[str, AttachedGateway] = {}

    async def Attach(  # noqa: N802 (the name is the contract's)
        self, request_iterator: AsyncIterator[link_pb2.GatewayBatch], context: AttachContext
    ) -> AsyncIterator[link_pb2.DaemonBatch]:
        first = await anext(request_iterator, None)
        if first is None or not first.hello.name:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "The first batch must carry the gateway's hello.")
        gateway = AttachedGateway(first.hello.name)
        self.gateways[gateway.name] = gateway
        log.info("Gateway %s (version %s) attached.", gateway.name, first.hello.version)
        reader = asyncio.create_task(self._read(gateway, first, request_iterator), name=f"read {gateway.name}")
        try:
            async for batch in _until(reader, gateway.next_batch):
                yield batch
        finally:
            reader.cancel()
            self._hub.gateway_gone(gateway)
            if self.gateways.get(gateway.name) is gateway:
                del self.gateways[gateway.name]
            log.info("Gateway %s went away.", gateway.name)

    async def _read(
        self, gateway: AttachedGateway, first: link_pb2.GatewayBatch, batches: AsyncIterator[link_pb2.GatewayBatch]
    ) -> None:
        self._take(gateway, first)
        async for batch in batches:
            self._take(gateway, batch)

    def _take(self, gateway: AttachedGateway, batch: link_pb2.GatewayBatch) -> None:
        for link in batch.links_up:
            self._hub.link_up(gateway, link.link)
        for frame in batch.frames:
            self._hub.frame(gateway, frame.link, frame.data)
        for stats in batch.stats:
            self._hub.link_stats(gateway, stats)
        for number in batch.links_down:
            self._hub.link_down(gateway, number)


async def _until(
    end: asyncio.Task[None], make: Callable[[], Coroutine[None, None, link_pb2.DaemonBatch]]
) -> AsyncIterator[link_pb2.DaemonBatch]:
    """Yields what `make` gives until the task `end` is done."""
    while not end.done():
        waiting = asyncio.create_task(make())
        await asyncio.wait((waiting, end), return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            waiting.cancel()
            return
        yield waiting.result()
