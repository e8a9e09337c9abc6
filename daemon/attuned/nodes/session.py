"""Messages in and out of frames, in the clear; the only file of the daemon that knows so.

A frame is a kind (1 byte), the node hint (4 bytes, the first of the node id; zeros speak to every node of a link),
and one protobuf message.
"""

from attune_proto.v1 import node_pb2
from google.protobuf.message import DecodeError

CLEAR = 1
HEADER_SIZE = 5

# Largest frame that may come or go (link.proto).
FRAME_LIMIT = 1024

EVERY_NODE = bytes(4)


class FrameError(Exception):
    """A frame that makes no sense; the message is the reason."""


def open_frame(frame: bytes) -> tuple[bytes, node_pb2.NodeMessage]:
    """The node hint and the message of a frame from a node. Raises FrameError."""
    if not HEADER_SIZE < len(frame) <= FRAME_LIMIT:
        raise FrameError(f"a frame of {len(frame)} bytes")
    if frame[0] != CLEAR:
        raise FrameError(f"an unknown kind of frame ({frame[0]})")
    message = node_pb2.NodeMessage()
    try:
        message.ParseFromString(frame[HEADER_SIZE:])
    except DecodeError as error:
        raise FrameError("a frame that is no message") from error
    return frame[1:HEADER_SIZE], message


def seal(hint: bytes, message: node_pb2.DaemonMessage) -> bytes:
    """The frame of a message for the node with this hint, or for every node of the link."""
    return bytes([CLEAR]) + hint + message.SerializeToString()
