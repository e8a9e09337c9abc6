"""What a disk has after a power cut, by logs that are written here as the kernel's dm-log-writes describes them."""

import random
import struct
from pathlib import Path

import pytest
from guest_disk import CachedDisk, DiskError, Lost
from hypothesis import given, settings
from hypothesis import strategies as st

SECTOR = 512
SECTORS = 16

FLUSH, DISCARD = 1, 4

# (first sector, sectors, byte that fills them), or None for a flush.
Write = tuple[int, int, int] | None

writes = st.lists(st.none() | st.tuples(st.integers(0, 12), st.integers(1, 4), st.integers(1, 255)), max_size=30)


def log_of(done: list[Write], counted: int | None = None) -> bytes:
    count = len(done) if counted is None else counted
    parts = [struct.pack("<QQQI", 0x6A736677736872, 1, count, SECTOR).ljust(SECTOR, b"\0")]
    for write in done:
        at, size, fill = write or (0, 0, 0)
        flags = 0 if write else FLUSH
        parts.append(struct.pack("<QQQQ", at, size, flags, 0).ljust(SECTOR, b"\0") + bytes([fill]) * size * SECTOR)
    return b"".join(parts)


def written(done: list[Write]) -> bytes:
    """A disk of zeros after these writes, in their order."""
    disk = bytearray(SECTORS * SECTOR)
    for at, size, fill in filter(None, done):
        disk[at * SECTOR : (at + size) * SECTOR] = bytes([fill]) * size * SECTOR
    return bytes(disk)


def after_cut(folder: Path, log: bytes, seen: bytes, share: float) -> tuple[Lost, bytes, bytes]:
    """What was lost, what is on the disk, and what the emulator's next start finds."""
    image = folder / "root.img"
    image.write_bytes(bytes(SECTORS * SECTOR))
    disk = CachedDisk(image)
    cache, logged = image.with_suffix(".cache"), image.with_suffix(".log")
    cache.write_bytes(seen)
    logged.write_bytes(log)
    lost = disk.lose(random.Random(7), share)
    return lost, image.read_bytes(), cache.read_bytes()


@settings(max_examples=50)
@given(writes)
def test_flushed_writes_stay_and_all_others_go(tmp_path_factory: pytest.TempPathFactory, done: list[Write]) -> None:
    safe = len(done) - done[::-1].index(None) if None in done else 0
    later = len(done) - safe
    log, seen = log_of(done), written(done)
    assert after_cut(tmp_path_factory.mktemp("disk"), log, seen, 0.0) == (Lost(later, 0), seen, seen)
    flushed = written(done[:safe])
    assert after_cut(tmp_path_factory.mktemp("disk"), log, seen, 1.0) == (Lost(later, later), flushed, flushed)


def test_some_of_the_others_go(tmp_path: Path) -> None:
    done: list[Write] = [(0, 1, 1), None, *[(at, 1, 2) for at in range(SECTORS)]]
    lost, disk, _ = after_cut(tmp_path, log_of(done), written(done), 0.5)
    assert lost.unflushed == SECTORS
    assert 0 < lost.gone < SECTORS
    sectors = [disk[at * SECTOR] for at in range(SECTORS)]
    assert sectors.count(2) == SECTORS - lost.gone
    assert sectors[0] in (1, 2)
    assert set(sectors[1:]) == {0, 2}


def test_a_disk_that_was_never_written_to(tmp_path: Path) -> None:
    nothing = bytes(SECTORS * SECTOR)
    assert after_cut(tmp_path, b"", nothing, 1.0) == (Lost(0, 0), nothing, nothing)


def test_a_discard_has_no_content(tmp_path: Path) -> None:
    discard = struct.pack("<QQQQ", 3, 2, DISCARD, 0).ljust(SECTOR, b"\0")
    log = log_of([(1, 1, 9)], counted=3) + discard + log_of([(2, 1, 8)])[SECTOR:]
    expected = written([(1, 1, 9), (2, 1, 8)])
    assert after_cut(tmp_path, log, expected, 0.0)[1] == expected


@pytest.mark.parametrize(
    ("log", "words"),
    [(b"no log at all".ljust(SECTOR, b"\0"), "is none"), (log_of([(1, 1, 9)], counted=2), "a hole after 1")],
)
def test_a_log_that_cannot_be_trusted(tmp_path: Path, log: bytes, words: str) -> None:
    with pytest.raises(DiskError, match=words):
        after_cut(tmp_path, log, bytes(SECTORS * SECTOR), 1.0)
