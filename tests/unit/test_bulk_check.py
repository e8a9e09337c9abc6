"""The check of windows.db beside a running daemon: what it finds, and what it does when it cannot look."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from attuned.store import checking
from daemon_world import NOON, A, FakeClock, opened_site
from damaged_store import no_middle, no_schema, truncated, used_store


def checked(path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "attuned.store.checking", str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize("damage", [no_middle, no_schema, truncated])
async def test_the_check_finds_what_the_start_does_not_look_for(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    store = await used_store(tmp_path)
    assert checking.check(store / "windows.db") == "ok"
    damage(store / "windows.db")
    done = checked(store / "windows.db")
    assert done.returncode == 0
    assert done.stdout.strip() not in ("", "ok")
    assert len(done.stdout.strip().splitlines()) == 1


async def test_a_site_says_what_the_check_has_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("attuned.bulk_check.WAIT_S", 0.0)
    store = await used_store(tmp_path)
    site = await opened_site(store, FakeClock(), {"r": [A]})
    no_middle(store / "windows.db")
    await site.bulk_check.check()
    assert site.bulk_check.checked_utc_ms == NOON
    assert f"The store {store}/windows.db is damaged (" in site.bulk_check.trouble
    assert "restart the daemon, which sets the file aside" in caplog.text
    await site.close()


async def test_a_check_that_fails_again_and_again_leaves_the_disk_and_the_journal_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    site = await opened_site(await used_store(tmp_path), FakeClock(), {"r": [A]})
    answers = [(1, "disk I/O error"), (-11, ""), (-9, ""), *[(1, "disk I/O error")] * 9, (0, "ok")]
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async def answer() -> tuple[int, str]:
        if answers[0][0] == -9:
            site.bulk_check.stop()  # for what is forgotten
        return answers.pop(0)

    monkeypatch.setattr("attuned.bulk_check.asyncio.sleep", sleep)
    monkeypatch.setattr(site.bulk_check, "_answer", answer)
    await site.bulk_check.check()
    monkeypatch.undo()
    assert waits == [15, 30, 60, 15, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600]
    said = [record.getMessage() for record in caplog.records if "could not be checked" in record.getMessage()]
    assert len(said) == 11
    assert said[:2] == [
        "windows.db could not be checked (disk I/O error); it is tried again in 30 s.",
        "windows.db could not be checked (it ended with -11); it is tried again in 60 s.",
    ]
    await site.close()


async def test_a_check_that_ends_by_itself_is_not_taken_for_one_that_was_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    site = await opened_site(await used_store(tmp_path), FakeClock(), {"r": [A]})
    monkeypatch.setattr("attuned.bulk_check.WAIT_S", 0.0)
    with monkeypatch.context() as patched:
        patched.setattr("attuned.bulk_check.sys.executable", "/bin/false")
        check = asyncio.create_task(site.bulk_check.check())
        for _ in range(1000):
            await asyncio.sleep(0.01)
            if "could not be checked (it ended with 1)" in caplog.text:
                break
    await check
    assert (site.bulk_check.trouble, site.bulk_check.checked_utc_ms) == ("", NOON)
    await site.close()


async def test_a_check_that_is_broken_off_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attuned.bulk_check.WAIT_S", 0.0)
    site = await opened_site(await used_store(tmp_path), FakeClock(), {"r": [A]})
    answers: list[tuple[int, str]] = []
    once = site.bulk_check._answer

    async def broken_off() -> tuple[int, str]:
        answers.append(await once() if answers else (-9, ""))
        return answers[-1]

    monkeypatch.setattr(site.bulk_check, "_answer", broken_off)
    await site.bulk_check.check()
    assert answers == [(-9, ""), (0, "ok")]
    assert site.bulk_check.trouble == ""
    await site.close()
