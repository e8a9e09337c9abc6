"""Older states of the store beside it: attune.db before it was migrated, and a windows.db that was set aside.

Whoever goes back to the version before, or looks into what broke, finds them; nothing reads them by itself. They go
when something is forgotten, which they may hold.
"""

import logging
import os
import shutil
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from attuned.durable_files import sync_folder
from attuned.errors import DamagedStoreError, StoreError
from attuned.store.ownership import PRIVATE

log = logging.getLogger(__name__)

# Copies that stay: of the version before this one, and of the one before that.
KEPT = 2

# Room beyond the copy itself, for what the migration writes.
SPARE = 16 * 1024 * 1024

_MB = 1_000_000

_LOGS = ("", "-wal", "-shm")


def keep_copy(connection: sqlite3.Connection, path: Path, version: int) -> Path:
    """Copies the file of that version to attune-VERSION.db beside it, private and synced. Raises StoreError.

    A copy of that version that is there is replaced: it was made of the same file, or of one that was restored.
    """
    copy = path.with_name(f"{path.stem}-{version}{path.suffix}")
    half = copy.with_suffix(".half")
    _check_room(connection, path)
    try:
        half.unlink(missing_ok=True)
        os.close(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE))
        connection.execute("VACUUM INTO ?", (str(half),))
        _sync(half)
        half.replace(copy)
        sync_folder(path.parent)
        _prune(path)
    except (sqlite3.Error, OSError) as error:
        half.unlink(missing_ok=True)
        raise StoreError(
            f"The store {path} is of an older version and cannot be copied before it is migrated ({error}): "
            "make room on the disk; nothing was changed."
        ) from error
    log.info("The store %s is of an older version; it is kept as %s and migrated.", path, copy.name)
    return copy


def copies(path: Path) -> list[Path]:
    """Copies of a file from before migrations, the oldest version first."""
    found = path.parent.glob(f"{path.stem}-*{path.suffix}")
    numbered = [(each.stem.removeprefix(f"{path.stem}-"), each) for each in found]
    return [each for number, each in sorted((int(n), p) for n, p in numbered if n.isdecimal())]


def set_aside(path: Path) -> Path:
    """Renames a damaged file, with its log, and returns its new name.

    Raises DamagedStoreError if one is aside already: a disk that damages files again and again shall not be filled
    with them, and which of them is worth more only a person can tell.
    """
    before = aside(path)
    if before:
        raise DamagedStoreError(
            path,
            f"is damaged again, and {before[0]} is still there from the last time",
            "check the disk (`dmesg`), take that file away, and start the daemon again",
        )
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    there = path.with_name(f"{path.stem}-damaged-{now}{path.suffix}")
    for end in reversed(_LOGS):  # the file itself last: until then the next start does the same again
        part = path.with_name(path.name + end)
        if part.exists():
            part.replace(there.with_name(there.name + end))
    sync_folder(path.parent)
    return there


def aside(path: Path) -> list[Path]:
    """Damaged files that were set aside."""
    return sorted(path.parent.glob(f"{path.stem}-damaged-*{path.suffix}"))


def drop_old_states(folder: Path) -> list[str]:
    """Removes every older state of the store in a folder; the names of those that went. Raises StoreError."""
    bulk = aside(folder / "windows.db")
    logs = [each.with_name(each.name + end) for each in bulk for end in _LOGS[1:]]
    half = folder.glob("attune-*.half")  # a power cut has left it
    old = [*copies(folder / "attune.db"), *half, *bulk, *(each for each in logs if each.exists())]
    try:
        for path in old:
            path.unlink()
        if old:
            sync_folder(folder)
    except OSError as error:
        raise StoreError(f"An older copy of the store cannot be removed ({error}): remove it by hand.") from error
    return [path.name for path in old]


def _check_room(connection: sqlite3.Connection, path: Path) -> None:
    pages, size = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    needed, free = pages * size + SPARE, shutil.disk_usage(path.parent).free
    if free < needed:
        raise StoreError(
            f"The store {path} is of an older version, and a copy is kept before it is migrated: make room on the "
            f"disk, {needed / _MB:.0f} MB are needed and {free / _MB:.0f} MB are free; nothing was changed."
        )


def _prune(path: Path) -> None:
    for old in copies(path)[:-KEPT]:
        old.unlink()
        log.info("The copy %s is removed, since there are newer ones.", old.name)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
