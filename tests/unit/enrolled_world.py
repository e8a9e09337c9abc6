"""A gateway of another machine: how it enrolls, attaches, and is refused, over real TLS."""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from attune_gateway import enrolling, enrolment
from attune_gateway.enrolled_way import EnrolledWay
from attune_gateway.enrolment import Enrolment, EnrolmentError, key_pem, new_key
from attune_gateway.links import Links
from attune_gateway.pacing import Backoff
from attune_gateway.uplink import Uplink
from attune_proto.v1 import link_pb2, link_pb2_grpc
from attuned.gateways.authority import Authority
from cryptography.hazmat.primitives.serialization import Encoding
from gateway_world import GatewayDaemon

DAYS = timedelta(days=1)


async def enrolled(daemon: GatewayDaemon, state: Path, name: str = "north") -> Enrolment:
    return await asyncio.to_thread(enrolling.enroll, await daemon.invite(name), state)


async def refused(text: str, state: Path, match: str) -> None:
    with pytest.raises(EnrolmentError, match=match):
        await asyncio.to_thread(enrolling.enroll, text, state)
    assert not await asyncio.to_thread((state / enrolment.FILE).exists)


@contextlib.contextmanager
def running(way: EnrolledWay) -> Iterator[asyncio.Task[None]]:
    """A gateway's uplink by this way; it says that its name is another."""
    hello = link_pb2.GatewayHello(name="admin", version="0.1.0")
    task = asyncio.create_task(Uplink(Links(1500, time.monotonic), way, hello, Backoff(0.05, 0.1)).run())
    try:
        yield task
    finally:
        task.cancel()


async def until(condition: Any, seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 (what is waited for tells nobody)
            await asyncio.sleep(0.02)


async def attach(way: EnrolledWay) -> grpc.aio.AioRpcError:
    """How a stream ends that is begun by this way."""
    async with way.channel() as channel:
        call = link_pb2_grpc.NodeLinkStub(channel).Attach(timeout=10)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await talk(call)
    return caught.value


async def talk(call: Any) -> None:
    """Presents itself on a stream and reads until its end."""
    with contextlib.suppress(asyncio.InvalidStateError):
        await call.write(link_pb2.GatewayBatch(hello=link_pb2.GatewayHello(name="admin")))
    while await call.read() != grpc.aio.EOF:
        pass


def certified(own: Enrolment, by: Authority, **how: Any) -> Enrolment:
    """The same gateway with a certificate of another authority, or otherwise made."""
    key = new_key()
    certificate = by.for_gateway(how.get("name", own.name), "0" * 16, key.public_key())
    pem = certificate.public_bytes(Encoding.PEM).decode()
    return own.model_copy(update={"certificate": pem, "key": key_pem(key)})


def full_disk(*_: object) -> None:
    raise EnrolmentError("The disk is full: make room.")
