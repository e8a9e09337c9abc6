"""Rows that nobody wrote: the daemon goes on without them, or ends with one sentence, and never with a traceback."""

import asyncio
import itertools
import logging
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path

import delivery_world
import make_store
import numpy as np
import pytest
from attune_core import SKETCH_BINS, Schema
from attuned import app
from attuned.config import Settings
from attuned.drift.day import NodeDay
from attuned.drift.rows import day_row
from attuned.errors import DamagedStoreError, StoreError, UnusableStoreError
from attuned.learning.figures import CALIBRATION_BINS
from attuned.learning.flips import Flips
from attuned.learning.gates import Findings
from attuned.learning.jobs import Report
from attuned.learning.retraining import REPORT
from attuned.learning.verdict import TOO_LITTLE, Verdict
from attuned.nodes.facts import NodeFacts
from attuned.nodes.own_keys import OwnKeys
from attuned.opening import explain, opened
from attuned.site import Site
from attuned.store.site import SiteStore
from attuned.store.windows import WindowStore
from attuned.unreadable import drop_unreadable
from daemon_world import SENSORS, FakeClock
from make_store import HOUR, NOON, A, B

SCHEMA = Schema(SENSORS, 60)

FILES = ("attune.db", "windows.db")

REPORTED = Report("", Findings(0, 0, (), Flips(0, 0, 0, 0, 1.0)), Verdict(TOO_LITTLE, "", ()))

# The clock of a daemon that has been away for two hours.
NOW = NOON + 3 * HOUR


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with rows in every table, all of which mean something."""
    folder = tmp_path_factory.mktemp("once") / "store"
    folder.mkdir(mode=0o700)
    asyncio.run(fill(folder))
    return folder


async def fill(folder: Path) -> None:
    await make_store.make(folder)
    OwnKeys(folder).open(used=False)
    site, windows = SiteStore(folder), WindowStore(folder)
    await site.open()
    await windows.open()
    facts = NodeFacts(A, 7, 60, SCHEMA.sensor_bytes.hex(), SCHEMA.hash.hex(), "00" * 16, 2, 64, "1")
    await site.save_facts({A: facts.to_json(), B: facts.to_json().replace(A, B)})
    await site.database.run(lambda connection: connection.execute("INSERT INTO unlearning VALUES (?, 1)", (A,)))
    judged = replace(make_store.ACCURACY, gaps=(0.5,) * CALIBRATION_BINS)
    await site.accuracy.replace("r", [judged.day], [judged])
    release = delivery_world.release(1, A).canonical(), REPORT.dump_json(REPORTED).decode()
    await site.database.run(lambda connection: connection.execute("UPDATE releases SET body = ?, report = ?", release))
    sensors, features = len(set(SCHEMA.sensors.tolist())), len(SCHEMA)
    none = np.zeros(sensors, np.int64)
    bins, levels = np.zeros((features, SKETCH_BINS), np.int64), np.full((features, 5), np.nan)
    first, last = make_store.DAY.from_utc_ms, make_store.DAY.to_utc_ms
    schema = SCHEMA.hash.hex()
    day = NodeDay(A, date(2026, 9, 22), first, last, schema, 60, bins, none, none, none, levels, np.nan)
    await windows.days.write([day_row(day)])
    await windows.retention.awake(NOON, 3)
    await site.close()
    await windows.close()


@pytest.fixture
def store(once: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(once, tmp_path / "store"))


def settings_of(store: Path) -> Settings:
    sockets = {
        "gateways": {"listen": [f"unix:{store.parent}/g.sock"]},
        "api": {"socket": f"{store.parent}/a.sock"},
    }
    rooms = [{"id": "r", "nodes": [A]}, {"id": "q", "nodes": [B]}]
    return Settings.model_validate({"site": {"name": "s"}, "store": {"path": store}, "rooms": rooms} | sockets)


def change(path: Path, text: str, *values: object) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute(text, values).rowcount


def rows(path: Path, text: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(text).fetchall()


def made(store: Path) -> Site:
    return Site(settings_of(store), FakeClock(NOW), None)


def test_nothing_is_wrong_with_rows_that_were_written(store: Path) -> None:
    assert not drop_unreadable(store)
    empty = [t for f in FILES for (t,) in tables(store / f) if not rows(store / f, f"SELECT 1 FROM {t}")]  # noqa: S608
    assert empty == []


def tables(path: Path) -> list[tuple[str]]:
    found = rows(path, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\'")
    return [(str(name),) for (name,) in found]


PRECIOUS = [
    ("nodes", "facts", "{"),
    ("nodes", "facts", '{"node": 1}'),
    ("room_models", "model", "[]"),
    ("accuracy_days", "gaps", "nothing"),
    ("drift_events", "moved", '[["co2.mean"]]'),
    ("drift_events", "since", "yesterday"),
    ("rollouts", "plan", "{}"),
    ("deliveries", "stage", "lost"),
    ("trusted_nodes", "node", "zz"),
    ("audit", "selection", '{"from_utc_ms": "x"}'),
]


@pytest.mark.parametrize(("table", "column", "value"), PRECIOUS)
async def test_a_precious_row_that_cannot_be_read_ends_the_daemon_with_a_sentence(
    store: Path, table: str, column: str, value: str
) -> None:
    change(store / "attune.db", f"UPDATE OR REPLACE {table} SET {column} = ?", value)  # noqa: S608
    with pytest.raises(UnusableStoreError) as refused:
        await opened(lambda: made(store))
    said = str(refused.value)
    assert said.startswith(f"The store {store}/attune.db has a row in its table {table} that cannot be read (")
    assert said.endswith("put a backup in its place with `attune restore FILE`, which keeps this file aside.")
    assert "\n" not in said


BULK = [
    ("boots", "beyond", "{"),
    ("beliefs", "checkpoint", '{"index": 1}'),
    ("audit", "counts", "?"),
    ("inbox", "record", b"\1" * 29),
    ("ties", "utc_ms", "noon"),
    ("said", "state", "on"),
]


@pytest.mark.parametrize(("table", "column", "value"), BULK)
async def test_a_row_of_windows_that_cannot_be_read_goes_and_the_rest_goes_on(
    store: Path, table: str, column: str, value: object, caplog: pytest.LogCaptureFixture
) -> None:
    before = dict.fromkeys(rows(store / "windows.db", "SELECT records FROM packed"))
    change(store / "windows.db", f"UPDATE {table} SET {column} = ?", value)  # noqa: S608
    site = await opened(lambda: made(store))
    assert f"windows.db has a row in its table {table} that cannot be read (" in caplog.text
    assert before.items() <= dict.fromkeys(rows(store / "windows.db", "SELECT records FROM packed")).items()
    assert len(await site.forgetting.entries()) == 1
    await site.close()


async def test_days_of_drift_without_bins_are_dropped_when_they_end_a_daemon(store: Path) -> None:
    change(store / "windows.db", "UPDATE node_days SET statistics = '{}'")
    site = await opened(lambda: made(store))
    with pytest.raises(KeyError) as ended:
        await site.detector.history(date(2026, 1, 1), [A])
    await site.close()
    with pytest.raises(StoreError, match=r"windows\.db could not be read and are dropped: start again\.$") as said:
        await explain(ended.value, store)
    assert not isinstance(said.value, UnusableStoreError)
    site = await opened(lambda: made(store))
    await site.detector.history(date(2026, 1, 1), [A])
    await site.close()


async def test_what_looks_for_rows_finds_pages_that_are_damaged(store: Path) -> None:
    path = store / "windows.db"
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (path.stat().st_size - 4096))
    with pytest.raises(DamagedStoreError, match=r"windows\.db is damaged"):
        drop_unreadable(store)


async def test_what_no_row_is_guilty_of_stays_what_it_was(store: Path) -> None:
    await explain(ValueError("a mistake of ours"), store)
    await explain(StoreError("The disk is full."), store)


# Everything, everywhere.

VALUES: list[object] = [None, "", "{", 2**63 - 1, 1e300, b"\xff\xfe" * 9]


def columns(folder: Path) -> Iterator[tuple[str, str, str]]:
    for file in FILES:
        for (table,) in tables(folder / file):
            for _, column, *_ in rows(folder / file, f"PRAGMA table_info({table})"):
                yield file, table, str(column)


def hurt(path: Path, table: str, column: str, value: object) -> bool:
    """Writes a value past all that SQLite watches over; False where the column itself can hold no such thing."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA writable_schema=ON")
        kept = connection.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (table,)).fetchone()[0]
        free = kept.replace(" NOT NULL", "")
        connection.execute("UPDATE sqlite_schema SET sql = ? WHERE name = ?", (free, table))
        connection.execute("PRAGMA writable_schema=RESET")
        try:
            connection.execute(f"UPDATE {table} SET {column} = ?", (value,))  # noqa: S608
        except sqlite3.Error:
            return False
        finally:
            connection.execute("PRAGMA writable_schema=ON")
            connection.execute("UPDATE sqlite_schema SET sql = ? WHERE name = ?", (kept, table))
            connection.execute("PRAGMA writable_schema=RESET")
    return True


async def survived(store: Path) -> str:
    """`up` if the daemon runs and does what it does first, else the sentence that it ends with."""
    for _ in range(2):
        try:
            await app.serve(settings_of(store))
        except DamagedStoreError as error:
            return str(error)
        except StoreError as error:
            if "are dropped: start again." not in str(error):
                raise
        else:
            return "up"
    return "ends again and again"


@pytest.mark.slow
async def test_whatever_stands_in_a_row_there_is_no_traceback(
    once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def soon() -> asyncio.Event:
        stopped = asyncio.Event()
        asyncio.get_running_loop().call_later(0.05, stopped.set)
        return stopped

    monkeypatch.setattr(app, "_heed_signals", soon)
    monkeypatch.setattr(app, "make_clock", lambda _: FakeClock(NOW))
    logging.disable(logging.CRITICAL)
    store, told, wrong = tmp_path / "store", set(), []
    for (file, table, column), value in zip(columns(once), itertools.cycle(VALUES)):
        shutil.rmtree(store, ignore_errors=True)
        shutil.copytree(once, store)
        if not hurt(store / file, table, column, value):
            continue
        try:
            told.add(await survived(store))
        except Exception as error:  # noqa: BLE001 (each is one to tell)
            wrong.append((file, table, column, value, repr(error)))
    logging.disable(logging.NOTSET)
    assert wrong == []
    assert "up" in told
    assert all(said == "up" or said.startswith(f"The store {store}/attune.db ") for said in told)
    assert not any("\n" in said for said in told)
