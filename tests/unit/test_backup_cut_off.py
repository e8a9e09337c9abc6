"""Restores and backups that fail or die at any step of the disk: all of the old is there, or all of the new."""

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from attuned.backup import restoring, swapping
from attuned.backup.making import Made, make
from attuned.errors import StoreError, UnusableStoreError
from attuned.half_restored import refuse_half
from backup_world import Machine
from daemon_world import NOON, A

pytest_plugins = ["backup_fixtures"]

pytestmark = pytest.mark.slow


class Steps:
    """Counts what is done to the disk, and does something else at one of the steps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int = -1, instead: Callable[[], object] = print) -> None:
        self.done = 0
        self._at, self._instead = at, instead
        for owner, name in (
            (os, "fsync"),
            (os, "chown"),
            (os, "fchown"),
            (Path, "rename"),
            (Path, "mkdir"),
            (Path, "unlink"),
            (shutil, "rmtree"),
            (swapping, "_exchange"),
            (restoring, "is_whole"),
            (restoring, "prepare_site"),
            (restoring, "add_numbers"),
        ):
            monkeypatch.setattr(owner, name, self._counted(getattr(owner, name)))

    def _counted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*words: Any, **more: Any) -> Any:
            self.done += 1
            if self.done == self._at:
                self._instead()
            return function(*words, **more)

        return counted


def fails() -> None:
    raise OSError(5, "Input/output error")


def dies_at(step: int, work: Callable[[], object]) -> bool:
    """Whether the power went at this step of some work; False if it has fewer."""
    child = os.fork()
    if child == 0:
        try:
            Steps(pytest.MonkeyPatch(), step, lambda: os._exit(9))
            work()
        except BaseException:  # noqa: BLE001 (it may not go on as the test)
            os._exit(8)
        os._exit(0)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert ended in (0, 9)
    return ended == 9


@dataclass
class Trial:
    """A machine that has gone on since its backup, again and again as it was then."""

    machine: Machine
    backup: Path

    def __post_init__(self) -> None:
        (self.machine.places.etc / "later.toml").write_text("later")
        self._kept = self.machine.root.with_name("kept")
        shutil.copytree(self.machine.root, self._kept)
        self.before = self.machine.fingerprint()
        with pytest.MonkeyPatch.context() as patch:
            steps = Steps(patch)
            self.restore()
        self.steps, self.after, self.rows = steps.done, self.machine.fingerprint(), self.site_rows()
        assert not set(self.before.items()) >= set(self.after.items())

    def site_rows(self) -> list[str]:
        """All of attune.db but the highest number of labels."""
        with contextlib.closing(sqlite3.connect(self.machine.places.state / "attune.db")) as database:
            return [row for row in database.iterdump() if "label_numbers" not in row]

    def begin(self) -> None:
        shutil.rmtree(self.machine.root)
        shutil.copytree(self._kept, self.machine.root)

    def restore(self) -> None:
        self.machine.restore(self.backup)

    def finish(self) -> None:
        """What `attune-restore.service` does before anything else of ours starts."""
        restoring.finish(self.machine.places.config)

    @property
    def half(self) -> bool:
        """Whether the daemon would refuse to start."""
        try:
            refuse_half(self.machine.places.etc)
        except UnusableStoreError:
            return True
        return False

    @property
    def is_old(self) -> bool:
        """False if all is new; an AssertionError for a mix, or if anything lies beside."""
        found, beside = self.machine.fingerprint(), sorted(path.name for path in self.machine.root.glob("*.*"))
        assert found in (self.before, self.after)
        beside = [name for name in beside if not name.endswith(".draft")]
        assert not [name for name in beside if ".restoring" in name]
        assert len(beside) == (0 if found == self.before else 2)
        return found == self.before

    async def starts(self) -> None:
        """The daemon does, with all that it had."""
        site = await self.machine.open()
        assert len(await site.window_store.windows_between([A], 0, 2 * NOON)) == 1441
        assert len(await site.site_store.words()) == 1
        await site.close()


async def test_a_restore_that_fails_at_any_step(machine: Machine) -> None:
    trial, ended = Trial(machine, machine.back_up().path), []
    for at in range(1, trial.steps + 1):
        trial.begin()
        with pytest.MonkeyPatch.context() as patch, contextlib.suppress(StoreError):
            Steps(patch, at, fails)
            trial.restore()
        half = trial.half
        trial.finish()
        ended.append(trial.is_old)
        # What is undone is undone at once; what counts may still have to be tidied up.
        assert not (half and ended[-1])
        await trial.starts()
    # Once it counts, it counts: what fails afterwards undoes nothing.
    assert ended == sorted(ended, reverse=True)
    assert 0 < ended.count(False) < 12 < ended.count(True)


async def test_a_restore_that_dies_at_any_step(machine: Machine) -> None:
    """The power goes. Nothing starts on a mix, and what starts first ends the restore."""
    trial, ended = Trial(machine, machine.back_up().path), []
    for at in range(1, trial.steps + 1):
        trial.begin()
        assert dies_at(at, trial.restore)
        if not trial.half:
            assert machine.fingerprint() in (trial.before, trial.after), at
        trial.finish()
        assert not trial.half
        ended.append(trial.is_old)
        await trial.starts()
    assert ended == sorted(ended, reverse=True)
    # From the intent on it is carried out: two folders, each with more than one step.
    assert ended.count(False) >= 6


async def test_what_ends_a_restore_may_die_at_any_step_too(machine: Machine) -> None:
    trial = Trial(machine, machine.back_up().path)
    cuts, tried = range(trial.steps - 10, trial.steps + 1), 0
    for at in cuts:
        again = 1
        while True:
            trial.begin()
            assert dies_at(at, trial.restore)
            died = dies_at(again, trial.finish)
            if not trial.half:
                assert machine.fingerprint() in (trial.before, trial.after), (at, again)
            trial.finish()
            _ = trial.is_old
            tried += died
            if not died:
                break
            again += 1
        await trial.starts()
    assert tried > 20


async def test_the_next_restore_ends_an_earlier_one(machine: Machine) -> None:
    trial = Trial(machine, machine.back_up().path)
    for at in range(trial.steps - 8, trial.steps + 1):
        trial.begin()
        assert dies_at(at, trial.restore)
        trial.restore()
        differs = dict(machine.fingerprint().items() ^ trial.after.items())
        # Labels are numbered on once more, from those of the restore that was ended first.
        assert set(differs) <= {"state/attune.db"}
        assert trial.site_rows() == trial.rows
        assert list(machine.root.glob("*.restoring*")) == []
        await trial.starts()


async def test_a_backup_that_dies_at_any_step_leaves_the_older_one(machine: Machine) -> None:
    first = machine.back_up().path
    before = first.read_bytes()

    def make_second() -> Made:
        return make(machine.places, machine.sealer.key, machine.backups / "second.backup", backups=machine.backups)

    with pytest.MonkeyPatch.context() as patch:
        steps = Steps(patch)
        make_second().path.unlink()
    for at in range(1, steps.done + 1):
        dies_at(at, make_second)
        assert first.read_bytes() == before
        second = machine.backups / "second.backup"
        if second.exists():
            assert machine.restore(second).manifest.files
            second.unlink()
