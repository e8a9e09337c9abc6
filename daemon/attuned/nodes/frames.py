"""Frames: kind (1 byte), node hint (4 bytes, the first of the node id; zeros speak to every node of a link), the rest.

All kinds but calls are sealed or belong to a handshake (`sealed.py`). A call is in the clear and may come from anybody:
it has a node begin a handshake, and nothing else.
"""

from attune_proto.v1 import node_pb2
from google.protobuf.message import DecodeError

KK = 2
XXPSK0 = 3
SEALED = 4
CALL = 5

HINT_SIZE = 4
HEADER_SIZE = 1 + HINT_SIZE

# Largest frame that may come or go (link.proto).
FRAME_LIMIT = 1024

EVERY_NODE = bytes(HINT_SIZE)


class FrameError(Exception):
    """A frame that makes no sense; the message is the reason."""


def check_frame(frame: bytes) -> tuple[int, bytes]:
    """Kind and hint of a frame from a node. Raises FrameError."""
    if not HEADER_SIZE < len(frame) <= FRAME_LIMIT:
        raise FrameError(f"a frame of {len(frame)} bytes")
    if frame[0] not in (KK, XXPSK0, SEALED):
        raise FrameError(f"an unknown kind of frame ({frame[0]})")
    return frame[0], frame[1:HEADER_SIZE]


def call(hint: bytes, *, commission: bool = False) -> bytes:
    """Asks the node with this hint, or every node of the link, for the handshake that is due, or one with its code."""
    return bytes([CALL, *hint, commission])


def read_message(text: bytes) -> node_pb2.NodeMessage:
    """The message in the text of a sealed frame. Raises FrameError."""
    message = node_pb2.NodeMessage()
    try:
        message.ParseFromString(text)
    except DecodeError as error:
        raise FrameError("a frame that is no message") from error
    return message
