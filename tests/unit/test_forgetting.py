"""Forgetting in the stores of a running site: what goes, what stays, and that no byte of it is left."""

import asyncio
import contextlib
import json
import random
import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from attuned.errors import NotFoundError, RequestError, StoreError
from attuned.learning.forgetting import Request
from attuned.learning.releases import Release
from attuned.store.audit import DONE, RUNNING
from attuned.store.beliefs import SaidRow
from attuned.store.database import Database
from attuned.store.days import DayRow
from attuned.store.releases import FORGOTTEN
from attuned.store.site import LabelRow
from attuned.store.windows import WindowStore
from attuned.updates.delivery import Course, Delivery, Signed, Stage
from daemon_world import errands, window
from forget_world import AUTHOR, MARK, NOW, A, B, bytes_of, filled, forget, history, lived, running
from release_world import DAY_MS, START, Days

DAYS = Days(6, every=12)
FEW = Days(2, every=60)
HOUR = 3_600_000

# Transactions and rewritings of a file that forgetting a room takes.
WRITES = 10


def rows(folder: Path, file: str, text: str, *values: object) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(folder / file)
    try:
        return connection.execute(text, values).fetchall()
    finally:
        connection.close()


@pytest.fixture(scope="module")
def marked_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of six days, of which room r is marked."""
    folder = tmp_path_factory.mktemp("marked")
    asyncio.run(lived(folder, DAYS, mark=True))
    return folder


@pytest.fixture
def folder(marked_once: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(marked_once, tmp_path / "store"))


@pytest.mark.parametrize(("stage", "then"), [(Stage.SENDING, Stage.FAILED), (Stage.TRIAL, Stage.ENDING)])
async def test_what_is_on_its_way_to_a_node_goes_too(folder: Path, stage: Stage, then: Stage) -> None:
    learned = b"what was learned in the room"
    ((target,),) = rows(folder, "attune.db", "SELECT id FROM releases WHERE node = ?", A)
    signed = Signed(1, bytes(22) + learned + bytes(64), "", 1, NOW)
    async with running(folder) as site:
        delivery = Delivery(A, str(target), 1, stage, "", 0, 0, NOW, "")
        await site.site_store.deliveries.save(Course(delivery, signed))
        await site.updating.open()
        assert learned in bytes_of(folder)
        await forget(site, room="r")
        found = site.updating.deliveries.of(A)
        assert found is not None
        assert found.stage is then
    assert learned not in bytes_of(folder)


async def test_no_byte_of_a_room_is_left(folder: Path) -> None:
    before = bytes_of(folder)
    assert before.count(MARK) > 50
    assert before.count(AUTHOR.encode()) > 20
    async with running(folder) as site:
        entry = await forget(site, room="r")
        assert entry.state == DONE
        counted = (
            "windows",
            "sayings",
            "known hours",
            "days of nodes",
            "labels",
            "releases",
            "drift events",
            "muted nodes",
        )
        assert [entry.counts[name] for name in counted] == [720, 144, 144, 6, 30, 1, 1, 1]
        for word in (MARK, AUTHOR.encode()):
            assert word not in bytes_of(folder)
    for word in (MARK, AUTHOR.encode()):
        assert word not in bytes_of(folder)


async def test_no_copy_of_a_row_is_left_in_a_gap_between_others(tmp_path: Path) -> None:
    """Rows of many sizes by name: SQLite moves them between pages, and leaves copies that nothing overwrites."""
    source, word = random.Random(1), "MARKER"
    bulk = WindowStore(tmp_path)
    await bulk.open()
    await bulk.database.read(lambda connection: connection.execute("PRAGMA synchronous=OFF"))
    for day in range(60):
        nodes = [(f"{word}{n}" if n % 5 == 2 else f"others{n}") for n in range(20)]
        days = [DayRow(node, f"{day:05}", 0, 1, "", node[:6] * source.randint(5, 300)) for node in nodes]
        await bulk.days.add(str(day), days)
    await bulk.database.erase(lambda c: c.execute("DELETE FROM node_days WHERE node LIKE ?", (f"{word}%",)))
    assert await bulk.database.scrub()
    assert word.encode() not in bytes_of(tmp_path)
    pragmas = [rows(tmp_path, "windows.db", f"PRAGMA {name}")[0][0] for name in ("freelist_count", "auto_vacuum")]
    assert pragmas == [0, 2]
    reader = sqlite3.connect(tmp_path / "windows.db")
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM node_days").fetchone()
    await bulk.days.add("later", [])
    assert not await bulk.database.scrub()
    reader.close()
    assert await bulk.database.scrub()
    await bulk.close()


async def test_a_file_that_is_read_for_long_is_written_anew_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log holds the whole file once, not once for each time that it is tried to be emptied."""
    monkeypatch.setattr("attuned.learning.forgetting.SCRUBS", 10)
    monkeypatch.setattr("attuned.learning.forgetting.SCRUB_REST_S", 0)
    async with running(folder) as site:
        reader = sqlite3.connect(folder / "windows.db")
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM said").fetchone()
        with pytest.raises(StoreError, match="somebody reads"):
            await forget(site, room="r")
        whole, log = ((folder / f"windows.db{end}").stat().st_size for end in ("", "-wal"))
        assert log < 3 * whole
        reader.close()
    async with running(folder) as site:
        await errands(site)
        assert [entry.state for entry in await site.forgetting.entries()] == [DONE]
        assert AUTHOR.encode() not in bytes_of(folder)


async def test_the_other_room_keeps_everything(folder: Path) -> None:
    async with running(folder) as site:
        before = await site.window_store.windows_between([B], 0, NOW), await site.site_store.labels("s")
        preview = await site.forgetting.preview(await site.forgetting.select(Request(room="r")))
        entry = await forget(site, room="r")
        assert preview == entry.counts
        assert (await site.window_store.windows_between([B], 0, NOW), await site.site_store.labels("s")) == before
        assert rows(folder, "attune.db", "SELECT node FROM drift_events UNION SELECT node FROM drift_mutes") == [(B,)]
        assert {row[0] for row in rows(folder, "windows.db", "SELECT DISTINCT room FROM said")} == {"s"}
        assert await site.window_store.boots() != {}
        # Numbers of labels that went are not given again, and a second time there is nothing to forget.
        again = await site.labels.add(LabelRow(0, "r", "free", NOW - HOUR, NOW - 1, 1.0, "person", "bob", 0))
        assert again.number == 61
        assert not any((await forget(site, room="r", to_utc_ms=NOW - 2 * HOUR)).counts.values())


async def test_what_was_said_by_a_clock_that_ran_ahead_goes_too(folder: Path) -> None:
    text = "SELECT count(*) FROM said WHERE room = 'r'"
    async with running(folder) as site:
        spoken = NOW + 365 * DAY_MS
        await site.window_store.commit([], [SaidRow("r", NOW - HOUR, 2, 0.9, NOW - HOUR, spoken)])
        await forget(site, room="r")
        assert rows(folder, "windows.db", text) == [(0,)]
        # What is said afterwards of the same time stays, also where the entry is carried out again.
        await site.window_store.commit([], [SaidRow("r", NOW - HOUR, 0, 0.5, NOW - HOUR, NOW - HOUR)])
        (entry,) = await site.forgetting.entries()
        await site.site_store.audit.write(replace(entry, state=RUNNING))
        await site.forgetting.resume()
        assert rows(folder, "windows.db", text) == [(1,)]


async def test_a_preview_changes_nothing(folder: Path) -> None:
    async with running(folder) as site:
        before = bytes_of(folder)
        await site.forgetting.preview(await site.forgetting.select(Request(room="r")))
        assert bytes_of(folder) == before


async def test_a_release_says_what_was_forgotten_and_when(folder: Path) -> None:
    async with running(folder) as site:
        numbers = [row.number for row in await site.site_store.labels("r") if row.from_utc_ms < START + DAY_MS]
        await forget(site, room="r", to_utc_ms=START + DAY_MS)
        (mine,) = await site.site_store.releases.newest("r")
        assert mine.state == FORGOTTEN
        assert Release.model_validate_json(mine.body).state == ""
        assert json.loads(mine.forgotten) == [[f"before {number} {A}", NOW] for number in sorted(numbers)]


async def test_what_comes_later_of_the_time_is_refused(folder: Path) -> None:
    async with running(folder) as site:
        await forget(site, room="r")
        conversation = site.hub.conversations[A]
        assert conversation.forgotten == [(0, NOW)]
    async with running(folder) as site:
        assert site.hub.conversations[A].forgotten == [(0, NOW)]
        assert site.hub.conversations[B].forgotten == []


@pytest.mark.parametrize(
    ("what", "error", "says"),
    [
        ({}, RequestError, "Say what is to be forgotten"),
        ({"room": "9"}, NotFoundError, "There is no room '9'"),
        ({"node": "x"}, NotFoundError, "There is no node 'x'"),
        ({"source": "dice"}, NotFoundError, "There is no source of labels 'dice'"),
        ({"node": A, "room": "r"}, RequestError, "A node is named alone"),
        ({"from_utc_ms": NOW + 1}, RequestError, "ends before it begins"),
        ({"from_utc_ms": 5, "to_utc_ms": 5}, RequestError, "ends before it begins"),
    ],
)
async def test_what_cannot_be_selected(
    folder: Path, what: dict[str, object], error: type[Exception], says: str
) -> None:
    async with running(folder) as site:
        with pytest.raises(error, match=says):
            await forget(site, **what)


async def test_not_while_a_retraining_is_under_way(folder: Path) -> None:
    async with running(folder) as site:
        with site.retraining.paused(), pytest.raises(RequestError, match="under way"):
            await forget(site, room="r")
        assert await site.forgetting.entries() == []


class Killed(BaseException):
    """The process is gone."""


class Reaper:
    """Lets so many writes pass, then none: as if the process had been killed between two of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, writes: int) -> None:
        self.left = writes
        for name in ("run", "erase", "scrub"):
            monkeypatch.setattr(Database, name, self.counted(getattr(Database, name)))

    def counted(self, write: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[object]]:
        async def one(database: Database, *arguments: object) -> object:
            if self.left == 0:
                raise Killed
            self.left -= 1
            return await write(database, *arguments)

        return one


@pytest.fixture(scope="module")
def few_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two days without a release."""
    folder = tmp_path_factory.mktemp("few")
    asyncio.run(prepared(folder))
    return folder


async def prepared(folder: Path) -> None:
    await filled(folder, FEW, mark=True)
    async with running(folder) as site:
        await history(site, "r", A, 2, AUTHOR)
        await errands(site)


@pytest.mark.parametrize("writes", range(WRITES + 1))
async def test_whatever_interrupts_it_is_ended_at_the_next_start(
    few_once: Path, tmp_path: Path, writes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(few_once, tmp_path / "store"))
    async with running(folder) as site:
        selection = await site.forgetting.select(Request(room="r"))
        with monkeypatch.context() as patch:
            Reaper(patch, writes)
            with contextlib.suppress(Killed):
                await site.oblivion.forget(selection, "ann")
                assert writes >= WRITES
    if writes == 0:
        assert rows(folder, "attune.db", "SELECT * FROM audit") == []
        return
    async with running(folder) as site:
        await errands(site)
        (entry,) = await site.forgetting.entries()
        assert entry.state == DONE
        assert AUTHOR.encode() not in bytes_of(folder)
    for word in (MARK, AUTHOR.encode()):
        assert word not in bytes_of(folder)
    states = [rows(folder, f"{name}.db", "SELECT state FROM audit") for name in ("attune", "windows")]
    assert states == [[(DONE,)], [(DONE,)]]


async def known_hours(folder: Path, *, interrupted: bool, monkeypatch: pytest.MonkeyPatch) -> dict[object, object]:
    """What is known of room r once ninety minutes of it were forgotten, by hour."""
    async with running(folder) as site:
        with monkeypatch.context() as patch, contextlib.suppress(Killed):
            if interrupted:
                patch.setattr(Database, "scrub", killed)
            await forget(site, room="r", from_utc_ms=START + 21 * HOUR // 2, to_utc_ms=START + 12 * HOUR)
            assert not interrupted
            await site.commits.flush()
            await errands(site)
    async with running(folder) as site:
        await errands(site)
        await site.commits.flush()
        await errands(site)
        assert [entry.state for entry in await site.forgetting.entries()] == [DONE]
    return dict(rows(folder, "windows.db", "SELECT hour, known FROM beliefs WHERE room = 'r'"))  # type: ignore[arg-type]


async def killed(_: Database) -> bool:
    raise Killed


async def test_hours_that_were_only_touched_are_known_again_whatever_interrupts_it(
    few_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [
        await known_hours(
            Path(shutil.copytree(few_once, tmp_path / str(number))), interrupted=bool(number), monkeypatch=monkeypatch
        )
        for number in range(2)
    ]
    # Of two days all but the hour that was forgotten wholly, the twelfth of the first.
    assert set(range(START // HOUR, START // HOUR + 48)) - found[0].keys() == {START // HOUR + 11}
    assert found[0] == found[1]


@pytest.mark.parametrize("names", [["attune"], ["windows"], ["attune", "windows"]])
async def test_an_older_copy_gets_it_carried_out_again(few_once: Path, tmp_path: Path, names: list[str]) -> None:
    folder = Path(shutil.copytree(few_once, tmp_path / "store"))
    async with running(folder) as site:
        await forget(site, room="r")
    for name in names:
        shutil.copy(few_once / f"{name}.db", folder / f"{name}.db")
    async with running(folder) as site:
        await errands(site)
        entries = await site.forgetting.entries()
    # Where both files are older, the list beside them knows.
    assert [entry.state for entry in entries] == [DONE]
    for word in (MARK, AUTHOR.encode()):
        assert word not in bytes_of(folder)


async def test_a_window_that_has_not_been_packed_is_not_asked_for_again(tmp_path: Path) -> None:
    async with running(tmp_path) as site:
        await site.window_store.commit([window(seq, NOW - HOUR + seq * 60_000, node=A) for seq in range(1, 9)], [])
    async with running(tmp_path) as site:
        await site.window_store.commit([window(9, NOW - 60_000, node=A)], [])
        await forget(site, room="r")
    async with running(tmp_path) as site:
        assert await site.window_store.windows_between([A], 0, NOW) == []
        (boot,) = (await site.window_store.boots()).values()
        assert boot.sequence.through == 9
