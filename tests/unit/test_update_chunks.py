"""Envelopes on their way: a head release in one packet, larger ones in chunks over links that lose, repeat and end."""

import random

import pytest
import update_world as world
from attune_core import SealedPair, SessionKeys
from attune_core.update import LARGEST_CHUNK, ChunkResult, Transfer, Verdict
from attune_proto.v1 import node_pb2
from attuned.updates.chunks import LEAST_ROOM, chunk, transfer_id, whole
from attuned.updates.envelope import AROUND, LARGEST, Kind
from hypothesis import given
from hypothesis import strategies as st

# One ATT write at an MTU of 247 carries 244 bytes, one of them says which part of a frame it is.
ATT_WRITE = 244
BLE_HEADER = 1
SEALED_AROUND = 25

ENVELOPE = world.made(Kind.MODEL).envelope


def test_a_head_release_is_one_packet() -> None:
    envelope = world.made(Kind.HEAD).envelope
    message = whole(envelope, ATT_WRITE - BLE_HEADER - SEALED_AROUND)
    assert message is not None
    pair = SealedPair(b"abcd")
    pair.adopt(SessionKeys(bytes(32), bytes(32), bytes(32)), 0)
    assert BLE_HEADER + len(pair.seal(message.SerializeToString())) == ATT_WRITE


def test_others_are_as_small_as_they_can_be() -> None:
    sizes = {kind: len(world.made(kind).envelope) - AROUND for kind in Kind}
    # Label and head; classes, slope, offset and two stays; 24 features of three bytes.
    assert sizes[Kind.HEAD] == 4 + 125
    assert sizes[Kind.CALIBRATION] == 1 + 2 + 2 + 8
    assert sizes[Kind.NORMALISER] == 24 * 3
    assert sizes[Kind.MODEL] == world.taught(2).size("int8") + 5 + 1 + 72 + 1 + 13


class Node:
    """The node's side: chunks go to its flash, the transfer with them."""

    def __init__(self) -> None:
        self.transfer = Transfer()
        self.flash = b""

    def receive(self, message: bytes, source: random.Random | None = None) -> node_pb2.NodeMessage | None:
        """The answer; with a source of mishaps the node may start anew before or after it has stored a chunk."""
        part = node_pb2.DaemonMessage.FromString(message).update_chunk
        place = part.id, part.size, part.offset, len(part.data)
        result = self.transfer.look(*place)
        if result is ChunkResult.REFUSED:
            return None
        if result in (ChunkResult.NEXT, ChunkResult.FIRST):
            if source is not None and source.random() < 0.2:
                return None
            self.flash = (b"" if result is ChunkResult.FIRST else self.flash)[: part.offset] + part.data
            self.transfer.stored(*place)
            if source is not None and source.random() < 0.2:
                return None
        ack = node_pb2.UpdateAck(id=part.id, offset=self.transfer.offset(part.id, part.size))
        return node_pb2.NodeMessage(update_ack=ack)


def deliver(node: Node, envelope: bytes, room: int) -> int:
    """Sends until the node has all; returns the number of messages."""
    offset = messages = 0
    while offset < len(envelope):
        message = chunk(envelope, offset, room).SerializeToString()
        assert len(message) <= room
        answer = node.receive(message)
        assert answer is not None
        offset, messages = answer.update_ack.offset, messages + 1
    return messages


@given(st.integers(LEAST_ROOM, 700))
def test_chunks_of_every_size_make_the_envelope(room: int) -> None:
    node = Node()
    messages = deliver(node, ENVELOPE, room)
    assert node.flash == ENVELOPE
    # Around the data: two tags and lengths, the id, size and offset.
    assert messages <= -(-len(ENVELOPE) // min(room - 33, LARGEST_CHUNK))
    assert world.node().take(node.flash)[0] is Verdict.OK


@given(st.integers(0, 2**32 - 1), st.sampled_from([64, 100, 219, 500]))
def test_a_link_that_loses_repeats_and_reorders(seed: int, room: int) -> None:
    source, node = random.Random(seed), Node()
    offset = 0
    sent: list[bytes] = []
    for _ in range(3000):
        if offset == len(ENVELOPE):
            break
        sent.append(chunk(ENVELOPE, offset, room).SerializeToString())
        answer = node.receive(source.choice([sent[-1], source.choice(sent)]), source)
        if answer is not None and source.random() < 0.8:
            offset = answer.update_ack.offset
        assert node.flash == ENVELOPE[: len(node.flash)]
    assert node.flash == ENVELOPE


def test_it_goes_on_where_it_was() -> None:
    node = Node()
    for _ in range(2):
        assert node.receive(chunk(ENVELOPE, len(node.flash), 219).SerializeToString()) is not None
    asked = node_pb2.UpdateChunk(id=transfer_id(ENVELOPE), size=len(ENVELOPE))
    answer = node.receive(node_pb2.DaemonMessage(update_chunk=asked).SerializeToString())
    assert answer is not None
    assert answer.update_ack.offset == len(node.flash) > 300
    deliver(node, ENVELOPE, 219)
    assert node.flash == ENVELOPE


def test_another_envelope_begins_anew_and_only_at_its_beginning() -> None:
    node, other = Node(), world.made(Kind.MODEL, cohort=True).envelope
    assert node.receive(chunk(ENVELOPE, 0, 219).SerializeToString()) is not None
    held = node.flash
    answer = node.receive(chunk(other, 100, 219).SerializeToString())
    assert answer is not None
    assert (answer.update_ack.id, answer.update_ack.offset) == (transfer_id(other), 0)
    assert node.flash == held
    deliver(node, other, 219)
    assert node.flash == other


@pytest.mark.parametrize(
    ("size", "offset", "count"),
    [
        (AROUND, 0, 10),
        (LARGEST + 1, 0, 10),
        (500, 0, LARGEST_CHUNK + 1),
        (500, 501, 0),
        (500, 400, 101),
        (500, 2**32 - 1, 2),
        (2**32 - 1, 0, 1),
    ],
)
def test_what_is_no_part_of_an_envelope_changes_nothing(size: int, offset: int, count: int) -> None:
    transfer = Transfer()
    assert transfer.look(bytes(16), size, offset, count) is ChunkResult.REFUSED


def test_a_fresh_node_has_nothing_of_an_envelope_of_zeros() -> None:
    transfer = Transfer()
    assert transfer.look(bytes(16), 500, 0, 10) is ChunkResult.FIRST
    assert transfer.offset(bytes(16), 0) == 0


def test_what_is_too_large_for_one_message_or_too_small_a_room() -> None:
    envelope = world.made(Kind.HEAD).envelope
    assert whole(envelope, len(envelope) + 2) is None
    assert whole(envelope, len(envelope) + 3) is not None
    assert whole(ENVELOPE, 2000) is None
    for offset, room in ((0, LEAST_ROOM - 1), (-1, 219), (len(ENVELOPE), 219)):
        with pytest.raises(ValueError, match="does not go"):
            chunk(ENVELOPE, offset, room)
