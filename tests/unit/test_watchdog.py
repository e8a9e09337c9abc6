"""The watchdog: fed by who has just seen the store and all tasks at work, and by nobody else."""

import asyncio
import logging
import os
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from attune_service import turns, watchdog
from attune_service.watchdog import Watchdog
from attuned.config import StoreSettings
from attuned.errors import StoreError
from attuned.gate import Gate
from attuned.retention import Retention
from attuned.store.site import SiteStore
from daemon_world import FakeClock
from hypothesis import given
from hypothesis import strategies as st
from notices import Notices

FED = "WATCHDOG=1"
HOUR_USEC = "WATCHDOG_USEC=3600000000"
ALLOWED_S = 0.2


@pytest.fixture
def systemd() -> Iterator[Notices]:
    with Notices() as notices:
        yield notices


@asynccontextmanager
async def watching(
    *works: Awaitable[None], read: Callable[[], Awaitable[object]] | None = None, allowed_s: float = ALLOWED_S
) -> AsyncIterator[Watchdog]:
    tasks = [asyncio.ensure_future(work) for work in works]
    for number, task in enumerate(tasks):
        assert isinstance(task, asyncio.Task)
        task.set_name(f"work {number}")
    made = Watchdog(tasks, lambda: "all is well", read, allowed_s=allowed_s)
    loop = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        for task in (loop, *tasks):
            task.cancel()
        await asyncio.gather(loop, *tasks, return_exceptions=True)


@asynccontextmanager
async def stored(tmp_path: Path) -> AsyncIterator[SiteStore]:
    store = SiteStore(tmp_path)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def idle() -> None:
    await asyncio.Event().wait()


async def at_work(seconds: float, patience_s: float = turns.PATIENCE_S) -> None:
    with turns.turn(patience_s):
        await asyncio.sleep(seconds)
    await idle()


async def test_who_is_well_is_fed_again_and_again(systemd: Notices, tmp_path: Path) -> None:
    async with stored(tmp_path) as store, watching(idle(), at_work(0.05), read=store.look):
        await asyncio.sleep(ALLOWED_S * 2)
    heard = systemd.heard()
    # A quarter of the time each: one look may be missed, and another be slow.
    assert heard.count(FED) >= 5
    assert heard.count("STATUS=all is well") == heard.count(FED)


async def test_a_store_whose_thread_hangs(systemd: Notices, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """No look ends before the thread has ended what it was at; then it is fed again."""
    hung = threading.Event()
    async with stored(tmp_path) as store, watching(idle(), read=store.look):
        await asyncio.sleep(ALLOWED_S)
        store._database._thread.submit(hung.wait)
        await asyncio.sleep(ALLOWED_S / 2)
        systemd.heard()
        await asyncio.sleep(ALLOWED_S * 2)
        heard = systemd.heard()
        assert FED not in heard
        # A slow disk has all of the time that systemd gives.
        assert "WATCHDOG=trigger" not in heard
        hung.set()
        await asyncio.sleep(ALLOWED_S)
        assert FED in systemd.heard()
    assert [record.message for record in caplog.records if record.levelno == logging.ERROR] == [
        "The store does not answer. The watchdog is not fed until that is over."
    ]


async def test_a_store_that_cannot_be_read(systemd: Notices) -> None:
    async def broken() -> None:
        raise StoreError("The store s cannot be read (disk I/O error): check the disk, or restore a backup.")

    async with watching(idle(), read=broken):
        await asyncio.sleep(ALLOWED_S)
    heard = systemd.heard()
    assert FED not in heard
    assert heard[0].startswith("STATUS=The store cannot be read (The store s cannot be read (disk I/O error)")


async def test_a_task_that_hangs_in_a_turn(systemd: Notices, caplog: pytest.LogCaptureFixture) -> None:
    async with watching(idle(), at_work(1e6, patience_s=ALLOWED_S / 2)):
        await asyncio.sleep(ALLOWED_S / 4)
        assert FED in systemd.heard()
        await asyncio.sleep(ALLOWED_S)
        systemd.heard()
        await asyncio.sleep(ALLOWED_S)
        heard = systemd.heard()
    assert FED not in heard
    assert "STATUS=The task work 1 has made no step for 0 s." in heard
    # It has had several looks to go on, and systemd need not wait out its time.
    assert "WATCHDOG=trigger" in heard
    assert len([record for record in caplog.records if "not fed" in record.message]) == 1


async def test_a_task_that_was_kept_from_working_is_given_further_looks(systemd: Notices) -> None:
    """The whole process stood still, and the task goes on right after the first look."""

    async def kept() -> None:
        with turns.turn(patience_s=0.05):
            for _ in range(40):
                await asyncio.sleep(0.01)
                turns.step()
        await idle()

    async with watching(kept()):
        await asyncio.sleep(0.03)
        time.sleep(0.1)  # noqa: ASYNC251 (that is what stands still)
        await asyncio.sleep(ALLOWED_S * 2)
    heard = systemd.heard()
    assert "WATCHDOG=trigger" not in heard
    assert heard[-2] == FED


async def test_much_to_do_is_no_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each use of the store is a step, also of a task that was begun for a part of it."""
    # No exclusive work of this process has ended in the time that the turns are set back by.
    monkeypatch.setattr(turns, "_last_exclusive_s", float("-inf"))
    async with stored(tmp_path) as store:
        with turns.turn(patience_s=10.0):
            (begun,) = turns._under_way
            for work in (store.look(), asyncio.create_task(store.look())):
                begun.moved_s -= 100.0
                assert turns.late(time.monotonic()) == [begun]
                await work
                assert turns.late(time.monotonic()) == []
            # A part that goes on is a step of the whole.
            with turns.turn(patience_s=10.0):
                begun.moved_s -= 100.0
                await store.look()
                assert turns.late(time.monotonic()) == []
        assert turns._under_way == set()


async def test_a_step_of_one_is_none_of_another(tmp_path: Path) -> None:
    async def hung() -> None:
        with turns.turn(patience_s=10.0):
            await idle()

    async with stored(tmp_path) as store:
        task = asyncio.create_task(hung(), name="hung")
        await asyncio.sleep(0)
        with turns.turn():
            await store.look()
            assert [turn.task for turn in turns.late(time.monotonic() + 11)] == ["hung"]
        task.cancel()


async def test_who_waits_for_a_sweep_is_not_late() -> None:
    """`attune retention` may take half an hour, and the daemon's own sweep comes after it."""
    nothing: dict[str, object] = {"site": None, "store": None, "room_of": {}, "drop_boots": lambda _: {}}
    retention = Retention(FakeClock(), StoreSettings(), **nothing)  # type: ignore[arg-type]
    async with retention._sweeping:
        waiting = asyncio.create_task(retention.sweep())
        await asyncio.sleep(0)
        assert turns.late(time.monotonic() + 1e6) == []
        waiting.cancel()


async def test_a_task_that_waits_for_work_may_do_so_for_ever(systemd: Notices) -> None:
    async with watching(at_work(0.0, patience_s=ALLOWED_S / 10)):
        await asyncio.sleep(ALLOWED_S)
        systemd.heard()
        await asyncio.sleep(ALLOWED_S)
        assert FED in systemd.heard()


async def test_a_task_that_has_ended(systemd: Notices) -> None:
    async with watching(idle(), asyncio.sleep(0)):
        await asyncio.sleep(ALLOWED_S / 2)
        systemd.heard()
        await asyncio.sleep(ALLOWED_S)
        heard = systemd.heard()
    assert FED not in heard
    assert "STATUS=The task work 1 has ended, which it never should." in heard


async def test_a_loop_that_hangs_feeds_nobody(systemd: Notices) -> None:
    async with watching(idle()):
        await asyncio.sleep(ALLOWED_S)
        systemd.heard()
        time.sleep(ALLOWED_S * 2)  # noqa: ASYNC251 (that is what hangs)
        assert systemd.heard() == []


async def test_a_system_that_cannot_be_told_costs_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    async with watching(idle()) as dog:
        await asyncio.sleep(ALLOWED_S)
        assert dog._told == ""
    with Notices() as systemd:
        async with watching(idle()):
            await asyncio.sleep(ALLOWED_S)
        assert FED in systemd.heard()


async def test_a_system_that_does_not_listen_holds_up_nobody(systemd: Notices) -> None:
    """A socket that nobody reads takes some ten messages, and then none."""
    began = time.monotonic()
    for _ in range(1000):
        watchdog.tell(FED)
    assert time.monotonic() - began < 1
    assert 1 <= len(systemd.heard()) < 1000


async def test_long_work_of_the_store_widens_the_time(systemd: Notices, tmp_path: Path) -> None:
    """Writing a large file anew keeps the thread for minutes: systemd hears of it before, and when it is over."""
    over = threading.Event()
    async with stored(tmp_path) as store, watching(idle(), read=store.look):

        async def scrub() -> None:
            with turns.turn(turns.LONG_S, exclusive=True):
                await store._database._on_thread(over.wait)

        scrubbing = asyncio.create_task(scrub())
        await asyncio.sleep(ALLOWED_S)
        assert HOUR_USEC in systemd.heard()
        over.set()
        await scrubbing
        await asyncio.sleep(ALLOWED_S)
        heard = systemd.heard()
    assert FED in heard
    assert f"WATCHDOG_USEC={int(ALLOWED_S * 1e6)}" in heard


async def test_scrubbing_is_such_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []
    async with stored(tmp_path) as store:

        def empty_log(_: object) -> bool:
            seen.append(turns.exclusive_s())
            return True

        monkeypatch.setattr("attuned.store.database._empty_log", empty_log)
        assert await store._database.scrub()
    assert seen == [turns.LONG_S]
    assert turns.exclusive_s() == 0


async def test_who_waits_at_a_gate_is_not_late() -> None:
    """Only who is inside is at a turn, however long others wait for him."""
    gate, leave = Gate(), asyncio.Event()

    async def inside() -> None:
        async with gate.shared(patience_s=1e6):
            await leave.wait()

    async def alone() -> None:
        async with gate.alone():
            pass

    async def behind() -> None:
        async with gate.shared(patience_s=0.0):
            pass

    tasks = []
    for work in (inside(), alone(), behind()):
        tasks.append(asyncio.create_task(work))
        await asyncio.sleep(0)
    await asyncio.sleep(0.01)
    assert turns.late(time.monotonic() + 1e5) == []
    leave.set()
    await asyncio.gather(*tasks)


async def test_who_had_to_wait_for_exclusive_work_counts_from_its_end() -> None:
    with turns.turn(10.0):
        with turns.turn(100.0, exclusive=True):
            began_s = time.monotonic()
            assert turns.late(began_s + 50) == []
            assert [turn.patience_s for turn in turns.late(began_s + 101)] == [100.0]
        ended_s = time.monotonic()
        assert turns.late(ended_s + 9) == []
        assert [turn.patience_s for turn in turns.late(ended_s + 11)] == [10.0]


@given(st.lists(st.tuples(st.floats(0, 1e4), st.booleans()), max_size=6), st.floats(0, 2e4))
def test_late_is_never_who_is_within_his_time(patiences: list[tuple[float, bool]], age_s: float) -> None:
    def enter(rest: list[tuple[float, bool]]) -> None:
        if rest:
            with turns.turn(rest[0][0], exclusive=rest[0][1]):
                enter(rest[1:])
        else:
            found = turns.late(time.monotonic() + age_s)
            assert all(turn.patience_s < age_s + 1 for turn in found)
            limits = [limit for limit, exclusive in patiences if exclusive] or [limit for limit, _ in patiences]
            assert len(found) >= sum(limit < age_s - 1 for limit in limits)

    async def at_once() -> None:
        enter(patiences)

    asyncio.run(at_once())


@pytest.mark.parametrize(
    ("usec", "pid", "allowed_s"),
    [
        ("180000000", str(os.getpid()), 180.0),
        ("180000000", "", 180.0),
        ("180000000", "1", 0.0),
        ("", "", 0.0),
        ("-5", "", 0.0),
        ("soon", "", 0.0),
    ],
    # Workers have to agree on the names of tests, and each has a pid of its own.
    ids=["own", "anybody", "other", "none", "negative", "word"],
)
def test_the_time_is_systemds(monkeypatch: pytest.MonkeyPatch, usec: str, pid: str, allowed_s: float) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", usec)
    monkeypatch.setenv("WATCHDOG_PID", pid)
    assert watchdog.allowed_by_systemd_s() == allowed_s


def test_every_look_is_well_within_the_time() -> None:
    for allowed_s in (1.0, 30.0, 180.0):
        assert Watchdog([], str, allowed_s=allowed_s)._every_s <= allowed_s / 3
