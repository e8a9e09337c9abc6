"""Centrals that do not behave, and controllers that fail, against a board in QEMU: afterwards it serves the next one.

What a central's own host would never send goes into the board's controller as if it had come over the air."""

import asyncio
import random
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from air_board import AirBoard, on_the_air
from bumble import hci
from bumble.device import Connection
from qemu_board import wait_until
from test_qemu_node import feed_lines, samples

ATT_CID = 4
SIGNALLING_CID = 5
SECURITY_CID = 6
HANDLES = (*range(16), 0xFFFF)

# A request to read an attribute that no table has, and the error that answers it (volume 3, part F, 3.4.1).
READ_NOTHING = b"\x0a\xfe\xff"
NOTHING_THERE = b"\x01\x0a\xfe\xff\x01"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirBoard]:
    with on_the_air(tmp_path_factory.mktemp("hostile")) as found:
        yield found


@pytest.fixture
def connection(node: AirBoard) -> Iterator[Connection]:
    """Of a central that means harm. However it goes, the next one is served."""
    made = node.central.connect()
    yield made
    if made.handle in node.central.device.connections:
        node.central.disconnect(made)
    node.expect_alive()


def put_on_air(node: AirBoard, packets: list[tuple[int, bytes]], pause_s: float = 0.0) -> None:
    """Packets of the link layer, each with its boundary flag (2 begins, 1 goes on), as the controller hands them up."""

    async def put() -> None:
        for boundary, data in packets:
            for connection in list(node.controller.le_connections.values()):
                node.controller.send_hci_packet(hci.HCI_AclDataPacket(connection.handle, boundary, 0, len(data), data))
            await asyncio.sleep(pause_s)

    node.air.run(put())


def framed(cid: int, data: bytes) -> bytes:
    return struct.pack("<HH", len(data), cid) + data


def put(node: AirBoard, connection: Connection, cid: int, *payloads: bytes) -> None:
    def sent() -> None:
        for payload in payloads:
            connection.device.send_l2cap_pdu(connection.handle, cid, payload)

    node.air.call(sent)


def send(node: AirBoard, connection: Connection, cid: int, *payloads: bytes) -> None:
    put(node, connection, cid, *payloads)
    settle(node)


def settle(node: AirBoard) -> None:
    """Time for the board to take what has been sent."""
    node.air.run(asyncio.sleep(0.3))


def heard(node: AirBoard, connection: Connection) -> list[bytes]:
    """The packets that the board sends from now on."""
    packets: list[bytes] = []
    node.air.call(lambda: connection.device.host.on("l2cap_pdu", lambda handle, cid, pdu: packets.append(pdu)))
    return packets


def test_writes_to_every_handle(node: AirBoard, connection: Connection) -> None:
    answers = heard(node, connection)
    values = (b"", b"\x00", b"\x01\x00", b"\xff" * 20, b"\xc0" + bytes(243))
    for handle in HANDLES:
        place = struct.pack("<H", handle)
        requests = [bytes([op]) + place + value for op in (0x12, 0x52, 0xD2) for value in values]
        requests += [b"\x16" + place + b"\x00\x00" + value for value in values] + [b"\x18\x01", b"\x18\x00"]
        put(node, connection, ATT_CID, *requests, READ_NOTHING)
        wait_until(lambda: NOTHING_THERE in answers, "The answer to the last request")
        answers.clear()


@pytest.mark.slow
@pytest.mark.parametrize("mtu", [0, 1, 22, 512, 0xFFFF])
def test_absurd_mtus(node: AirBoard, connection: Connection, mtu: int) -> None:
    answers = heard(node, connection)
    send(node, connection, ATT_CID, b"\x02" + struct.pack("<H", mtu))
    # An error or the node's own MTU, which is at least the least and at most what fits its buffers.
    assert any(
        answer[0] == 0x01 or (answer[0] == 0x03 and 23 <= answer[1] | answer[2] << 8 <= 517) for answer in answers
    )


def test_absurd_parameters(node: AirBoard, connection: Connection) -> None:
    taken = node.controller.le_connections
    for interval, latency, timeout in ((0, 0, 0), (6, 499, 10), (3200, 499, 3200), (0xFFFF, 0xFFFF, 0xFFFF)):
        update = hci.HCI_LE_Connection_Update_Complete_Event(
            status=0,
            connection_handle=next(iter(taken.values())).handle,
            connection_interval=interval,
            peripheral_latency=latency,
            supervision_timeout=timeout,
        )
        node.air.call(lambda event=update: node.controller.send_hci_packet(event))  # type: ignore[misc]
    requests = [struct.pack("<BBHHHHH", 0x12, n, 8, 6, 5, 0xFFFF, 1) for n in range(5)]
    send(node, connection, SIGNALLING_CID, *requests, b"\x12", b"\x12\x01\xff\xff", b"\x14\x01\x00\x00")
    send(node, connection, SECURITY_CID, b"\x01\x03\x00\x01\x10\x07\x07", b"\x0b" + bytes(16), b"")


def test_fragments_that_never_end(node: AirBoard, connection: Connection) -> None:
    """A packet of 65,535 bytes, in pieces that go on beyond it; pieces that belong to nothing; a packet that is cut."""
    put_on_air(node, [(2, b"\xff\xff\x04\x00")] + [(1, bytes(27))] * 2600)
    put_on_air(node, [(1, bytes(27))] * 100)
    put_on_air(node, [(2, b"\x40\x00\x04\x00" + bytes(23))] * 20)
    put_on_air(node, [(2, b"\x01"), (2, b""), (1, b""), (2, b"\x00\x00\x04"), (1, b"\x00")])
    put_on_air(node, [(2, framed(ATT_CID, b"\x52\x09\x00\xc0")), (1, bytes(27))])
    settle(node)


def test_a_part_of_a_frame_that_never_ends(node: AirBoard) -> None:
    """First parts without a last one, until long after the node's frame is full."""
    line = node.line()

    async def write() -> None:
        for number in range(300):
            header = number % 64 | (0x80 if number == 0 else 0)
            await line.inbox.write_value(bytes([header]) + bytes(243), with_response=False)
            await line.connection.drain()

    node.air.run(write())
    line.close()
    daemon = node.daemon()
    daemon.greet()
    assert 1 <= daemon.health.bad_frames <= 10
    node.lines[-1].close()


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 5))])
def test_noise_on_every_channel(node: AirBoard, connection: Connection, seed: int) -> None:
    draw = random.Random(seed)
    packets = []
    for _ in range(400):
        payload = draw.randbytes(draw.choice((0, 1, 2, 3, 5, 7, 23, 60)))
        data = framed(
            draw.choice((ATT_CID, ATT_CID, SIGNALLING_CID, SECURITY_CID, 0, 0x40, draw.getrandbits(16))), payload
        )
        cut = draw.randint(0, len(data))
        packets += [(2, data[:cut]), (1, data[cut:])] if draw.random() < 0.5 else [(2, data[: draw.choice((cut, 64))])]
    put_on_air(node, packets)
    settle(node)


def test_connections_that_end_at_once(node: AirBoard) -> None:
    for _ in range(5):
        connection = node.central.connect()
        node.central.disconnect(connection)
    node.expect_alive()


@pytest.mark.slow
def test_a_silent_central_does_not_keep_others_out(node: AirBoard) -> None:
    silent = node.central.connect()
    wait_until(lambda: silent.handle not in node.central.device.connections, "The end of the silent connection", 60)
    node.expect_alive()


def test_somebody_elses_daemon_gets_nothing(node: AirBoard) -> None:
    """Whoever has no code hears the beginning of a handshake, again and again, and nothing else."""
    node.expect_alive()  # which commissions the node
    line = node.line()
    wait_until(lambda: len(line.frames) > 0, "A frame")
    assert {frame[0] for frame in line.frames} == {2}
    line.close()


# --- Controllers ---


def hardware_error(node: AirBoard) -> None:
    sink = node.controller.hci_sink
    assert sink is not None
    sink.on_packet(b"\x04\x10\x01\x01")


def forget_everything(node: AirBoard) -> None:
    """As after a loss of power: without a word, and with the connection gone on the other side, too."""
    node.controller.on_hci_reset_command(hci.HCI_Reset_Command())


def garble(node: AirBoard) -> None:
    """Half a packet, and bytes that begin none: what a controller's own restart may leave on the line."""
    sink = node.controller.hci_sink
    assert sink is not None
    sink.on_packet(b"\x04\x3e\x13\x01")
    sink.on_packet(b"\xff" * 300)


@pytest.mark.parametrize(
    ("how", "connected"),
    [
        (hardware_error, True),
        (garble, False),
        pytest.param(hardware_error, False, marks=pytest.mark.slow),
        pytest.param(garble, True, marks=pytest.mark.slow),
    ],
)
def test_a_controller_that_fails_is_set_up_again(
    tmp_path: Path, how: Callable[[AirBoard], None], *, connected: bool
) -> None:
    with on_the_air(tmp_path) as node:
        node.expect_alive()
        if connected:
            node.daemon().greet()
        resets = node.controller.resets
        node.air.call(lambda: how(node))
        wait_until(lambda: node.controller.resets > resets, "A reset of the controller", 60)
        if connected:
            node.lines[-1].close()
        node.expect_alive()


@pytest.mark.slow
@pytest.mark.parametrize("connected", [False, True])
def test_a_controller_that_loses_its_power_is_found_out(tmp_path: Path, *, connected: bool) -> None:
    with on_the_air(tmp_path) as node:
        node.expect_alive()
        if connected:
            node.daemon().greet()
        resets = node.controller.resets
        node.air.call(lambda: forget_everything(node))
        wait_until(lambda: node.controller.resets > resets + 1, "A reset of the controller", 100)
        if connected:
            node.lines[-1].close()
        node.expect_alive()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_packets_that_come_late_and_in_another_order(tmp_path: Path, seed: int) -> None:
    """Few and small buffers as well."""
    with on_the_air(tmp_path, late=seed, total_num_le_acl_data_packets=1 + seed, fragment=27 + 100 * seed) as node:
        daemon = node.daemon()
        daemon.greet()
        node.board.feed(feed_lines(samples(20)))
        assert [report.seq for report in daemon.reports(20)] == list(range(1, 21))
        node.cut()
        node.daemon().greet()
