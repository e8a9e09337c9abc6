"""Retention: what is old goes, what people labelled stays, nothing is subtracted, and the file shrinks."""

import shutil
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from attuned.nodes.window import Window
from attuned.presence.belief import RoomState
from attuned.presence.rooms import Late
from attuned.retention import Kept
from attuned.site import Site
from attuned.store.beliefs import BeliefHour, SaidRow
from attuned.store.days import DayRow
from attuned.store.site import LabelRow
from attuned.store.windows import WindowStore
from daemon_world import HOUR, MINUTE, NOON, A, B, FakeClock, opened_site, site_settings, window

FIXTURES = Path(__file__).parents[1] / "fixtures"

DAY = 24 * HOUR


@pytest.fixture(autouse=True)
def _no_doubt_of_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """tests/unit/test_daemon_clock_jumps.py has what is doubted."""
    monkeypatch.setattr("attuned.retention.AWAKE_HOURS", 1)


YEAR = round(365.25 * DAY)


def hour_of_windows(first_utc_ms: int, node: str = A, count: int = 60) -> list[Window]:
    """A window a minute; no two hours have windows in common."""
    start = first_utc_ms // MINUTE % 10**9
    return [window(start + i, first_utc_ms + i * MINUTE, node=node) for i in range(1, count + 1)]


def label(first: int, last: int, room: str = "r") -> LabelRow:
    return LabelRow(0, room, "free", first, last, 1.0, "person", "ann", last)


async def old_site(folder: Path, windows: Sequence[Window], now: int = NOON) -> Site:
    """A site whose windows came when they ended and have been packed."""
    store = WindowStore(folder)
    await store.open()
    await store.commit(windows, [])
    await store.pack({}, [])
    await store.close()
    return await opened_site(folder, FakeClock(now), {"r": [A], "s": [B]})


async def kept(site: Site) -> list[Window]:
    return await site.window_store.windows_between([A, B], 0, 2 * NOON)


async def test_windows_go_after_28_days_by_whole_hours(tmp_path: Path) -> None:
    ages = [40 * DAY, 28 * DAY + HOUR, 28 * DAY, DAY]
    windows = [w for age in ages for w in hour_of_windows(NOON - age)]
    site = await old_site(tmp_path, windows)
    await site.retention.sweep()
    # The last window of an hour ends with the next one, and belongs to it: 28 days ago to the minute.
    assert await kept(site) == windows[119:]
    await site.close()


@pytest.mark.parametrize("step", [1, 3, 500])
async def test_labelled_windows_live_as_long_as_their_label(
    tmp_path: Path, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("attuned.store.retention.STEP_ROWS", step)
    old = NOON - 90 * DAY
    windows = [w for hour in range(6) for node in (A, B) for w in hour_of_windows(old + hour * HOUR, node)]
    site = await old_site(tmp_path, windows)
    first = await site.site_store.add_label(label(old + 3 * HOUR, old + 3 * HOUR + 20 * MINUTE))
    for _ in range(2):
        await site.retention.sweep()
        # The label's twenty minutes, and the hour before it from which its evidence follows; the other room has none.
        expected = [w for w in windows if w.node == A and old + 2 * HOUR < w.end_utc_ms <= old + 200 * MINUTE]
        assert sorted(await kept(site)) == sorted(expected)
        assert len(expected) == 80
    # A label that replaces it keeps its windows; one of another room does not.
    await site.site_store.add_label(label(old + 3 * HOUR, old + 4 * HOUR))
    await site.retention.sweep()
    assert len(await kept(site)) == 80
    labels = await site.site_store.words()
    assert [row.superseded_by for row in labels] == [first.number + 1, 0]
    for number in (2, 1):
        await site.site_store.withdraw_label(number, "ann", NOON)
    await site.retention.sweep()
    assert await kept(site) == []
    await site.close()


async def test_refused_windows_are_not_kept_for_a_label(tmp_path: Path) -> None:
    old = NOON - 90 * DAY
    refused = Window(A, 1, 1, 60, old + MINUTE, 0, b"", b"")
    site = await old_site(tmp_path, [refused])
    await site.site_store.add_label(label(old, old + HOUR))
    await site.retention.sweep()
    rows = await site.window_store._database.run(lambda c: c.execute("SELECT count(*) FROM packed").fetchone()[0])
    assert rows == 0
    await site.close()


@pytest.mark.parametrize("step", [1, 2, 500])
async def test_hours_go_after_five_years(tmp_path: Path, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attuned.store.retention.STEP_ROWS", step)
    site = await opened_site(tmp_path, FakeClock(), {"r": [A], "s": [B]})
    limit = (NOON - 5 * YEAR) // HOUR
    for room in ("r", "s"):
        hours = [BeliefHour(room, limit + i, b"\x00\x01" * 60, "{}") for i in range(-3, 3)]
        await site.window_store.beliefs.write(hours)
    await site.retention.sweep()
    for room in ("r", "s"):
        assert [hour for hour, _ in await site.window_store.beliefs.known(room, 0, 1 << 31)] == [
            limit,
            limit + 1,
            limit + 2,
        ]
    await site.close()


@pytest.mark.parametrize("step", [1, 500])
async def test_days_of_nodes_go_after_five_years(tmp_path: Path, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attuned.store.retention.STEP_ROWS", step)
    site = await opened_site(tmp_path, FakeClock(), {"r": [A], "s": [B]})
    days = [str(datetime.fromtimestamp((NOON - 5 * YEAR) / 1000, UTC).date() + timedelta(i)) for i in range(-3, 3)]
    for day in days:
        await site.window_store.days.add(day, [DayRow(node, day, 0, 1, "", "{}") for node in (A, B)])
    await site.retention.sweep()
    stored = [await site.window_store.days.since(node, "") for node in (A, B)]
    kept_days = [(row.node, row.day) for rows in stored for row in rows]
    assert kept_days == [(node, day) for node in (A, B) for day in days[3:]]
    await site.close()


@pytest.mark.parametrize("step", [1, 500])
async def test_what_was_said_goes_but_for_what_still_stands(
    tmp_path: Path, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("attuned.store.retention.STEP_ROWS", step)
    site = await opened_site(tmp_path, FakeClock(), {"r": [A], "s": [B]})
    limit = NOON - 5 * YEAR

    def said(room: str, hours: int) -> SaidRow:
        return SaidRow(room, limit + hours * HOUR, int(RoomState.FREE), 0.25, limit, limit)

    rows = [said("s", -9), said("r", -5), said("r", -4), said("s", -3), said("r", -2), said("r", 1)]
    await site.window_store.commit([], rows)
    before = await site.window_store.beliefs.said("r", limit, NOON)
    await site.retention.sweep()
    assert await site.window_store.beliefs.said("r", limit, NOON) == before == [rows[4], rows[5]]
    assert await site.window_store.beliefs.said("r", 0, NOON) == [rows[4], rows[5]]
    # The other room has said nothing since.
    assert await site.window_store.beliefs.said("s", 0, NOON) == [rows[3]]
    assert (await site.window_store.beliefs.last_said())["s"] == rows[3]
    await site.close()


async def test_the_file_shrinks_in_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attuned.store.retention.FREE_PAGES", 10)
    monkeypatch.setattr("attuned.store.retention.STEP_PAGES", 7)
    windows = [w for hour in range(120) for w in hour_of_windows(NOON - 60 * DAY + hour * HOUR)]
    site = await old_site(tmp_path, windows)
    database = site.window_store._database
    before = await database.run(lambda c: c.execute("PRAGMA page_count").fetchone()[0])
    await site.retention.sweep()
    pages, free = await database.run(
        lambda c: [c.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count")]
    )
    assert (free, await kept(site)) == (10, [])
    assert pages < before / 4
    await site.close()
    assert (tmp_path / "windows.db").stat().st_size == pages * 4096


async def test_stores_that_never_shrank_learn_to(tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "store-1", tmp_path / "s")
    store = WindowStore(tmp_path / "s")
    await store.open()
    mode = await store._database.run(lambda c: c.execute("PRAGMA auto_vacuum").fetchone()[0])
    await store.close()
    assert mode == 2  # INCREMENTAL


async def test_a_store_that_cannot_be_written_anew_opens_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(FIXTURES / "store-1", tmp_path / "s")

    class Full(sqlite3.Connection):
        def execute(self, sql: str, *more: object) -> sqlite3.Cursor:
            if sql == "VACUUM":
                raise sqlite3.OperationalError("database or disk is full")
            return super().execute(sql, *more)  # type: ignore[arg-type]

    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda path, **more: connect(path, factory=Full, **more))
    store = WindowStore(tmp_path / "s")
    await store.open()
    assert len(await store.windows_between([A, B], 0, 2 * NOON)) == 4
    await store.close()
    assert "cannot give free pages back (database or disk is full)" in caplog.text


async def test_nothing_is_subtracted(tmp_path: Path) -> None:
    old = NOON - 90 * DAY
    site = await old_site(tmp_path, hour_of_windows(old) + hour_of_windows(old + HOUR))
    await site.site_store.save_model("r", "{}")
    await site.window_store.beliefs.write([BeliefHour("r", old // HOUR, b"\x00\x01" * 60, "{}")])
    boots = await site.window_store.boots()
    await site.retention.sweep()
    assert await kept(site) == []
    assert await site.site_store.models() == {"r": "{}"}
    assert await site.window_store.boots() == boots
    assert await site.window_store.beliefs.known("r", 0, 1 << 31) == [(old // HOUR, b"\x00\x01" * 60)]
    await site.close()


async def test_late_windows_do_not_rewrite_hours_whose_windows_are_gone(tmp_path: Path) -> None:
    old, recent = NOON - 90 * DAY, NOON - 2 * DAY
    site = await old_site(tmp_path, [*hour_of_windows(old), *hour_of_windows(recent)])
    checkpoint = '{"index": 1, "filter_state": [0.25, 0.75], "state": 2, "since_utc_ms": 0, "quiet_steps": 0}'
    hours = [BeliefHour("r", at // HOUR, b"\x00\x01" * 60, checkpoint) for at in (old, recent)]
    await site.window_store.beliefs.write(hours)
    await site.retention.sweep()
    await site.keeping.correct("r", Late(old + MINUTE, old + HOUR))
    await site.keeping.correct("r", Late(old + MINUTE, recent + HOUR))
    known = dict(await site.window_store.beliefs.known("r", 0, 1 << 31))
    assert known[old // HOUR] == b"\x00\x01" * 60
    # The recent hour was computed from its windows, which are there.
    assert known[recent // HOUR] != b"\x00\x01" * 60
    await site.close()


async def test_commits_go_on_between_the_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attuned.store.retention.STEP_ROWS", 1)
    site = await old_site(tmp_path, [w for hour in range(5) for w in hour_of_windows(NOON - 60 * DAY + hour * HOUR)])
    new = hour_of_windows(NOON - HOUR, count=5)
    steps = 0
    left = Kept(NOON - 28 * DAY, NOON - 5 * 365 * DAY)
    async for _ in site.retention._steps(NOON, left):
        if steps < len(new):
            await site.window_store.commit([new[steps]], [])
        steps += 1
    assert steps >= 5
    assert await kept(site) == new
    await site.close()


async def test_settings_say_for_how_long(tmp_path: Path) -> None:
    site = Site(site_settings(tmp_path, store={"path": tmp_path, "windows_days": 2}), FakeClock(), None)
    assert site.retention.windows_from_utc_ms == NOON - 2 * DAY


async def test_a_sweep_that_fails_is_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    site = await old_site(tmp_path, hour_of_windows(NOON - 60 * DAY))
    await site.site_store.close()
    await site.retention._try()
    assert site.retention._due
    assert "What is old is dropped later." in caplog.text
    await site.window_store.close()


async def test_starts_of_long_ago_go_and_what_they_brought_counts(tmp_path: Path) -> None:
    """All of them are read at each start of the daemon, and written each hour."""
    windows = [window(i + 1, NOON - 40 * DAY + i * MINUTE, boot=boot) for boot in (1, 2, 3) for i in range(5)]
    store = WindowStore(tmp_path)
    await store.open()
    await store.commit([*windows, window(1, NOON - HOUR, boot=4), window(2, NOON, boot=5)], [])
    for boot, days in ((1, 40), (2, 33), (3, 31), (4, 0)):
        await store.add_tie(A, boot, 0, NOON - days * DAY)
    await store.close()
    site = await opened_site(tmp_path, FakeClock(), {"r": [A]})
    conversation = site.hub.conversations[A]
    conversation.pending.add((2, 9))  # on its way to the disk
    await site.retention.sweep()
    # The ticks of the fifth were never tied: what may follow of it would be refused.
    assert sorted(conversation.boots) == [2, 3, 4]
    assert conversation.windows == 17
    conversation.pending.clear()
    await site.retention.sweep()
    await site.keeping.pack(NOON, site.writing._boots())
    await site.close()
    again = await opened_site(tmp_path, FakeClock(), {"r": [A]})
    assert (sorted(again.hub.conversations[A].boots), again.hub.conversations[A].windows) == ([3, 4], 17)
    await again.close()


async def test_a_node_that_is_silent_for_months_is_known_by_its_last_start(tmp_path: Path) -> None:
    site = await opened_site(tmp_path, FakeClock(), {"r": [A]})
    await site.window_store.commit([window(1, NOON - 90 * DAY)], [])
    await site.window_store.add_tie(A, 1, 0, NOON - 90 * DAY)
    await site.close()
    site = await opened_site(tmp_path, FakeClock(), {"r": [A]})
    await site.retention.sweep()
    assert [record.sequence.through for record in site.hub.conversations[A].boots.values()] == [1]
    assert (A, 1) in await site.window_store.boots()
    await site.close()
