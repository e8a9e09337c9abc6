"""A backup as a file: a line in the clear, then what age has sealed: gzip of the manifest's length, the manifest, and
the contents of its files one after the other. Nothing is ever in memory whole.

By hand: `tail -n +2 FILE | age -d -i KEY | gunzip`.
"""

import gzip
import hashlib
import os
import stat
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import pyrage
from pydantic import ValidationError

from attuned.backup.manifest import HEADER_LIMIT, MANIFEST_LIMIT, File, Header, Manifest, read_header
from attuned.errors import RequestError
from attuned.version import VERSION

PIECE = 1 << 18

# Windows shrink by half at the first level, and hardly more at the others.
_LEVEL = 1

_LENGTH = struct.Struct(">I")

DAMAGED = "This backup is damaged or was cut off: take another backup."


_MISTYPED = "That is not the passphrase of this backup: try again, or look for the right one."

# What age says of a key that opens nothing.
_NO_KEY = "No matching keys found"


class WrongPassphraseError(RequestError):
    """A backup is whole as far as is known, and another passphrase opens it."""


class _Worker(threading.Thread):
    """age on a thread of its own, at one end of a pipe; `failed` is what went wrong there."""

    def __init__(self, work: Callable[[], None]) -> None:
        super().__init__(name="age")
        self._work = work
        self.failed: Exception | None = None

    def run(self) -> None:
        try:
            self._work()
        except Exception as error:  # noqa: BLE001 (told by whoever waits)
            self.failed = error


class _Out:
    """A file that remembers why it could not be written: age would put it in words of its own."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.failed: OSError | None = None

    def write(self, data: bytes) -> int:
        try:
            return self._file.write(data)
        except OSError as error:
            self.failed = error
            raise

    def flush(self) -> None:
        self._file.flush()


def seal(out: IO[bytes], manifest: Manifest, folder: Path, recipient: pyrage.x25519.Recipient) -> None:
    """Writes header, manifest and the files of the folder. Raises OSError."""
    out.write(manifest.header.line())
    guarded = _Out(out)
    reading, writing = os.pipe()

    def work() -> None:
        with os.fdopen(reading, "rb") as pipe:
            pyrage.encrypt_io(pipe, guarded, [recipient])

    worker = _Worker(work)
    worker.start()
    try:
        with (
            os.fdopen(writing, "wb") as pipe,
            gzip.GzipFile(fileobj=pipe, mode="wb", compresslevel=_LEVEL, mtime=0) as packed,
        ):
            _write(cast("IO[bytes]", packed), manifest, folder)
    except BrokenPipeError as error:
        worker.join()
        raise guarded.failed or error from None
    finally:
        worker.join()
    if worker.failed is not None:
        raise guarded.failed or OSError(0, str(worker.failed))


def _write(packed: IO[bytes], manifest: Manifest, folder: Path) -> None:
    text = manifest.model_dump_json().encode()
    packed.write(_LENGTH.pack(len(text)) + text)
    for entry in manifest.files:
        with (folder / entry.name).open("rb") as file:
            while piece := file.read(PIECE):
                packed.write(piece)


class Opened:
    """A backup that is being read: its manifest, then each file once, in order."""

    def __init__(self, stream: IO[bytes], header: Header, worker: _Worker) -> None:
        self._stream = stream
        self._worker = worker
        self.manifest = _read_manifest(stream, header)
        if self.manifest.header != header:
            raise RequestError(DAMAGED)

    def unpack(self, entry: File, out: IO[bytes]) -> None:
        """The next file. RequestError if its content is not what the manifest says."""
        digest, left = hashlib.sha256(), entry.size
        while left:
            piece = self._stream.read(min(PIECE, left))
            if not piece:
                raise RequestError(DAMAGED)
            digest.update(piece)
            out.write(piece)
            left -= len(piece)
        if digest.hexdigest() != entry.sha256:
            raise RequestError(DAMAGED)

    def end(self) -> None:
        """RequestError if anything follows, or what age says of the whole is not that it is whole."""
        if self._stream.read(1):
            raise RequestError(DAMAGED)
        self._worker.join()
        if self._worker.failed is not None:
            raise RequestError(DAMAGED) from self._worker.failed


def header_of(path: Path) -> Header:
    """RequestError for a file that begins no backup, or cannot be read."""
    with _file(path) as file:
        return read_header(file.readline(HEADER_LIMIT))


def _file(path: Path) -> IO[bytes]:
    """A plain file: others may never end, or wait for somebody who never comes. RequestError if it cannot be read."""
    try:
        held = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        raise RequestError(f"{path} cannot be read ({error.strerror}): name a backup.") from error
    file = os.fdopen(held, "rb") if stat.S_ISREG(os.fstat(held).st_mode) else None
    if file is None:
        os.close(held)
        raise RequestError(f"{path} is no plain file: name a backup.")
    return file


@contextmanager
def opened(path: Path, private: pyrage.x25519.Identity) -> Iterator[Opened]:
    """What is sealed in a backup. RequestError for whatever was not sealed whole by `seal`."""
    with _file(path) as file:
        header = read_header(file.readline(HEADER_LIMIT))
        reading, writing = os.pipe()

        def work() -> None:
            with os.fdopen(writing, "wb") as pipe:
                pyrage.decrypt_io(file, pipe, [private])

        worker = _Worker(work)
        worker.start()
        try:
            with os.fdopen(reading, "rb") as pipe, gzip.GzipFile(fileobj=pipe, mode="rb") as packed:
                yield Opened(cast("IO[bytes]", packed), header, worker)
        except (EOFError, gzip.BadGzipFile, ValueError, zlib.error, RequestError) as error:
            worker.join()
            if isinstance(worker.failed, pyrage.DecryptError) and str(worker.failed) == _NO_KEY:
                raise WrongPassphraseError(_MISTYPED) from error
            raise error if isinstance(error, RequestError) else RequestError(DAMAGED) from error
        finally:
            worker.join()


def check(path: Path, private: pyrage.x25519.Identity) -> None:
    """Whether a backup opens with this key; only its beginning is read. RequestError as `opened`."""
    with opened(path, private):
        pass


def _read_manifest(stream: IO[bytes], header: Header) -> Manifest:
    length = stream.read(_LENGTH.size)
    if len(length) < _LENGTH.size or _LENGTH.unpack(length)[0] > MANIFEST_LIMIT:
        raise RequestError(DAMAGED)
    try:
        return Manifest.model_validate_json(stream.read(_LENGTH.unpack(length)[0]))
    except ValidationError as error:
        raise RequestError(
            f"This backup says that Attune {header.version} made it, and holds what this one, {VERSION}, "
            "does not know: install that version, or take another backup."
        ) from error
