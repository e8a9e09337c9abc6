"""Retraining in a process of its own: what is stored when it is done, interrupted, refused or asked for."""

import asyncio
import contextlib
from dataclasses import replace
from pathlib import Path

import pytest
from attuned.config import RetrainingSettings
from attuned.errors import AttuneError, RequestError
from attuned.learning.releases import Release
from attuned.learning.retraining import REPORT, Retraining, due, ready
from attuned.store.site import LabelRow, SiteStore
from daemon_world import FakeClock, site_settings
from release_world import DAY_MS, START, Days, fill, node_id

A, B = node_id(1), node_id(2)
DAYS = Days(6, every=12)


async def flush() -> None:
    """Nothing is on its way to the disk."""


async def world(folder: Path) -> tuple[SiteStore, Retraining]:
    await fill(folder, [*DAYS.windows(A), *replace(DAYS, seed=2).windows(B)], [*DAYS.labels("r"), *DAYS.labels("s")])
    site = SiteStore(folder)
    await site.open()
    settings = site_settings(folder, {"r": [A], "s": [B]})
    return site, Retraining(settings, FakeClock(START + 7 * DAY_MS), site.releases, flush)


async def test_every_room_gets_a_release_that_says_what_it_is(tmp_path: Path) -> None:
    site, retraining = await world(tmp_path)
    results = [each async for each in retraining.retrain(["r", "s"], "a person asked")]
    assert [each.room for each in results] == ["r", "s"]
    stored = await site.releases.newest("r")
    assert stored == list(results[0].rows)
    (row,) = stored
    release = Release.model_validate_json(row.body)
    assert (release.id, release.node, row.verdict, ready(row)) == (row.id, A, "better", True)
    assert REPORT.validate_json(row.report).against == "factory"
    assert (await retraining.rebuild(release)).releases == (release,)
    again = [each async for each in retraining.retrain(["r"], "a person asked")]
    assert again[0].rows == []
    await site.close()


async def test_a_dry_run_stores_nothing(tmp_path: Path) -> None:
    site, retraining = await world(tmp_path)
    results = [each async for each in retraining.retrain(["r"], "a person asked", dry_run=True)]
    assert [row.verdict for row in results[0].rows] == ["better"]
    assert await site.releases.newest() == []
    await site.close()


async def test_what_runs_on_the_node_is_what_the_next_is_compared_with(tmp_path: Path) -> None:
    site, retraining = await world(tmp_path)
    (first,) = [each async for each in retraining.retrain(["r"], "a person asked")]
    row = first.rows[0]
    await site.releases.note_running(A, row.running)
    later = START + 5 * DAY_MS
    await site.add_label(LabelRow(0, "r", "free", later, later + 3_600_000, 1.0, "person", "ann", later))
    (second,) = [each async for each in retraining.retrain(["r"], "1 new label")]
    report = REPORT.validate_json(second.rows[0].report)
    assert report.against == row.id
    assert report.verdict.word == "too little evidence"
    pair = [Release.model_validate_json(each.body) for each in (row, second.rows[0])]
    assert (await retraining.compare(pair[0], pair[1])).against == row.id
    await site.close()


async def test_one_at_a_time_and_interrupted_between_rooms(tmp_path: Path) -> None:
    site, retraining = await world(tmp_path)
    async with contextlib.aclosing(retraining.retrain(["r", "s"], "a person asked")) as running:
        assert (await anext(running)).room == "r"
        with pytest.raises(RequestError, match="under way"):
            await anext(retraining.retrain(["s"], "a person asked"))
    assert [row.room for row in await site.releases.newest()] == ["r"]
    assert [each.room async for each in retraining.retrain(["s"], "a person asked")] == ["s"]
    await site.close()


async def test_a_process_that_dies_leaves_nothing_half_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site, retraining = await world(tmp_path)
    dead = tmp_path / "python"
    dead.write_text("#!/bin/sh\nexit 9\n")
    dead.chmod(0o755)
    monkeypatch.setattr("attuned.learning.retraining.sys.executable", str(dead))
    with pytest.raises(AttuneError, match="ended with 9"):
        await anext(retraining.retrain(["r"], "a person asked"))
    assert await site.releases.newest() == []
    monkeypatch.undo()
    assert [each.room async for each in retraining.retrain(["r"], "a person asked")] == ["r"]
    await site.close()


async def test_rooms_with_news_are_retrained_by_themselves(tmp_path: Path) -> None:
    site, retraining = await world(tmp_path)
    labels = {room: list(reversed(await site.labels(room))) for room in ("r", "s")}
    await retraining.look(lambda room: labels[room][:19] if room == "s" else labels[room])
    task = asyncio.create_task(retraining.run())
    async with asyncio.timeout(60):
        while not (rows := await site.releases.newest()):  # noqa: ASYNC110 (the store tells nobody)
            await asyncio.sleep(0.1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [(row.room, row.trigger) for row in rows] == [("r", "30 new labels")]
    await site.close()


async def test_labels_without_windows_are_news_once(tmp_path: Path) -> None:
    site, retraining = await world(tmp_path)
    for hour in range(25):
        start = START - (hour + 1) * 3_600_000
        await site.add_label(LabelRow(0, "r", "free", start, start + 600_000, 1.0, "import", "ann", START + hour))
    labels = list(reversed(await site.labels("r")))
    task = asyncio.create_task(retraining.run())
    async with asyncio.timeout(60):
        await retraining.look(lambda room: labels if room == "r" else [])
        while not retraining._tried:  # noqa: ASYNC110 (the store tells nobody)
            await asyncio.sleep(0.1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    (row,) = await site.releases.newest()
    assert row.through_label == 30  # the last with windows; those after it are still no part of any release
    await retraining.look(lambda room: labels if room == "r" else [])
    assert not retraining._waiting
    more = [replace(label, number=label.number + 20) for label in labels]
    await retraining.look(lambda room: more if room == "r" else [])
    assert retraining._waiting == {"r"}
    await site.close()


@pytest.mark.parametrize(
    ("new", "days", "trigger"), [(20, 0, "20 new labels"), (19, 6, ""), (1, 7, "the schedule"), (0, 90, "")]
)
def test_what_makes_a_room_due(new: int, days: int, trigger: str) -> None:
    assert due(RetrainingSettings(), new, days * DAY_MS, fresh=new) == trigger


@pytest.mark.parametrize(("new", "hours", "due_now"), [(3, 24, True), (3, 23, False), (0, 48, False)])
def test_a_drifting_room_is_due_daily(new: int, hours: int, due_now: bool) -> None:
    trigger = due(RetrainingSettings(), new, hours * DAY_MS // 24, fresh=new, drifting=True)
    assert trigger == ("3 new labels after drift" if due_now else "")
