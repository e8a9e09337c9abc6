"""What keeps a file of the store from being opened, read or written, as a sentence that says what to do."""

import errno
import shutil
import sqlite3
from pathlib import Path

from attuned.errors import DamagedStoreError, StoreError, UnusableStoreError

# Less than this is no room: SQLite needs a few pages for its log and its index before anything is written.
LEAST_FREE = 1024 * 1024

# Primary result codes of SQLite (the lowest byte of an extended one) that say that the bytes of a file are wrong.
DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT})
# Those that say that the disk failed, which it also does where it is full or a quota is used up.
_FAILED = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR})
_NOT_ALLOWED = frozenset({sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH, sqlite3.SQLITE_CANTOPEN})
_HELD = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def damaged(path: Path, found: object, *, precious: bool) -> DamagedStoreError:
    """`found` is what SQLite says of the file."""
    advice = (
        "nothing was changed; put a backup in its place with `attune restore FILE`, which keeps this file aside"
        if precious
        else "restart the daemon, which sets the file aside and begins a new one where it cannot be read; if it is "
        "still told afterwards, move the file away while the daemon is stopped"
    )
    return DamagedStoreError(path, f"is damaged ({one_line(found)})", advice)


def lost(path: Path, witness: Path) -> DamagedStoreError:
    """A file that must have been there: SQLite would begin a new one in silence."""
    found = "is empty" if path.exists() else "is missing"
    return DamagedStoreError(
        path,
        f"{found}, though {witness.name} beside it says that this site has nodes and labels",
        "put a backup in its place with `attune restore FILE`; to begin anew, take the whole folder away",
    )


def opening_error(path: Path, error: sqlite3.Error | OSError, *, precious: bool) -> StoreError:
    """Why a file of the store cannot be opened."""
    code = sqlite_code(error)
    if code in DAMAGED:
        return damaged(path, error, precious=precious)
    if code in _HELD:
        return StoreError(f"The store {path} is held by another program ({error}): end that one.")
    if code in _FAILED or errno_of(error) in _NO_ROOM:
        return _disk_error(path, "opened", error)
    if code == sqlite3.SQLITE_READONLY or errno_of(error) == errno.EROFS:
        return StoreError(
            f"The store {path} cannot be written ({one_line(error)}): see why its disk is read-only (`dmesg`), or "
            "whether its service may write there (`systemctl cat attuned`)."
        )
    if code in _NOT_ALLOWED or errno_of(error) in {errno.EACCES, errno.EPERM}:
        return UnusableStoreError(
            f"The store {path} cannot be opened ({one_line(error)}): give its folder and files to the user that runs "
            f"the daemon (`ls -la {path.parent}`)."
        )
    return UnusableStoreError(f"The store {path} cannot be opened ({one_line(error)}): see `ls -la {path.parent}`.")


def running_error(path: Path, done: str, error: sqlite3.Error, *, precious: bool) -> StoreError:
    """Why a file that was open cannot be read or written."""
    code = sqlite_code(error)
    if code in DAMAGED:
        return damaged(path, error, precious=precious)
    if code in _HELD:
        return StoreError(f"The store {path} cannot be {done} ({error}): end the program that holds it.")
    return _disk_error(path, done, error)


def sqlite_code(error: BaseException) -> int:
    """The primary result code of SQLite; 0 for what is no error of SQLite's own."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def errno_of(error: BaseException) -> int:
    return error.errno or 0 if isinstance(error, OSError) else 0


def _disk_error(path: Path, done: str, error: Exception) -> StoreError:
    full = sqlite_code(error) == sqlite3.SQLITE_FULL or errno_of(error) in _NO_ROOM or _free(path.parent) < LEAST_FREE
    advice = "make room on the disk" if full else "check the disk (`dmesg`), or make room on the disk"
    return StoreError(f"The store {path} cannot be {done} ({one_line(error)}): {advice}.")


def _free(folder: Path) -> int:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0


def one_line(found: object) -> str:
    """What SQLite says, without its line breaks."""
    return " ".join(str(found).split())
