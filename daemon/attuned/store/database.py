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

from attuned.errors import StoreError, UnusableStoreError
from attuned.store.copies import keep_copy
from attuned.store.ownership import PRIVATE, check_file, check_folder
from attuned.store.trouble import damaged, lost, opening_error, running_error

log = logging.getLogger(__name__)

T = TypeVar("T")

# Of PRAGMA auto_vacuum: free pages can be given back in steps.
INCREMENTAL = 2

# Pages of the log after which a commit also checkpoints: 4 MB, so that pages written often reach the file once.
CHECKPOINT_PAGES = 1000

# How long a statement waits for a file that somebody else holds.
BUSY_MS = 5_000


class Database:
    """A connection that only its own thread touches.

    WAL with synchronous=FULL: a commit has been synced to the disk when `run` returns. `run` gives the work a
    connection inside a transaction, which is committed when the work returns and rolled back when it raises.
    """

    def __init__(self, path: Path, migrations: Migrations, version: int, *, witness: Path | None = None) -> None:
        """`version` is the number of migrations that this version of Attune knows for the file.

        A file with a `witness`, which is there once the store has been used, is precious: it is checked whenever it is
        opened, copied before it is migrated, and never begun anew in silence.
        """
        self._path = path
        self._migrations = migrations
        self._version = version
        self._witness = witness
        self._precious = witness is not None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=path.stem)
        self._connection: sqlite3.Connection | None = None
        self._lock: TextIO | None = None
        self._scrubbing = self._ending = False
        # What was erased before the file was opened may not have been written anew.
        self._erased = True

    async def open(self) -> None:
        """Opens the file, checks it if it is precious, and brings its tables up to date.

        Raises DamagedStoreError, UnusableStoreError if it is newer than this version or not this user's, and StoreError
        if it cannot be opened now.
        """
        await self._on_thread(self._open)

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Runs `work` in one transaction on the database's thread; sqlite3 errors become StoreError."""
        return await self._on_thread(lambda: self._transact(work))

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Runs `work`, which only reads, on the database's thread; sqlite3 errors become StoreError.

        It needs no transaction, since only that thread writes.
        """
        return await self._on_thread(lambda: self._attempt(work, "read"))

    async def look(self) -> None:
        """Returns when the database's thread has read the file. Raises StoreError."""
        await self.read(lambda connection: connection.execute("SELECT count(*) FROM sqlite_schema").fetchone())

    async def rehearse(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Runs `work` in a transaction that is rolled back: what it returns is what it would do."""
        return await self._on_thread(lambda: self._transact(work, "ROLLBACK"))

    async def erase(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """As `run`, and what is deleted is overwritten wherever it lies."""

        def call() -> T:
            self._erased = True
            self._attempt(lambda connection: connection.execute("PRAGMA secure_delete=ON"), "written")
            try:
                return self._transact(work)
            finally:
                self._attempt(lambda connection: connection.execute("PRAGMA secure_delete=FAST"), "written")

        return await self._on_thread(call)

    async def scrub(self) -> bool:
        """Writes the file anew, without a byte that no row has, and empties the log; False while a reader holds it.

        A second call writes the file anew only if something was erased since: while a reader holds the log, each
        rewriting makes that larger by the whole file.

        Free pages alone are not enough: when SQLite moves rows between pages, copies stay in the gaps of the old ones,
        whatever secure_delete says.
        """
        if self._ending:
            raise self._closed()
        with turns.turn(turns.LONG_S, exclusive=True):
            self._scrubbing = True
            try:
                return await self._on_thread(lambda: self._attempt(self._scrub, "written anew"))
            finally:
                self._scrubbing = False

    def _scrub(self, connection: sqlite3.Connection) -> bool:
        if self._erased:
            connection.execute("VACUUM")
            self._erased = False
        return _empty_log(connection)

    def break_off(self) -> None:
        """The daemon is to end, and what waits to be committed shall not wait for a large file to be written anew:
        that is rolled back."""
        self._ending = True
        if self._scrubbing and self._connection is not None:
            self._connection.interrupt()

    async def close(self) -> None:
        await self._on_thread(self._close)
        self._thread.shutdown()

    async def _on_thread(self, call: Callable[[], T]) -> T:
        try:
            waiting = asyncio.get_running_loop().run_in_executor(self._thread, call)
        except RuntimeError as error:  # the thread has ended
            raise self._closed() from error
        try:
            return await waiting
        finally:
            turns.step()

    def _closed(self) -> StoreError:
        return StoreError(f"The store {self._path} is closed: start the daemon again.")

    @property
    def path(self) -> Path:
        return self._path

    def _open(self) -> None:
        try:
            check_folder(self._path.parent)
            self._take_lock()
            check_file(self._path)
            self._check_there()
            self._make_private()
            self._connection = self._connect()
        except (sqlite3.Error, OSError) as error:
            raise opening_error(self._path, error, precious=self._precious) from error

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=BUSY_MS / 1000, isolation_level=None, check_same_thread=False)
        try:
            self._check_version(connection)
            if self._precious:
                self._check(connection)
            # Before anything is written: what is free shall be given back in steps, and hold nothing that was deleted
            # where that costs no further page.
            if not connection.execute("PRAGMA page_count").fetchone()[0]:
                connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
            connection.execute("PRAGMA secure_delete=FAST")
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
            self._migrate(connection)
            _make_shrinkable(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _take_lock(self) -> None:
        """Two daemons on one store would each count reports of which the other knows nothing."""
        # To append, since whoever holds it may be writing.
        descriptor = os.open(self._path.with_suffix(".lock"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE)
        self._lock = os.fdopen(descriptor, "a")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoreError(f"The store {self._path} is in use by another daemon: stop that one first.") from error

    def _check_there(self) -> None:
        begun = self._path.exists() and self._path.stat().st_size
        if not begun and self._witness is not None and self._witness.exists():
            raise lost(self._path, self._witness)

    def _make_private(self) -> None:
        """Nobody but the daemon's user reads who was where, and the keys of nodes. SQLite's log gets the same mode."""
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, PRIVATE))
        for path in (self._path, *(self._path.with_name(self._path.name + end) for end in ("-wal", "-shm"))):
            if path.exists():
                path.chmod(PRIVATE)

    def _check_version(self, connection: sqlite3.Connection) -> None:
        """The first thing that is read: a newer file is not even given another journal mode."""
        if connection.execute("PRAGMA user_version").fetchone()[0] > self._version:
            raise UnusableStoreError(
                f"The store {self._path} was written by a newer version of Attune: install that version."
            )

    def _check(self, connection: sqlite3.Connection) -> None:
        answer = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if answer != "ok":
            raise damaged(self._path, answer, precious=True)

    def _migrate(self, connection: sqlite3.Connection) -> None:
        """All pending migrations in one transaction: what fails on the way leaves the file of the old version."""
        # Nothing that somebody installed beside it as a plugin belongs into a daemon, nor the search for it.
        database = sqlite_utils.Database(connection, execute_plugins=False)
        applied = len(self._migrations.applied(database))
        if not self._migrations.pending(database):
            return
        if self._precious and applied:
            keep_copy(connection, self._path, applied)
        with database.atomic():
            self._migrations.apply(database)
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

        return self._attempt(whole, "written")

    def _attempt(self, work: Callable[[sqlite3.Connection], T], done: str) -> T:
        if self._connection is None:
            raise self._closed()
        try:
            return work(self._connection)
        except sqlite3.Error as error:
            raise running_error(self._path, done, error, precious=self._precious) from error

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def _empty_log(connection: sqlite3.Connection) -> bool:
    """False while somebody reads it."""
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
