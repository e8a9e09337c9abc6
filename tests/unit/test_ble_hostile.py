"""What advertises as a node and is none: it is counted, told and left alone, and a good one is served as before."""

import asyncio
import logging
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from air_daemon import until
from air_node import AirNode, static_address
from air_peripheral import OUTBOX, SERVICE, AirPeripheral
from attune_gateway.ble.central import Advertisement
from attune_gateway.ble.line import HELD_FRAMES
from attune_gateway.ble.parts import PartCutter
from attune_proto.v1.link_pb2 import NEED_AGE, Wish
from ble_world import Gateway, Site, gateway, site
from bumble import att, core
from bumble.gatt import Characteristic, Service
from bumble.hci import Address

HINT = b"hostile!"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The radio tells at once what it would else tell within a second."""
    monkeypatch.setattr("attune_gateway.ble.radio._TURN_S", 0.05)
    monkeypatch.setattr("attune_gateway.ble.nearby._TELL_SOONEST_S", 0.05)


@pytest.fixture
async def world() -> AsyncIterator[Site]:
    async with site() as made:
        await made.add()
        yield made


async def begin(world: Site, north: Gateway, rogue: AirPeripheral) -> None:
    """The rogue is on the air, and the daemon takes it for a node."""
    await rogue.start()
    north.links.wish([Wish(hint=HINT, need=NEED_AGE)])
    await until(lambda: rogue.connections > 0, "a connection with the rogue")


async def goes_on(world: Site, north: Gateway) -> None:
    """The good node is served as if nothing were."""
    (node,) = world.nodes
    known = north.daemon.of(node)
    await until(lambda: node.node.facts.timed, "the time")
    world.let_pass(1)
    await until(lambda: known.reports[-1:] == [node.node.facts.next_seq - 1], "a report of the good one")


def peripheral(world: Site, **more: Any) -> AirPeripheral:
    return AirPeripheral(world.ether, HINT, static_address(), interval_ms=50, **more)


async def test_one_without_the_service_is_told_as_a_failure(world: Site) -> None:
    async with gateway(world) as north:
        rogue = peripheral(world, services=[])
        await begin(world, north, rogue)
        await until(lambda: HINT in north.daemon.sightings and north.daemon.sightings[HINT].failures >= 1, "word of it")
        await goes_on(world, north)
        assert {link.hint for link in north.daemon.was_up} == {world.nodes[0].hint}


@pytest.mark.parametrize("outbox", [Characteristic.Properties.READ, None])
async def test_half_a_service_is_none(world: Site, outbox: Characteristic.Properties | None) -> None:
    parts = [] if outbox is None else [Characteristic(OUTBOX, outbox, Characteristic.READABLE, b"")]
    async with gateway(world) as north:
        await begin(world, north, peripheral(world, services=[Service(core.UUID(SERVICE), parts)]))
        await until(lambda: HINT in north.daemon.sightings and north.daemon.sightings[HINT].failures >= 1, "word of it")
        await goes_on(world, north)


async def at_once(rogue: AirPeripheral) -> None:
    await rogue.leave()


async def rubbish(rogue: AirPeripheral) -> None:
    draw = random.Random(1)
    for _ in range(300):
        # Never a first part, or it would be a frame for the daemon to judge.
        await rogue.notify(bytes([draw.randrange(0x80)]) + draw.randbytes(draw.randrange(60)))


async def endless(rogue: AirPeripheral) -> None:
    await rogue.notify(b"\x80" + bytes(200))
    for number in range(1, 300):
        await rogue.notify(bytes([number % 64]) + bytes(200))


async def silence(rogue: AirPeripheral) -> None:
    """Says nothing at all."""


@pytest.mark.parametrize("deed", [at_once, rubbish, endless, silence])
async def test_who_says_nothing_good_is_counted_and_given_up(
    world: Site, deed: Callable[[AirPeripheral], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("attune_gateway.ble.schedule.SILENT_S", 0.5)
    async with gateway(world) as north:
        rogue = peripheral(world)
        tasks: list[asyncio.Task[None]] = []
        rogue.subscribed = lambda: tasks.append(asyncio.ensure_future(_do(deed, rogue)))
        await begin(world, north, rogue)
        await until(lambda: HINT in north.daemon.sightings and north.daemon.sightings[HINT].failures >= 1, "word of it")
        await goes_on(world, north)
        links = {link.link for link in north.daemon.was_up if link.hint == HINT}
        stats = [north.daemon.stats[link] for link in links if link in north.daemon.stats]
        assert (sum(one.damaged + one.oversized for one in stats) > 0) == (deed in (rubbish, endless))
        assert all(one.frames == 0 for one in stats)
        await asyncio.gather(*tasks)


async def _do(deed: Callable[[AirPeripheral], Awaitable[None]], rogue: AirPeripheral) -> None:
    await deed(rogue)


@pytest.mark.parametrize("step", range(6))
async def test_one_that_leaves_at_any_step_of_the_setup(world: Site, step: int) -> None:
    """step: of what the gateway asks, MTU, service, characteristics (and more of them), descriptors, subscription."""
    async with gateway(world) as north:
        rogue = peripheral(world)
        asked = 0
        server: Any = rogue.device.gatt_server
        answer = server.on_gatt_pdu

        def on_pdu(bearer: Any, pdu: att.ATT_PDU) -> None:
            nonlocal asked
            asked += 1
            if asked > step:
                asyncio.get_running_loop().create_task(rogue.leave())
                return
            answer(bearer, pdu)

        server.on_gatt_pdu = on_pdu
        await begin(world, north, rogue)
        await until(lambda: HINT in north.daemon.sightings and north.daemon.sightings[HINT].failures >= 1, "word of it")
        await goes_on(world, north)


async def test_answers_that_no_client_expects(world: Site, caplog: pytest.LogCaptureFixture) -> None:
    """Rubbish in the place of every answer: the radio itself must not fall."""
    caplog.set_level(logging.INFO)
    draw = random.Random(2)
    async with gateway(world) as north:
        rogue = peripheral(world)
        server: Any = rogue.device.gatt_server

        def on_pdu(bearer: Any, pdu: att.ATT_PDU) -> None:
            for _ in range(5):
                bearer.send_l2cap_pdu(att.ATT_CID, bytes([draw.randrange(256)]) + draw.randbytes(draw.randrange(30)))
            bearer.send_l2cap_pdu(draw.randrange(0x100), draw.randbytes(20))
            bearer.send_l2cap_pdu(att.ATT_CID, bytes([pdu.op_code + 1]) + draw.randbytes(draw.randrange(30)))

        server.on_gatt_pdu = on_pdu
        await begin(world, north, rogue)
        await until(lambda: rogue.connections >= 3, "some tries", 60)
        await goes_on(world, north)
        assert "lost" not in caplog.text


async def test_a_flood_of_good_frames_while_the_daemon_takes_none_ends_the_connection(world: Site) -> None:
    async with gateway(world) as north:
        rogue = peripheral(world)
        cutter = PartCutter(100)
        floods: list[asyncio.Task[None]] = []

        async def flood() -> None:
            for _ in range(3 * HELD_FRAMES):
                for part in cutter.cut(b"\x04" + bytes(20)):
                    await rogue.notify(part)

        rogue.subscribed = lambda: floods.append(asyncio.ensure_future(flood()))
        # No daemon takes anything, and all is held back.
        await goes_on(world, north)
        north.stop_daemon()
        await asyncio.sleep(0.1)
        north.links.outbox._limit_frames = 10
        north.links.restart()
        await begin(world, north, rogue)
        await until(lambda: rogue.connection is None and bool(floods), "the end of the connection")
        assert len(north.links.outbox._queue) < 2 * HELD_FRAMES


@pytest.mark.parametrize("mtu", [0, 1, 5, 23, 24, 100, 0xFFFF])
async def test_absurd_mtus_are_bent_to_what_may_be(world: Site, mtu: int) -> None:
    async with gateway(world) as north:
        rogue = peripheral(world)
        server: Any = rogue.device.gatt_server
        answer = server.on_gatt_pdu

        def on_pdu(bearer: Any, pdu: att.ATT_PDU) -> None:
            if pdu.op_code == att.Opcode.ATT_EXCHANGE_MTU_REQUEST:
                bearer.send_l2cap_pdu(att.ATT_CID, b"\x03" + mtu.to_bytes(2, "little"))
            else:
                answer(bearer, pdu)

        server.on_gatt_pdu = on_pdu
        await begin(world, north, rogue)
        await until(lambda: any(link.hint == HINT for link in north.daemon.was_up), "the link")
        (link, *_) = (link for link in north.daemon.was_up if link.hint == HINT)
        assert link.mtu == min(max(mtu, 23), 247) - 4


async def test_a_crowd_of_made_up_advertisements_does_not_keep_a_node_waiting(world: Site) -> None:
    async with gateway(world) as north:
        report = north.radio._hear

        async def crowd() -> None:
            while True:
                for _ in range(200):
                    report(Advertisement(os.urandom(8), str(Address.generate_static_address()), -20))
                await asyncio.sleep(0.01)

        made_up = asyncio.create_task(crowd())
        await goes_on(world, north)
        made_up.cancel()
        assert len(north.radio._schedule) <= 1024 + 1


async def test_nodes_that_were_never_wanted_are_left_alone(world: Site) -> None:
    async with gateway(world) as north:
        stranger: AirNode = await world.add()
        await until(lambda: stranger.hint in north.daemon.sightings, "the stranger")
        await goes_on_with(world.nodes[0], north, world)
        assert stranger.peripheral.connections == 0


async def goes_on_with(node: AirNode, north: Gateway, world: Site) -> None:
    await until(lambda: node.node.facts.timed, "the time")
    world.let_pass(1)
    await until(lambda: bool(north.daemon.of(node).reports), "a report")
