"""Frames on a stream, against vectors worked by hand and a decoder that goes byte by byte."""

from binascii import crc_hqx
from dataclasses import dataclass, field

import pytest
from attune_gateway.framing import FRAME_MAX, FRAME_MIN, STREAM_MAX, FrameCounts, FramingError, StreamDecoder, encode
from hypothesis import given
from hypothesis import strategies as st

# Nine bytes and their checksum hold no zero: one block of 11, its length plus one, the end.
CHECK = b"123456789"
CHECK_STREAM = bytes.fromhex("0c 31 32 33 34 35 36 37 38 39 b1 29 00")


def crc16(data: bytes | bytearray) -> int:
    """CRC-16/CCITT-FALSE bit by bit, as the catalogue of parametrised CRC algorithms defines it."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


@dataclass
class SlowDecoder:
    """The same contract, one byte at a time."""

    frames: list[bytes] = field(default_factory=list)
    counts: FrameCounts = field(default_factory=FrameCounts)
    piece: bytearray = field(default_factory=bytearray)

    def feed(self, stream: bytes) -> None:
        for byte in stream:
            if byte:
                self.piece.append(byte)
            elif self.piece:
                self.judge(self.piece)
                self.piece = bytearray()

    def judge(self, piece: bytearray) -> None:
        body = bytearray()
        whole = True
        at = 0
        while at < len(piece):
            code = piece[at]
            block = piece[at + 1 : at + code]
            whole = len(block) == code - 1
            body += block
            at += code
            if code != 0xFF and at < len(piece):
                body.append(0)
        # The limits of the documentation: 1024 bytes and two of checksum, which COBS makes 1031 at most.
        if len(piece) > 1031 or (whole and len(body) > 1026):
            self.counts.oversized += 1
        elif not whole or len(body) < 7:
            self.counts.truncated += 1
        elif crc16(body[:-2]) != int.from_bytes(body[-2:], "little"):
            self.counts.corrupted += 1
        else:
            self.counts.good += 1
            self.frames.append(bytes(body[:-2]))


def test_checksum_is_the_catalogues() -> None:
    assert crc_hqx(CHECK, 0xFFFF) == crc16(CHECK) == 0x29B1


def test_check_string_on_the_stream() -> None:
    assert encode(CHECK) == CHECK_STREAM
    assert StreamDecoder().feed(CHECK_STREAM) == [CHECK]


@pytest.mark.parametrize(
    ("frame", "stream"),
    [
        # The checksum (of `crc16` above) is little endian behind the frame; each zero becomes the distance to the next.
        ("11 22 00 33 44", "03 11 22 05 33 44 a7 3d 00"),
        ("00 00 00 00 00", "01 01 01 01 01 03 0c 11 00"),
        ("11 00 00 00 22", "02 11 01 01 04 22 27 bb 00"),
        ("11 22 33 44 00", "05 11 22 33 44 03 dc 38 00"),
    ],
)
def test_zeros_within(frame: str, stream: str) -> None:
    assert encode(bytes.fromhex(frame)).hex(" ") == stream
    assert StreamDecoder().feed(bytes.fromhex(stream)) == [bytes.fromhex(frame)]


def test_block_of_254_needs_no_zero_behind_it() -> None:
    frame = bytes(range(1, 255)) + b"\x05" * 6
    checksum = crc16(frame).to_bytes(2, "little")
    assert 0 not in checksum
    # Length code FF: 254 bytes follow and no zero is meant; then 8 bytes (6 of the frame, 2 of checksum), code 09.
    assert encode(frame) == b"\xff" + bytes(range(1, 255)) + b"\x09" + b"\x05" * 6 + checksum + b"\0"


@pytest.mark.parametrize("size", [FRAME_MIN, 253, 254, 255, 1016, FRAME_MAX])
@pytest.mark.parametrize("fill", [b"\x00", b"\x7f", b"\xff"])
def test_limits_of_size(size: int, fill: bytes) -> None:
    stream = encode(fill * size)
    assert len(stream) <= STREAM_MAX
    assert stream.count(0) == 1
    assert StreamDecoder().feed(stream) == [fill * size]


@pytest.mark.parametrize("size", [0, FRAME_MIN - 1, FRAME_MAX + 1])
def test_what_is_no_frame_is_refused(size: int) -> None:
    with pytest.raises(FramingError, match=f"this one {size}"):
        encode(bytes(size))


@pytest.mark.parametrize(
    ("piece", "counts"),
    [
        (b"", FrameCounts()),
        # A block of 11 that ends after 4.
        (CHECK_STREAM[:5], FrameCounts(truncated=1)),
        # One byte, checksum right (0xE1F0 for "\0", worked with the bitwise form): too short for a hint.
        (bytes.fromhex("01 03 f0 e1"), FrameCounts(truncated=1)),
        (CHECK_STREAM[:-2] + b"\x28", FrameCounts(corrupted=1)),
        # 1031 ones decode to 1030 zeros: short enough on the stream, too long as a frame.
        (b"\x01" * 1031, FrameCounts(oversized=1)),
        (b"\x01" * 1032, FrameCounts(oversized=1)),
        (b"\x55" * 100_000, FrameCounts(oversized=1)),
    ],
)
@pytest.mark.parametrize("step", [1, 7, 1 << 20])
def test_damage_is_counted_once_and_forgotten(piece: bytes, counts: FrameCounts, step: int) -> None:
    stream = piece + b"\0" + CHECK_STREAM
    decoder = StreamDecoder()
    frames = [frame for at in range(0, len(stream), step) for frame in decoder.feed(stream[at : at + step])]
    assert frames == [CHECK]
    counts_with_check = FrameCounts(1, counts.truncated, counts.corrupted, counts.oversized)
    assert decoder.counts == counts_with_check
    assert decoder.counts.damaged == counts.truncated + counts.corrupted


def test_every_single_bit_error_is_noticed() -> None:
    for bit in range(8 * (len(CHECK_STREAM) - 1)):
        stream = bytearray(CHECK_STREAM)
        stream[bit // 8] ^= 1 << bit % 8
        decoder = StreamDecoder()
        assert decoder.feed(bytes(stream) + CHECK_STREAM) == [CHECK]
        assert decoder.counts.damaged > 0


def test_end_of_stream_cuts_what_has_begun() -> None:
    decoder = StreamDecoder()
    decoder.feed(CHECK_STREAM + CHECK_STREAM[:3])
    decoder.end()
    assert decoder.counts == FrameCounts(good=1, truncated=1)
    decoder.end()
    assert decoder.counts.truncated == 1


def test_endless_line_keeps_little() -> None:
    decoder = StreamDecoder()
    for _ in range(1000):
        decoder.feed(b"\xaa" * 1000)
    assert decoder.counts == FrameCounts(oversized=1)
    assert len(decoder._rest) <= STREAM_MAX


frames_in = st.binary(min_size=FRAME_MIN, max_size=FRAME_MAX)
garbage = st.binary(max_size=2500).map(lambda data: data + b"\0")


@given(
    st.lists(st.one_of(frames_in.map(lambda f: (f, encode(f))), garbage.map(lambda g: (None, g))), max_size=12),
    st.data(),
)
def test_any_garbage_any_pieces(parts: list[tuple[bytes | None, bytes]], data: st.DataObject) -> None:
    stream = b"".join(encoded for _, encoded in parts)
    decoder = StreamDecoder()
    received = []
    while stream:
        cut = data.draw(st.integers(1, len(stream)))
        received += decoder.feed(stream[:cut])
        stream = stream[cut:]
    slow = SlowDecoder()
    slow.feed(b"".join(encoded for _, encoded in parts))
    assert received == slow.frames
    assert decoder.counts == slow.counts
    sent = [frame for frame, _ in parts if frame is not None]
    # Garbage may hold a good frame by chance, so what was sent is in what was received, in order.
    remaining = iter(received)
    assert all(frame in remaining for frame in sent)
