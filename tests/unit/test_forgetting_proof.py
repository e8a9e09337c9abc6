"""The proof of forgetting: it holds after forgetting, and fails for each single thing that was not forgotten."""

import asyncio
import shutil
from collections.abc import Collection
from pathlib import Path

import pytest
from attuned.errors import NotFoundError
from attuned.learning.accuracy import AccuracyBook
from attuned.learning.jobs import Answer, Check, Job
from attuned.learning.lessons import Lessons
from attuned.learning.retraining import Retraining
from attuned.learning.worker import work
from attuned.site import Site
from attuned.store import forgetting, forgetting_site
from attuned.store.reading import Reader
from attuned.store.site import LabelRow
from daemon_world import window
from forget_world import NOW, A, Ticking, answer, forget, greeted, lived, running
from release_world import DAY_MS, START, Days

HOUR = 3_600_000


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of three days, for tests to copy."""
    folder = tmp_path_factory.mktemp("lived")
    asyncio.run(lived(folder, Days(3, every=20)))
    return folder


@pytest.fixture
def folder(once: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(once, tmp_path / "store"))


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proofs in a thread: a process of its own for each would take longer than the proof."""

    async def one(retraining: Retraining, job: Job) -> Answer:
        return await asyncio.to_thread(lambda: next(work(job, Reader(Path(job.store)))))

    monkeypatch.setattr(Retraining, "_one", one)


async def proof(site: Site, ids: Collection[str]) -> list[Check]:
    """What differs from a store that never saw it."""
    return [check for check in await site.oblivion.prove(ids, 0) if not check.same]


SELECTIONS: dict[str, dict[str, object]] = {
    "room": {"room": "r"},
    "node": {"node": A},
    "source": {"source": "person"},
    "day": {"from_utc_ms": START + 2 * DAY_MS, "to_utc_ms": START + 3 * DAY_MS},
    "hours of a room": {"room": "r", "from_utc_ms": START + 34 * HOUR, "to_utc_ms": START + 37 * HOUR},
    "source and day": {"source": "person", "room": "s", "from_utc_ms": START, "to_utc_ms": START + DAY_MS},
}


@pytest.mark.usefixtures("beside")
@pytest.mark.parametrize("name", SELECTIONS)
async def test_holds_for_every_selection(folder: Path, name: str) -> None:
    async with running(folder, Ticking(NOW)) as site:
        await greeted(site)
        entry = await forget(site, **SELECTIONS[name])
        assert sum(entry.counts.values()) > 0
        assert await proof(site, [entry.id]) == []
    async with running(folder, Ticking(NOW + 60_000)) as site:
        await greeted(site)
        assert await proof(site, []) == []


@pytest.mark.usefixtures("beside")
async def test_a_label_that_was_not_learned_yet_is_no_trace(folder: Path) -> None:
    async with running(folder, Ticking(NOW)) as site:
        await greeted(site)
        entry = await forget(site, room="r", from_utc_ms=START, to_utc_ms=START + DAY_MS)
        before = site.rooms.model("r")
        # Told after the forgetting: the other way round than what is known of the day.
        told = LabelRow(0, "r", "occupied", START + 26 * HOUR, START + 31 * HOUR, 1.0, "person", "ann", 0)
        await site.labels.add(told)
        assert "r" in site.lessons.errands
        answer(site)
        assert await proof(site, [entry.id]) == []
        assert site.rooms.model("r") != before


async def test_is_made_by_a_process_of_its_own(folder: Path) -> None:
    async with running(folder) as site:
        entry = await forget(site, room="r")
        checks = await site.oblivion.prove([entry.id], 0)
        assert len(checks) > 10
        # No link, no answer: whether the node has unlearned is not known.
        assert [check.name for check in checks if not check.same] == [
            f"head of {A}, which has yet to unlearn 15 labels"
        ]
        with pytest.raises(NotFoundError, match="There is no entry 'x'"):
            await site.oblivion.prove(["x"], 0)


@pytest.mark.usefixtures("beside")
@pytest.mark.parametrize("step", sorted({**forgetting_site.STEPS, **forgetting.ROWS}))
async def test_fails_without_a_single_statistic(folder: Path, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for steps in (forgetting_site.STEPS, forgetting.ROWS):
        if step in steps:
            monkeypatch.setitem(steps, step, lambda *_: 0)
    if step == "days of accuracy":
        # Days whose labels have changed are judged anew in any case.
        monkeypatch.setattr(AccuracyBook, "refresh", nothing)
    async with running(folder) as site:
        await greeted(site)
        entry = await forget(site, room="r")
        assert [check.name for check in await proof(site, [entry.id])] != []


async def nothing(*_: object) -> None:
    """Does not do what it should."""


@pytest.mark.usefixtures("beside")
@pytest.mark.parametrize(("step", "left"), [("forget_inbox", 0), ("forget_packed", (None, 0))])
async def test_fails_if_windows_are_left(
    folder: Path, step: str, left: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forgetting, step, lambda *_, **__: left)
    async with running(folder) as site:
        await site.window_store.commit([window(9999, NOW - 60_000, node=A)], [])
        entry = await forget(site, room="r")
        assert any(check.name.startswith("windows of entry") for check in await proof(site, [entry.id]))


@pytest.mark.usefixtures("beside")
async def test_fails_if_a_room_is_not_learned_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lessons, "learn_now", nothing)
    async with running(folder) as site:
        await greeted(site)
        entry = await forget(site, from_utc_ms=START, to_utc_ms=START + DAY_MS)
        names = {check.name for check in await proof(site, [entry.id])}
        assert names >= {"model of room r", "model of room s"}
