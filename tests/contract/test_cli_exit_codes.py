"""How every command may end, and what it then says."""

from __future__ import annotations

import sys
from pathlib import Path

import attuned.cli.app as cli
import grpc
import pytest
from cli_run import CommandLine, attune_process


class TestExitCodes:
    def test_daemon_that_is_not_there(self, socket: str, tmp_path: Path) -> None:
        for path in (socket, str(tmp_path), str(tmp_path / ("x" * 200))):
            run = attune_process("status", "--socket", path)
            assert run.returncode == 3
            assert run.stdout == ""
            assert run.stderr.startswith(f"attune: No daemon is listening at {path}; `sudo attune doctor` says why")

    def test_daemon_that_dies_between(self, attune: CommandLine) -> None:
        attune.site.refuse["ListRooms"] = (grpc.StatusCode.UNAVAILABLE, "")
        code, out, err = attune("rooms")
        assert (code, out) == (3, "")
        assert "does not answer; `sudo attune doctor` says why." in err

    def test_daemon_that_hangs(self, attune: CommandLine) -> None:
        attune.site.refuse["GetStatus"] = (grpc.StatusCode.DEADLINE_EXCEEDED, "")
        assert attune("status")[0] == 3

    @pytest.mark.parametrize(
        ("code", "sentence"),
        [
            (grpc.StatusCode.INVALID_ARGUMENT, "A label may last at most a day; write two."),
            (grpc.StatusCode.FAILED_PRECONDITION, "The disk is full; make room."),
            (grpc.StatusCode.UNAVAILABLE, "The store cannot be written (disk full); make room."),
            (grpc.StatusCode.NOT_FOUND, "There is no room 9.99; `attune rooms` lists them."),
        ],
    )
    def test_refusals_of_the_daemon(self, attune: CommandLine, code: grpc.StatusCode, sentence: str) -> None:
        attune.site.refuse["AddLabel"] = (code, sentence)
        assert attune("label", "add", "9.99", "free", "now") == (1, "", f"attune: {sentence}\n")

    def test_failures_of_the_daemon(self, attune: CommandLine) -> None:
        attune.site.refuse["ListNodes"] = (grpc.StatusCode.UNKNOWN, "KeyError:\n  'x'")
        said = "attune: The daemon failed at this (KeyError: 'x'); see `sudo journalctl -u attuned`.\n"
        assert attune("nodes") == (1, "", said)

    @pytest.mark.parametrize("words", [["rooms", "9.99"], ["rooms", "9.99", "--json"], ["rooms", "9.99", "--watch"]])
    def test_unknown_room(self, attune: CommandLine, words: list[str]) -> None:
        said = "attune: There is no room 9.99; `attune rooms` lists them.\n"
        assert attune(*words) == (1, "", said)

    @pytest.mark.parametrize(
        ("words", "part_of_message"),
        [
            (["romos"], "No such command 'romos'; did you mean 'rooms'; see `attune --help`."),
            (["rooms", "--jsn"], "No such option: --jsn; did you mean --json; see"),
            (["rooms", "--jsn"], "see `attune rooms --help`."),
            (["rooms", "1", "2"], "Nothing is expected where `2` stands; see `attune rooms --help`."),
            (["label", "add"], "Missing argument 'ROOM'; see `attune label add --help`."),
            (["label", "add", "2.13", "free"], "Missing argument"),
            (["label", "add", "2.13", "busy", "now"], "`busy` cannot be said of a room; write free or occupied."),
            (["label", "add", "2.13", "free", "noon"], "`noon` is not a time that can be read"),
            (["label", "list", "--limit", "0"], "Invalid value for '--limit': write 1 or more; see"),
            (["label", "list", "--limit", "many"], "Invalid value for '--limit': write a whole number; see"),
            (["rollout", "start", "--all", "--wait", "x"], "Invalid value for '--wait': write a number; see"),
            (["replay", "--mode", "x", "a.toml"], "Invalid value for '--mode': 'x' is not one of 'frozen', 'online'"),
            (["label", "undo", "x"], "Invalid value for 'NUMBER': "),
            (["label", "undo", "x"], "`x` is none of the numbers that the list shows"),
            (["drift", "show", "0"], "`0` is none of the numbers that the list shows"),
            (["drift", "ack", "-1"], "see `attune drift ack --help`."),
            (["rollout", "pause", "4294967296"], "`4294967296` is none of the numbers that the list shows"),
            (["rollout", "status", "9" * 5000], "is none of the numbers that the list shows"),
            (["node", "identify", "0a1b2c3100000001", "--seconds", "9999999999"], "--seconds"),
        ],
    )
    def test_wrong_usage(self, attune: CommandLine, words: list[str], part_of_message: str) -> None:
        code, out, err = attune(*words)
        assert (code, out) == (2, "")
        assert part_of_message in err
        assert err.count("\n") == 1, "one sentence on one line"
        assert err.endswith(".\n")

    def test_a_time_to_come_is_refused(self, attune: CommandLine) -> None:
        code, _, err = attune("label", "add", "2.13", "free", "16:00", "17:00")
        assert code == 1
        assert "still to come: at the site it is 14:32 on 2026-11-21" in err

    def test_a_zone_that_is_not_known(self, attune: CommandLine) -> None:
        attune.site.timezone = "Europe/Atlantis"
        code, _, err = attune("status")
        assert code == 1
        assert "'Europe/Atlantis' is not known on this machine" in err

    @pytest.mark.parametrize("words", [[], ["label"], ["--help"], ["label", "add", "--help"], ["--version"]])
    def test_help_and_version_need_no_daemon(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]
    ) -> None:
        monkeypatch.setattr(sys, "argv", ["attune", *words])
        assert cli.run() == 0
        assert "attune" in capsys.readouterr().out
