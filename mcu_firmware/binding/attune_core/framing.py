"""Framing of streams (COBS of frame and CRC-16, ended by a zero byte) and of Bluetooth (parts)."""

from attune_core.library import library

_READY, _DAMAGED = 1, 2
_PART_DAMAGED, _PART_OVERSIZED, _PART_READY = 1, 2, 4

LARGEST_FRAME = 1024
PART_NUMBERS = 64
"""Parts are numbered modulo this."""


def frame_encode(frame: bytes) -> bytes:
    """One frame (1 to 1024 bytes) as it goes over a stream, with its checksum and the zero that ends it."""
    if not 1 <= len(frame) <= LARGEST_FRAME:
        raise ValueError(f"A frame has 1 to {LARGEST_FRAME} bytes, not {len(frame)}.")
    core = library()
    stream = core.ffi.new("uint8_t[]", 2 * LARGEST_FRAME)
    return bytes(stream[0 : core.lib.core_frame_encode(frame, len(frame), stream, len(stream))])


class FrameDecoder:
    """A node's own decoder: takes a stream in pieces of any size, gives whole frames of at most 640 bytes."""

    damaged: int
    """Frames dropped because encoding or checksum was wrong."""
    oversized: int
    """Frames dropped because they were longer than a node takes."""

    def __init__(self) -> None:
        self.damaged = 0
        self.oversized = 0
        self._core = library()
        self._memory = self._core.new("frame_decoder")
        self._core.lib.core_frame_decoder_init(self._memory.pointer)

    def feed(self, stream: bytes) -> list[bytes]:
        """The frames that these bytes complete."""
        core = self._core
        used, size = core.ffi.new("size_t *"), core.ffi.new("size_t *")
        start = core.ffi.new("uint8_t **")
        bytes_in = core.ffi.from_buffer("uint8_t[]", stream)
        frames: list[bytes] = []
        at = 0
        while at < len(stream):
            event = core.lib.core_frame_decode(self._memory.pointer, bytes_in + at, len(stream) - at, used, start, size)
            at += used[0]
            if event == _READY:
                frames.append(bytes(core.ffi.buffer(start[0], size[0])))
            else:
                self._count(event)
        return frames

    def _count(self, event: int) -> None:
        self.damaged += event == _DAMAGED
        self.oversized += event > _DAMAGED


def part_encode(frame: bytes, largest: int, number: int = 0) -> list[bytes]:
    """The parts of a frame (1 to 1024 bytes), each of at most `largest` bytes (2 or more), the first of that number."""
    if not 1 <= len(frame) <= LARGEST_FRAME:
        raise ValueError(f"A frame has 1 to {LARGEST_FRAME} bytes, not {len(frame)}.")
    if largest < 2 or not 0 <= number < PART_NUMBERS:
        raise ValueError(f"A part has at least 2 bytes, and a number below {PART_NUMBERS}.")
    core = library()
    written = core.ffi.new("uint8_t[]", 4 * LARGEST_FRAME)
    end = core.lib.core_part_cut(frame, len(frame), min(largest, 2 * LARGEST_FRAME), number, written)
    parts: list[bytes] = []
    at = 0
    while at < end:
        size = written[at] | written[at + 1] << 8
        parts.append(bytes(written[at + 2 : at + 2 + size]))
        at += 2 + size
    return parts


class PartDecoder:
    """A node's own receiver of parts, for one direction of one connection: gives whole frames of at most `limit` bytes
    (as many as a node takes, unless said otherwise)."""

    damaged: int
    """Frames dropped because parts were lost or made no sense."""
    oversized: int
    """Frames dropped because they were too long."""

    def __init__(self, limit: int = 0) -> None:
        self.damaged = 0
        self.oversized = 0
        self._core = library()
        self._memory = self._core.new("part_joiner")
        self._frame = self._core.ffi.new("uint8_t[]", limit or self._core.node_frame)
        self._core.lib.core_part_joiner_init(self._memory.pointer, self._frame, len(self._frame))

    def take(self, part: bytes) -> bytes | None:
        """The frame that this part completes."""
        size = self._core.ffi.new("size_t *")
        events = self._core.lib.core_part_join(self._memory.pointer, part, len(part), size)
        self.damaged += bool(events & _PART_DAMAGED)
        self.oversized += bool(events & _PART_OVERSIZED)
        return bytes(self._frame[0 : size[0]]) if events & _PART_READY else None
