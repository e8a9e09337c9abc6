"""From arrival to disk to acknowledgement."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from attuned.errors import StoreError
from attuned.nodes import commits as module
from attuned.nodes.boot import BootRecord
from attuned.nodes.commits import ENOUGH_WINDOWS, Commits
from attuned.nodes.conversation import Conversation
from attuned.nodes.window import Window
from daemon_world import NOON, A, B, FakeClock, window


class Disk:
    """A sink that notes what happens in which order, and may refuse or hold up a write."""

    def __init__(self) -> None:
        self.log: list[tuple[str, tuple[int, ...]]] = []
        self.nodes: list[str] = []
        self.full = False
        self.open = asyncio.Event()
        self.open.set()
        self.began = asyncio.Event()

    async def write(self, windows: Sequence[Window]) -> None:
        self.began.set()
        await self.open.wait()
        if self.full:
            self.log.append(("refused", tuple(w.seq for w in windows)))
            raise StoreError("The store cannot be written: make room on the disk.")
        self.log.append(("written", tuple(w.seq for w in windows)))

    def acknowledge(self, conversations: Sequence[Conversation], windows: Sequence[Window]) -> None:
        self.log.append(("acknowledged", tuple(w.seq for w in windows)))
        self.nodes += [conversation.node for conversation in conversations]

    async def reach(self, events: int) -> None:
        async with asyncio.timeout(2):
            while len(self.log) < events:  # noqa: ASYNC110 (a log has no event)
                await asyncio.sleep(0.005)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REST_S", 0.02)
    monkeypatch.setattr(module, "TROUBLE_S", 0.02)


@asynccontextmanager
async def running(disk: Disk, rate: float = 1.0) -> AsyncIterator[Commits]:
    commits = Commits(FakeClock(rate=rate), disk)
    task = asyncio.create_task(commits.run())
    yield commits
    task.cancel()
    disk.open.set()
    with pytest.raises(asyncio.CancelledError):
        await task


def node(name: str = A) -> Conversation:
    return Conversation(name, "r", None, {1: BootRecord()})


async def test_an_urgent_window_takes_those_that_wait_along_and_is_acknowledged_after_the_write() -> None:
    disk, one, other = Disk(), node(), node(B)
    async with running(disk) as commits:
        commits.add(one, window(1, NOON), urgent=False)
        await asyncio.sleep(0.03)
        assert disk.log == []
        commits.add(one, window(2, NOON), urgent=False)
        commits.add(other, window(3, NOON, node=B), urgent=True)
        await disk.reach(2)
    assert disk.log[:2] == [("written", (1, 2, 3)), ("acknowledged", (1, 2, 3))]
    assert sorted(disk.nodes) == [A, B]
    assert one.boots[1].sequence.through == 2
    assert len(commits.delays_s) == 3


async def test_nothing_is_acknowledged_while_it_is_being_written() -> None:
    disk, one = Disk(), node()
    disk.open.clear()
    async with running(disk) as commits:
        commits.add(one, window(1, NOON), urgent=True)
        await disk.began.wait()
        await asyncio.sleep(0.03)
        assert disk.log == []
        assert one.boots[1].sequence.through == 0
        disk.open.set()
        await disk.reach(2)
    assert [event for event, _ in disk.log[:2]] == ["written", "acknowledged"]


async def test_what_the_disk_refuses_is_acknowledged_once_it_takes_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    disk, one = Disk(), node()
    disk.full = True
    async with running(disk) as commits:
        commits.add(one, window(1, NOON), urgent=True)
        await disk.reach(2)
        commits.add(one, window(2, NOON), urgent=False)
        await disk.reach(3)
        assert "make room" in commits.trouble
        assert {event for event, _ in disk.log} == {"refused"}
        disk.full = False
        await disk.reach(len(disk.log) + 2)
        assert commits.trouble == ""
    assert ("written", (1, 2)) in disk.log
    assert one.boots[1].sequence.through == 2
    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"]


async def test_a_window_waits_for_company_no_longer_than_ten_seconds_of_the_daemons_clock() -> None:
    disk = Disk()
    async with running(disk, rate=100.0) as commits:
        started = time.monotonic()
        commits.add(node(), window(1, NOON), urgent=False)
        await disk.reach(2)
    assert 0.09 <= time.monotonic() - started < 0.4


async def test_enough_windows_wait_for_nobody() -> None:
    disk, one = Disk(), node()
    async with running(disk) as commits:
        for seq in range(1, ENOUGH_WINDOWS):
            commits.add(one, window(seq, NOON), urgent=False)
        await asyncio.sleep(0.03)
        assert disk.log == []
        commits.add(one, window(ENOUGH_WINDOWS, NOON), urgent=False)
        await disk.reach(2)
    assert len(disk.log[0][1]) == ENOUGH_WINDOWS


async def test_commits_rest_between_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REST_S", 0.1)
    disk, one = Disk(), node()
    async with running(disk) as commits:
        commits.add(one, window(1, NOON), urgent=True)
        await disk.reach(2)
        commits.add(one, window(2, NOON), urgent=True)
        commits.add(one, window(3, NOON), urgent=True)
        await asyncio.sleep(0.05)
        assert len(disk.log) == 2
        await disk.reach(4)
    assert disk.log[2] == ("written", (2, 3))


async def test_flush_returns_when_all_that_had_arrived_is_written() -> None:
    """Also what arrived while another commit was under way."""
    disk, one = Disk(), node()
    disk.open.clear()
    async with running(disk) as commits:
        commits.add(one, window(1, NOON), urgent=True)
        await disk.began.wait()
        commits.add(one, window(2, NOON), urgent=False)
        flush = asyncio.create_task(commits.flush())
        await asyncio.sleep(0.01)
        disk.open.set()
        await asyncio.wait_for(flush, 1)
        assert ("written", (2,)) in disk.log


async def test_flush_with_nothing_to_write_or_a_full_disk_returns() -> None:
    disk = Disk()
    async with running(disk) as commits:
        await asyncio.wait_for(commits.flush(), 1)
        disk.full = True
        await asyncio.wait_for(commits.flush(), 1)
        assert commits.trouble
        disk.full = False


async def test_the_end_commits_what_waits() -> None:
    disk, one = Disk(), node()
    async with running(disk) as commits:
        await asyncio.sleep(0)
        commits.add(one, window(1, NOON), urgent=False)
    assert disk.log == [("written", (1,)), ("acknowledged", (1,))]


async def test_the_end_waits_for_the_commit_under_way() -> None:
    """Otherwise it would be on the disk without having been acknowledged, or twice."""
    disk, one = Disk(), node()
    disk.open.clear()
    async with running(disk) as commits:
        commits.add(one, window(1, NOON), urgent=True)
        await disk.began.wait()
        commits.add(one, window(2, NOON), urgent=False)
    assert disk.log == [
        ("written", (1,)),
        ("acknowledged", (1,)),
        ("written", (2,)),
        ("acknowledged", (2,)),
    ]
