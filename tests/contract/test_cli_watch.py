"""`attune rooms --watch` on a pipe and on a terminal, and its ends."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys

import pytest
from cli_data import room
from cli_run import CommandLine, environment
from cli_site import Site


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
    """What a command writes to a terminal of 80 x 24 until it has shown two pictures and is interrupted; exits 0."""
    terminal, inner = pty.openpty()
    look = {"COLUMNS": "80", "LINES": "24", "TERM": "xterm-256color"} | ({"NO_COLOR": "1"} if no_colour else {})
    command = [sys.executable, "-m", "attuned.cli", *words]
    process = subprocess.Popen(command, stdin=inner, stdout=inner, stderr=inner, env=environment(**look))
    os.close(inner)
    screen = b""
    while screen.count(b"Ctrl-C ends") < 2:
        screen += os.read(terminal, 65_536)
    process.send_signal(signal.SIGINT)
    try:
        while piece := os.read(terminal, 65_536):
            screen += piece
    except OSError:  # the terminal's other end has been closed
        pass
    os.close(terminal)
    assert process.wait(timeout=10) == 0
    return screen.decode()
