"""Where the doctor looks: programs and files that a test has put there."""

import json
import os
import time
from pathlib import Path

import pytest
from attuned.doctor import look, machine


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of programs, which are found before those of the machine."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def program(folder: Path, name: str, prints: str, code: int = 0) -> None:
    (folder / f"{name}.txt").write_text(prints)
    (folder / name).write_text(f"#!/bin/sh\ncat {folder}/{name}.txt\nexit {code}\n")
    (folder / name).chmod(0o755)


def test_a_unit(programs: Path) -> None:
    program(
        programs,
        "systemctl",
        "LoadState=loaded\nUnitFileState=enabled\nActiveState=failed\nResult=exit-code\nNRestarts=3\n"
        "StatusText=Site x: up.\n",
    )
    program(
        programs,
        "journalctl",
        '{"MESSAGE":"The store /s is damaged: restore it.","_PID":"77"}\n'
        '{"MESSAGE":"attuned.service: Failed with result exit-code.","_PID":"1"}\nno json\n[1]\n{"MESSAGE":[1,2]}\n',
    )
    unit = look.unit("attuned")
    assert (unit.load, unit.enabled, unit.active, unit.result, unit.restarts) == (
        "loaded",
        True,
        "failed",
        "exit-code",
        3,
    )
    assert unit.words == "The store /s is damaged: restore it."
    assert unit.status == "Site x: up."


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        # An error says more than what comes after it, such as where a process was when it was ended.
        ([("a", "3", "It hangs."), ("a", "6", "File x, line 1")], "It hangs."),
        # What was wrong in an earlier life may be mended.
        ([("a", "3", "The port is taken."), ("b", "6", "KeyError: 'x'")], "KeyError: 'x'"),
        ([("a", "6", "one"), ("a", "4", "two"), ("a", "6", " ")], "two"),
    ],
)
def test_last_words(programs: Path, entries: list[tuple[str, str, str]], words: str) -> None:
    names = ("_SYSTEMD_INVOCATION_ID", "PRIORITY", "MESSAGE")
    program(programs, "journalctl", "".join(json.dumps(dict(zip(names, each, strict=True))) + "\n" for each in entries))
    assert look.last_words("attuned") == words


def test_a_journal_that_may_not_be_read(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(programs, "journalctl", "")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert look.last_words("attuned") is None
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert look.last_words("attuned") == ""
    program(programs, "journalctl", "", 1)
    assert look.last_words("attuned") is None


def test_without_any_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    unit = look.unit("attuned")
    assert (unit.load, unit.words) == ("", None)
    assert look.clock_synchronised() is None


@pytest.mark.parametrize(("said", "meant"), [("yes\n", True), ("no\n", False), ("", None), ("Failed to connect", None)])
def test_the_clock(programs: Path, said: str, meant: bool | None) -> None:
    program(programs, "timedatectl", said)
    assert look.clock_synchronised() is meant


def test_the_disk(tmp_path: Path) -> None:
    found = look.disk(tmp_path)
    assert found is not None
    assert 0 <= found.free <= found.size
    assert look.disk(tmp_path / "none") is None


def test_owners_and_modes(tmp_path: Path) -> None:
    etc, store = tmp_path / "etc", tmp_path / "store"
    (etc / "secrets").mkdir(parents=True, mode=0o700)
    (etc / "secrets" / "mqtt-password").write_text("x")
    (etc / "secrets" / "mqtt-password").chmod(0o644)
    places, whole = look.places(etc, store, tmp_path, tmp_path / "backups")
    found = {Path(place.path).name: place for place in places}
    assert whole
    assert (found["secrets"].mode, found["mqtt-password"].mode, found["mqtt-password"].wanted_mode) == (
        0o700, 0o644, 0o600
    )  # fmt: skip
    assert (found["store"].owner, found["store"].needed, found["backups"].needed) == (None, True, False)


def test_backups_and_what_was_kept(tmp_path: Path) -> None:
    assert look.newest_age_s(tmp_path / "none") == (None, True)
    assert look.newest_age_s(tmp_path) == (None, True)
    (tmp_path / "old").write_text("")
    os.utime(tmp_path / "old", (1, 1))
    # What a backup leaves that came to nothing.
    (tmp_path / ".attune-backup.lock").write_text("")
    (tmp_path / "gone.json").write_text("{}")
    assert look.newest_age_s(tmp_path) == (None, True)
    (tmp_path / "attune-20260101T000000Z.backup").write_text("")
    (tmp_path / "windows-damaged-20260101T000000Z.db").write_text("")
    (tmp_path / "windows-damaged-20260101T000000Z.db-wal").write_text("")
    age_s, readable = look.newest_age_s(tmp_path)
    assert age_s is not None
    assert readable
    assert age_s < 60
    assert look.newest_age_s(tmp_path / "old") == (None, False)
    (tmp_path / "gone.damaged").write_text("")
    kept = [tmp_path / "gone.damaged", tmp_path / "windows-damaged-20260101T000000Z.db"]
    assert look.set_aside(tmp_path) == [str(path) for path in kept]
    assert look.set_aside(tmp_path / "none") == []


def test_a_backup_of_a_wrong_clock_is_not_young(tmp_path: Path) -> None:
    def made(name: str, age_s: float) -> None:
        (tmp_path / f"attune-{name}.backup").write_text("")
        os.utime(tmp_path / f"attune-{name}.backup", (time.time() - age_s,) * 2)

    made("of-next-year", -365 * 86400)
    age_s, _ = look.newest_age_s(tmp_path)
    assert age_s == pytest.approx(-365 * 86400, abs=60)
    made("of-last-week", 7 * 86400)
    age_s, _ = look.newest_age_s(tmp_path)
    assert age_s == pytest.approx(7 * 86400, abs=60)
    # A clock that was set by minutes.
    made("of-now", -600)
    assert look.newest_age_s(tmp_path) == (0.0, True)


def test_what_restores_have_set_aside(tmp_path: Path) -> None:
    etc, store = tmp_path / "etc", tmp_path / "var" / "attune"
    for path in (etc, store, tmp_path / "etc.before-1", store.with_name("attune.before-2"), tmp_path / "etcetera"):
        path.mkdir(parents=True)
    (tmp_path / "etc.before-setup").write_text("")
    found = look.before_restores(etc, store)
    assert found == [str(tmp_path / "etc.before-1"), str(tmp_path / "var" / "attune.before-2")]
    said = machine.check_restore(half=False, aside=found)
    assert said is not None
    assert said.advice.endswith(f"`sudo rm -r {found[0]} {found[1]}`.")
    half = machine.check_restore(half=True, aside=[])
    assert half is not None
    assert (half.level, half.advice) == ("problem", "`sudo attune restore --finish` ends it.")
    assert machine.check_restore(half=False, aside=[]) is None


def test_files_that_have_changed(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    os.utime(tmp_path / "a", (100, 100))
    found = [look.changed_since(tmp_path / "a", utc_ms) for utc_ms in (99_999, 100_000, None)]
    assert found == [True, False, False]
    assert not look.changed_since(tmp_path / "none", 0)


@pytest.mark.parametrize(("said", "meant"), [("@1772434800\n", 1_772_434_800_999), ("", None), ("n/a\n", None)])
def test_when_a_unit_started(programs: Path, said: str, meant: int | None) -> None:
    program(programs, "systemctl", said)
    assert look.unit_started_utc_ms("attune-gateway") == meant
