"""A disk with a cache of its own that is gone when the power is cut, as on a real one.

A killed emulator leaves all that the system has handed over; a disk keeps for certain only what it was told to flush.
So QEMU writes to a copy and logs each write and flush beside it (its driver `blklogwrites`; the log's format is that of
the kernel's Documentation/admin-guide/device-mapper/log-writes.rst). After a cut the disk has what the log has up to
the last flush, and of what came later as much as a draw leaves.
"""

import os
import random
import shutil
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SECTOR = 512
FLUSH, DISCARD = 1, 4

_SUPER = struct.Struct("<QQQI")
_MAGIC, _VERSION = 0x6A736677736872, 1
_ENTRY = struct.Struct("<QQQQ")


class DiskError(Exception):
    """The log of a disk cannot be read; a sentence."""


@dataclass(frozen=True)
class Entry:
    """A write of `sectors` sectors from `sector` on, content from byte `at` of the log; or a flush, or a discard."""

    sector: int
    sectors: int
    flags: int
    at: int


@dataclass(frozen=True)
class Lost:
    """What a cut took: writes that no flush had followed, and how many of those are gone."""

    unflushed: int
    gone: int


class CachedDisk:
    """`image` is what has reached the disk, and belongs to it from now on. `lose` follows a cut."""

    def __init__(self, image: Path) -> None:
        self.image = image
        self._cache, self._log = image.with_suffix(".cache"), image.with_suffix(".log")
        subprocess.run(["cp", "--sparse=always", "--reflink=auto", image, self._cache], check=True)

    def drive(self) -> list[str]:
        """QEMU's arguments for the first disk, with a fresh log."""
        self._log.unlink(missing_ok=True)
        with self._log.open("wb"):
            pass
        # Flushes are in the log; this machine's own disk has nothing to do with them.
        files = [
            f"driver=file,node-name={name},filename={path},cache.no-flush=on"
            for name, path in (("cache", self._cache), ("log", self._log))
        ]
        files.append("driver=blklogwrites,node-name=disk,file=cache,log=log")
        blocks = [word for each in files for word in ("-blockdev", each)]
        return [*blocks, "-device", "virtio-blk-pci,drive=disk,write-cache=on"]

    def keep(self) -> None:
        """After an orderly end everything has reached the disk."""
        shutil.move(self._cache, self.image)
        subprocess.run(["cp", "--sparse=always", "--reflink=auto", self.image, self._cache], check=True)

    def lose(self, draw: random.Random, share: float) -> Lost:
        """After a cut: each write since the last flush is gone with this chance. Raises DiskError."""
        with self._log.open("rb") as log, self.image.open("r+b") as image, self._cache.open("r+b") as cache:
            found = list(entries(log.fileno()))
            flushes = [i for i, entry in enumerate(found) if entry.flags & FLUSH]
            safe = flushes[-1] if flushes else -1
            later = [i for i, entry in enumerate(found) if i > safe and entry.sectors]
            gone = {i for i in later if draw.random() < share}
            for i, entry in enumerate(found):
                if entry.sectors and not entry.flags & DISCARD and i not in gone:
                    _copy(log.fileno(), entry.at, image.fileno(), entry.sector, entry.sectors)
            for entry in found:
                _copy(image.fileno(), entry.sector * SECTOR, cache.fileno(), entry.sector, entry.sectors)
        return Lost(len(later), len(gone))


def entries(log: int) -> Iterator[Entry]:
    """What a log holds, in the order in which it was done; a hole is its end. Raises DiskError."""
    magic, version, counted, size = _SUPER.unpack(os.pread(log, _SUPER.size, 0).ljust(_SUPER.size, b"\0"))
    if magic == 0:
        return
    if (magic, version, size) != (_MAGIC, _VERSION, SECTOR):
        raise DiskError(f"The log of the disk is none: it begins with {magic:x}, {version}, {size}.")
    at, number = SECTOR, 0
    while len(head := os.pread(log, _ENTRY.size, at)) == _ENTRY.size and any(head):
        sector, sectors, flags, _ = _ENTRY.unpack(head)
        at += SECTOR
        yield Entry(sector, sectors, flags, at)
        number += 1
        at += 0 if flags & DISCARD else sectors * SECTOR
    # The emulator counts at each flush; it died with an earlier write under way.
    if number < counted:
        raise DiskError(f"The log of the disk has {counted} entries, and a hole after {number}; cut the power again.")


def _copy(source: int, at: int, target: int, sector: int, sectors: int) -> None:
    """Content that is not there is zeros."""
    end, to = at + sectors * SECTOR, sector * SECTOR
    while at < end:
        size = min(end - at, 1 << 20)
        os.pwrite(target, os.pread(source, size, at).ljust(size, b"\0"), to)
        at, to = at + size, to + size
