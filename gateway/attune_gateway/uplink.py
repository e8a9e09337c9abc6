"""The one stream to the daemon."""

import asyncio
import logging
import time
from typing import TypeAlias

import grpc.aio
from attune_proto.v1.link_pb2 import DaemonBatch, GatewayBatch, GatewayHello
from attune_proto.v1.link_pb2_grpc import NodeLinkStub

from attune_gateway.links import Links
from attune_gateway.outbox import BATCH_FRAMES
from attune_gateway.pacing import Backoff, Sparingly

_log = logging.getLogger(__name__)

# Each attempt has a channel of its own, so that the waiting times are ours; a proxy has no business on this machine.
_OPTIONS = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0))

# After a batch frames gather for so long: the first after a pause goes at once, and a busy site does not pay for a
# message a frame, here and in the daemon.
_GATHER_S = 0.005

Call: TypeAlias = "grpc.aio.StreamStreamCall[GatewayBatch, DaemonBatch]"


class Uplink:
    """Attaches to the daemon at `target`, again and again, and carries batches both ways.

    The flow control of the stream holds the outbox back, and the outbox the links.
    """

    def __init__(self, links: Links, target: str, hello: GatewayHello, backoff: Backoff) -> None:
        self._links = links
        self._target = target
        self._hello = hello
        self._backoff = backoff
        self._complaints = Sparingly()

    async def run(self) -> None:
        """Runs until it is cancelled."""
        while True:
            began_s = time.monotonic()
            try:
                await self._attach()
                self._complain("ended the stream")
            except* grpc.aio.AioRpcError as group:
                error = group.exceptions[0]
                self._complain(_reason(error) if isinstance(error, grpc.aio.AioRpcError) else str(error))
            # A daemon that takes the stream and drops it at once is left alone for longer and longer.
            if time.monotonic() - began_s > self._backoff.longest_s:
                self._backoff.reset()
            await asyncio.sleep(self._backoff.next())

    async def _attach(self) -> None:
        async with grpc.aio.insecure_channel(self._target, options=_OPTIONS) as channel:
            call: Call = NodeLinkStub(channel).Attach()
            async with asyncio.TaskGroup() as tasks:
                sender = tasks.create_task(self._send(call), name="uplink sender")
                async for batch in call:
                    self._links.deliver(batch.frames)
                sender.cancel()

    async def _send(self, call: Call) -> None:
        try:
            await call.write(GatewayBatch(hello=self._hello))
            _log.info("Attached to the daemon at %s.", self._target)
            self._links.restart()
            while True:
                batch = await self._links.outbox.take()
                await call.write(batch)
                if len(batch.frames) < BATCH_FRAMES:
                    await asyncio.sleep(_GATHER_S)
        except asyncio.InvalidStateError:
            # The call has ended, which the receiving side learns with the reason.
            return

    def _complain(self, what: str) -> None:
        sentence = f"The daemon at {self._target} {what}; trying again until it answers."
        if self._complaints.allows(time.monotonic(), sentence):
            _log.warning(sentence)


def _reason(error: grpc.aio.AioRpcError) -> str:
    if error.code() is grpc.StatusCode.UNAVAILABLE:
        return "is not reachable"
    return f"refused the stream ({error.code().name}: {error.details()})"
