"""The gateway program on BlueZ, before a daemon that writes down what it is told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from air import Ether
from air_peripheral import AirPeripheral
from attune_core import part_encode
from attune_proto.v1.link_pb2 import NEED_URGENT, DaemonBatch, Frame, GatewayBatch, LinkUp, Wish
from attune_proto.v1.link_pb2_grpc import NodeLinkServicer, add_NodeLinkServicer_to_server
from installation import program
from kernel_radio import KernelRadio

PATIENCE_S = 90.0

# Of each node, the ATT MTU that it answers BlueZ's 517 with.
MTUS = {bytes([1]) * 8: 247, bytes([2]) * 8: 100}


class FakeDaemon(NodeLinkServicer):
    """Wants every node that it hears of; gives back each frame."""

    def __init__(self) -> None:
        self.up: dict[int, LinkUp] = {}
        self.down: set[int] = set()
        self.frames: dict[int, list[bytes]] = {}

    async def Attach(self, request_iterator: Any, context: Any) -> None:  # type: ignore[override] # noqa: N802
        while (batch := await context.read()) is not grpc.aio.EOF:
            answer = self._note(batch)
            await context.write(answer)

    def _note(self, batch: GatewayBatch) -> DaemonBatch:
        self.up |= {link.link: link for link in batch.links_up}
        self.down |= set(batch.links_down)
        for frame in batch.frames:
            self.frames.setdefault(frame.link, []).append(frame.data)
        wishes = [Wish(hint=sighting.hint, need=NEED_URGENT) for sighting in batch.sightings]
        return DaemonBatch(wishes=wishes, frames=[Frame(link=each.link, data=each.data) for each in batch.frames])


async def until(condition: Callable[[], object], what: str) -> None:
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():  # noqa: ASYNC110 (what it waits for says nothing by itself)
                await asyncio.sleep(0.05)
    except TimeoutError:
        pytest.fail(f"{what} did not come within {PATIENCE_S:g} s.")


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[FakeDaemon]:
    found = FakeDaemon()
    server = grpc.aio.server()
    add_NodeLinkServicer_to_server(found, server)
    server.add_insecure_port(f"unix:{tmp_path}/gateway.sock")
    await server.start()
    yield found
    await server.stop(None)


async def test_links_say_what_was_agreed_on(tmp_path: Path, daemon: FakeDaemon) -> None:
    ether = Ether()
    radio = KernelRadio(ether)
    await radio.plug_in()
    nodes = {hint: AirPeripheral(ether, hint, f"F0:00:00:00:00:{hint[0]:02X}") for hint in MTUS}
    written: dict[bytes, list[bytes]] = {hint: [] for hint in MTUS}
    for hint, node in nodes.items():
        node.device.gatt_server.max_mtu = MTUS[hint]
        node.written = written[hint].append
        await node.start()
    command = [program("attune-gateway"), "--daemon", f"unix:{tmp_path}/gateway.sock", "--ble", "hci0"]
    with (tmp_path / "gateway.log").open("wb") as log:
        gateway = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
    try:
        await until(lambda: len(daemon.up) == len(MTUS), "Two links")
        told = {link.hint: (link.transport, link.mtu, link.peer) for link in daemon.up.values()}
        assert told == {hint: ("ble", mtu - 4, f"F0:00:00:00:00:{hint[0]:02X}") for hint, mtu in MTUS.items()}
        frame = b"\x01" + bytes(300)
        for hint, node in nodes.items():
            parts = part_encode(frame, MTUS[hint] - 3, 0)
            for part in parts:
                await node.notify(part)
            await until(lambda hint=hint, parts=parts: written[hint] == parts, "The frame, back")  # type: ignore[misc]
        assert sorted(daemon.frames.values()) == [[frame], [frame]]
        assert daemon.down == set()
    finally:
        gateway.terminate()
        await gateway.wait()
        print((tmp_path / "gateway.log").read_text())
        await radio.unplug()
