"""Everything that goes between a central and its peripherals, as the virtual link carries it."""

import time
from dataclasses import dataclass

from air_peripheral import ManyEars
from bumble import hci, ll
from bumble.controller import Controller
from bumble.core import PhysicalTransport

# Address, address, and what the central says of the connection (volume 6, part B, 2.3.3.1).
_CONNECT_IND = bytes(34)


@dataclass(frozen=True)
class Sent:
    """A packet of L2CAP, header included, or what makes the connection. up: from the node; at_s: on the virtual link,
    where nothing takes time."""

    up: bool
    data: bytes
    at_s: float
    connects: bool = False


class Recorder(ManyEars):
    """Keeps what is sent from `clear` on, in its order."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Sent] = []

    def clear(self) -> None:
        self.sent = []

    def send_acl_data(
        self,
        sender_controller: Controller,
        destination_address: hci.Address,
        transport: PhysicalTransport,
        data: bytes,
    ) -> None:
        connection = sender_controller.le_connections.get(destination_address)
        if connection is not None:
            up = connection.role == hci.Role.PERIPHERAL
            self.sent.append(Sent(up, bytes(data), time.monotonic()))
        super().send_acl_data(sender_controller, destination_address, transport, data)

    def send_advertising_pdu(self, sender_controller: Controller, packet: ll.AdvertisingPdu) -> None:
        if isinstance(packet, ll.ConnectInd):
            self.sent.append(Sent(up=False, data=_CONNECT_IND, at_s=time.monotonic(), connects=True))
        super().send_advertising_pdu(sender_controller, packet)
