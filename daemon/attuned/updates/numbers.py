"""Which sequence number was signed last for whom, and for what: a daemon in the wrong hands cannot make two truths.

A file of records that only grows while the process runs, and is written anew when it starts: audience (32 bytes),
sequence number (4, little endian), beginning of the message's digest (16).
"""

import hashlib
import os
import struct
from pathlib import Path

from attuned.durable_files import write_durably
from attuned.updates.envelope import AUDIENCE_SIZE, DIGEST_SIZE, Update

_RECORD = struct.Struct(f"<{AUDIENCE_SIZE}sI{DIGEST_SIZE}s")


class Numbers:
    """The records of one file, of which the newest of each audience counts."""

    def __init__(self, path: Path) -> None:
        """Reads the file, if there is one. OSError if it cannot be read or written."""
        self._last = _read(path.read_bytes() if path.exists() else b"")
        write_durably(path, _bytes(self._last), 0o600)
        self._file = path.open("ab", buffering=0)

    def take(self, update: Update) -> int:
        """0 if the update may be signed, and it is on the disk then that it was; else the highest number so far.

        The same update may be signed again. OSError if the disk does not take it: it is not signed.
        """
        digest = hashlib.blake2b(update.message).digest()[:DIGEST_SIZE]
        highest, signed = self._last.get(update.audience, (0, b""))
        if (update.sequence, digest) == (highest, signed):
            return 0
        if update.sequence <= highest:
            return highest
        self._write(_RECORD.pack(update.audience, update.sequence, digest))
        self._last[update.audience] = update.sequence, digest
        return 0

    def _write(self, record: bytes) -> None:
        """A record that was cut off must not shift those after it."""
        end = self._file.seek(0, os.SEEK_END)
        try:
            if self._file.write(record) != len(record):
                raise OSError("The disk is full.")
            os.fsync(self._file.fileno())
        except OSError:
            self._file.truncate(end)
            raise


def merged(first: bytes, second: bytes) -> bytes:
    """Of two files of records, as one: of each audience the higher number counts, in doubt that of the first."""
    both = _read(second)
    for audience, last in _read(first).items():
        if last[0] >= both.get(audience, last)[0]:
            both[audience] = last
    return _bytes(both)


def _read(data: bytes) -> dict[bytes, tuple[int, bytes]]:
    """A record whose writing was cut off was never signed."""
    whole = len(data) // _RECORD.size * _RECORD.size
    return {audience: (sequence, digest) for audience, sequence, digest in _RECORD.iter_unpack(data[:whole])}


def _bytes(records: dict[bytes, tuple[int, bytes]]) -> bytes:
    return b"".join(_RECORD.pack(audience, *last) for audience, last in records.items())
