"""What a node shows of itself on the air, to Bumble's own central: advertisement, GATT table, MTU.

Expected values are those of docs/protocol.md and of the Core Specification, volume 3, parts C, F and G."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from air_board import AirBoard, on_the_air
from air_central import INBOX, OUTBOX, SERVICE
from attune_core import advertised_hint
from bumble import core, gatt
from bumble.att import ATT_Error
from bumble.device import Advertisement, Connection, Peer
from qemu_board import wait_until

READ = gatt.Characteristic.Properties.READ
WRITE_WITHOUT_RESPONSE = gatt.Characteristic.Properties.WRITE_WITHOUT_RESPONSE
NOTIFY = gatt.Characteristic.Properties.NOTIFY

GAP, GATT = gatt.GATT_GENERIC_ACCESS_SERVICE, gatt.GATT_GENERIC_ATTRIBUTE_SERVICE
NAME, APPEARANCE = gatt.GATT_DEVICE_NAME_CHARACTERISTIC, gatt.GATT_APPEARANCE_CHARACTERISTIC


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirBoard]:
    with on_the_air(tmp_path_factory.mktemp("gatt")) as found:
        yield found


@pytest.fixture
def connection(node: AirBoard) -> Iterator[Connection]:
    made = node.central.connect()
    yield made
    if made.handle in node.central.device.connections:
        node.central.disconnect(made)


def test_the_advertisement_is_flags_and_a_hint_that_the_code_makes_out(node: AirBoard) -> None:
    found: list[Advertisement] = []

    async def scan() -> None:
        node.central.device.on("advertisement", found.append)
        await node.central.device.start_scanning(active=False, filter_duplicates=False)

    node.air.run(scan())
    wait_until(lambda: bool(found), "An advertisement")
    node.air.run(node.central.device.stop_scanning())
    seen = found[0]
    assert seen.is_connectable
    assert seen.address.is_static
    assert [kind for kind, _ in seen.data.ad_structures] == [0x01, 0x21]
    assert seen.data.get(core.AdvertisingData.Type.FLAGS, raw=True) == b"\x06"
    data = seen.data.get(core.AdvertisingData.Type.SERVICE_DATA_128_BIT_UUID, raw=True)
    assert isinstance(data, bytes)
    assert data[:16] == SERVICE.to_bytes()
    assert data[16:] == advertised_hint(node.advertising_key, data[16:19])
    assert len(bytes(seen.data)) <= 31


def test_the_whole_table_is_valid(node: AirBoard, connection: Connection) -> None:
    peer = Peer(connection)

    async def walk() -> None:
        await peer.discover_services()
        await peer.discover_characteristics()
        for service in peer.services:
            for characteristic in service.characteristics:
                await characteristic.discover_descriptors()

    node.air.run(walk())
    assert [service.uuid for service in peer.services] == [GAP, GATT, SERVICE]
    found = {service.uuid: service.characteristics for service in peer.services}
    kinds = {uuid: [(one.uuid, one.properties) for one in ones] for uuid, ones in found.items()}
    assert kinds == {
        GAP: [(NAME, READ), (APPEARANCE, READ)],
        GATT: [],
        SERVICE: [(INBOX, WRITE_WITHOUT_RESPONSE), (OUTBOX, NOTIFY)],
    }
    inbox, outbox = found[SERVICE]
    assert [one.type for one in inbox.descriptors] == []
    assert [one.type for one in outbox.descriptors] == [gatt.GATT_CLIENT_CHARACTERISTIC_CONFIGURATION_DESCRIPTOR]
    # Handles are in order and without gaps: services do not overlap, and no attribute is outside of one.
    attributes = node.air.run(peer.discover_attributes())
    assert [one.handle for one in attributes] == list(range(1, len(attributes) + 1))
    ends = [service.end_group_handle for service in peer.services]
    assert [service.handle for service in peer.services] == [1, *(end + 1 for end in ends[:-1])]
    assert ends[-1] in (len(attributes), 0xFFFF)


def test_nothing_that_can_be_read_tells_one_node_from_another(
    node: AirBoard, connection: Connection, tmp_path: Path
) -> None:
    def read_all(board: AirBoard, made: Connection) -> list[bytes | int]:
        peer = Peer(made)

        async def read() -> list[bytes | int]:
            values: list[bytes | int] = []
            for attribute in await peer.discover_attributes():
                try:
                    values.append(bytes(await peer.read_value(attribute)))
                except ATT_Error as error:
                    values.append(error.error_code)
            return values

        return board.air.run(read())

    with on_the_air(tmp_path, seed=b"\x07" * 32) as other:
        assert other.code.hint != node.code.hint
        second = other.central.connect()
        assert read_all(node, connection) == read_all(other, second)


@pytest.mark.parametrize(("asked", "agreed"), [(23, 23), (100, 100), (247, 247), (517, 247)])
def test_the_mtu_is_the_smaller_of_the_two(node: AirBoard, connection: Connection, asked: int, agreed: int) -> None:
    assert node.air.run(Peer(connection).request_mtu(asked)) == agreed


@pytest.mark.parametrize("mtu", [23, 64, 185, 247])
def test_a_node_speaks_at_any_mtu(node: AirBoard, mtu: int) -> None:
    daemon = node.daemon(mtu)
    daemon.greet()
    line = node.lines[-1]
    assert line.mtu == mtu
    assert all(frame[1:5] == bytes(4) for frame in line.frames)
    assert all(len(part) <= mtu - 3 for part in line.parts)
    line.close()
