"""Envelopes as messages: whole where they fit, else in chunks that go on from wherever the node is."""

import hashlib

from attune_proto.v1 import node_pb2

ID_SIZE = 16

# A node's largest chunk (ATTUNE_MAX_CHUNK in the core) and least useful room.
LARGEST_CHUNK = 480
LEAST_ROOM = 64


def transfer_id(envelope: bytes) -> bytes:
    """The name by which both sides know an envelope on its way again."""
    return hashlib.blake2b(envelope).digest()[:ID_SIZE]


def whole(envelope: bytes, room: int) -> node_pb2.DaemonMessage | None:
    """The one message that carries an envelope, or None if it is larger than `room` bytes or a node takes."""
    message = node_pb2.DaemonMessage(update=envelope)
    return message if len(envelope) <= LARGEST_CHUNK and message.ByteSize() <= room else None


def question(envelope: bytes) -> node_pb2.DaemonMessage:
    """Asks the node how much of an envelope it has."""
    part = node_pb2.UpdateChunk(id=transfer_id(envelope), size=len(envelope))
    return node_pb2.DaemonMessage(update_chunk=part)


def chunk(envelope: bytes, offset: int, room: int) -> node_pb2.DaemonMessage:
    """The message of at most `room` bytes (64 at least) that goes on at `offset`, as the node's acknowledgement says.

    ValueError for a place that is none.
    """
    if room < LEAST_ROOM or not 0 <= offset < len(envelope):
        raise ValueError(f"Byte {offset} of an envelope of {len(envelope)} does not go into {room} bytes.")
    ident = transfer_id(envelope)
    count = min(LARGEST_CHUNK, len(envelope) - offset, room)
    while True:
        part = node_pb2.UpdateChunk(id=ident, size=len(envelope), offset=offset, data=envelope[offset : offset + count])
        message = node_pb2.DaemonMessage(update_chunk=part)
        over = message.ByteSize() - room
        if over <= 0:
            return message
        count -= over
