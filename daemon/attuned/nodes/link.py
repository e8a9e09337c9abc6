"""Links of gateways, as the hub sees them, and what is at their edge: over Bluetooth no frame names its node."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from attuned.nodes.frames import EVERY_NODE, HEADER_SIZE, FrameError
from attuned.nodes.radio import Need

if TYPE_CHECKING:
    from attuned.nodes.conversation import Conversation

BLUETOOTH = "ble"


class Gateway(Protocol):
    """An attached gateway."""

    name: str

    def send(self, link: int, frame: bytes) -> None:
        """Queues a frame for a link; drops it if the gateway does not keep up."""

    def wish(self, hint: bytes, need: Need) -> None:
        """Queues what is wanted of who advertises this; the newest for a hint counts."""


@dataclass(eq=False)
class Link:
    """A connection of a gateway, the conversations on it by node hint, and the frames of it that made no sense.

    Those that arrived damaged are known to the gateway, the others to the daemon. Over Bluetooth it is of one node:
    `whose` is the hint of that, empty while it is nobody's, and `part` the largest part of a frame there in bytes, 0 if
    the gateway has not said so.
    """

    gateway: Gateway
    number: int
    transport: str = ""
    whose: bytes = b""
    part: int = 0
    conversations: dict[bytes, Conversation] = field(default_factory=dict)
    damaged: int = 0
    senseless: int = 0

    @property
    def on_air(self) -> bool:
        return self.transport == BLUETOOTH

    @property
    def bad_frames(self) -> int:
        return self.damaged + self.senseless

    def send(self, frame: bytes) -> None:
        """Over Bluetooth without the hint, which would name the node to all who listen."""
        if self.on_air and not self.whose:
            return
        self.gateway.send(self.number, _with_hint(frame, EVERY_NODE) if self.on_air else frame)

    def named(self, frame: bytes) -> bytes:
        """A frame of this link with its node's hint in place. FrameError for one that must not be."""
        if not self.on_air:
            return frame
        if not self.whose:
            raise FrameError("a frame over Bluetooth of a node that nobody knows")
        if frame[1:HEADER_SIZE] != EVERY_NODE:
            raise FrameError("a frame over Bluetooth that names its node")
        return _with_hint(frame, self.whose)


def _with_hint(frame: bytes, hint: bytes) -> bytes:
    return frame[:1] + hint + frame[HEADER_SIZE:]
