"""Frames cut into parts, each a value of ATT, and put together again (docs/protocol.md, "Bluetooth"). No I/O."""

from collections.abc import Iterator

from attune_gateway.framing import FRAME_MAX, FrameCounts

FIRST = 0x80
LAST = 0x40
NUMBERS = 64

# A header and a byte.
PART_MIN = 2


class PartCutter:
    """Cuts frames for one direction of one connection, whose parts it numbers. largest: bytes of a part."""

    def __init__(self, largest: int) -> None:
        self._payload = largest - 1
        self._number = 0

    def cut(self, frame: bytes) -> Iterator[bytes]:
        """Yields the parts of a frame, which all have to be sent, in this order."""
        for begin in range(0, len(frame), self._payload):
            end = begin + self._payload
            header = self._number | (FIRST if begin == 0 else 0) | (LAST if end >= len(frame) else 0)
            self._number = (self._number + 1) % NUMBERS
            yield bytes((header,)) + frame[begin:end]


class PartJoiner:
    """Puts frames of at most `limit` bytes together from the parts of one direction of one connection.

    counts: frames that could not be (truncated, oversized); whoever takes the good ones counts them.
    """

    def __init__(self, limit: int = FRAME_MAX) -> None:
        self.counts = FrameCounts()
        self._limit = limit
        self._frame = bytearray()
        self._number = 0
        self._inside = False
        self._skipping = False

    def feed(self, part: bytes) -> bytes | None:
        """Takes a value as it came, and returns the frame that it ends."""
        if len(part) < PART_MIN:
            self._lose()
            return None
        header = part[0]
        first = bool(header & FIRST)
        if not self._is_due(header):
            self._lose()
        if first:
            self._inside, self._skipping = True, False
            self._frame.clear()
        if self._skipping:
            return None
        self._number = (header + 1) % NUMBERS
        self._frame += part[1:]
        return self._settle(last=bool(header & LAST))

    def end(self) -> None:
        """Says that the connection has ended: what has begun is truncated."""
        if self._inside:
            self._lose()

    def _is_due(self, header: int) -> bool:
        if self._skipping or header % NUMBERS != self._number:
            return False
        return self._inside != bool(header & FIRST)

    def _lose(self) -> None:
        # Told once, by the part that shows it; the rest is skipped until a frame begins.
        if not self._skipping:
            self.counts.truncated += 1
        self._inside, self._skipping = False, True
        self._frame.clear()

    def _settle(self, *, last: bool) -> bytes | None:
        if len(self._frame) > self._limit:
            self.counts.oversized += 1
            self._inside, self._skipping = False, True
            self._frame.clear()
            return None
        if not last:
            return None
        self._inside = False
        return bytes(self._frame)
