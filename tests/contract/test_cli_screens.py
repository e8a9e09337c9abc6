"""The command line against a fake daemon: golden screens, exit codes, JSON that is a promise, and imports."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attuned.cli.app as cli
import grpc
import pytest
from attune_proto.v1 import admin_pb2
from cli_site import MINUTE, NOW, Site, few_rooms, many_rooms, room, served

Golden = Callable[[str, str], None]


class CommandLine:
    """Runs `attune` in this process against a served site."""

    def __init__(self, site: Site, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self.site = site
        self._capsys = capsys
        self._patch = patch

    def __call__(self, *words: str, width: int = 80) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        self._patch.setenv("COLUMNS", str(width))
        self._patch.setattr(sys, "argv", ["attune", *words])
        code = cli.run()
        out, err = self._capsys.readouterr()
        return code, out, err

    def answer(self, *words: str) -> Any:
        code, out, err = self(*words, "--json")
        assert (code, err) == (0, "")
        return json.loads(out)


@pytest.fixture
def socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "LINES"):
        monkeypatch.delenv(name, raising=False)
    path = str(tmp_path / "attune.sock")
    monkeypatch.setenv("ATTUNE_SOCKET", path)
    return path


@pytest.fixture
def attune(socket: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[CommandLine]:
    with served(Site(), socket) as site:
        yield CommandLine(site, capsys, monkeypatch)


def empty(site: Site) -> None:
    site.rooms, site.nodes, site.labels = [], [], []


class TestGoldenScreens:
    @pytest.mark.parametrize(
        ("name", "words", "width"),
        [
            ("status", ["status"], 80),
            ("status-40", ["status"], 40),
            ("rooms", ["rooms"], 80),
            ("rooms-40", ["rooms"], 40),
            ("rooms-60", ["rooms"], 60),
            ("rooms-120", ["rooms"], 120),
            ("room", ["rooms", "2.13"], 80),
            ("room-40", ["rooms", "2.13"], 40),
            ("room-without-nodes", ["rooms", "2.14"], 80),
            ("nodes", ["nodes"], 80),
            ("nodes-40", ["nodes"], 40),
            ("node", ["nodes", "00a1b2c3d4e51213"], 80),
            ("labels", ["label", "list"], 80),
            ("labels-40", ["label", "list"], 40),
            ("label-added", ["label", "add", "2.13", "free", "-20m", "now"], 80),
        ],
    )
    def test_screen(self, attune: CommandLine, golden: Golden, name: str, words: list[str], width: int) -> None:
        code, out, err = attune(*words, width=width)
        assert (code, err) == (0, "")
        assert max(map(len, out.splitlines())) <= width
        golden(f"{name}.txt", out)

    @pytest.mark.parametrize("words", [["status"], ["rooms"], ["nodes"], ["label", "list"]], ids=lambda words: words[0])
    def test_empty_site_says_what_to_do(self, attune: CommandLine, golden: Golden, words: list[str]) -> None:
        empty(attune.site)
        code, out, _ = attune(*words)
        assert code == 0
        golden(f"empty-{words[0]}.txt", out)

    def test_two_hundred_rooms(self, attune: CommandLine, golden: Golden) -> None:
        attune.site.rooms = many_rooms()
        golden("rooms-200.txt", attune("rooms")[1])

    def test_one_room_site(self, attune: CommandLine, golden: Golden) -> None:
        attune.site.rooms = few_rooms()[:1]
        golden("rooms-1.txt", attune("rooms")[1])

    def test_what_is_wrong_is_said_on_the_status_screen(self, attune: CommandLine, golden: Golden) -> None:
        attune.site.broker = "The broker at mqtt.example:8883 refuses the password; see [mqtt] in the configuration."
        golden("status-broker.txt", attune("status")[1])

    def test_colour(self, attune: CommandLine, golden: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.delenv("COLORTERM", raising=False)
        golden("rooms-colour.txt", attune("rooms")[1].replace("\x1b", "\\e"))

    def test_no_colour(self, attune: CommandLine, golden: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("NO_COLOR", "1")
        monkeypatch.setenv("TERM", "xterm-256color")
        golden("rooms-no-colour.txt", attune("rooms")[1].replace("\x1b", "\\e"))

    def test_shares_on_the_screen_add_up(self, attune: CommandLine) -> None:
        shares = [admin_pb2.Share(source=f"{n:016x}", log_odds=0.3333) for n in range(3)]
        attune.site.rooms = [room("1.01", "", "", 0.9999, 5, shares=shares)]
        lines = [line.split() for line in attune("rooms", "1.01")[1].splitlines() if "│" in line]
        values = [float(next(word for word in line if word[0] in "+-")) for line in lines]
        assert values[-1] == 1.0
        assert round(sum(values[:-1]), 2) == 1.0

    def test_a_sum_that_is_wrong_is_not_made_up(self, attune: CommandLine) -> None:
        attune.site.rooms = [room("1.01", "", "", 2.0, 5, shares=[admin_pb2.Share(source="before", log_odds=1.0)])]
        out = attune("rooms", "1.01")[1]
        assert "+1.00" in out
        assert "+2.00" in out


class TestExitCodes:
    def test_daemon_that_is_not_there(self, socket: str, tmp_path: Path) -> None:
        for path in (socket, str(tmp_path), str(tmp_path / ("x" * 200))):
            run = attune_process("status", "--socket", path)
            assert run.returncode == 3
            assert run.stdout == ""
            assert run.stderr.startswith(f"attune: No daemon is listening at {path}; start it with")

    def test_daemon_that_dies_between(self, attune: CommandLine) -> None:
        attune.site.refuse["ListRooms"] = (grpc.StatusCode.UNAVAILABLE, "")
        code, out, err = attune("rooms")
        assert (code, out) == (3, "")
        assert "does not answer; see `systemctl status attuned`." in err

    def test_daemon_that_hangs(self, attune: CommandLine) -> None:
        attune.site.refuse["GetStatus"] = (grpc.StatusCode.DEADLINE_EXCEEDED, "")
        assert attune("status")[0] == 3

    @pytest.mark.parametrize(
        ("code", "sentence"),
        [
            (grpc.StatusCode.INVALID_ARGUMENT, "A label may last at most a day; write two."),
            (grpc.StatusCode.FAILED_PRECONDITION, "The disk is full; make room."),
            (grpc.StatusCode.NOT_FOUND, "There is no room 9.99; `attune rooms` lists them."),
        ],
    )
    def test_refusals_of_the_daemon(self, attune: CommandLine, code: grpc.StatusCode, sentence: str) -> None:
        attune.site.refuse["AddLabel"] = (code, sentence)
        assert attune("label", "add", "9.99", "free", "now") == (1, "", f"attune: {sentence}\n")

    def test_failures_of_the_daemon(self, attune: CommandLine) -> None:
        attune.site.refuse["ListNodes"] = (grpc.StatusCode.UNKNOWN, "KeyError:\n  'x'")
        said = "attune: The daemon failed at this (KeyError: 'x'); see `journalctl -u attuned`.\n"
        assert attune("nodes") == (1, "", said)

    @pytest.mark.parametrize("words", [["rooms", "9.99"], ["rooms", "9.99", "--json"], ["rooms", "9.99", "--watch"]])
    def test_unknown_room(self, attune: CommandLine, words: list[str]) -> None:
        said = "attune: There is no room 9.99; `attune rooms` lists them.\n"
        assert attune(*words) == (1, "", said)

    @pytest.mark.parametrize(
        ("words", "part_of_message"),
        [
            (["romos"], "No such command 'romos'"),
            (["rooms", "--jsn"], "see `attune rooms --help`."),
            (["rooms", "1", "2"], "see `attune rooms --help`."),
            (["label", "add"], "Missing argument 'ROOM'; see `attune label add --help`."),
            (["label", "add", "2.13", "free"], "Missing argument"),
            (["label", "add", "2.13", "busy", "now"], "`busy` cannot be said of a room; write free or occupied."),
            (["label", "add", "2.13", "free", "noon"], "`noon` is not a time that can be read"),
            (["label", "list", "--limit", "0"], "--limit"),
            (["label", "list", "--limit", "many"], "--limit"),
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


class TestLabels:
    def test_what_the_daemon_is_told(self, attune: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LOGNAME", "ann")
        assert attune("label", "add", "2.13", "occupied", "-20m", "now")[0] == 0
        (request,) = [one for one in attune.site.asked if isinstance(one, admin_pb2.AddLabelRequest)]
        assert (request.room, request.class_name, request.source, request.author) == (
            "2.13",
            "occupied",
            "person",
            "ann",
        )
        assert (request.from_utc_ms, request.to_utc_ms) == (NOW - 20 * MINUTE, NOW)
        assert 0 < request.wait_ms <= 10_000

    @pytest.mark.parametrize("words", [["--json", "-20m", "now"], ["-20m", "--json", "now"], ["-20m", "now", "--json"]])
    def test_options_stand_anywhere(self, attune: CommandLine, words: list[str]) -> None:
        code, out, _ = attune("label", "add", "2.13", "free", *words)
        assert code == 0
        assert json.loads(out)["label"]["from"] == "2026-11-21T14:12:10.000+01:00"

    @pytest.mark.parametrize(
        ("learned", "waiting", "sentence"),
        [
            (2, 0, "2 nodes learned 20 windows."),
            (0, 2, "2 nodes will learn it once reached."),
            (0, 0, "It is kept; no node of this room has windows in that time to learn from."),
        ],
    )
    def test_who_has_learned(
        self, attune: CommandLine, monkeypatch: pytest.MonkeyPatch, learned: int, waiting: int, sentence: str
    ) -> None:
        label = admin_pb2.LabelRow(number=4, room="2.13", class_name="free", from_utc_ms=NOW - MINUTE, to_utc_ms=NOW)
        reply = admin_pb2.AddLabelReply(
            label=label, windows_learned=20 * bool(learned), nodes_learned=learned, nodes_waiting=waiting
        )
        monkeypatch.setattr(attune.site, "AddLabel", lambda *_: reply)
        # The server holds the method that it was given; a served copy of the site has the new one.
        with served(attune.site, os.environ["ATTUNE_SOCKET"] + "2"):
            _, out, _ = attune("label", "add", "2.13", "free", "now", "--socket", os.environ["ATTUNE_SOCKET"] + "2")
        assert out.splitlines()[-1] == sentence

    def test_limit_and_room(self, attune: CommandLine) -> None:
        labels = attune.answer("label", "list", "2.13", "--limit", "1")["labels"]
        assert [label["number"] for label in labels] == [3]


class TestJson:
    """The keys are a promise to scripts: a key that is renamed or missing fails here."""

    def test_status(self, attune: CommandLine) -> None:
        assert attune.answer("status") == {
            "site": "town-hall",
            "timezone": "Europe/Brussels",
            "version": "0.1.0",
            "now": "2026-11-21T14:32:10.000+01:00",
            "started": "2026-11-18T10:32:10.000+01:00",
            "rooms": 5,
            "rooms_with_state": 4,
            "nodes": 3,
            "nodes_online": 2,
            "gateways": ["gw-north", "gw-south"],
            "broker": None,
            "store": None,
            "windows": 81893,
            "windows_lost": 12,
            "refused": 3,
            "labels": 3,
            "mqtt_messages": 512,
        }

    def test_rooms(self, attune: CommandLine) -> None:
        answer = attune.answer("rooms")
        assert list(answer) == ["now", "rooms"]
        assert answer["rooms"][4] == {
            "room": "2.14",
            "name": "Archive",
            "floor": "Second floor",
            "state": "unknown",
            "probability": 0.5,
            "since": None,
            "as_of": None,
            "valid_until": "2026-11-21T14:42:10.000+01:00",
            "log_odds": 0.0,
            "shares": [],
            "taught": False,
            "nodes": [],
        }
        meeting = answer["rooms"][3]
        assert meeting["since"] == "2026-11-21T13:59:10.000+01:00"
        assert sum(share["log_odds"] for share in meeting["shares"]) == pytest.approx(meeting["log_odds"])
        assert meeting["shares"][2] == {
            "source": "00a1b2c3d4e51213",
            "log_odds": -0.654,
            "release": "5f3a09c1",
            "note": "stuck: counts half",
        }

    def test_one_room(self, attune: CommandLine) -> None:
        answer = attune.answer("rooms", "2.13")
        assert list(answer) == ["now", "rooms", "history"]
        assert [one["room"] for one in answer["rooms"]] == ["2.13"]
        assert len(answer["history"]) == 1440
        assert answer["history"][-1]["at"] == "2026-11-21T14:32:10.000+01:00"
        assert set(answer["history"][0]) == {"at", "said", "said_probability", "known", "known_probability"}

    def test_nodes(self, attune: CommandLine) -> None:
        answer = attune.answer("nodes", "00a1b2c3d4e51213")
        assert list(answer) == ["now", "nodes"]
        assert answer["nodes"] == [
            {
                "node": "00a1b2c3d4e51213",
                "room": "2.13",
                "online": True,
                "gateway": "gw-north",
                "sensors": ["temperature", "humidity", "co2", "pir"],
                "release": "5f3a09c1",
                "firmware": "0.1.0",
                "last_window": "2026-11-21T14:31:00.000+01:00",
                "last_heard": "2026-11-21T14:32:01.000+01:00",
                "windows": 40871,
                "windows_lost": 12,
                "refused": 3,
                "last_refusal": "the window ends 1 h 12 min in the future; see whether the node's clock was reset",
                "label_windows": 0,
                "window_seconds": 60,
                "reset_reason": None,
                "battery_mv": None,
                "backlog": 0,
                "bad_frames": 2,
            }
        ]

    def test_labels(self, attune: CommandLine) -> None:
        answer = attune.answer("label", "list")
        assert list(answer) == ["now", "labels"]
        assert answer["labels"][2] == {
            "number": 1,
            "room": "0.01",
            "class": "free",
            "from": "2026-11-20T13:40:00.000+01:00",
            "to": "2026-11-20T14:00:00.000+01:00",
            "weight": 1.0,
            "source": "person",
            "author": "ann",
            "told": "2026-11-20T15:32:10.000+01:00",
            "superseded_by": 2,
            "windows_learned": 20,
        }

    def test_label_added(self, attune: CommandLine) -> None:
        answer = attune.answer("label", "add", "2.13", "free", "14:00", "14:20")
        assert list(answer) == ["label", "windows_learned", "nodes_learned", "nodes_waiting"]
        assert answer["label"]["from"] == "2026-11-21T14:00:00.000+01:00"

    @pytest.mark.parametrize("words", [["status"], ["rooms"], ["nodes"], ["label", "list"]])
    def test_an_empty_site_is_json_too(self, attune: CommandLine, words: list[str]) -> None:
        empty(attune.site)
        attune.answer(*words)


class TestWatch:
    def changed(self, site: Site) -> None:
        site.changes = [[room("2.13", "Meeting north", "Second floor", -2.0, 0)]]

    def test_one_line_a_change_on_a_pipe_until_interrupted(self, attune: CommandLine) -> None:
        self.changed(attune.site)
        with watching("rooms", "--watch") as process:
            lines = [read_line(process).split("\t") for _ in range(6)]
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=10) == 0
            assert process.stderr is not None
            assert process.stderr.read() == b""
        assert [line[1] for line in lines] == ["0.01", "0.02", "2.12", "2.13", "2.14", "2.13"]
        assert lines[3] == [
            "2026-11-21T14:32:10.000+01:00",
            "2.13",
            "occupied",
            "94 %",
            "since 2026-11-21T13:59:10+01:00",
        ]
        assert lines[4][2:] == ["unknown", "-", "", "not yet taught"]
        assert lines[5][:4] == ["2026-11-21T14:32:11.000+01:00", "2.13", "free", "12 %"]

    def test_json_lines(self, attune: CommandLine) -> None:
        self.changed(attune.site)
        with watching("rooms", "2.13", "--watch", "--json") as process:
            answers = [json.loads(read_line(process)) for _ in range(2)]
        assert [(answer["room"], answer["state"]) for answer in answers] == [("2.13", "occupied"), ("2.13", "free")]
        assert list(answers[0])[:2] == ["now", "room"]

    def test_a_daemon_that_goes_away_ends_the_watch(self, attune: CommandLine) -> None:
        attune.site.end_watch.set()
        code, out, err = attune("rooms", "--watch")
        assert code == 3
        assert len(out.splitlines()) == 5
        assert "The daemon ended the watch" in err

    def test_a_reader_that_has_seen_enough(self, attune: CommandLine) -> None:
        attune.site.changes = [[room("2.13", "", "", -2.0, 0)]] * 10_000
        with watching("rooms", "--watch") as process:
            read_line(process)
            assert process.stdout is not None
            process.stdout.close()
            assert process.wait(timeout=20) == 0
            assert process.stderr is not None
            assert process.stderr.read() == b""

    @pytest.mark.parametrize("no_colour", [False, True])
    def test_live_on_a_terminal(self, attune: CommandLine, no_colour: bool) -> None:
        self.changed(attune.site)
        screen = live_until_interrupted("rooms", "--watch", no_colour=no_colour)
        assert "Ctrl-C ends" in screen
        assert "1 occupied, 3 free, 1 unknown" in screen, "the change has arrived on the screen"
        assert ("\x1b[36m" in screen or "\x1b[1;36m" in screen) is not no_colour


class TestImports:
    @pytest.mark.parametrize(
        ("words", "never"),
        [
            (["--help"], {"numpy", "sqlite3", "grpc", "rich"}),
            (["status"], {"numpy", "sqlite3"}),
            (["rooms", "2.13"], {"numpy", "sqlite3"}),
        ],
    )
    def test_lean(self, attune: CommandLine, words: list[str], never: set[str]) -> None:
        program = (
            "import sys\nfrom attuned.cli import main\ntry:\n    main()\nexcept SystemExit:\n    pass\n"
            "print(*sorted(sys.modules), file=sys.stderr)"
        )
        run = subprocess.run(
            [sys.executable, "-c", program, *words], capture_output=True, text=True, check=True, env=environment()
        )
        loaded = set(run.stderr.split())
        assert not never & loaded
        strangers = {name for name in loaded if name.startswith("attuned.") and not name.startswith("attuned.cli")}
        assert not strangers
        assert "attune_core" not in loaded


def environment(**more: str) -> dict[str, str]:
    """This process's environment with its import path, for a command of its own."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONIOENCODING": "utf-8"} | more


def attune_process(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "attuned.cli", *words], capture_output=True, text=True, check=False, env=environment()
    )


class watching:  # noqa: N801 - reads as a statement
    """A watch in a process of its own, killed at the end of the block."""

    def __init__(self, *words: str) -> None:
        self._words = words

    def __enter__(self) -> subprocess.Popen[bytes]:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "attuned.cli", *self._words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        )
        return self._process

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdout, self._process.stderr):
            assert stream is not None
            stream.close()


def read_line(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().decode().rstrip("\n")


def live_until_interrupted(*words: str, no_colour: bool) -> str:
    """What a command writes to a terminal of 80 x 24 until it shows its last change and gets Ctrl-C; it must exit 0."""
    child, terminal = pty.fork()
    if child == 0:
        more = {"NO_COLOR": "1"} if no_colour else {}
        size = {"COLUMNS": "80", "LINES": "24", "TERM": "xterm-256color"}
        os.execve(sys.executable, [sys.executable, "-m", "attuned.cli", *words], environment(**size, **more))  # noqa: S606 - the child of pty.fork
    screen = b""
    while screen.count(b"Ctrl-C ends") < 2:
        screen += os.read(terminal, 65_536)
    os.write(terminal, b"\x03")
    try:
        while piece := os.read(terminal, 65_536):
            screen += piece
    except OSError:  # the terminal's other end has been closed
        pass
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 0
    return screen.decode()
