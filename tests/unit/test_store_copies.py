"""The copy that is kept before a migration: whole and private, made before anything changes, gone when something is
forgotten."""

import shutil
import sqlite3
from collections import namedtuple
from contextlib import closing
from pathlib import Path
from typing import Any

import make_store
import pytest
import sqlite_utils
from attuned.errors import StoreError
from attuned.learning.forgetting import Request
from attuned.nodes.window import Window
from attuned.store import migrations
from attuned.store.copies import copies, drop_old_states, set_aside
from attuned.store.database import Database
from attuned.store.site import SiteStore
from attuned.store.windows import WindowStore
from daemon_world import NOON, A, FakeClock, opened_site
from sqlite_utils.migrations import Migrations

FIXTURES = Path(__file__).parents[1] / "fixtures"


def dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return list(connection.iterdump())


def version(path: Path) -> int:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def old_store(folder: Path, name: str = "store-8") -> Path:
    store = folder / "s"
    shutil.copytree(FIXTURES / name, store)
    return store


@pytest.mark.parametrize("name", ["store-1", "store-2", "store-8", "store-13"])
async def test_a_store_is_copied_before_it_is_migrated(tmp_path: Path, name: str) -> None:
    store = old_store(tmp_path, name)
    number, before = version(store / "attune.db"), dump(store / "attune.db")
    site = SiteStore(store)
    await site.open()
    await site.close()
    (copy,) = copies(store / "attune.db")
    assert copy.name == f"attune-{number}.db"
    assert dump(copy) == before
    assert version(copy) == number
    assert copy.stat().st_mode & 0o777 == 0o600
    assert version(store / "attune.db") == migrations.ATTUNE_VERSION
    assert not list(store.glob("*.half"))
    # An older version goes on from it.
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


async def test_what_is_new_or_of_this_version_is_not_copied(tmp_path: Path) -> None:
    for _ in range(2):
        site = SiteStore(tmp_path)
        await site.open()
        await site.close()
    assert copies(tmp_path / "attune.db") == []


async def test_windows_are_not_copied(tmp_path: Path) -> None:
    store = old_store(tmp_path, "store-1")
    windows = WindowStore(store)
    await windows.open()
    await windows.close()
    assert sorted(path.name for path in store.glob("windows*.db")) == ["windows.db"]


async def test_two_copies_stay(tmp_path: Path) -> None:
    store = old_store(tmp_path)
    for number in (3, 5, 7):
        (store / f"attune-{number}.db").write_text("an older one")
    site = SiteStore(store)
    await site.open()
    await site.close()
    assert [path.name for path in copies(store / "attune.db")] == ["attune-7.db", "attune-8.db"]


# What fails.

Usage = namedtuple("Usage", ["total", "used", "free"])


async def refused(store: Path) -> str:
    site = SiteStore(store)
    with pytest.raises(StoreError) as error:
        await site.open()
    await site.close()
    return str(error.value)


async def test_without_room_nothing_is_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = old_store(tmp_path)
    before = dump(store / "attune.db")
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 10**9 - 3_000_000, 3_000_000))
        found = await refused(store)
    assert "make room on the disk, 17 MB are needed and 3 MB are free; nothing was changed." in found
    assert (dump(store / "attune.db"), copies(store / "attune.db")) == (before, [])
    site = SiteStore(store)
    await site.open()
    await site.close()


@pytest.mark.parametrize("failing", ["VACUUM INTO", "sync", "replace", "prune"])
async def test_a_copy_that_fails_on_the_way_changes_nothing(
    tmp_path: Path, failing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = old_store(tmp_path)
    before = dump(store / "attune.db")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    class Full(sqlite3.Connection):
        def execute(self, sql: str, *more: Any) -> sqlite3.Cursor:
            if sql.startswith(failing):
                raise sqlite3.OperationalError("database or disk is full")
            return super().execute(sql, *more)

    connect = sqlite3.connect
    with monkeypatch.context() as patched:
        if failing == "VACUUM INTO":
            patched.setattr(sqlite3, "connect", lambda path, **more: connect(path, factory=Full, **more))
        elif failing == "replace":
            patched.setattr(Path, "replace", fail)
        else:
            patched.setattr(f"attuned.store.copies._{failing}", fail)
        found = await refused(store)
    assert "cannot be copied before it is migrated" in found
    assert found.endswith("make room on the disk; nothing was changed.")
    assert dump(store / "attune.db") == before
    assert not list(store.glob("*.half"))


STATEMENTS = 28


@pytest.mark.parametrize("statement", range(STATEMENTS))
async def test_a_migration_that_fails_at_any_statement_leaves_the_old_store_and_its_copy(
    tmp_path: Path, statement: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the first version on, whichever of all the migrations' statements it is."""
    store = old_store(tmp_path, "store-1")
    before, count = dump(store / "attune.db"), 0

    def fail(database: sqlite_utils.Database, *statements: str) -> None:
        nonlocal count
        for sql in statements:
            if count == statement:
                raise sqlite3.OperationalError("disk I/O error")
            count += 1
            database.conn.execute(sql)

    with monkeypatch.context() as patched:
        patched.setattr(migrations, "_run", fail)
        assert "disk I/O error" in await refused(store)
        assert dump(store / "attune.db") == before
        assert version(store / "attune.db") == 1
        assert dump(store / "attune-1.db") == before
    site = SiteStore(store)
    await site.open()
    assert await site.facts() == make_store.FACTS
    await site.close()
    assert [path.name for path in copies(store / "attune.db")] == ["attune-1.db"]
    assert dump(store / "attune-1.db") == before


def statements_from_the_first_version() -> int:
    found = 0

    class Counting:
        """In the place of a database: it counts what a migration executes."""

        def execute(self, sql: str) -> None:
            nonlocal found
            found += 1

    class Stub:
        conn = Counting()

    for migration in migrations.attune._migrations[1:]:
        migration.fn(Stub())  # type: ignore[arg-type]
    return found


def test_the_statements_that_fail_are_all_of_them() -> None:
    assert statements_from_the_first_version() == STATEMENTS


async def test_what_a_migration_half_did_in_a_version_from_before_is_copied_as_it_is(tmp_path: Path) -> None:
    """It committed each migration by itself: the copy has the number of those that were applied."""
    store = old_store(tmp_path)
    later = Migrations("attune")
    for each in migrations.attune._migrations[:10]:
        later(name=each.name)(each.fn)
    half = Database(store / "attune.db", later, 10, witness=store / "daemon.key")
    await half.open()
    await half.close()
    with closing(sqlite3.connect(store / "attune.db")) as connection:
        connection.execute("PRAGMA user_version=8")
    site = SiteStore(store)
    await site.open()
    await site.close()
    assert [path.name for path in copies(store / "attune.db")] == ["attune-8.db", "attune-10.db"]


# Forgetting.


async def test_older_states_go_when_something_is_forgotten(tmp_path: Path) -> None:
    store = tmp_path
    for number in (8, 13):
        (store / f"attune-{number}.db").write_text("labels")
    (store / "attune-14.half").write_text("half of the labels")
    (store / "windows-damaged-20260101T000000Z.db").write_text("windows")
    (store / "windows-damaged-20260101T000000Z.db-wal").write_text("more windows")
    (store / "notes.db").write_text("somebody's own")
    site = await opened_site(store, FakeClock(), {"r": [A]})
    entry = await site.forgetting.begin(await site.forgetting.select(Request(room="r")), "ann")
    entry, _ = await site.forgetting.carry_out(entry)
    await site.forgetting.finish(entry)
    assert sorted(path.name for path in store.glob("*-*.*") if not path.name.endswith(("-wal", "-shm"))) == []
    assert (store / "notes.db").exists()
    await site.close()


def test_a_copy_that_cannot_be_removed_is_not_said_to_be_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "attune-8.db").write_text("")
    (tmp_path / "attune.db").write_text("")

    def fail(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "unlink", fail)
    with pytest.raises(StoreError, match=r"cannot be removed .*: remove it by hand"):
        drop_old_states(tmp_path)


async def test_what_is_set_aside_has_its_log_with_it(tmp_path: Path) -> None:
    store = WindowStore(tmp_path)
    await store.open()
    await store.commit([Window(A, 1, 1, 60, NOON, 0, b"", b"\1\0")], [])
    copy = tmp_path / "copy"
    copy.mkdir()
    for end in ("", "-wal", "-shm"):
        shutil.copy(tmp_path / f"windows.db{end}", copy)
    await store.close()
    there = set_aside(copy / "windows.db")
    with closing(sqlite3.connect(there)) as connection:
        assert connection.execute("SELECT count(*) FROM inbox").fetchone() == (1,)
    assert not list(copy.glob("windows.db*"))
