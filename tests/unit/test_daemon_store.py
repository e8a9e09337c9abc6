"""The store: migrations, packing, what is remembered of boots, and files of old versions."""

import shutil
import sqlite3
import tempfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import make_store
import pytest
import sqlite_utils
from attuned.errors import StoreError
from attuned.nodes.boot import BootRecord
from attuned.nodes.sequence import SeqTracker
from attuned.nodes.ties import Ties
from attuned.nodes.window import Window
from attuned.store import migrations
from attuned.store.beliefs import BeliefHour, SaidRow
from attuned.store.database import Database
from attuned.store.site import LabelRow, SiteStore
from attuned.store.windows import WindowStore
from daemon_world import HOUR, MINUTE, NOON, A, B, window
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlite_utils.migrations import Migrations

FIXTURES = Path(__file__).parents[1] / "fixtures"


def schema(path: Path) -> list[tuple[str, str]]:
    with sqlite3.connect(path) as connection:
        return connection.execute("SELECT name, sql FROM sqlite_master WHERE sql NOT NULL ORDER BY name").fetchall()


async def opened(folder: Path) -> WindowStore:
    store = WindowStore(folder)
    await store.open()
    return store


# Opening.


async def test_opening_twice_changes_nothing(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    await store.commit([window(1, NOON)], [])
    await store.close()
    before = schema(tmp_path / "windows.db")
    again = await opened(tmp_path)
    assert await again.windows_between([A], 0, 2 * NOON) == [window(1, NOON)]
    await again.close()
    assert schema(tmp_path / "windows.db") == before


@pytest.mark.parametrize("before", [None, 0o644])
async def test_nobody_else_reads_the_store(tmp_path: Path, before: int | None) -> None:
    files = [tmp_path / f"windows.db{end}" for end in ("", "-wal", "-shm")]
    if before is not None:
        # As an older version has left them.
        first = await opened(tmp_path)
        await first.commit([window(1, NOON)], [])
        for path in files:
            path.chmod(before)
        await first.close()
    store = await opened(tmp_path)
    await store.commit([window(2, NOON)], [])
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    await store.close()


async def test_commits_are_synced_to_a_log_and_what_is_deleted_goes(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    names = ("journal_mode", "synchronous", "auto_vacuum", "secure_delete")
    pragmas = await store._database.run(lambda c: [c.execute(f"PRAGMA {name}").fetchone()[0] for name in names])
    await store.close()
    assert pragmas == ["wal", 2, 2, 2]  # FULL, INCREMENTAL, FAST


@pytest.mark.parametrize("name", ["windows.db", "attune.db"])
async def test_a_newer_store_is_refused(tmp_path: Path, name: str) -> None:
    with sqlite3.connect(tmp_path / name) as connection:
        connection.execute("PRAGMA user_version=99")
    store = WindowStore(tmp_path) if name == "windows.db" else SiteStore(tmp_path)
    with pytest.raises(StoreError, match=r"written by a newer version of Attune: install that version\."):
        await store.open()
    await store.close()


async def test_a_store_in_use_is_refused_until_it_is_closed(tmp_path: Path) -> None:
    store, other = await opened(tmp_path), WindowStore(tmp_path)
    with pytest.raises(StoreError, match=r"is in use by another daemon: stop that one first\.$"):
        await other.open()
    await store.close()
    await other.open()
    await other.close()


async def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = WindowStore(tmp_path / "file" / "store")
    with pytest.raises(StoreError, match=r"is a file: move it away|cannot be opened"):
        await store.open()
    await store.close()


@pytest.mark.parametrize("close", [False, True])
async def test_a_store_that_is_not_open_says_so(tmp_path: Path, close: bool) -> None:
    store = WindowStore(tmp_path)
    if close:
        await store.open()
        await store.close()
    with pytest.raises(StoreError, match=r"is closed: start the daemon again\."):
        await store.boots()
    if not close:
        await store.close()


# Migrations.


@pytest.mark.parametrize("statement", range(8))
async def test_a_first_migration_that_fails_at_any_statement_leaves_nothing(
    tmp_path: Path, statement: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(database: sqlite_utils.Database, *statements: str) -> None:
        for i, sql in enumerate(statements):
            if i == statement:
                raise sqlite3.OperationalError("disk I/O error")
            database.conn.execute(sql)

    with monkeypatch.context() as patched:
        patched.setattr(migrations, "_run", fail)
        store = WindowStore(tmp_path)
        with pytest.raises(StoreError, match="disk I/O error"):
            await store.open()
        await store.close()
    assert [name for name, _ in schema(tmp_path / "windows.db") if "_sqlite" not in name] == []
    store = await opened(tmp_path)
    assert await store.windows_between([A], 0, 2 * NOON) == []
    await store.close()


@pytest.mark.parametrize("statement", range(3))
async def test_a_later_migration_that_fails_leaves_the_old_store(tmp_path: Path, statement: int) -> None:
    shutil.copytree(FIXTURES / "store-1", tmp_path / "s")
    before = schema(tmp_path / "s" / "windows.db")
    later = Migrations("windows")
    later(name="1_first_tables")(migrations._windows_1)

    @later(name="2_later")
    def _later(database: sqlite_utils.Database) -> None:
        steps = ["ALTER TABLE said ADD COLUMN more INTEGER", "DELETE FROM beliefs", "DROP TABLE ties"]
        for sql in [*steps[:statement], "this is no SQL"]:
            database.conn.execute(sql)

    database = Database(tmp_path / "s" / "windows.db", later, 2)
    with pytest.raises(StoreError):
        await database.open()
    await database.close()
    assert schema(tmp_path / "s" / "windows.db") == before
    await check_store_1(tmp_path / "s")


async def check_store_1(folder: Path) -> None:
    store, site = await opened(folder), SiteStore(folder)
    await site.open()
    kept = [w for w in make_store.WINDOWS + make_store.LATER if not w.refused]
    assert await store.windows_between([A, B], 0, 2 * NOON) == sorted(kept, key=lambda w: (w.end_utc_ms, w.node))
    assert await store.boots() == {
        (A, 7): BootRecord(SeqTracker(2, {4, 5}), Ties([0], [make_store.NOON]), windows=3),
        (B, 2**32 - 1): BootRecord(SeqTracker(0, {5}), windows=1),
    }
    hour = make_store.KNOWN
    assert await store.beliefs.known("r", 0, 1 << 31) == [(hour.hour, hour.known)]
    assert await store.beliefs.checkpoints(2 * NOON) == {"r": hour.checkpoint}
    assert await store.beliefs.said("r", 0, 2 * NOON) == make_store.SAID
    numbers = [(label.number, label.superseded_by) for label in await site.labels("r")]
    assert numbers == [(2, 0), (1, 2)]
    assert await site.facts() == make_store.FACTS
    await store.close()
    await site.close()


@pytest.mark.parametrize("folder", sorted(FIXTURES.glob("store-*")), ids=lambda folder: folder.name)
async def test_stores_of_old_versions_open_and_yield_what_is_in_them(tmp_path: Path, folder: Path) -> None:
    shutil.copytree(folder, tmp_path / "s")
    await check_store_1(tmp_path / "s")
    if int(folder.name.removeprefix("store-")) >= 8:
        await check_store_8(tmp_path / "s")
    if int(folder.name.removeprefix("store-")) >= 13:
        await check_store_13(tmp_path / "s")
    if int(folder.name.removeprefix("store-")) >= 14:
        await check_store_14(tmp_path / "s")


async def check_store_8(folder: Path) -> None:
    windows, site = await opened(folder), SiteStore(folder)
    await site.open()
    assert await site.labels("q") == [replace(make_store.PRESS, number=3)]
    assert await site.add_press(make_store.PRESS, 7, 1) is None
    assert await site.models() == {"r": make_store.MODEL}
    assert await site.drift.events() == [replace(make_store.EVENT, number=1)]
    assert await site.drift.mutes() == [make_store.MUTE]
    assert await site.accuracy.days() == [make_store.ACCURACY]
    assert await site.accuracy.releases() == [make_store.RUNNING]
    assert await site.releases.newest() == [make_store.RELEASE]
    audits = [await audit.entries() for audit in (site.audit, windows.audit)]
    assert audits == [{make_store.FORGOTTEN.id: make_store.FORGOTTEN}] * 2
    assert await windows.days.since(A, "2026-01-01") == [make_store.DAY]
    assert await windows.days.sketches(B, 0, 2 * NOON) == [make_store.SKETCH]
    await windows.close()
    await site.close()


async def check_store_13(folder: Path) -> None:
    windows, site = await opened(folder), SiteStore(folder)
    await site.open()
    assert await windows.summaries.reports() == {A: make_store.SUMMARY.reports}
    # A node or code from before has no key of what it advertises.
    assert ((await site.keys.nodes())[0], (await site.keys.codes())[0]) == (make_store.TRUSTED, make_store.CODE)
    assert await site.deliveries.load() == [make_store.COURSE]
    assert await site.deliveries.number(A, 0) == 8
    assert [row.rollout for row in await site.rollouts.live()] == [make_store.ROLLOUT]
    assert await site.rollouts.acts(1) == [make_store.ACT]
    assert await site.gateways.gateways() == [make_store.GATEWAY]
    assert await site.gateways.invitations() == [make_store.INVITATION]
    await windows.close()
    await site.close()


async def check_store_14(folder: Path) -> None:
    site = SiteStore(folder)
    await site.open()
    assert await site.keys.nodes() == [make_store.TRUSTED, make_store.FOUND]
    assert await site.keys.codes() == [make_store.CODE, make_store.FOUND_CODE]
    await site.close()


# Windows.

ends = st.integers(NOON, NOON + 4 * HOUR) | st.sampled_from([NOON, NOON + HOUR, NOON + HOUR - 1, NOON + HOUR + 1])
batches = st.lists(st.tuples(st.sampled_from([A, B]), st.integers(1, 2), ends), max_size=6)
deeds = st.lists(st.one_of(batches, st.sampled_from(["pack", "reopen", "fail"])), max_size=12)


@settings(max_examples=25, deadline=None)
@given(deeds, ends, ends)
async def test_packing_keeps_every_window_and_every_boot(deeds: list[object], first: int, last: int) -> None:
    """Commits, packs, packs that fail on the way, and restarts, in any order; a pack takes several transactions."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        patched.setattr("attuned.store.windows.PACK_WINDOWS", 3)
        store, model = await opened(Path(folder)), list[Window]()
        boots: dict[tuple[str, int], BootRecord] = defaultdict(BootRecord)
        for deed in deeds:
            if deed == "reopen":
                await store.close()
                store = await opened(Path(folder))
                boots = defaultdict(BootRecord, await store.boots())
            elif deed == "pack":
                await store.pack(boots, [])
            elif deed == "fail":
                await failing_pack(store, boots)
            elif isinstance(deed, list):
                fresh = [
                    window(boots[n, b].sequence.through + 1 + i, e, None, n, b) for i, (n, b, e) in enumerate(deed)
                ]
                await store.commit(fresh, [])
                model += fresh
                for each in fresh:
                    boots[each.node, each.boot].count(each)
            assert await store.boots() == boots
        for nodes in ([A], [B], [A, B], []):
            inside = [w for w in model if w.node in nodes and first < w.end_utc_ms <= last]
            expected = sorted(inside, key=lambda w: (w.end_utc_ms, w.node, w.boot, w.seq))
            assert await store.windows_between(nodes, first, last) == expected
        await store.close()


async def test_a_part_that_is_packed_is_never_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attuned.store.windows.PACK_WINDOWS", 3)
    store = await opened(tmp_path)
    told = [window(seq, NOON + seq * 1000) for seq in range(1, 8)]
    await store.commit(told[:5], [])
    assert await store.pack_part()
    await store.commit(told[5:], [])  # a commit need not wait for the other parts
    before = packed(tmp_path)
    assert [await store.pack_part(), await store.pack_part()] == [True, False]
    assert {key: packed(tmp_path)[key] for key in before} == before
    assert await store.windows_between([A], NOON, NOON + HOUR) == told
    assert await store.boots() == {(A, 1): BootRecord(SeqTracker(7), windows=7)}
    await store.close()


def packed(folder: Path) -> dict[int, bytes]:
    with sqlite3.connect(folder / "windows.db") as connection:
        return dict(connection.execute("SELECT id, records FROM packed"))


async def failing_pack(store: WindowStore, boots: dict[tuple[str, int], BootRecord]) -> None:
    """The disk takes the first part of a pack and refuses what follows."""
    with pytest.MonkeyPatch.context() as patched:

        def refuse(*_: object) -> None:
            raise sqlite3.OperationalError("database or disk is full")

        patched.setattr("attuned.store.windows.add_hours", refuse)
        with pytest.raises(StoreError, match=r"make room on the disk\.$"):
            await store.pack(boots, [])


async def test_what_a_boot_gave_up_is_kept_by_packing(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    await store.commit([window(5, NOON), window(8, NOON)], [])
    record = BootRecord(SeqTracker(), windows=2)
    record.sequence.add(5)
    record.sequence.add(8)
    record.sequence.give_up_below(5)
    await store.pack({(A, 1): record}, [])
    await store.close()
    again = await opened(tmp_path)
    assert await again.boots() == {(A, 1): BootRecord(SeqTracker(5, {8}, lost=4), windows=2)}
    await again.close()


async def test_a_commit_that_fails_leaves_nothing(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    bad = SaidRow("r", NOON, 1, 0.5, None)  # type: ignore[arg-type]
    with pytest.raises(StoreError, match="NOT NULL"):
        await store.commit([window(1, NOON)], [bad])
    assert await store.boots() == {}
    await store.commit([window(1, NOON)], [])
    assert len(await store.windows_between([A], 0, 2 * NOON)) == 1
    await store.close()


async def test_refused_windows_keep_their_identity_and_nothing_else(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    refused = Window(A, 1, 1, 60, NOON, 0, b"", b"")
    await store.commit([refused], [])
    for _ in range(2):
        assert await store.windows_between([A], 0, 2 * NOON) == []
        assert await store.boots() == {(A, 1): BootRecord(SeqTracker(1))}
        await store.pack({}, [])
    await store.close()


async def test_the_earliest_window_that_is_not_packed(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    await store.commit([window(1, NOON - HOUR)], [])
    await store.pack({}, [])
    fresh = [window(2, NOON + 5), window(3, NOON + 3), window(4, NOON + 20), window(1, NOON, node=B)]
    await store.commit(fresh, [])
    assert await store.earliest_unpacked({A: NOON + 10}) == {A: NOON + 3}
    assert await store.earliest_unpacked({A: NOON, B: NOON - 1}) == {}
    await store.close()


async def test_ties_come_back_in_order(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    for tick_ms in (9_000_000, 0, 4_000_000):
        await store.add_tie(A, 1, tick_ms, NOON + tick_ms)
    await store.add_tie(A, 1, 0, NOON)
    ticks = [0, 4_000_000, 9_000_000]
    assert (await store.boots())[A, 1].ties == Ties(ticks, [NOON + tick for tick in ticks])
    await store.close()


# Beliefs and labels.


async def test_what_was_said_in_a_stretch_begins_with_what_stood_then(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    said = [SaidRow("r", NOON + i * HOUR, 1 + i % 2, 0.25, NOON) for i in range(4)]
    await store.commit([], [said[0], SaidRow("s", NOON + HOUR, 2, 1.0, NOON), *said[1:]])
    assert await store.beliefs.said("r", NOON + HOUR + 1, NOON + 2 * HOUR) == said[1:3]
    assert await store.beliefs.said("r", 0, NOON) == said[:1]
    assert (await store.beliefs.last_said())["r"] == said[3]
    await store.close()


async def test_the_checkpoint_of_the_newest_hour(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    hours = [BeliefHour("r", hour, b"\0\0", f"at {hour}") for hour in (5, 7, 6)]
    await store.beliefs.write([*hours, BeliefHour("s", 1, b"\0\0", "s at 1")])
    assert await store.beliefs.checkpoints(2 * NOON) == {"r": "at 7", "s": "s at 1"}
    assert await store.beliefs.checkpoint_before("r", 7) == "at 6"
    assert await store.beliefs.checkpoint_before("r", 5) is None
    await store.beliefs.write([BeliefHour("r", 6, b"\1\0", "again")])
    assert await store.beliefs.known("r", 6, 7) == [(6, b"\1\0"), (7, b"\0\0")]
    await store.close()


def label(first: int, last: int, room: str = "r") -> LabelRow:
    return LabelRow(0, room, "free", NOON + first * MINUTE, NOON + last * MINUTE, 1.0, "person", "ann", NOON)


async def test_a_label_supersedes_those_that_it_covers_wholly(tmp_path: Path) -> None:
    site = SiteStore(tmp_path)
    await site.open()
    for each in (label(0, 10), label(5, 15), label(0, 10, "s"), label(0, 12), label(0, 12)):
        await site.add_label(each)
    found = {row.number: row.superseded_by for row in await site.labels()}
    assert found == {1: 4, 2: 0, 3: 0, 4: 5, 5: 0}
    assert [row.number for row in await site.labels("r", 2)] == [5, 4]
    await site.close()


async def test_work_that_raises_is_rolled_back_and_the_store_goes_on(tmp_path: Path) -> None:
    database = Database(tmp_path / "x.db", Migrations("x"), 0)
    await database.open()

    def work(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE t (a)")
        raise KeyError

    with pytest.raises(KeyError):
        await database.run(work)
    tables: Callable[[sqlite3.Connection], list[str]] = lambda c: [  # noqa: E731 (shorter than a function)
        row[0] for row in c.execute("SELECT name FROM sqlite_master WHERE name = 't'")
    ]
    assert await database.run(tables) == []
    await database.close()
