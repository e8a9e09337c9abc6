"""The gRPC service that gateways attach to, over a socket."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from air_daemon import until
from attune_proto.v1 import link_pb2, link_pb2_grpc, node_pb2
from attuned.clock import Clock
from attuned.errors import RequestError
from attuned.nodes import link_service
from attuned.nodes.hub import Hub
from attuned.nodes.link_service import BATCH_FRAMES, OUTGOING_LIMIT, AttachedGateway, LinkService, Pass
from daemon_world import A, FakeClock, hello, report, trust_of, wrapped
from node_side import NodeSide
from test_daemon_hub import Listener


@dataclass
class Doorkeeper:
    """Lets everybody in who comes over a socket, but for one name."""

    clock: Clock = field(default_factory=FakeClock)

    def admit(self, pem: bytes) -> Pass:
        raise AssertionError("nobody has a certificate here")

    def check_local(self, name: str) -> None:
        if name == "elsewhere":
            raise RequestError("It is elsewhere: take another name.")

    def came(self, name: str, expires_utc_ms: int) -> None:
        raise AssertionError("nobody has a certificate here")

    def left(self, name: str, heard_utc_ms: int) -> None:
        raise AssertionError("nobody has a certificate here")


class Service:
    """The service on a socket, with a hub behind it."""

    def __init__(self) -> None:
        self.listener = Listener()
        self.hub = Hub(FakeClock(), {A: "r"}, {}, {}, trust=trust_of(A))
        self.hub.dispatch.listener = self.listener
        self.links = LinkService(self.hub, Doorkeeper())
        self.node = NodeSide(bytes.fromhex(A), self.hub.trust.own.public[0])

    @contextlib.asynccontextmanager
    async def stub(self, folder: Path) -> AsyncIterator[Any]:
        server = grpc.aio.server()
        link_pb2_grpc.add_NodeLinkServicer_to_server(self.links, server)
        server.add_insecure_port(f"unix:{folder}/gateway.sock")
        await server.start()
        async with grpc.aio.insecure_channel(f"unix:{folder}/gateway.sock") as channel:
            yield link_pb2_grpc.NodeLinkStub(channel)
        await server.stop(None)


def frames_of(link: int, *frames: bytes) -> link_pb2.GatewayBatch:
    return link_pb2.GatewayBatch(frames=[link_pb2.Frame(link=link, data=frame) for frame in frames])


def batch(name: str = "", **more: object) -> link_pb2.GatewayBatch:
    return link_pb2.GatewayBatch(hello=link_pb2.GatewayHello(name=name), **more)  # type: ignore[arg-type]


async def read_to_end(call: Any) -> None:
    while await call.read() != grpc.aio.EOF:
        pass


async def test_a_gateway_brings_links_and_frames_and_takes_answers(tmp_path: Path) -> None:
    service = Service()
    async with service.stub(tmp_path) as stub:
        call = stub.Attach()
        await call.write(batch("north", links_up=[link_pb2.LinkUp(link=4)]))
        first = await call.read()
        assert [frame.link for frame in first.frames] == [4]
        node = service.node
        await call.write(frames_of(4, node.begin()))
        node.finish((await call.read()).frames[0].data)
        await call.write(frames_of(4, node.seal(wrapped(hello()))))
        assert node.open((await call.read()).frames[0].data).HasField("time")
        ack = node_pb2.TimeAck(echo_tick_ms=100_000, tick_ms=100_000)
        await call.write(frames_of(4, node.seal(wrapped(ack)), node.seal(wrapped(report(1, 60)))))
        await call.done_writing()
        async with asyncio.timeout(2):
            assert await call.read() == grpc.aio.EOF
        assert [window.seq for window, _ in service.listener.windows] == [1]
        assert not service.hub.online(service.hub.conversations[A])
    assert service.links.gateways == {}


async def test_a_stream_that_does_not_say_who_it_is_is_refused(tmp_path: Path) -> None:
    async with Service().stub(tmp_path) as stub:
        call = stub.Attach()
        await call.write(batch(""))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_name_of_an_enrolled_gateway_is_refused_on_this_machine(tmp_path: Path) -> None:
    service = Service()
    async with service.stub(tmp_path) as stub:
        call = stub.Attach(timeout=10)
        await call.write(batch("elsewhere"))
        with pytest.raises(grpc.aio.AioRpcError, match="take another name") as caught:
            await call.read()
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert service.links.gateways == {}


async def test_a_stream_is_ended_with_a_sentence_and_takes_nothing_more(tmp_path: Path) -> None:
    service = Service()
    async with service.stub(tmp_path) as stub:
        call = stub.Attach()
        await call.write(batch("north", links_up=[link_pb2.LinkUp(link=1)]))
        await call.read()
        gateway = service.links.gateways["north"]
        assert service.links.drop("north", "It is over.")
        assert not service.links.drop("south", "It is over.")
        await call.write(link_pb2.GatewayBatch(links_up=[link_pb2.LinkUp(link=2)]))
        with pytest.raises(grpc.aio.AioRpcError, match="It is over"):
            await call.read()
    assert service.links.gateways == {}
    assert (gateway, 2) not in service.hub._links


async def test_a_stream_that_nobody_reads_is_ended_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_service, "LAST_WORD_S", 0.1)
    service = Service()
    async with service.stub(tmp_path) as stub:
        call = stub.Attach()
        await call.write(batch("north", links_up=[link_pb2.LinkUp(link=1)]))
        await call.read()
        gateway = service.links.gateways["north"]
        detached = asyncio.Event()
        service.links._detach = lambda gateway: detached.set()  # type: ignore[method-assign]
        # Far more than the flow control of a stream lets through.
        for _ in range(OUTGOING_LIMIT // 2):
            gateway.send(1, bytes(1024))
        await asyncio.sleep(0.2)
        service.links.drop("north", "It is over.")
        assert service.links.gateways == {}
        async with asyncio.timeout(5):
            await detached.wait()


async def test_a_gateway_that_attaches_again_takes_the_place_of_its_old_stream(tmp_path: Path) -> None:
    service = Service()
    async with service.stub(tmp_path) as stub:
        old, new = stub.Attach(), stub.Attach()
        await old.write(batch("north", links_up=[link_pb2.LinkUp(link=1)]))
        await old.read()
        await new.write(batch("north", links_up=[link_pb2.LinkUp(link=1)]))
        await new.read()
        with pytest.raises(grpc.aio.AioRpcError, match="Another gateway has attached as north") as caught:
            await read_to_end(old)
        assert caught.value.code() is grpc.StatusCode.ABORTED
        node = service.node
        await new.write(frames_of(1, node.begin()))
        node.finish((await new.read()).frames[0].data)
        await new.write(frames_of(1, node.seal(wrapped(hello()))))
        assert (await new.read()).frames
        assert list(service.links.gateways) == ["north"]
        assert service.hub.online(service.hub.conversations[A])


async def test_frames_for_a_gateway_that_does_not_read_are_dropped_and_counted() -> None:
    gateway = AttachedGateway("slow")
    for _ in range(OUTGOING_LIMIT + 3):
        gateway.send(1, b"frame")
    assert gateway.dropped == 3
    sizes = [len((await gateway.next_batch()).frames) for _ in range(OUTGOING_LIMIT // BATCH_FRAMES)]
    assert set(sizes) == {BATCH_FRAMES}
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(gateway.next_batch(), 0.01)


async def test_a_stream_that_is_cut_off_leaves_nothing_behind(tmp_path: Path) -> None:
    service = Service()
    before = asyncio.all_tasks()
    async with service.stub(tmp_path) as stub:
        call = stub.Attach()
        await call.write(batch("north", links_up=[link_pb2.LinkUp(link=1)]))
        await call.read()
        call.cancel()
        await until(lambda: not service.links.gateways, "the end of the stream")
        await asyncio.sleep(0.05)
        left = [str(task.get_coro()) for task in asyncio.all_tasks() - before]
        assert not [one for one in left if "next_batch" in one or "LinkService" in one]


async def test_a_gateway_has_no_more_links_than_are_remembered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(link_service, "LINKS_LIMIT", 3)
    service = Service()
    ups = [link_pb2.LinkUp(link=number) for number in range(1, 6)]
    async with service.stub(tmp_path) as stub:
        call = stub.Attach()
        # The second batch makes room for one, and says one again.
        await call.write(batch("north", links_up=ups))
        await call.write(link_pb2.GatewayBatch(links_down=[1]))
        await call.write(link_pb2.GatewayBatch(links_up=[ups[4], ups[1], ups[3]]))
        called: list[int] = []
        async with asyncio.timeout(10):
            while len(called) < 5:
                called += [frame.link for frame in (await call.read()).frames]
        assert called == [1, 2, 3, 5, 2]
        call.cancel()
