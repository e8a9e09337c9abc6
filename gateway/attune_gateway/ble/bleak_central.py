"""A radio of this machine by way of BlueZ, over D-Bus.

BlueZ itself listens for a part of the time only: half of it for ten seconds, then a pause.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any

from bleak import BleakClient, BleakScanner
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakDBusError
from dbus_fast import BusType, Message, MessageType
from dbus_fast.aio import MessageBus
from dbus_fast.errors import DBusError

from attune_gateway.ble.central import (
    ATT_HEADER,
    CONNECT_S,
    HINT_SIZE,
    INBOX,
    MTU,
    MTU_MIN,
    OUTBOX,
    SERVICE,
    SETUP_S,
    Advertisement,
    Connection,
    NodeFailedError,
    RadioError,
    RadioFullError,
)
from attune_gateway.trouble import user

_BLUEZ = "org.bluez"

# Neither a restarted bluetoothd nor an adapter switched off says so to whoever merely listens.
_LOOK_S = 5.0

# An answer of bluetoothd, where nothing has to go over the air.
_ANSWER_S = 10.0

# For all goodbyes together, since a gateway that is told to stop has five seconds. BlueZ ends what is left by itself
# when this program has gone from the bus.
_CLOSE_S = 4.0

# What bleak says in the place of a strength that BlueZ did not give: this was no advertisement.
_NO_RSSI = -127

# At this edge any error of bleak, of D-Bus or of BlueZ is trouble with the radio or with the node.

# What D-Bus says where its policy (/etc/dbus-1/system.d/bluetooth.conf) keeps a user from bluetoothd.
_DENIED = "org.freedesktop.DBus.Error.AccessDenied"

# How BlueZ words HCI's "connection limit exceeded", by its age.
_FULL = ("concurrent-connection-limit", "Too many links")


class BleakCentral:
    """adapter: name of it in BlueZ, such as "hci0"."""

    def __init__(self, adapter: str) -> None:
        self._adapter = adapter
        self._path = f"/org/bluez/{adapter}"
        self._heard: Callable[[Advertisement], None]
        self._bus: MessageBus | None = None
        self._scanner: BleakScanner | None = None
        self._owner = ""
        self._connections: dict[str, _BluezConnection | None] = {}

    async def open(self, heard: Callable[[Advertisement], None]) -> None:
        self._heard = heard
        try:
            async with asyncio.timeout(_ANSWER_S):
                self._bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
        except Exception as error:
            why = f"there is no D-Bus ({getattr(error, 'strerror', None) or _words(error)})"
            advice = "start dbus.service and bluetooth.service, or give a controller such as usb:0 as radio"
            raise RadioError(f"Bluetooth radio {self._adapter} cannot be used: {why}; {advice}") from error
        try:
            await self._start_bluetoothd()
            self._owner = await self._find_bluetoothd()
            await self._check_on()
            # DuplicateData: without it BlueZ says of a node that stays only that it came. Nothing is filtered by
            # service, since BlueZ does not look for it in service data.
            scanner = BleakScanner(self._take, bluez={"adapter": self._adapter, "filters": {"DuplicateData": True}})
            async with asyncio.timeout(_ANSWER_S):
                await scanner.start()
            self._scanner = scanner
        except RadioError:
            raise
        except Exception as error:
            raise RadioError(f"Bluetooth radio {self._adapter} cannot be used: {_words(error)}") from error

    async def lost(self) -> str:
        while True:
            await asyncio.sleep(_LOOK_S)
            try:
                # A new bluetoothd has no adapter yet for a moment, or has it off, which is no news.
                if await self._find_bluetoothd() != self._owner:
                    return f"Bluetooth radio {self._adapter} was lost: bluetoothd has been restarted"
                await self._check_on()
            except RadioError as error:
                return str(error)

    async def connect(self, address: str, notified: Callable[[bytes], None]) -> Connection:
        known = self._scanner.discovered_devices_and_advertisement_data if self._scanner is not None else {}
        if address not in known or address in self._connections:
            raise NodeFailedError("it is not in reach")
        self._connections[address] = None
        connection = _BluezConnection(known[address][0], self._adapter, self._forget)
        try:
            await connection.set_up(notified)
        except (asyncio.CancelledError, NodeFailedError):
            await connection.disconnect()
            raise
        except Exception as error:
            await connection.disconnect()
            self._check_full(error)
            raise NodeFailedError(_words(error)) from error
        self._connections[address] = connection
        return connection

    async def close(self) -> None:
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_CLOSE_S):
                ends = [one.disconnect() for one in self._connections.values() if one is not None]
                await asyncio.gather(*ends)
                if self._scanner is not None:
                    await self._scanner.stop()
        if self._bus is not None:
            self._bus.disconnect()

    def _take(self, device: BLEDevice, data: AdvertisementData) -> None:
        hint = data.service_data.get(SERVICE)
        # BlueZ repeats what it knows of a device on each of its changes, such as the end of a connection.
        if hint is None or len(hint) != HINT_SIZE or data.rssi == _NO_RSSI or device.address in self._connections:
            return
        self._heard(Advertisement(bytes(hint), device.address, data.rssi))

    async def _start_bluetoothd(self) -> None:
        """It crashes now and then where connections end, and Debian's unit does not start it again; D-Bus does."""
        with contextlib.suppress(Exception):
            await self._call(_to_the_bus("StartServiceByName", "su", _BLUEZ, 0))

    async def _find_bluetoothd(self) -> str:
        """The name on the bus of the bluetoothd that runs now; RadioError."""
        try:
            return str(await self._call(_to_the_bus("GetNameOwner", "s", _BLUEZ)))
        except Exception as error:
            what = "bluetoothd does not run; plug a radio in, or start bluetooth.service"
            raise RadioError(f"Bluetooth radio {self._adapter} cannot be used: {what}") from error

    async def _check_on(self) -> None:
        """RadioError unless bluetoothd has this adapter, switched on."""
        radio = f"Bluetooth radio {self._adapter}"
        powered = Message(
            destination=_BLUEZ,
            path=self._path,
            interface="org.freedesktop.DBus.Properties",
            member="Get",
            signature="ss",
            body=["org.bluez.Adapter1", "Powered"],
        )
        try:
            on = (await self._call(powered)).value
        except Exception as error:
            raise RadioError(f"{radio} {_why_silent(error)}") from error
        if not on:
            raise RadioError(f"{radio} is off; switch it on with `bluetoothctl power on`")

    async def _call(self, message: Message) -> Any:
        if self._bus is None:
            raise RadioError(f"Bluetooth radio {self._adapter} is not open.")
        async with asyncio.timeout(_ANSWER_S):
            reply = await self._bus.call(message)
        if reply is None or reply.message_type is not MessageType.METHOD_RETURN:
            name = str(reply.error_name) if reply is not None else "org.freedesktop.DBus.Error.NoReply"
            raise DBusError(name, "no answer")
        return reply.body[0] if reply.body else None

    async def _forget(self, device: BLEDevice) -> None:
        """BlueZ keeps whatever was ever connected on the disk, and a node's address changes every few hours."""
        removal = Message(
            destination=_BLUEZ,
            path=self._path,
            interface="org.bluez.Adapter1",
            member="RemoveDevice",
            signature="o",
            body=[device.details["path"]],
        )
        with contextlib.suppress(Exception):
            await self._call(removal)
        self._connections.pop(device.address, None)

    def _check_full(self, error: BaseException) -> None:
        if any(words in str(error) for words in _FULL):
            raise RadioFullError(f"Bluetooth radio {self._adapter} holds no more connections.") from error


class _BluezConnection:
    def __init__(
        self, device: BLEDevice, adapter: str, forget: Callable[[BLEDevice], Coroutine[Any, Any, None]]
    ) -> None:
        self.mtu = MTU_MIN
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._device = device
        self._forget = forget
        self._inbox: BleakGATTCharacteristic
        self._client = BleakClient(
            device,
            disconnected_callback=self._end,
            services=[SERVICE],
            timeout=CONNECT_S + SETUP_S,
            bluez={"adapter": adapter},
        )

    async def set_up(self, notified: Callable[[bytes], None]) -> None:
        """Raises NodeFailedError, and whatever bleak does."""
        async with asyncio.timeout(CONNECT_S + SETUP_S):
            await self._client.connect()
            inbox = self._client.services.get_characteristic(INBOX)
            outbox = self._client.services.get_characteristic(OUTBOX)
            if inbox is None or outbox is None:
                raise NodeFailedError("it has no Attune service")
            self._inbox = inbox
            self.mtu = max(MTU_MIN, min(inbox.max_write_without_response_size + ATT_HEADER, MTU))
            await self._client.start_notify(outbox, lambda _, value: notified(bytes(value)))
        if self.closed.done():
            raise NodeFailedError("it ended the connection")

    async def write(self, part: bytes) -> None:
        try:
            async with asyncio.timeout(_ANSWER_S):
                await self._client.write_gatt_char(self._inbox, part, response=False)
        except Exception as error:
            raise NodeFailedError(_words(error)) from error

    async def rssi_dbm(self) -> int | None:
        return None

    async def disconnect(self) -> None:
        # Also after a failure: BlueZ goes on trying to connect until it is told not to.
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_ANSWER_S):
                await self._client.disconnect()
        self._end()
        await self._forget(self._device)

    def _end(self, _: BleakClient | None = None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)


def _to_the_bus(member: str, signature: str, *body: object) -> Message:
    """A call of the bus itself, for which bluetoothd need not run."""
    bus = "org.freedesktop.DBus"
    return Message(bus, "/org/freedesktop/DBus", bus, member, signature=signature, body=list(body))


def _why_silent(error: Exception) -> str:
    """Why bluetoothd does not tell of an adapter, and what to do."""
    if isinstance(error, TimeoutError):
        return "cannot be used: bluetoothd does not answer; restart bluetooth.service"
    if isinstance(error, DBusError) and error.type == _DENIED:
        who = user()
        advice = f"add {who} to the group bluetooth, and restart the gateway"
        return f"cannot be used: D-Bus keeps {who} from bluetoothd; {advice}"
    return "is not there; plug it in, or name one of `bluetoothctl list`"


def _words(error: BaseException) -> str:
    """What BlueZ said, in its last words: its errors are names with a sentence."""
    if isinstance(error, BleakDBusError):
        return error.dbus_error_details or error.dbus_error
    return str(error) or type(error).__name__
