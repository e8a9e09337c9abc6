"""Framing of streams: COBS of frame and CRC-16, ended by a zero byte."""

from attune_core.library import library

_READY, _DAMAGED = 1, 2

LARGEST_FRAME = 1024


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
