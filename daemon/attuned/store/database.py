"""One SQLite file on a thread of its own, so that the event loop never waits for a disk."""

import asyncio
import fcntl
import logging
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TextIO, TypeVar

import sqlite_utils
from attune_service import turns
from sqlite_utils.migrations import Migrations

from attuned.errors import StoreError

log = logging.getLogger(__name__)

T = TypeVar("T")

# Of PRAGMA auto_vacuum: free pages can be given back in steps.
INCREMENTAL = 2

# Pages of the log after which a commit also checkpoints: 4 MB, so that pages written often reach the file once.
CHECKPOINT_PAGES = 1000

# How long a statement waits for a file that somebody else holds.
BUSY_MS = 5_000

# The mode of the file: presence is personal data.
PRIVATE = 0o600

_ROOM = "make room on the disk"


class Database:
    """A connection that only its own thread touches.

    WAL with synchronous=FULL: a commit has been synced to the disk when `run` returns. `run` gives the work a
    connection inside a transaction, which is committed when the work returns and rolled back when it raises.
    """

    def __init__(self, path: Path, migrations: Migrations, version: int) -> None:
        """`version` is the number of migrations that this version of Attune knows for the file."""
        self._path = path
        self._migrations = migrations
        self._version = version
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=path.stem)
        self._connection: sqlite3.Connection | None = None
        self._lock: TextIO | None = None

    async def open(self) -> None:
        """Opens the file, checks it, and brings its tables up to date.

        Raises StoreError if the file is damaged, is newer than this version, or cannot be opened.
        """
        await self._on_thread(self._open)

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Runs `work` in one transaction on the database's thread; sqlite3 errors become StoreError."""
        return await self._on_thread(lambda: self._transact(work))

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Runs `work`, which only reads, on the database's thread; sqlite3 errors become StoreError.

        It needs no transaction, since only that thread writes.
        """
        return await self._on_thread(lambda: self._attempt(work, "read", "check the disk, or restore a backup"))

    async def look(self) -> None:
        """Returns when the database's thread has read the file. Raises StoreError."""
        await self.read(lambda connection: connection.execute("SELECT count(*) FROM sqlite_schema").fetchone())

    async def rehearse(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Runs `work` in a transaction that is rolled back: what it returns is what it would do."""
        return await self._on_thread(lambda: self._transact(work, "ROLLBACK"))

    async def erase(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """As `run`, and what is deleted is overwritten wherever it lies."""

        def call() -> T:
            self._attempt(lambda connection: connection.execute("PRAGMA secure_delete=ON"), "written", _ROOM)
            try:
                return self._transact(work)
            finally:
                self._attempt(lambda connection: connection.execute("PRAGMA secure_delete=FAST"), "written", _ROOM)

        return await self._on_thread(call)

    async def scrub(self) -> bool:
        """Writes the file anew, without a byte that no row has, and empties the log; False while a reader holds it.

        Free pages alone are not enough: when SQLite moves rows between pages, copies stay in the gaps of the old ones,
        whatever secure_delete says.
        """
        with turns.turn(turns.LONG_S, exclusive=True):
            return await self._on_thread(lambda: self._attempt(_scrub, "written anew", _ROOM))

    async def close(self) -> None:
        await self._on_thread(self._close)
        self._thread.shutdown()

    async def _on_thread(self, call: Callable[[], T]) -> T:
        try:
            waiting = asyncio.get_running_loop().run_in_executor(self._thread, call)
        except RuntimeError as error:  # the thread has ended
            raise self._closed() from error
        return await waiting

    def _closed(self) -> StoreError:
        return StoreError(f"The store {self._path} is closed: start the daemon again.")

    def _open(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._take_lock()
            self._make_private()
            connection = sqlite3.connect(
                self._path, timeout=BUSY_MS / 1000, isolation_level=None, check_same_thread=False
            )
            # Before anything is written: what is free shall be given back in steps, and hold nothing that was deleted
            # where that costs no further page.
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
            connection.execute("PRAGMA secure_delete=FAST")
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
            self._check(connection)
            self._migrate(connection)
            _make_shrinkable(connection)
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                f"The store {self._path} cannot be opened ({error}): check the folder's owner and free space, "
                "or restore a backup."
            ) from error
        self._connection = connection

    def _take_lock(self) -> None:
        """Two daemons on one store would each count reports of which the other knows nothing."""
        self._lock = self._path.with_suffix(".lock").open("a")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoreError(f"The store {self._path} is in use by another daemon: stop that one first.") from error

    def _make_private(self) -> None:
        """Nobody but the daemon's user reads who was where, and the keys of nodes. SQLite's log gets the same mode."""
        os.close(os.open(self._path, os.O_RDONLY | os.O_CREAT, PRIVATE))
        for path in (self._path, *(self._path.with_name(self._path.name + end) for end in ("-wal", "-shm"))):
            if path.exists():
                path.chmod(PRIVATE)

    def _check(self, connection: sqlite3.Connection) -> None:
        answer = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if answer != "ok":
            answer = " ".join(answer.split())
            raise StoreError(f"The store {self._path} is damaged ({answer}): restore a backup, or move the file away.")

    def _migrate(self, connection: sqlite3.Connection) -> None:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > self._version:
            raise StoreError(f"The store {self._path} was written by a newer version of Attune: install that version.")
        self._migrations.apply(sqlite_utils.Database(connection))
        connection.execute(f"PRAGMA user_version={self._version}")

    def _transact(self, work: Callable[[sqlite3.Connection], T], ending: str = "COMMIT") -> T:
        def whole(connection: sqlite3.Connection) -> T:
            connection.execute("BEGIN IMMEDIATE")
            try:
                result = work(connection)
                connection.execute(ending)
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            return result

        return self._attempt(whole, "written", _ROOM)

    def _attempt(self, work: Callable[[sqlite3.Connection], T], done: str, advice: str) -> T:
        if self._connection is None:
            raise self._closed()
        try:
            return work(self._connection)
        except sqlite3.Error as error:
            raise StoreError(f"The store {self._path} cannot be {done} ({error}): {advice}.") from error

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def _scrub(connection: sqlite3.Connection) -> bool:
    connection.execute("VACUUM")
    # Who reads is waited for elsewhere: commits of windows have to go on.
    connection.execute("PRAGMA busy_timeout=0")
    busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")
    return not busy


def _make_shrinkable(connection: sqlite3.Connection) -> None:
    """Files of versions that never shrank are written anew once; where that fails they go on as they are."""
    if connection.execute("PRAGMA auto_vacuum").fetchone()[0] == INCREMENTAL:
        return
    try:
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        connection.execute("VACUUM")
    except sqlite3.OperationalError as error:
        log.warning("A store cannot give free pages back (%s): make room on the disk and restart.", error)
