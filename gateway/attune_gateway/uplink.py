"""The one stream to the daemon."""

import asyncio
import contextlib
import logging
import time
from typing import TypeAlias

import grpc.aio
from attune_proto.v1.link_pb2 import DaemonBatch, GatewayBatch, GatewayHello
from attune_proto.v1.link_pb2_grpc import NodeLinkStub

from attune_gateway.links import Links
from attune_gateway.outbox import BATCH_FRAMES
from attune_gateway.pacing import Backoff, Sparingly
from attune_gateway.way import Way

_log = logging.getLogger(__name__)

# After a batch frames gather for so long: the first after a pause goes at once, and a busy site does not pay for a
# message a frame, here and in the daemon.
_GATHER_S = 0.005

# How often the daemon is asked for the next certificate, which it gives when a third of the time is left: a month.
RENEW_S = 3600.0

Call: TypeAlias = "grpc.aio.StreamStreamCall[GatewayBatch, DaemonBatch]"


class _RenewedError(Exception):
    """There is a new certificate: the next stream goes by it."""


class Uplink:
    """Attaches to the daemon by its `way`, again and again, and carries batches both ways.

    The flow control of the stream holds the outbox back, and the outbox the links. `trouble` is a sentence on why the
    last attempt has ended; empty while it is attached.
    """

    def __init__(self, links: Links, way: Way, hello: GatewayHello, backoff: Backoff) -> None:
        self._links = links
        self._way = way
        self._hello = hello
        self._backoff = backoff
        self._complaints = Sparingly()
        self.attached = False
        self.trouble = ""

    @property
    def target(self) -> str:
        """The daemon's address."""
        return self._way.target

    async def run(self) -> None:
        """Runs until it is cancelled."""
        while True:
            began_s = time.monotonic()
            try:
                await self._attach()
                self._complain("ended the stream")
            except* _RenewedError:
                _log.info("Attaching again with the new certificate.")
            except* grpc.aio.AioRpcError as group:
                error = group.exceptions[0]
                reason = await self._way.reason(error) if isinstance(error, grpc.aio.AioRpcError) else str(error)
                self._complain(reason)
            await asyncio.sleep(self._backoff.after(time.monotonic() - began_s))

    async def _attach(self) -> None:
        async with self._way.channel() as channel:
            # A call of its own, since a refusal of the stream may cross the first write and lose its words.
            if await self._way.renew(channel):
                raise _RenewedError
            call: Call = NodeLinkStub(channel).Attach()
            try:
                await self._greet(call)
                await self._carry(channel, call)
            finally:
                self.attached = False
                self._links.detach()

    async def _greet(self, call: Call) -> None:
        # Before anything of this stream can come. A call that has ended says why to whoever reads it.
        with contextlib.suppress(asyncio.InvalidStateError):
            await call.write(GatewayBatch(hello=self._hello))
            _log.info("Attached to the daemon at %s.", self._way.target)
            self.attached, self.trouble = True, ""
            self._links.restart()

    async def _carry(self, channel: grpc.aio.Channel, call: Call) -> None:
        async with asyncio.TaskGroup() as tasks:
            sender = tasks.create_task(self._send(call), name="uplink sender")
            renewal = tasks.create_task(self._renew(channel), name="renewal")
            async for batch in call:
                self._links.deliver(batch.frames)
                self._links.wish(batch.wishes)
            sender.cancel()
            renewal.cancel()

    async def _renew(self, channel: grpc.aio.Channel) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            if await self._way.renew(channel):
                raise _RenewedError

    async def _send(self, call: Call) -> None:
        try:
            while True:
                batch = await self._links.outbox.take()
                await call.write(batch)
                if len(batch.frames) < BATCH_FRAMES:
                    await asyncio.sleep(_GATHER_S)
        except asyncio.InvalidStateError:
            # The call has ended, which the receiving side learns with the reason.
            return

    def _complain(self, what: str) -> None:
        self.trouble = sentence = f"The daemon at {self._way.target} {what}; trying again until it answers."
        if self._complaints.allows(time.monotonic(), sentence):
            _log.warning(sentence)
