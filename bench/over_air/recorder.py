"""Everything that goes between a central and its peripherals, as the virtual link carries it."""

import time
from dataclasses import dataclass

from air_peripheral import ManyEars
from bumble import hci
from bumble.controller import Controller
from bumble.core import PhysicalTransport


@dataclass(frozen=True)
class Sent:
    """A packet of L2CAP, header included. up: from the node; at_s: on the virtual link, where nothing takes time."""

    up: bool
    data: bytes
    at_s: float


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
