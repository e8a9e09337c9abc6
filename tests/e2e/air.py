"""The air of a room for tests: Bumble controllers on one link, which loses, delays and cuts off as it is told to.

Everything of Bumble lives in one event loop on a thread of its own; tests call in from outside.
"""

import asyncio
import contextlib
import random
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from bumble import hci, ll
from bumble.controller import Connection, Controller
from bumble.core import PhysicalTransport
from bumble.link import LocalLink
from bumble.transport.common import StreamPacketSink, StreamPacketSource, TransportSink

T = TypeVar("T")

CALL_S = 60.0

# Bumble's central goes for the extended commands where it sees these, and loses connections by them.
_NOT_MODELLED = (
    hci.LeFeatureMask.LL_PRIVACY | hci.LeFeatureMask.LE_EXTENDED_ADVERTISING | hci.LeFeatureMask.LE_PERIODIC_ADVERTISING
)


class Ether(LocalLink):
    """What every controller hears, while they are in reach of each other."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.in_reach = True
        self.heard: list[tuple[hci.Address, bytes]] = []
        """Advertisements: address and data."""
        self.watch: Callable[[Controller, bytes], None] = lambda sender, data: None
        """Called with each packet of L2CAP before it goes out."""

    def send_advertising_pdu(self, sender_controller: Controller, packet: ll.AdvertisingPdu) -> None:
        if not self.in_reach:
            return
        if isinstance(packet, ll.AdvInd):
            self.heard.append((packet.advertiser_address, packet.data))
            del self.heard[:-1000]
        super().send_advertising_pdu(sender_controller, packet)

    def send_acl_data(
        self,
        sender_controller: Controller,
        destination_address: hci.Address,
        transport: PhysicalTransport,
        data: bytes,
    ) -> None:
        self.watch(sender_controller, data)
        connection = sender_controller.le_connections.get(destination_address)
        if connection is None or not self.in_reach:
            return
        other = self.find_le_controller(destination_address)
        if other is None or connection.self_address not in other.le_connections:
            # Nobody there answers: the supervision time-out of the link layer.
            sender_controller.on_le_disconnected(connection, hci.HCI_CONNECTION_TIMEOUT_ERROR)
            return
        source = connection.self_address
        asyncio.get_running_loop().call_soon(other.on_link_acl_data, source, transport, data)

    def send_ll_control_pdu(
        self, sender_address: hci.Address, receiver_address: hci.Address, packet: ll.ControlPdu
    ) -> None:
        receiver = self.find_le_controller(receiver_address)
        if receiver is not None and sender_address in receiver.le_connections:
            super().send_ll_control_pdu(sender_address, receiver_address, packet)

    def cut(self) -> None:
        """Every connection ends on both sides by its supervision time-out."""
        for controller in self.controllers:
            for connection in list(controller.le_connections.values()):
                controller.on_le_disconnected(connection, hci.HCI_CONNECTION_TIMEOUT_ERROR)


class AirController(Controller):
    """A controller as specified where Bumble's is not: reset, fragments as long as a host's buffers, parameters."""

    le_features = Controller.le_features & ~_NOT_MODELLED
    # Packets of the controller to its host, which reassembles them.
    fragment = 27

    def __init__(self, name: str, link: Ether, **more: Any) -> None:
        super().__init__(name, link=link, **more)
        self.resets = 0
        self.parameters: list[hci.HCI_LE_Connection_Update_Command] = []

    def on_hci_reset_command(self, command: hci.HCI_Reset_Command) -> hci.HCI_StatusReturnParameters:
        self.resets += 1
        self.le_legacy_advertiser.stop()
        self.le_scan_enable = False
        self.pending_le_connection = None
        for connection in list(self.le_connections.values()):
            del self.le_connections[connection.peer_address]
            other = self.link.find_le_controller(connection.peer_address)
            if other is not None and connection.self_address in other.le_connections:
                peer = other.le_connections[connection.self_address]
                other.on_le_disconnected(peer, hci.HCI_CONNECTION_TIMEOUT_ERROR)
        return super().on_hci_reset_command(command)

    def on_hci_le_create_connection_cancel_command(
        self, command: hci.HCI_LE_Create_Connection_Cancel_Command
    ) -> hci.HCI_StatusReturnParameters:
        pending, self.pending_le_connection = self.pending_le_connection, None
        if pending is None:
            return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR)
        ended = hci.HCI_LE_Connection_Complete_Event(
            status=hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR,
            connection_handle=0,
            role=hci.Role.CENTRAL,
            peer_address_type=pending.peer_address.address_type,
            peer_address=pending.peer_address,
            connection_interval=0,
            peripheral_latency=0,
            supervision_timeout=0,
            central_clock_accuracy=0,
        )
        asyncio.get_running_loop().call_soon(self.send_hci_packet, ended)
        return super().on_hci_le_create_connection_cancel_command(command)

    def on_hci_le_set_data_length_command(
        self, command: hci.HCI_LE_Set_Data_Length_Command
    ) -> hci.HCI_StatusAndConnectionHandleReturnParameters:
        return hci.HCI_StatusAndConnectionHandleReturnParameters(
            status=hci.HCI_ErrorCode.SUCCESS, connection_handle=command.connection_handle
        )

    def on_hci_read_rssi_command(self, command: hci.HCI_Read_RSSI_Command) -> hci.HCI_Read_RSSI_ReturnParameters:
        known = self.find_le_connection_by_handle(command.handle) is not None
        status = hci.HCI_ErrorCode.SUCCESS if known else hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR
        return hci.HCI_Read_RSSI_ReturnParameters(status=status, handle=command.handle, rssi=-50)

    def on_hci_le_connection_update_command(self, command: hci.HCI_LE_Connection_Update_Command) -> None:
        self.parameters.append(command)
        self._send_hci_command_status(hci.HCI_COMMAND_STATUS_PENDING, command.op_code)
        connection = self.find_le_connection_by_handle(command.connection_handle)
        if connection is not None:
            interval, latency = command.connection_interval_min, command.max_latency
            taken = ll.ConnectionUpdateInd(interval, latency, command.supervision_timeout)
            connection.send_ll_control_pdu(taken)
            self.on_ll_control_pdu(connection.peer_address, taken)

    def on_link_acl_data(self, sender_address: hci.Address, transport: PhysicalTransport, data: bytes) -> None:
        connection = self.le_connections.get(sender_address)
        if connection is not None:
            self.send_fragments(connection, data, self.fragment)

    def send_fragments(self, connection: Connection, data: bytes, size: int) -> None:
        for at in range(0, len(data), size):
            piece = data[at : at + size]
            boundary = 2 if at == 0 else 1
            self.send_hci_packet(hci.HCI_AclDataPacket(connection.handle, boundary, 0, len(piece), piece))


class Unpunctual:
    """Delivers what a controller says to its host late, and in another order where the specification leaves it open.

    Answers to commands, other events, and data each stay in order; data stays between the beginning and the end of
    its connection.
    """

    def __init__(self, sink: TransportSink, seed: int, longest_s: float = 0.05) -> None:
        self._sink = sink
        self._draw = random.Random(seed)
        self._longest_s = longest_s
        self._queues: dict[str, list[bytes]] = {"answer": [], "event": [], "data": []}
        self._task = asyncio.get_running_loop().create_task(self._deliver())

    def on_packet(self, packet: bytes) -> None:
        if self._is_boundary(packet):
            for waiting in self._queues.values():
                for held in waiting:
                    self._sink.on_packet(held)
                waiting.clear()
            self._sink.on_packet(packet)
            return
        self._queues[self._kind(packet)].append(packet)

    async def _deliver(self) -> None:
        while True:
            await asyncio.sleep(self._draw.uniform(0, self._longest_s))
            waiting = [queue for queue in self._queues.values() if queue]
            if waiting:
                queue = self._draw.choice(waiting)
                for _ in range(self._draw.randint(1, len(queue))):
                    self._sink.on_packet(queue.pop(0))

    def stop(self) -> None:
        self._task.cancel()

    @staticmethod
    def _kind(packet: bytes) -> str:
        if packet[0] == hci.HCI_ACL_DATA_PACKET:
            return "data"
        answers = (hci.HCI_COMMAND_COMPLETE_EVENT, hci.HCI_COMMAND_STATUS_EVENT)
        return "answer" if packet[1] in answers else "event"

    @staticmethod
    def _is_boundary(packet: bytes) -> bool:
        if packet[0] != hci.HCI_EVENT_PACKET:
            return False
        complete = packet[1] == hci.HCI_LE_META_EVENT and packet[3] == hci.HCI_LE_CONNECTION_COMPLETE_EVENT
        return complete or packet[1] == hci.HCI_DISCONNECTION_COMPLETE_EVENT


class Air:
    """The loop with everything of Bumble's in it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="air", daemon=True)
        self._thread.start()
        self._lines: list[asyncio.BaseTransport] = []
        self._servers: list[asyncio.Server] = []
        self._late: list[Unpunctual] = []
        self.ether = self.call(Ether)

    def run(self, work: Coroutine[Any, Any, T], seconds: float = CALL_S) -> T:
        """What a coroutine returns that runs in the loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(seconds)

    def call(self, function: Callable[[], T]) -> T:
        """What a function returns that is called in the loop."""

        async def called() -> T:
            return function()

        return self.run(called())

    def controller_of(self, socket: Path, *, late: int | None = None, **changes: Any) -> AirController:
        """A controller whose host is at the other end of a Unix socket; `changes` are attributes of it. With `late`, a
        seed, its packets come late and in another order."""

        async def made() -> AirController:
            line, source = await asyncio.get_running_loop().create_unix_connection(StreamPacketSource, str(socket))
            sink: TransportSink = StreamPacketSink(line)
            if late is not None:
                self._late.append(Unpunctual(sink, late))
                sink = self._late[-1]
            controller = AirController(socket.name, self.ether, host_source=source, host_sink=sink)
            for name, value in changes.items():
                setattr(controller, name, value)
            self._lines.append(line)
            return controller

        return self.run(made())

    def served_controller(self, port: int, **changes: Any) -> None:
        """A controller for whoever connects to that port of 127.0.0.1, one host after the other."""

        def connected() -> StreamPacketSource:
            return _Served(self.ether, changes)

        async def served() -> None:
            loop = asyncio.get_running_loop()
            self._servers.append(await loop.create_server(connected, "127.0.0.1", port))

        self.run(served())

    def close(self) -> None:
        async def closed() -> None:
            for late in self._late:
                late.stop()
            for server in self._servers:
                server.close()
            for line in self._lines:
                line.close()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        with contextlib.suppress(TimeoutError):
            self.run(closed(), 10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)


class _Served(StreamPacketSource):
    """A host that has connected, and a controller of its own for it."""

    def __init__(self, ether: Ether, changes: dict[str, Any]) -> None:
        super().__init__()
        self._ether = ether
        self._changes = changes
        self._controller: AirController | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        sink = StreamPacketSink(transport)
        self._controller = AirController("gateway", self._ether, host_source=self, host_sink=sink)
        self._controller.public_address = hci.Address("C0:01:02:03:04:05")
        for name, value in self._changes.items():
            setattr(self._controller, name, value)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._controller is not None:
            self._controller.on_hci_reset_command(hci.HCI_Reset_Command())
            self._ether.remove_controller(self._controller)
