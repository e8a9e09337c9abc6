"""What the gateway wants of a radio: to hear advertisements, and to connect to nodes."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from attune_gateway.errors import GatewayError

SERVICE = "c97a0001-01a0-45f9-bfa5-88579b592de5"
INBOX = "c97a0002-01a0-45f9-bfa5-88579b592de5"
OUTBOX = "c97a0003-01a0-45f9-bfa5-88579b592de5"

# Of an advertised hint: 3 random bytes and 5 of their keyed hash.
HINT_SIZE = 8

# The ATT MTU that is asked for: with it a value fills one packet of the longest kind on the air, 251 bytes.
MTU = 247

# The least ATT MTU that the specification allows; what has not been exchanged is this.
MTU_MIN = 23

# Op code and handle of a write or a notification go before the value.
ATT_HEADER = 3

# Advertising nodes answer within a second or two; who does not in ten has gone.
CONNECT_S = 10.0

# Discovery of one service takes some ten round trips, each at most half a second where the node saves power.
SETUP_S = 15.0


class RadioError(GatewayError):
    """The radio is not there or does not work; the message names it and says what to do."""


class RadioFullError(GatewayError):
    """The controller holds no more connections."""


class NodeFailedError(GatewayError):
    """What advertised as a node could not be connected, or is none."""


@dataclass(frozen=True, slots=True)
class Advertisement:
    """One that was heard. address: as the radio writes it, for `connect`; rssi_dbm: of this one packet."""

    hint: bytes
    address: str
    rssi_dbm: int


class Connection(Protocol):
    """A connected node, whose outbox is subscribed to."""

    @property
    def mtu(self) -> int:
        """The ATT MTU that both sides have agreed on, MTU_MIN to MTU."""

    @property
    def closed(self) -> asyncio.Future[None]:
        """Done when the connection has ended, whoever ended it."""

    async def write(self, part: bytes) -> None:
        """Writes to the inbox; returns when there is room for the next one. NodeFailedError."""

    async def rssi_dbm(self) -> int | None:
        """Strength of the signal now, or None if this radio does not say."""

    async def disconnect(self) -> None:
        """Ends the connection; `closed` is done afterwards. Raises nothing."""


class BleCentral(Protocol):
    """A radio; not used again after `close`."""

    async def open(self, heard: Callable[[Advertisement], None]) -> None:
        """Takes the radio and listens to advertisements of the service for a part of the time, until `close`.

        Raises RadioError.
        """

    async def lost(self) -> str:
        """Returns, with a reason for people, when the radio cannot be used any more."""

    async def connect(self, address: str, notified: Callable[[bytes], None]) -> Connection:
        """Connects, one at a time, and gives `notified` what comes from the outbox.

        NodeFailedError, RadioFullError, or RadioError if it is the radio's fault.
        """

    async def close(self) -> None:
        """Ends all connections and gives the radio back. Raises nothing."""
