"""A controller that is driven directly, over HCI: a USB stick, a UART, a socket; by Bumble."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

from bumble import att, core, gatt, gatt_client, hci, smp
from bumble.device import Connection as BumbleConnection
from bumble.device import Device, DeviceConfiguration, Peer
from bumble.host import Host
from bumble.transport import open_transport
from bumble.transport.common import Transport

from attune_gateway.ble.advertising import hint_of
from attune_gateway.ble.central import (
    CONNECT_S,
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
from attune_gateway.trouble import reason

# Of the time, half: connections have the other half, and nodes advertise often enough to be heard in either.
_SCAN_EVERY_MS = 100.0
_SCAN_MS = 50.0

# An answer of the controller, where nothing has to go over the air. A dongle that is not answered in time hangs.
_ANSWER_S = 5.0

# For all goodbyes together, and then for the line: a gateway that is told to stop has five seconds.
_CLOSE_S = 2.0

# Resetting and asking some thirty questions; some sticks are given their firmware first.
_BEGIN_S = 20.0

# How often a controller that says nothing is asked whether it is there.
_LOOK_S = 10.0

# Each kind of transport has errors of its own, and whatever a stranger's bytes do to Bumble's host is one more: at
# this edge any error is trouble with the radio or with the node.

_log = logging.getLogger(__name__)

# Bumble warns of each strange thing that a stranger sends.
logging.getLogger("bumble").setLevel(logging.CRITICAL)

_CONNECTABLE = hci.HCI_LE_Extended_Advertising_Report_Event.EventType.CONNECTABLE_ADVERTISING
_RESPONSE = hci.HCI_LE_Extended_Advertising_Report_Event.EventType.SCAN_RESPONSE

# What libusb and Bumble say of USB, and what it means.
_USB = {
    "LIBUSB_ERROR_ACCESS": "this user may not open it: take the package's rule for udev, and plug it in again",
    "LIBUSB_ERROR_BUSY": "another program uses it: stop that one",
    "LIBUSB_ERROR_OTHER": "this machine has no USB, or keeps it from the gateway",
    "device not found": "it is not there: plug it in, or correct its name",
}

# What controllers say that hold no more connections: the error of that name, or, as Zephyr's, that of their memory.
_FULL = (
    hci.HCI_CONNECTION_LIMIT_EXCEEDED_ERROR,
    hci.HCI_MEMORY_CAPACITY_EXCEEDED_ERROR,
    hci.HCI_CONNECTION_REJECTED_DUE_TO_LIMITED_RESOURCES_ERROR,
)

# What HCI says for "not available", and what stands in its place: as weak as can just be heard.
_NO_RSSI = 127
_WEAKEST_DBM = -100


class BumbleCentral:
    """transport: a controller as Bumble names it, such as "usb:0" or "serial:/dev/ttyUSB0,115200"."""

    def __init__(self, transport: str) -> None:
        self._name = transport
        self._heard: Callable[[Advertisement], None]
        self._transport: Transport | None = None
        self._device: Device
        self._failed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._connections: set[_HciConnection] = set()

    async def open(self, heard: Callable[[Advertisement], None]) -> None:
        self._heard = heard
        try:
            async with asyncio.timeout(_ANSWER_S):
                self._transport = await open_transport(self._name)
        except Exception as error:
            raise RadioError(f"Bluetooth radio {self._name} cannot be opened: {_trouble(error)}") from error
        try:
            async with asyncio.timeout(_BEGIN_S), _Abortable():
                await self._begin(self._transport)
        except Exception as error:
            raise RadioError(
                f"Bluetooth radio {self._name} does not answer as a controller: {_words(error)}"
            ) from error

    async def lost(self) -> str:
        ends: set[asyncio.Future[Any]] = {self._failed}
        if self._transport is not None:
            ends.add(self._transport.source.terminated)
        try:
            while not (await asyncio.wait(ends, timeout=_LOOK_S, return_when=asyncio.FIRST_COMPLETED))[0]:
                async with asyncio.timeout(_ANSWER_S), _Abortable():
                    await self._device.host.send_sync_command(hci.HCI_Read_BD_ADDR_Command())
        except Exception as error:  # noqa: BLE001  as above
            return f"Bluetooth radio {self._name} answers no more: {_words(error)}"
        what = self._failed.result() if self._failed.done() else "it was unplugged, or its line has ended"
        return f"Bluetooth radio {self._name} was lost: {what}"

    async def connect(self, address: str, notified: Callable[[bytes], None]) -> Connection:
        try:
            async with asyncio.timeout(CONNECT_S + _ANSWER_S), _Abortable():
                made = await self._device.connect_le(hci.Address(address), timeout=CONNECT_S)
        except Exception as error:
            if getattr(error, "error_code", None) in _FULL:
                raise RadioFullError(f"Bluetooth radio {self._name} holds no more connections.") from error
            raise NodeFailedError(_words(error)) from error
        connection = _HciConnection(made, self._is_cut_off)
        self._connections.add(connection)
        connection.closed.add_done_callback(lambda _: self._connections.discard(connection))
        try:
            async with asyncio.timeout(SETUP_S), _Abortable():
                await connection.set_up(notified)
        except asyncio.CancelledError:
            await connection.disconnect()
            raise
        except Exception as error:
            # Whatever a stranger's answers do to the client that asked.
            await connection.disconnect()
            raise NodeFailedError(_words(error)) from error
        return connection

    async def close(self) -> None:
        if self._transport is None:
            return
        if not self._is_cut_off():
            with contextlib.suppress(Exception):
                async with asyncio.timeout(_CLOSE_S), _Abortable():
                    await asyncio.gather(*[connection.disconnect() for connection in self._connections])
                    await self._device.stop_scanning()
                    await self._device.host.send_sync_command(hci.HCI_Reset_Command())
        for connection in list(self._connections):
            connection.end()
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_CLOSE_S):
                await self._transport.close()

    async def _begin(self, transport: Transport) -> None:
        host = Host(transport.source, transport.sink)
        transport.source.set_packet_sink(_Shield(host, self._fail))
        self._device = Device(config=_configuration(), host=host)
        # Nobody pairs with a gateway: the sealed session is the security.
        self._device.l2cap_channel_manager.deregister_fixed_channel(smp.SMP_CID)
        # Bumble's own table of advertisers has no bound.
        host.remove_listener("advertising_report", self._device.on_advertising_report)
        host.on("advertising_report", self._take)
        await self._device.power_on()
        await self._device.start_scanning(
            active=False, scan_interval=_SCAN_EVERY_MS, scan_window=_SCAN_MS, scanning_phys=(hci.HCI_LE_1M_PHY,)
        )

    def _take(self, report: Any) -> None:
        if isinstance(report, hci.HCI_LE_Advertising_Report_Event.Report):
            connectable = report.event_type == hci.HCI_LE_Advertising_Report_Event.EventType.ADV_IND
        else:
            connectable = bool(report.event_type & _CONNECTABLE) and not report.event_type & _RESPONSE
        hint = hint_of(report.data) if connectable else None
        if hint is not None:
            rssi_dbm = _WEAKEST_DBM if report.rssi == _NO_RSSI else report.rssi
            self._heard(Advertisement(hint, str(report.address), rssi_dbm))

    def _is_cut_off(self) -> bool:
        return self._transport is None or self._transport.source.terminated.done()

    def _fail(self, what: str) -> None:
        if not self._failed.done():
            self._failed.set_result(what)


class _HciConnection:
    """is_cut_off: whether the controller is out of reach."""

    def __init__(self, connection: BumbleConnection, is_cut_off: Callable[[], bool]) -> None:
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._connection = connection
        self._is_cut_off = is_cut_off
        self._inbox: Any = None
        self._client = connection.gatt_client = _OwnClient(connection)
        connection.on(connection.EVENT_DISCONNECTION, lambda _: self.end())

    @property
    def mtu(self) -> int:
        return max(MTU_MIN, min(self._connection.att_mtu, MTU))

    async def set_up(self, notified: Callable[[bytes], None]) -> None:
        """Raises NodeFailedError, and whatever Bumble does."""
        peer = Peer(self._connection)
        with contextlib.suppress(att.ATT_Error):
            await peer.request_mtu(MTU)
        service = await self._client.first_service(core.UUID(SERVICE))
        if service is None:
            raise NodeFailedError("it has no Attune service")
        await service.discover_characteristics()
        self._inbox, outbox = (_characteristic(service, uuid) for uuid in (INBOX, OUTBOX))
        # It looks for the descriptor itself, and is silent where there is none.
        await outbox.subscribe(lambda value: notified(bytes(value)))
        if outbox.get_descriptor(gatt.GATT_CLIENT_CHARACTERISTIC_CONFIGURATION_DESCRIPTOR) is None:
            raise NodeFailedError("its outbox cannot be subscribed to")
        if self.closed.done():
            raise NodeFailedError("it ended the connection")

    async def write(self, part: bytes) -> None:
        if self.closed.done():
            raise NodeFailedError("it ended the connection")
        try:
            async with asyncio.timeout(_ANSWER_S):
                await self._inbox.write_value(part, with_response=False)
                # One part of a node is in the controller at a time, so that a node that does not take any does not
                # keep those of the others waiting.
                await self._connection.drain()
        except Exception as error:
            raise NodeFailedError(_words(error)) from error

    async def rssi_dbm(self) -> int | None:
        try:
            async with asyncio.timeout(_ANSWER_S), _Abortable():
                rssi = int(await self._connection.get_rssi())  # type: ignore[no-untyped-call]
        except Exception:  # noqa: BLE001  as above
            return None
        return None if rssi == _NO_RSSI else rssi

    async def disconnect(self) -> None:
        if not self.closed.done() and not self._is_cut_off():
            with contextlib.suppress(Exception):
                async with asyncio.timeout(_ANSWER_S), _Abortable():
                    await self._connection.disconnect()
        self.end()

    def end(self) -> None:
        """The connection is no more."""
        if not self.closed.done():
            self.closed.set_result(None)


class _OwnClient(gatt_client.Client):
    """Without Bumble's cache, in which a peripheral could leave a value for each of 65,535 handles."""

    async def first_service(self, uuid: core.UUID) -> gatt_client.ServiceProxy | None:
        """The first service with that UUID; whether there are more of it would be a round trip."""
        response = await self.send_request(
            att.ATT_Find_By_Type_Value_Request(
                starting_handle=0x0001,
                ending_handle=0xFFFF,
                attribute_type=gatt.GATT_PRIMARY_SERVICE_ATTRIBUTE_TYPE,
                attribute_value=uuid.to_pdu_bytes(),
            )
        )
        if not isinstance(response, att.ATT_Find_By_Type_Value_Response) or not response.handles_information:
            return None
        begin, end = response.handles_information[0]
        return gatt_client.ServiceProxy(self, begin, end, uuid, True)  # type: ignore[no-untyped-call]

    def cache_value(self, attribute_handle: int, value: bytes) -> None:
        pass


class _Shield:
    """Stands between controller and host: bytes that the host stumbles over must not end the transport."""

    def __init__(self, host: Host, failed: Callable[[str], None]) -> None:
        self._host = host
        self._failed = failed

    def on_packet(self, packet: bytes) -> None:
        if packet[:2] == bytes((hci.HCI_EVENT_PACKET, hci.HCI_HARDWARE_ERROR_EVENT)):
            self._failed("its controller reported an error of its hardware")
        try:
            self._host.on_packet(packet)
        except Exception:  # noqa: BLE001  whatever a stranger's bytes do to the host above
            _log.debug("A packet from the radio could not be taken.", exc_info=True)

    def on_transport_lost(self) -> None:
        with contextlib.suppress(asyncio.InvalidStateError):
            self._host.on_transport_lost()  # type: ignore[no-untyped-call]


class _Abortable:
    """Bumble cancels whoever waits for a peer that is gone: here that is an error like others.

    Nor does a cancellation of ours get lost, as it may in wait_for of Python 3.11, if an answer comes with it.
    """

    async def __aenter__(self) -> None:
        self._before = _cancellations()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        ours = _cancellations() > self._before
        if isinstance(error, asyncio.CancelledError):
            if not ours:
                raise ConnectionAbortedError("the connection ended") from error
        elif ours:
            raise asyncio.CancelledError


def _cancellations() -> int:
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


def _configuration() -> DeviceConfiguration:
    # A new address at each start, and no services of our own: a gateway is nothing to its neighbours.
    return DeviceConfiguration(
        name="", address=hci.Address.generate_static_address(), gap_service_enabled=False, gatt_service_enabled=False
    )


def _characteristic(service: gatt_client.ServiceProxy, uuid: str) -> Any:
    found = service.get_characteristics_by_uuid(core.UUID(uuid))
    if not found:
        raise NodeFailedError("its Attune service is not complete")
    return found[0]


def _trouble(error: BaseException) -> str:
    """Why a transport cannot be opened, and what to do."""
    return next((advice for said, advice in _USB.items() if said in str(error)), "") or reason(error)


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__
