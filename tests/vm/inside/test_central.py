"""The gateway's way to BlueZ against a peripheral of Bumble's, through bluetoothd and the kernel."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import pytest
from air import Ether
from air_peripheral import AirPeripheral
from attune_gateway.ble.bleak_central import BleakCentral
from attune_gateway.ble.central import Advertisement, RadioError
from kernel_radio import KernelRadio

PATIENCE_S = 60.0
HINT = bytes.fromhex("0102030405060708")
ADDRESS = "F0:00:00:00:00:01"


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 (what it waits for says nothing by itself)
            await asyncio.sleep(0.02)


@pytest.fixture
async def ether() -> AsyncIterator[Ether]:
    """With hci0 on it."""
    ether = Ether()
    radio = KernelRadio(ether)
    await radio.plug_in()
    yield ether
    await radio.unplug()


async def opened(heard: Callable[[Advertisement], None]) -> BleakCentral:
    """A central, once bluetoothd has made the adapter its own."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        central = BleakCentral("hci0")
        try:
            await central.open(heard)
        except RadioError:
            await central.close()
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.5)
        else:
            return central


@pytest.mark.parametrize("mtu", [247, 100])
async def test_parts_there_and_back(ether: Ether, mtu: int) -> None:
    """With the ATT MTU of the connection: BlueZ asks for 517, and the peripheral's answer counts."""
    node = AirPeripheral(ether, HINT, ADDRESS)
    node.device.gatt_server.max_mtu = mtu
    written: list[bytes] = []
    node.written = written.append
    await node.start()
    heard: list[Advertisement] = []
    central = await opened(heard.append)
    await until(lambda: heard)
    assert (heard[0].hint, heard[0].address) == (HINT, ADDRESS)
    came: list[bytes] = []
    connection = await central.connect(ADDRESS, came.append)
    assert (connection.mtu, node.part_size) == (mtu, mtu - 3)
    parts = [bytes([i]) * (mtu - 3) for i in range(10)]
    for part in parts:
        await connection.write(part)
        await node.notify(part)
    await until(lambda: len(came) == len(written) == len(parts))
    assert (written, came) == (parts, parts)
    await connection.disconnect()
    await until(lambda: node.connection is None)
    await central.close()
