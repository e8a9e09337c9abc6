"""`attune backup`, `attune restore` and `attune retention` as people and programs meet them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from attune_proto.v1 import upkeep_pb2
from attuned import backup_key
from attuned.backup import copying, intent
from attuned.backup.swapping import Slot
from attuned.half_restored import path_of
from attuned.site import Site
from attuned.store import trouble
from cli_run import CommandLine, attune_process
from daemon_world import FakeClock, site_settings

WORDS = "seven lamps over the ford"


@pytest.fixture(scope="module")
def key() -> backup_key.BackupKey:
    return backup_key.make(WORDS)


@pytest.fixture
async def installed(tmp_path: Path, key: backup_key.BackupKey) -> Path:
    """A folder with a configuration, a store and the passphrase."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "backups").mkdir()
    (tmp_path / "words").write_text(WORDS + "\n")
    (tmp_path / "etc" / "attuned.toml").write_text(
        f'[site]\nname = "hall"\n[store]\npath = "{tmp_path}/state"\n[[rooms]]\nid = "r"\n'
    )
    key.save(tmp_path / "etc" / "backup-key.toml")
    site = Site(site_settings(tmp_path / "state"), FakeClock(), None)
    await site.open()
    await site.close()
    return tmp_path


def places(folder: Path) -> list[str]:
    return ["--config", str(folder / "etc" / "attuned.toml"), "--signer-state", str(folder / "signer")]


class TestBackup:
    def test_it_says_size_time_and_the_one_before(self, attune: CommandLine, installed: Path) -> None:
        first = installed / "backups" / "first.backup"
        code, out, err = attune("backup", "--to", str(first), *places(installed), width=400)
        assert (code, err) == (0, "")
        assert out.startswith(f"{first}: ")
        assert out.endswith(" s. It is the first one here.\n")
        answer = attune.answer("backup", "--to", str(installed / "backups"), *places(installed))
        assert answer["bytes"] == Path(answer["path"]).stat().st_size
        assert answer["dropped"] == []

    def test_the_list(self, attune: CommandLine, installed: Path) -> None:
        to = ["--to", str(installed / "backups")]
        assert "There is no backup in" in attune("backup", "--list", *to)[1]
        made = attune.answer("backup", *to, *places(installed))
        (row,) = attune.answer("backup", "--list", *to)["backups"]
        assert (row["path"], row["bytes"], row["version"]) == (made["path"], made["bytes"], "0.1.0")
        out = attune("backup", "--list", *to, width=300)[1]
        assert made["path"] in out
        assert out.endswith("The newest is 0 min old.\n")

    def test_windows_that_are_damaged_are_left_out_and_told(
        self, attune: CommandLine, installed: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        copy = copying.copy_database

        def damaged(path: Path, to: Path, *, windows: bool = True) -> None:
            if path.name == "windows.db" and windows:
                raise trouble.damaged(path, "page 7", precious=False)
            copy(path, to, windows=windows)

        monkeypatch.setattr(copying, "copy_database", damaged)
        made = installed / "backups" / "new.backup"
        code, out, err = attune("backup", "--to", str(made), *places(installed), width=400)
        assert (code, made.exists()) == (1, True)
        assert out.startswith(f"{made}: ")
        assert err.startswith("attune: All but what nodes measured is in this backup. The store ")
        assert "windows.db is damaged (page 7): restart the daemon" in err

    def test_a_date_of_a_wrong_clock_is_told(
        self, attune: CommandLine, installed: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        to = ["--to", str(installed / "backups")]
        attune.answer("backup", *to, *places(installed))
        monkeypatch.setattr("attuned.cli.backup.time.time_ns", lambda: 10**18)
        out = attune("backup", "--list", *to, width=300)[1]
        assert out.endswith("What is dated later than now was made while the clock was wrong.\n")
        assert "The newest is" not in out

    def test_what_is_missing_is_a_sentence(self, attune: CommandLine, installed: Path) -> None:
        (installed / "etc" / "backup-key.toml").unlink()
        code, out, err = attune("backup", "--to", str(installed / "backups"), *places(installed))
        assert (code, out) == (1, "")
        assert "`sudo attune setup` asks for a passphrase" in err
        code, _, err = attune("backup", "--list", "--to", str(installed / "nowhere"))
        assert code == 1
        assert "name a folder with backups" in err


class TestRestore:
    def test_there_and_back(self, attune: CommandLine, installed: Path) -> None:
        made = attune.answer("backup", "--to", str(installed / "backups"), *places(installed))
        secret = (installed / "state" / "daemon.key").read_bytes()
        (installed / "state" / "daemon.key").write_bytes(bytes(32))
        words = ["--passphrase-file", str(installed / "words")]
        code, out, err = attune("restore", made["path"], *words, *places(installed), width=400)
        assert (code, err) == (0, "")
        assert re.match(
            r"Site hall is as it was on \S+ at \d\d:\d\d UTC, 0 min ago.\nWhat was there before lies in ", out
        )
        assert out.endswith("Now start the daemon.\n")
        assert (installed / "state" / "daemon.key").read_bytes() == secret
        (aside,) = attune.answer("restore", made["path"], *words, *places(installed))["set_aside"]
        assert (Path(aside) / "daemon.key").read_bytes() == secret

    def test_another_passphrase(self, attune: CommandLine, installed: Path) -> None:
        made = attune.answer("backup", "--to", str(installed / "backups"), *places(installed))
        (installed / "words").write_text("another one, and a long one")
        words = ["--passphrase-file", str(installed / "words")]
        code, _, err = attune("restore", made["path"], *words, *places(installed))
        assert code == 1
        assert err == "attune: That is not the passphrase of this backup: try again, or look for the right one.\n"

    def test_nobody_is_asked_where_nobody_is(self, installed: Path) -> None:
        made = attune_process("backup", "--json", "--to", str(installed / "backups"), *places(installed))
        run = attune_process("restore", json.loads(made.stdout)["path"], *places(installed))
        assert run.returncode == 1
        assert "--passphrase-file" in run.stderr

    def test_who_mistypes_is_asked_again(
        self, attune: CommandLine, installed: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = attune.answer("backup", "--to", str(installed / "backups"), *places(installed))
        typed = ["seven lamps", "seven lamps on the ford", WORDS]
        monkeypatch.setattr("attuned.cli.restore.sys.stdin.isatty", lambda: True)
        monkeypatch.setattr("attuned.cli.restore.getpass.getpass", lambda _: typed.pop(0))
        code, out, err = attune("restore", made["path"], *places(installed), width=400)
        assert (code, err.count("That is not the passphrase of this backup")) == (0, 2)
        assert out.endswith("Now start the daemon.\n")
        typed[:] = ["a", "b", "c", WORDS]
        assert attune("restore", made["path"], *places(installed))[0] == 1
        assert typed == [WORDS]

    def test_what_a_windows_editor_writes_is_the_passphrase(self, attune: CommandLine, installed: Path) -> None:
        made = attune.answer("backup", "--to", str(installed / "backups"), *places(installed))
        (installed / "words").write_bytes(WORDS.encode() + b"\r\n")
        assert attune.answer("restore", made["path"], "--passphrase-file", str(installed / "words"), *places(installed))

    def test_without_a_backup_the_newest_is_named(
        self, attune: CommandLine, installed: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("attuned.cli.restore.BACKUPS", str(installed / "backups"))
        assert "none is in" in attune("restore", *places(installed), width=300)[2]
        made = attune.answer("backup", "--to", str(installed / "backups"), *places(installed))
        assert f"the newest is {made['path']}." in attune("restore", *places(installed), width=300)[2]

    def test_what_was_cut_off_is_ended(self, attune: CommandLine, installed: Path) -> None:
        assert attune("restore", "--finish", *places(installed))[:2] == (0, "No restore is half-way.\n")
        (installed / "state.restoring").mkdir()
        ready = intent.Intent.of("20261122T024500Z", [Slot(installed / "state")])
        intent.write(installed / "etc", ready)
        code, _, err = attune("backup", "--to", str(installed / "backups"), *places(installed), width=300)
        assert (code, "`sudo attune restore --finish` ends it" in err) == (1, True)
        code, out, err = attune("restore", "--finish", *places(installed), width=300)
        assert (code, err) == (0, "")
        aside = installed / "state.before-20261122T024500Z"
        assert out.startswith(f"The restore that was cut off is done.\nWhat was there before lies in {aside}")
        assert (aside / "daemon.key").exists()

    def test_the_daemon_does_not_start_on_half_a_restore(self, installed: Path) -> None:
        path_of(installed / "etc").write_text("{}")
        command = [sys.executable, "-c", "from attuned.app import run; run()", *places(installed)[:2]]
        run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
        assert run.returncode == 3
        assert "`sudo attune restore --finish` ends it" in run.stderr

    @pytest.mark.parametrize("fails", [False, True])
    def test_services_stop_and_go_on(
        self, attune: CommandLine, installed: Path, monkeypatch: pytest.MonkeyPatch, fails: bool
    ) -> None:
        """The daemon has failed before, for want of a store: only after a restore is it started."""
        made = attune.answer("backup", "--to", str(installed / "backups"), *places(installed))
        asked: list[list[str]] = []

        def systemctl(command: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
            asked.append(command[2:])
            stopped = command[2:] == ["is-active", "--quiet", "attuned.service"]
            return subprocess.CompletedProcess(command, 3 if stopped else 0)

        monkeypatch.setattr("attuned.cli.restore.subprocess.run", systemctl)
        monkeypatch.setattr("attuned.cli.restore.CONFIG", str(installed / "etc" / "attuned.toml"))
        monkeypatch.setattr("attuned.doctor.look.under_systemd", lambda: True)
        words = ["--passphrase-file", str(installed / "words")]
        if fails:
            config = installed / "etc" / "attuned.toml"
            config.write_text(config.read_text().replace('"hall"', '"another"'))
        code, out, _ = attune("restore", made["path"], *words, *places(installed), width=300)
        assert (code, "The services run again" in out) == ((1, False) if fails else (0, True))
        all_three = ["attune-signer.service", "attuned.service", "attune-gateway.service"]
        did = [command for command in asked if not command[0].startswith("is-")]
        assert did == [["stop", *all_three], ["start", *(all_three[::2] if fails else all_three)]]

    def test_services_that_may_not_be_stopped(
        self, attune: CommandLine, installed: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = attune.answer("backup", "--to", str(installed / "backups"), *places(installed))
        monkeypatch.setattr("attuned.cli.restore.CONFIG", str(installed / "etc" / "attuned.toml"))
        monkeypatch.setattr("attuned.doctor.look.under_systemd", lambda: True)
        monkeypatch.setattr("attuned.cli.restore._systemctl", lambda *words: words[0] != "stop")
        words = ["--passphrase-file", str(installed / "words")]
        code, _, err = attune("restore", made["path"], *words, *places(installed))
        assert (code, err) == (1, "attune: The services cannot be stopped: run this as root.\n")


class TestRetention:
    def test_it_says_what_is_gone(self, attune: CommandLine) -> None:
        code, out, err = attune("retention", width=300)
        assert (code, err) == (0, "")
        assert out.startswith("What nodes measured before ")
        answer = attune.answer("retention")
        assert list(answer) == ["windows_from", "history_from"]
        assert answer["windows_from"].startswith("2026-10-24T")

    def test_it_says_when_the_clock_is_not_believed_yet(self, attune: CommandLine) -> None:
        attune.site.kept = upkeep_pb2.RunRetentionReply()
        assert attune("retention", width=300)[1].startswith("Nothing was dropped")
        assert attune.answer("retention") == {"windows_from": None, "history_from": None}
