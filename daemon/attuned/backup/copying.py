"""A consistent copy of a site's files, made from beside the daemon that goes on writing them."""

import fcntl
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from attuned import gone
from attuned.backup.places import KEYS, NUMBERS, SITE_DB, SMALL, WINDOWS_DB, Places, configuration
from attuned.errors import DamagedStoreError, StoreError
from attuned.store import trouble
from attuned.store.windows import forget_all_windows

# Tries until nothing has changed in between: keys change once in years, a store is opened once in days.
TRIES = 5

# How long a statement waits for the daemon, in seconds.
_BUSY_S = 30.0

# What is left of windows.db without windows: nodes would notice if it were gone.
_KEPT = ("audit", "boots", "inbox", "node_keys", "ties")


def copy(places: Places, work: Path, *, windows: bool) -> tuple[dict[str, Path], str]:
    """Copies everything into `work`, by its names; gives each name's original, folders before what is in them.

    Also gives why windows were left out although they were wanted; empty if they were not. Raises StoreError,
    sqlite3.Error, OSError.
    """
    found: dict[str, Path] = dict(configuration(places.etc))
    found["state"] = places.state
    numbers = places.signer / NUMBERS
    found |= {"signer": places.signer, f"signer/{NUMBERS}": numbers} if numbers.exists() else {}
    for name, path in found.items():
        if path.is_dir():
            (work / name).mkdir(mode=0o700)
        else:
            _copy_small(path, work / name)
    if (places.state / gone.FILE).exists():
        found[f"state/{gone.FILE}"] = places.state / gone.FILE
        shutil.copyfile(places.state / gone.FILE, work / "state" / gone.FILE)
    damaged = _copy_windows(places.state / WINDOWS_DB, work / "state" / WINDOWS_DB, windows=windows)
    copied = [places.state / WINDOWS_DB, *_copy_site(places.state, work / "state")]
    return found | {f"state/{path.name}": path for path in copied}, damaged


def _copy_small(path: Path, to: Path) -> None:
    """Files of others may grow meanwhile."""
    with path.open("rb") as file:
        to.write_bytes(file.read(SMALL if "etc" in to.parts else -1))


def _copy_windows(path: Path, to: Path, *, windows: bool) -> str:
    """Without its windows where they cannot be read: nothing else is to be lost for that. Then it says why."""
    try:
        copy_database(path, to, windows=windows)
    except DamagedStoreError as error:
        if not windows:
            raise
        copy_database(path, to, windows=False)
        return str(error)
    return ""


def _copy_site(state: Path, work: Path) -> list[Path]:
    """attune.db and keys. Which key a node uses stands there: keys are those of before and after its copy."""
    for _ in range(TRIES):
        before = _keys(state)
        (work / SITE_DB).unlink(missing_ok=True)
        copy_database(state / SITE_DB, work / SITE_DB)
        if _keys(state) == before:
            for name, secret in before.items():
                (work / name).write_bytes(secret)
            return [state / name for name in (SITE_DB, *before)]
    raise StoreError(f"The keys in {state} change all the time: try again later.")


def _keys(state: Path) -> dict[str, bytes]:
    return {name: (state / name).read_bytes() for name in KEYS if (state / name).exists()}


def copy_database(path: Path, to: Path, *, windows: bool = True) -> None:
    """All of a database as of one moment, or windows.db without its windows; a copy has no byte that no row has.

    Raises sqlite3.Error, DamagedStoreError.
    """
    for _ in range(TRIES):
        to.unlink(missing_ok=True)
        try:
            with closing(sqlite3.connect(_address(path), uri=True, timeout=_BUSY_S, isolation_level=None)) as source:
                if windows:
                    source.execute("VACUUM INTO ?", (str(to),))
                else:
                    _copy_kept(source, to)
        except sqlite3.Error as error:
            if trouble.sqlite_code(error) not in trouble.DAMAGED:
                raise
            raise trouble.damaged(path, error, precious=path.name == SITE_DB) from error
        if is_whole(to):
            return
    raise trouble.damaged(path, "its copies are not whole", precious=path.name == SITE_DB)


def is_whole(path: Path) -> bool:
    """Whether SQLite finds nothing wrong with a file."""
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro&immutable=1", uri=True)) as database:
            return bool(database.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok")
    except sqlite3.Error:
        return False


def _address(path: Path) -> str:
    """Nothing is ever written there, not even SQLite's log, in which a daemon that was stopped has left nothing."""
    still = "" if path.with_name(path.name + "-wal").exists() or _is_open(path) else "&immutable=1"
    return f"file:{quote(str(path))}?mode=ro{still}"


def _is_open(path: Path) -> bool:
    """Whether a daemon holds the database's lock."""
    try:
        with path.with_suffix(".lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def _copy_kept(source: sqlite3.Connection, to: Path) -> None:
    """Tables and their versions, and of rows those that say what has come."""
    source.execute("BEGIN")
    version = source.execute("PRAGMA user_version").fetchone()[0]
    tables = dict(source.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type DESC, name"))
    with closing(sqlite3.connect(to, isolation_level=None)) as target:
        target.execute("PRAGMA auto_vacuum=INCREMENTAL")
        target.execute("BEGIN")
        for text in tables.values():
            target.execute(text)
        for name in tables:
            if name in _KEPT or name.endswith("_migrations"):
                _copy_rows(source, target, name)
        forget_all_windows(target)
        target.execute(f"PRAGMA user_version={version}")
        target.execute("COMMIT")
        target.execute("VACUUM")
    source.execute("COMMIT")


def _copy_rows(source: sqlite3.Connection, target: sqlite3.Connection, name: str) -> None:
    rows = source.execute(f"SELECT * FROM {name}")  # noqa: S608 (a table of ours)
    marks = ", ".join("?" * len(rows.description))
    target.executemany(f"INSERT INTO {name} VALUES ({marks})", rows)  # noqa: S608
