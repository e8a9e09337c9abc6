"""The gateway's way to BlueZ against a peripheral of Bumble's, through bluetoothd and the kernel."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import pytest
from attune_gateway.ble.bleak_central import BleakCentral
from attune_gateway.ble.central import INBOX, OUTBOX, SERVICE, Advertisement, RadioError
from bumble.controller import Controller
from bumble.core import UUID, AdvertisingData
from bumble.device import Device
from bumble.gatt import Characteristic, CharacteristicValue, Service
from bumble.hci import Address
from bumble.host import Host
from bumble.transport.common import AsyncPipeSink
from kernel_radio import Air, KernelRadio

PATIENCE_S = 60.0
HINT = bytes.fromhex("0102030405060708")


class Echo:
    """A peripheral with the Attune service that notifies whatever is written to it."""

    def __init__(self, air: Air, address: str, mtu: int) -> None:
        controller = Controller(address, link=air)
        self.device = Device(address=Address(address), host=Host(controller, AsyncPipeSink(controller)))
        self.device.gatt_server.max_mtu = mtu
        write: CharacteristicValue[bytes] = CharacteristicValue(write=self._written)
        properties = Characteristic.Properties
        inbox: Characteristic[bytes] = Characteristic(
            INBOX, properties.WRITE_WITHOUT_RESPONSE, Characteristic.WRITEABLE, write
        )
        self._outbox: Characteristic[bytes] = Characteristic(OUTBOX, properties.NOTIFY, Characteristic.READABLE)
        self.device.add_service(Service(SERVICE, [inbox, self._outbox]))
        self.written: list[bytes] = []
        self._answers: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        await self.device.power_on()
        data = UUID(SERVICE).to_bytes() + HINT
        advertised = AdvertisingData([(AdvertisingData.SERVICE_DATA_128_BIT_UUID, data)])
        await self.device.start_advertising(
            advertising_data=bytes(advertised),
            auto_restart=True,
            advertising_interval_min=50,
            advertising_interval_max=50,
        )

    async def _written(self, _: object, value: bytes) -> None:
        self.written.append(value)
        self._answers.add(asyncio.create_task(self.device.notify_subscribers(self._outbox, value)))


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 (what it waits for says nothing by itself)
            await asyncio.sleep(0.02)


@pytest.fixture
async def air() -> AsyncIterator[Air]:
    """With hci0 on it."""
    air = Air()
    radio = KernelRadio(air)
    await radio.plug_in()
    yield air
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
async def test_parts_there_and_back(air: Air, mtu: int) -> None:
    """With the ATT MTU of the connection: BlueZ asks for 517, and the peripheral's answer counts."""
    echo = Echo(air, "F0:00:00:00:00:01", mtu)
    await echo.start()
    heard: list[Advertisement] = []
    central = await opened(heard.append)
    await until(lambda: heard)
    assert (heard[0].hint, heard[0].address) == (HINT, "F0:00:00:00:00:01")
    came: list[bytes] = []
    connection = await central.connect(heard[0].address, came.append)
    assert connection.mtu == mtu
    sent = [bytes([i]) * (mtu - 3) for i in range(10)]
    for part in sent:
        await connection.write(part)
    await until(lambda: len(came) == len(sent))
    assert (echo.written, came) == (sent, sent)
    await connection.disconnect()
    await until(lambda: not echo.device.connections)
    await central.close()
