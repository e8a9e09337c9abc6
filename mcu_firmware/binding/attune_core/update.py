"""Releases on their way to a node (core/update), as the node takes them."""

from attune_core.head import Head
from attune_core.library import library

def compact_write(head: Head) -> bytes:
    core = library(head.precision)
    buffer = core.ffi.new("uint8_t[]", 1024)
    written = core.lib.core_compact_write(head.memory.pointer, buffer, len(buffer))
    return bytes(buffer[0:written])


def compact_read(head: Head, data: bytes) -> bool:
    core = library(head.precision)
    return bool(core.lib.core_compact_read(head.memory.pointer, data, len(data)))
