"""A Bluetooth peripheral with the Attune service on a virtual link; what it says is the test's affair."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from air import AirController, Ether
from bumble import core, hci, ll
from bumble.controller import Controller
from bumble.device import Connection, Device, DeviceConfiguration
from bumble.gatt import Characteristic, CharacteristicValue, Service
from bumble.host import Host
from bumble.transport.common import AsyncPipeSink, StreamPacketSink, StreamPacketSource

SERVICE = "c97a0001-01a0-45f9-bfa5-88579b592de5"
INBOX = "c97a0002-01a0-45f9-bfa5-88579b592de5"
OUTBOX = "c97a0003-01a0-45f9-bfa5-88579b592de5"

MTU = 247
_WHOLE = 255


class ManyEars(Ether):
    """An ether on which hundreds advertise: only who listens takes notice, or nothing else would be done."""

    def send_advertising_pdu(self, sender_controller: Controller, packet: ll.AdvertisingPdu) -> None:
        if not self.in_reach:
            return
        if isinstance(packet, ll.ConnectInd):
            ears = [one for one in self.controllers if one.random_address == packet.advertiser_address]
        else:
            ears = [one for one in self.controllers if one.le_scan_enable or one.pending_le_connection is not None]
        for one in ears:
            if one is not sender_controller:
                asyncio.get_running_loop().call_soon(one.on_ll_advertising_pdu, packet)


def advertising_data(hint: bytes) -> bytes:
    """Flags, and the service's data: 29 bytes."""
    data = b"\x02\x01\x06\x19\x21" + UUID(SERVICE).bytes[::-1] + hint
    assert len(data) == 29
    return data


def attune_service(written: Callable[[bytes], None], outbox: Characteristic[bytes]) -> Service:
    inbox: Characteristic[bytes] = Characteristic(
        INBOX,
        Characteristic.Properties.WRITE_WITHOUT_RESPONSE,
        Characteristic.WRITEABLE,
        CharacteristicValue(write=lambda _, value: written(bytes(value))),
    )
    return Service(core.UUID(SERVICE), [inbox, outbox])


class AirPeripheral:
    """Advertises `hint` whenever nobody is connected. address: a static random one; services: in the place of Attune's.

    subscribed, written and left may be set: to what happens when a central listens, has written a part, has gone.
    """

    def __init__(
        self,
        ether: Ether,
        hint: bytes,
        address: str,
        *,
        interval_ms: float = 100.0,
        services: Sequence[Service] | None = None,
    ) -> None:
        self.hint = hint
        self.interval_ms = interval_ms
        self.connection: Connection | None = None
        self.connections = 0
        self.written: Callable[[bytes], None] = lambda _: None
        self.subscribed: Callable[[], None] = lambda: None
        self.left: Callable[[], None] = lambda: None
        self.controller = AirController(address, ether)
        # This host takes packets whole.
        self.controller.fragment = self.controller.le_acl_data_packet_length = _WHOLE
        host = Host(self.controller, AsyncPipeSink(self.controller))
        self.controller.host = host
        self.device = Device(config=_configuration(address), host=host)
        self.device.gatt_server.max_mtu = MTU
        self._outbox: Characteristic[bytes] = Characteristic(
            OUTBOX, Characteristic.Properties.NOTIFY, Characteristic.READABLE, b""
        )
        self._outbox.on(Characteristic.EVENT_SUBSCRIPTION, self._on_subscription)
        attune = attune_service(self._take, self._outbox)
        self.device.add_services([attune] if services is None else services)
        self.device.on(Device.EVENT_CONNECTION, self._on_connection)

    @property
    def part_size(self) -> int:
        """The largest value that can be notified now."""
        assert self.connection is not None
        return self.connection.att_mtu - 3

    async def start(self) -> None:
        """Switches the controller on and advertises."""
        await self.device.power_on()
        await self.advertise(self.hint)

    async def advertise(self, hint: bytes) -> None:
        """Advertises another hint from now on."""
        self.hint = hint
        await self.device.start_advertising(
            auto_restart=True,
            advertising_data=advertising_data(hint),
            scan_response_data=b"",
            advertising_interval_min=self.interval_ms,
            advertising_interval_max=self.interval_ms,
        )

    async def notify(self, part: bytes) -> None:
        """Sends a part to the central, if there is one."""
        if self.connection is not None:
            await self.device.notify_subscriber(self.connection, self._outbox, part)

    async def leave(self) -> None:
        """Ends the connection."""
        if self.connection is not None:
            with contextlib.suppress(hci.HCI_Error):
                await self.connection.disconnect()

    def stop(self) -> None:
        """Is gone from the air, as if its power failed."""
        self.controller.on_hci_reset_command(hci.HCI_Reset_Command())
        self.controller.link.remove_controller(self.controller)

    def _on_connection(self, connection: Connection) -> None:
        self.connection = connection
        self.connections += 1
        connection.on(Connection.EVENT_DISCONNECTION, self._on_disconnection)

    def _on_disconnection(self, _: int) -> None:
        self.connection = None
        self.left()

    def _take(self, part: bytes) -> None:
        self.written(part)

    def _on_subscription(self, _: Connection, notify: bool, indicate: bool) -> None:
        if notify:
            self.subscribed()


class _Host(StreamPacketSource):
    """A host that has connected, and a controller for it."""

    def __init__(self, ether: Ether, radios: list[AirController]) -> None:
        super().__init__()
        self._ether = ether
        self._radios = radios

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self.transport = transport
        self.controller = AirController("radio", self._ether, host_source=self, host_sink=StreamPacketSink(transport))
        self.controller.fragment = self.controller.le_acl_data_packet_length = _WHOLE
        self.controller.public_address = hci.Address(f"C0:01:02:03:04:{len(self._radios):02X}")
        self._radios.append(self.controller)

    def connection_lost(self, exc: Exception | None) -> None:
        self.controller.on_hci_reset_command(hci.HCI_Reset_Command())
        self._ether.remove_controller(self.controller)


class AirPort:
    """Controllers for gateways' radios, on a TCP port of 127.0.0.1; `name` is that of the radio."""

    def __init__(self, ether: Ether) -> None:
        self.radios: list[AirController] = []
        self._ether = ether
        self._lines: list[_Host] = []
        self._server: asyncio.Server | None = None
        self._port = 0

    @property
    def name(self) -> str:
        return f"tcp-client:127.0.0.1:{self._port}"

    async def open(self) -> None:
        """Hosts may connect, on the port of the last time if there was one."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._answer, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    def unplug(self) -> None:
        """Ends what there is, and takes nobody any more."""
        if self._server is not None:
            self._server.close()
        for line in self._lines:
            line.transport.close()
        self._lines.clear()

    def _answer(self) -> asyncio.Protocol:
        line = _Host(self._ether, self.radios)
        self._lines.append(line)
        return line


def _configuration(address: str) -> DeviceConfiguration:
    settings: dict[str, Any] = {"name": "", "address": hci.Address(address)}
    return DeviceConfiguration(gap_service_enabled=False, gatt_service_enabled=False, **settings)
