"""Frames on a byte stream: COBS (Cheshire and Baker 1999) of frame and CRC-16/CCITT-FALSE, ended by a zero byte.

No I/O. The checksum goes little endian behind the frame; "123456789" gives 0x29B1.
"""

from binascii import crc_hqx
from dataclasses import dataclass

from cobs import cobs

from attune_gateway.errors import GatewayError

# Ends a frame on the stream; COBS keeps it out of frames.
END = b"\0"

# Kind byte and node hint are always there; the upper limit is the largest frame that a node can hold.
FRAME_MIN = 5
FRAME_MAX = 1024

_CRC_SIZE = 2
_CRC_START = 0xFFFF
_BODY_MIN = FRAME_MIN + _CRC_SIZE
_BODY_MAX = FRAME_MAX + _CRC_SIZE
# COBS adds a byte for every 254 begun.
_ENCODED_MAX = _BODY_MAX + _BODY_MAX // 254 + 1

# The most that one frame takes on a stream, its end included.
STREAM_MAX = _ENCODED_MAX + 1


class FramingError(GatewayError):
    """A frame that no stream can carry."""


@dataclass(slots=True)
class FrameCounts:
    """Totals of a stream since it began.

    truncated: the stream or the frame ended before the frame was whole; corrupted: the checksum is wrong;
    oversized: more than FRAME_MAX bytes.
    """

    good: int = 0
    truncated: int = 0
    corrupted: int = 0
    oversized: int = 0

    @property
    def damaged(self) -> int:
        """Truncated and corrupted frames together."""
        return self.truncated + self.corrupted


def is_frame(frame: bytes) -> bool:
    """Whether a stream can carry `frame`."""
    return FRAME_MIN <= len(frame) <= FRAME_MAX


def encode(frame: bytes) -> bytes:
    """Returns the bytes of `frame` (FRAME_MIN to FRAME_MAX bytes) on a stream, its end included."""
    if not is_frame(frame):
        raise FramingError(f"A frame has {FRAME_MIN} to {FRAME_MAX} bytes, this one {len(frame)}; send it in parts.")
    checksum = crc_hqx(frame, _CRC_START).to_bytes(_CRC_SIZE, "little")
    return bytes(cobs.encode(frame + checksum)) + END


class StreamDecoder:
    """Cuts a stream into frames, whatever the pieces in which it comes; any garbage ends at the next zero byte."""

    def __init__(self) -> None:
        self.counts = FrameCounts()
        self._rest = b""
        self._skipping = False

    def feed(self, data: bytes) -> list[bytes]:
        """Takes the next bytes of the stream and returns the good frames that they complete."""
        pieces = (self._rest + data).split(END)
        self._rest = pieces.pop()
        if self._skipping and pieces:
            self._skipping = False
            del pieces[0]
        frames = [frame for piece in pieces if piece and (frame := self._open(piece)) is not None]
        self.counts.good += len(frames)
        self._bound_rest()
        return frames

    def end(self) -> None:
        """Says that the stream has ended: what has begun is truncated."""
        if self._rest:
            self.counts.truncated += 1
            self._rest = b""

    def _open(self, piece: bytes) -> bytes | None:
        if len(piece) > _ENCODED_MAX:
            self.counts.oversized += 1
            return None
        try:
            body = cobs.decode(piece)
        except cobs.DecodeError:
            # There is no zero in the piece, so the only error left is a block that is longer than what came.
            self.counts.truncated += 1
            return None
        return self._checked(bytes(body))

    def _checked(self, body: bytes) -> bytes | None:
        size = len(body)
        if size < _BODY_MIN:
            self.counts.truncated += 1
        elif size > _BODY_MAX:
            self.counts.oversized += 1
        elif crc_hqx(body[:-2], _CRC_START) != body[-2] | body[-1] << 8:
            self.counts.corrupted += 1
        else:
            return body[:-2]
        return None

    def _bound_rest(self) -> None:
        # A stream without zeros must not fill the memory: what is too long is counted once and skipped to its end.
        if self._skipping:
            self._rest = b""
        elif len(self._rest) > _ENCODED_MAX:
            self.counts.oversized += 1
            self._skipping = True
            self._rest = b""
