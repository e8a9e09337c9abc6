"""Making a backup: copy, list, seal; whatever goes wrong, what there was before is as it was."""

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from pathlib import Path

from attuned import gone
from attuned.backup import intent
from attuned.backup.copying import copy
from attuned.backup.keeping import SUFFIX, kept_in, name_of, to_drop
from attuned.backup.manifest import File, Folder, Header, Manifest, place_of
from attuned.backup.places import BACKUPS, SITE_DB, WINDOWS_DB, Places, gone_beside
from attuned.backup.sealing import PIECE, seal
from attuned.backup_key import BackupKey
from attuned.config import load
from attuned.durable_files import sync_folder
from attuned.errors import DamagedStoreError, RequestError, StoreError
from attuned.half_restored import refuse_half
from attuned.version import VERSION

_PART, _COPY, _LOCK = ".attune-backup.part", ".attune-backup-", ".attune-backup.lock"


@dataclass(frozen=True)
class Made:
    """A new backup. `older_utc_ms`: when the newest before it was made, 0 if there is none; `dropped`: old ones;
    `damaged`: why windows are not in it that were to be."""

    path: Path
    size: int
    seconds: float
    older_utc_ms: int
    dropped: tuple[Path, ...]
    damaged: str = ""


def make(places: Places, key: BackupKey, to: Path, *, windows: bool = True, backups: Path = BACKUPS) -> Made:
    """Makes a backup in a folder, or as a file that there is not yet. In the folder `backups` old ones are dropped.

    Where windows.db is damaged, all else is in it. Raises RequestError, StoreError.
    """
    began, now_utc_ms = time.monotonic(), time.time_ns() // 1_000_000
    folder, path = _target(to, now_utc_ms, backups)
    # Copies that are not sealed never lie where the backup goes, which may be carried away, but where the timer's do.
    work = backups if backups.is_dir() or folder == backups else places.state
    header = Header(made_utc_ms=now_utc_ms, version=VERSION, key=asdict(key.stretching))
    with _sentences(folder), intent.alone(places.etc, sharing=True), _alone(folder):
        refuse_half(places.etc)
        if path.exists():
            raise RequestError(f"{path} is there already: name a folder, or a new file.")
        _check_room(places, folder, work, windows=windows)
        older = max((each.header.made_utc_ms for each in kept_in(folder)), default=0)
        _copy_gone(places, folder)
        _clear(work)
        with contextlib.suppress(OSError):
            _clear(places.state)
        damaged = _write(places, header, key, path, work, windows=windows)
        dropped = _prune(folder, now_utc_ms) if folder == backups else ()
        size = path.stat().st_size
    return Made(path, size, time.monotonic() - began, older, dropped, damaged)


def _target(to: Path, now_utc_ms: int, backups: Path) -> tuple[Path, Path]:
    """The folder and the file. A folder that is missing may be a disk that is not there: only our own is made."""
    if to == backups or to.is_dir():
        return to, to / name_of(now_utc_ms)
    if to.suffix != SUFFIX:
        raise RequestError(f"There is no folder {to}: make it first, or name a new file that ends in {SUFFIX}.")
    if not to.parent.is_dir():
        raise RequestError(f"There is no folder {to.parent}: make it first.")
    return to.parent, to


@contextlib.contextmanager
def _sentences(folder: Path) -> Iterator[None]:
    """What the disk and SQLite say, for people."""
    full = f"The disk is full, and no backup was made: make room in {folder} and where the store lies."
    try:
        yield
    except sqlite3.Error as error:
        if "full" in str(error):
            raise StoreError(full) from error
        raise StoreError(
            f"The store cannot be copied ({error}): run this as root; `attune doctor` says more."
        ) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreError(full) from error
        where = error.filename or folder
        raise StoreError(f"No backup was made: {where}: {error.strerror or error}. Run this as root.") from error


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One backup at a time in a folder; what one that was cut off has left there goes."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / _LOCK).open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RequestError(f"Another backup is being made in {folder}: wait until it is there.") from error
        (folder / _PART).unlink(missing_ok=True)
        yield


@contextlib.contextmanager
def _working(folder: Path) -> Iterator[Path]:
    """A folder in it for copies, which nobody clears away meanwhile."""
    with ExitStack() as held:
        with _locked(folder):
            work = Path(tempfile.mkdtemp(prefix=_COPY, dir=folder))
            held.enter_context(_locked(work))
            held.callback(shutil.rmtree, work)
        yield work


def _clear(folder: Path) -> None:
    """Copies that nobody works on any more go: their backup was cut off. Raises OSError."""
    with _locked(folder):
        for left in folder.glob(f"{_COPY}*"):
            if left.is_dir():
                with contextlib.suppress(BlockingIOError), _locked(left, fcntl.LOCK_NB):
                    shutil.rmtree(left)


@contextlib.contextmanager
def _locked(folder: Path, how: int = 0) -> Iterator[None]:
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | how)
        yield
    finally:
        os.close(held)


def _check_room(places: Places, folder: Path, work: Path, *, windows: bool) -> None:
    """For the copy, and for the sealed one, which may come to the same disk."""
    names = (SITE_DB, WINDOWS_DB) if windows else (SITE_DB,)
    size = sum((places.state / name).stat().st_size for name in names)
    for place in (folder, work):
        times = 2 if folder.stat().st_dev == work.stat().st_dev else 1
        if shutil.disk_usage(place).free < times * size:
            raise OSError(errno.ENOSPC, "No space left on device")


def _copy_gone(places: Places, folder: Path) -> None:
    """What must stay gone lies beside the backups, too: also what went after the newest of them."""
    beside = gone_beside(folder, places.etc)
    here, there = gone.read(places.state / gone.FILE), _read_beside(beside)
    if here | there != there:
        gone.write(beside, here | there)


def _read_beside(path: Path) -> gone.Gone:
    """A copy that is damaged keeps no backup from being made: it is written anew, and lies beside."""
    try:
        return gone.read(path)
    except DamagedStoreError:
        gone.set_aside(path)
        return gone.Gone()


def _write(places: Places, header: Header, key: BackupKey, path: Path, work: Path, *, windows: bool) -> str:
    """Returns why windows were left out after all."""
    part, damaged = path.parent / _PART, ""
    try:
        with _working(work) as copied:
            originals, damaged = copy(places, copied, windows=windows)
            windows = windows and not damaged
            manifest = _manifest(places, header, copied, originals, windows=windows)
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
                seal(out, manifest, copied, key.public)
                out.flush()
                os.fsync(out.fileno())
        part.rename(path)
        sync_folder(path.parent)
    finally:
        part.unlink(missing_ok=True)
    return damaged


def _manifest(places: Places, header: Header, copied: Path, originals: dict[str, Path], *, windows: bool) -> Manifest:
    folders = [Folder(**place_of(name, path)) for name, path in originals.items() if path.is_dir()]
    files = [_file(name, path, copied / name) for name, path in originals.items() if not path.is_dir()]
    schemas = {name: _version(copied / "state" / f"{name}.db") for name in ("attune", "windows")}
    return Manifest(
        header=header,
        site=load(copied / "etc" / places.config.name).site.name,
        config=places.config.name,
        schemas=schemas,
        windows=windows,
        folders=tuple(folders),
        files=tuple(files),
    )


def _file(name: str, original: Path, copied: Path) -> File:
    digest = hashlib.sha256()
    with copied.open("rb") as file:
        for piece in iter(lambda: file.read(PIECE), b""):
            digest.update(piece)
    return File(**place_of(name, original), size=copied.stat().st_size, sha256=digest.hexdigest())


def _version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        return int(database.execute("PRAGMA user_version").fetchone()[0])


def _prune(folder: Path, now_utc_ms: int) -> tuple[Path, ...]:
    dropped = [each.path for each in to_drop(kept_in(folder), now_utc_ms)]
    for path in dropped:
        path.unlink()
    return tuple(dropped)
