"""The gateway's radio by Bumble on a virtual link, with nodes of the core: reports, turns, losses, two radios."""

import asyncio
import logging
import time
from collections.abc import Callable

import pytest
from air_daemon import until
from attune_gateway.ble.central import Advertisement, Connection, RadioError
from attune_gateway.ble.radio import Radio
from attune_gateway.config import BleSettings
from attune_gateway.links import Links
from attune_gateway.pacing import Backoff
from attune_proto.v1.link_pb2 import NEED_AGE, NEED_NONE, NEED_URGENT
from ble_world import gateway, site
from bumble import hci


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The radio tells at once what it would else tell within a second."""
    monkeypatch.setattr("attune_gateway.ble.radio._TURN_S", 0.05)
    monkeypatch.setattr("attune_gateway.ble.nearby._TELL_SOONEST_S", 0.05)


async def test_reports_go_over_the_air_and_acknowledgements_come_back() -> None:
    async with site() as world:
        node = await world.add()
        async with gateway(world) as north:
            known = north.daemon.of(node)
            await until(lambda: node.node.facts.timed, "the time")
            world.let_pass(3)
            await until(lambda: known.reports == [1, 2, 3], "three reports")
            await until(lambda: node.node.facts.waiting == 0, "their acknowledgement")
            (link,) = north.daemon.was_up
            assert (link.transport, link.hint, link.mtu) == ("ble", node.hint, 243)
            assert all(frame[1:5] == bytes(4) for frame in node.frames)
            assert north.daemon.sightings[node.hint].rssi_dbm == -50


async def test_it_listens_half_of_the_time_and_asks_nobody() -> None:
    async with site() as world, gateway(world):
        await until(lambda: bool(world.port.radios) and world.port.radios[0].le_scan_enable, "the scan")
        (controller,) = world.port.radios
        # In units of 0.625 ms; type 0 is passive: it sends no requests.
        assert (controller.le_scan_interval, controller.le_scan_window, controller.le_scan_type) == (160, 80, 0)


async def test_a_controller_that_hangs_does_not_delay_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    async with site() as world:
        nodes = [await world.add() for _ in range(3)]
        async with gateway(world) as north:
            await until(lambda: all(node.node.facts.timed for node in nodes), "the time")
            for controller in world.port.radios:
                monkeypatch.setattr(controller, "on_packet", lambda _: None)
            began_s = time.monotonic()
            north.tasks[1].cancel()
            await asyncio.wait([north.tasks[1]])
            assert time.monotonic() - began_s < 5.0


async def test_no_need_ends_a_connection_at_once_and_begins_none() -> None:
    async with site() as world:
        node = await world.add()
        async with gateway(world) as north:
            await until(lambda: node.node.facts.timed, "the time")
            north.daemon.wish(node, NEED_NONE)
            await until(lambda: node.peripheral.connection is None, "the end")
            await until(lambda: not north.daemon.up, "word of it")
            await asyncio.sleep(0.5)
            assert node.peripheral.connections == 1
            north.daemon.wish(node, NEED_AGE)
            await until(lambda: node.peripheral.connections == 2, "the next one")
            assert north.daemon.sightings[node.hint].failures == 0


async def test_a_lost_connection_is_made_again_and_nothing_is_lost() -> None:
    async with site() as world:
        node = await world.add()
        async with gateway(world) as north:
            known = north.daemon.of(node)
            await until(lambda: node.node.facts.timed, "the time")
            for round_ in range(1, 4):
                world.let_pass(1)
                world.ether.cut()
                await until(lambda last=round_: known.reports[-1:] == [last], "the report")
            assert known.reports == [1, 2, 3]
            assert len(set(known.links)) >= 3


async def test_more_nodes_than_slots_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attune_gateway.ble.schedule.IDLE_S", 0.3)
    monkeypatch.setattr("attune_gateway.ble.schedule.PATIENCE_S", 0.0)
    async with site() as world:
        nodes = [await world.add() for _ in range(5)]
        world.let_pass(1)
        most = 0
        async with gateway(world, connections=2) as north:
            for _ in range(2000):
                most = max(most, sum(node.peripheral.connection is not None for node in nodes))
                if all(known.reports for known in north.daemon.known):
                    break
                await asyncio.sleep(0.01)
            assert [known.reports for known in north.daemon.known] == [[1]] * 5
            assert most == 2


async def test_a_changed_hint_is_another_node_until_the_daemon_has_made_it_out() -> None:
    async with site() as world:
        node = await world.add()
        async with gateway(world) as north:
            await until(lambda: node.node.facts.timed, "the time")
            before = node.hint
            north.daemon.wish(node, NEED_NONE)
            await until(lambda: node.peripheral.connection is None, "the end")
            north.daemon.of(node).need = NEED_URGENT
            await node.change_hint()
            await until(lambda: node.peripheral.connections == 2, "the connection by the new hint")
            assert node.hint != before
            await until(lambda: north.daemon.was_up[-1].hint == node.hint, "word of it")


async def test_a_new_stream_keeps_connections_and_tells_everything_again() -> None:
    async with site() as world:
        node, other = await world.add(), await world.add()
        async with gateway(world) as north:
            north.daemon.of(other).need = NEED_NONE
            await until(lambda: node.node.facts.timed, "the time")
            north.stop_daemon()
            await asyncio.sleep(0)
            north.daemon.sightings.clear()
            north.daemon.was_up.clear()
            north.start_daemon()
            await until(lambda: len(north.daemon.was_up) == 1, "the link")
            await until(lambda: set(north.daemon.sightings) >= {node.hint, other.hint}, "sightings")
            world.let_pass(1)
            await until(lambda: north.daemon.of(node).reports == [1], "a report by the old connection")
            assert node.peripheral.connections == 1


async def test_a_radio_that_is_unplugged_is_opened_again(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    async with site() as world:
        node = await world.add()
        async with gateway(world) as north:
            await until(lambda: node.node.facts.timed, "the time")
            world.port.unplug()
            await until(lambda: not north.daemon.up, "the end of the link")
            await until(lambda: bool(caplog.messages), "word of it")
            await world.port.open()
            world.let_pass(1)
            await until(lambda: north.daemon.of(node).reports == [1], "a report")
    (lost,) = caplog.messages
    assert lost == (
        f"Bluetooth radio {world.port.name} was lost: it was unplugged, or its line has ended; "
        "trying again until it answers."
    )


class Absent:
    """A radio that is away, for another reason at each try."""

    def __init__(self) -> None:
        self.tries = 0

    async def open(self, heard: Callable[[Advertisement], None]) -> None:
        self.tries += 1
        raise RadioError(f"It is away for reason {self.tries}")

    async def lost(self) -> str:
        raise AssertionError("It was never open.")

    async def connect(self, address: str, notified: Callable[[bytes], None]) -> Connection:
        raise AssertionError("It was never open.")

    async def close(self) -> None:
        pass


async def test_what_still_keeps_a_radio_away_after_half_a_minute_is_said_as_well(
    caplog: pytest.LogCaptureFixture,
) -> None:
    absent = Absent()
    radio = Radio(
        Links(600, lambda: 0.0),
        BleSettings(radio="hci0"),
        Backoff(0, 0.01),
        central=lambda _: absent,
        clock=lambda: 2.0 * absent.tries,  # seconds
    )
    task = asyncio.create_task(radio.run())
    await until(lambda: len(caplog.messages) >= 2, "the second sentence")
    task.cancel()
    assert caplog.messages[:2] == [
        "It is away for reason 1; trying again until it answers.",
        "It is away for reason 16; trying again until it answers.",
    ]


async def test_two_gateways_hear_a_node_and_one_serves_it() -> None:
    async with site() as world:
        node = await world.add()
        async with gateway(world) as north, gateway(world) as south:
            south.daemon.of(node).need = NEED_NONE
            await until(lambda: node.node.facts.timed, "the time")
            await until(lambda: node.hint in south.daemon.sightings, "what the other one hears")
            assert not south.daemon.up
            # The daemon changes its mind: first the one lets go, then the other one takes over.
            north.daemon.wish(node, NEED_NONE)
            await until(lambda: not north.daemon.up, "the end")
            south.daemon.known[0].side = north.daemon.known[0].side
            south.daemon.wish(node, NEED_AGE)
            world.let_pass(1)
            await until(lambda: south.daemon.of(node).reports == [1], "a report by the other gateway")
            assert not north.daemon.up


@pytest.mark.parametrize("full", [0x07, 0x09, 0x0D])
async def test_a_controller_that_holds_fewer_connections_goes_on_with_those(
    caplog: pytest.LogCaptureFixture, full: int
) -> None:
    caplog.set_level(logging.INFO)
    async with site() as world:
        nodes = [await world.add() for _ in range(3)]
        async with gateway(world) as north:
            await until(lambda: bool(world.port.radios), "the radio")
            (controller,) = world.port.radios
            create = controller.on_hci_le_create_connection_command

            def limited(command: hci.HCI_LE_Create_Connection_Command) -> object:
                if len(controller.le_connections) < 2:
                    return create(command)
                controller._send_hci_command_status(hci.HCI_ErrorCode(full), command.op_code)
                return None

            setattr(controller, create.__name__, limited)
            await until(lambda: "It goes on with 2." in caplog.text, "word of it")
            await until(lambda: sum(node.node.facts.timed for node in nodes) == 2, "two nodes")
            assert all(sighting.failures == 0 for sighting in north.daemon.sightings.values())


@pytest.mark.parametrize(
    ("radio", "words"),
    [
        (
            "tcp-client:127.0.0.1:1",
            "Bluetooth radio tcp-client:127.0.0.1:1 cannot be opened: Connection refused; ",
        ),
        ("serial:/dev/no-such-tty", "Bluetooth radio serial:/dev/no-such-tty cannot be opened: it is not there: plug"),
        ("hci99", "Bluetooth radio hci99 "),
    ],
)
async def test_a_radio_that_is_missing_is_one_sentence_and_tried_again(
    radio: str, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    task = asyncio.create_task(Radio(Links(600, lambda: 0.0), BleSettings(radio=radio), Backoff(0, 0.01)).run())
    await until(lambda: bool(caplog.messages), "the sentence")
    await asyncio.sleep(0.1)
    assert not task.done()
    task.cancel()
    (sentence,) = caplog.messages
    assert sentence.startswith(words)
    assert sentence.endswith("; trying again until it answers.")
    assert "\n" not in sentence
