"""The core's framing against the package `cobs` and `binascii.crc_hqx`, in both directions."""

import binascii
import struct

import pytest
from attune_core import FrameDecoder, frame_encode
from cobs import cobs
from hypothesis import given
from hypothesis import strategies as st

LARGEST_OF_A_NODE = 640

frames = st.one_of(
    st.binary(min_size=1, max_size=LARGEST_OF_A_NODE),
    # Long stretches without and with zeros, around the 254 bytes of a COBS block.
    st.builds(lambda byte, n: bytes([byte]) * n, st.sampled_from([0, 1, 255]), st.integers(250, 520)),
)


def stream_of(frame: bytes) -> bytes:
    encoded: bytes = cobs.encode(frame + struct.pack("<H", binascii.crc_hqx(frame, 0xFFFF)))
    return encoded + b"\x00"


def test_the_checksum_is_the_published_one() -> None:
    """CRC-16/CCITT-FALSE of "123456789" is 0x29B1 (catalogue of parametrised CRC algorithms)."""
    assert frame_encode(b"123456789") == b"\x0c123456789\xb1\x29\x00"


@given(frames)
def test_encoding_agrees_with_the_package(frame: bytes) -> None:
    assert frame_encode(frame) == stream_of(frame)


@given(st.lists(frames, max_size=4), st.data())
def test_a_stream_cut_anywhere_gives_its_frames(sent: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(map(stream_of, sent))
    cut = data.draw(st.integers(0, len(stream)))
    decoder = FrameDecoder()
    assert decoder.feed(stream[:cut]) + decoder.feed(stream[cut:]) == sent
    assert (decoder.damaged, decoder.oversized) == (0, 0)


@given(st.binary(max_size=2000), frames)
def test_after_any_garbage_the_next_frame_is_whole(garbage: bytes, frame: bytes) -> None:
    decoder = FrameDecoder()
    decoder.feed(garbage + b"\x00")
    assert decoder.feed(stream_of(frame)) == [frame]


@given(frames, st.data())
def test_a_frame_with_one_wrong_bit_is_dropped_and_counted(frame: bytes, data: st.DataObject) -> None:
    stream = bytearray(stream_of(frame))
    place = data.draw(st.integers(0, len(stream) - 2))
    stream[place] ^= 1 << data.draw(st.integers(0, 7))
    decoder = FrameDecoder()
    assert decoder.feed(bytes(stream)) == []
    assert decoder.damaged + decoder.oversized >= 1


def test_a_frame_too_long_for_a_node_is_dropped_and_counted() -> None:
    decoder = FrameDecoder()
    assert decoder.feed(stream_of(b"x" * 1024) + stream_of(b"y")) == [b"y"]
    assert (decoder.damaged, decoder.oversized) == (0, 1)


@pytest.mark.parametrize("size", [0, 1025])
def test_frames_that_there_are_not(size: int) -> None:
    with pytest.raises(ValueError, match=f"A frame has 1 to 1024 bytes, not {size}"):
        frame_encode(bytes(size))
