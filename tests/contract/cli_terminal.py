"""A person at a terminal: starts `attune` on a pseudo-terminal, waits for questions, types answers."""

from __future__ import annotations

import os
import pty
import select
import signal
import sys
import termios
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from cli_run import environment

# A question comes at once; what takes longer has hung.
PATIENCE_S = 10.0


class Session:
    """A command on a terminal of 80 columns, until the block ends."""

    def __init__(self, *words: str, folder: Path) -> None:
        self.screen = ""
        self._seen = 0
        env = environment(COLUMNS="80", TERM="dumb", NO_COLOR="1")
        self.process, self._terminal = pty.fork()
        if self.process == 0:
            os.chdir(folder)
            os.execve(sys.executable, [sys.executable, "-m", "attuned.cli", *words], env)  # noqa: S606 (no shell)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            os.kill(self.process, signal.SIGKILL)
            os.waitpid(self.process, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
        os.close(self._terminal)

    def until(self, words: str) -> str:
        """What has been shown since the last call, up to these words."""
        deadline = time.monotonic() + PATIENCE_S
        while words not in self.screen[self._seen :]:
            assert time.monotonic() < deadline, f"{words!r} was not shown in:\n{self.screen}"
            if not self._read(0.2):
                break
        at = self.screen.find(words, self._seen)
        assert at >= 0, f"{words!r} was not shown before the end of:\n{self.screen}"
        shown, self._seen = self.screen[self._seen : at], at + len(words)
        return shown

    def type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def answer(self, *pairs: tuple[str, str]) -> None:
        """Waits for each question, and types a line."""
        for question, line in pairs:
            self.until(question)
            self._until_it_reads()
            self.type(f"{line}\n")

    def press(self, key: str) -> None:
        """Ctrl-C or so, by somebody who has read the question: in the instant before, Python keeps it for later."""
        time.sleep(0.1)
        self._until_it_reads()
        self.type(key)

    def end(self) -> int:
        """Waits for the end, and returns the exit code; a signal's is negative."""
        deadline = time.monotonic() + PATIENCE_S
        while self._read(0.2):
            assert time.monotonic() < deadline, f"it goes on after:\n{self.screen}"
        return os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])

    def _until_it_reads(self) -> None:
        """A hidden question throws away what was typed before it is asked: wait for the terminal to settle."""
        hidden = (
            "assphrase" in self.screen[-60:] or "The same again" in self.screen[-60:] or "Password" in self.screen[-60:]
        )
        deadline = time.monotonic() + PATIENCE_S
        while hidden and termios.tcgetattr(self._terminal)[3] & termios.ECHO and time.monotonic() < deadline:
            time.sleep(0.01)

    def _read(self, wait_s: float) -> bool:
        """False at the end."""
        if not select.select([self._terminal], [], [], wait_s)[0]:
            return True
        try:
            data = os.read(self._terminal, 65536)
        except OSError:
            return False
        self.screen += data.decode(errors="replace").replace("\r\n", "\n")
        return bool(data)


def first_answers(broker_port: int, rooms: Sequence[str]) -> list[tuple[str, str]]:
    """A whole first setup, question by question; the questions are the beginnings of what is shown."""
    return [
        ("Name, one word [site]: ", "townhall"),
        ("Time zone [", "Europe/Brussels"),
        *(("  > ", line) for line in (*rooms, "")),
        ("Host (- for none) [127.0.0.1]: ", "127.0.0.1"),
        ("Port, usually 1883, or 8883 with TLS [1883]: ", str(broker_port)),
        ("CA file for TLS (- for no TLS) [-]: ", ""),
        ("User (- for none) [-]: ", "hall"),
        ("Password: ", "right horse"),
        ("Keep this broker? It is tried again (y/n) [y]: ", "y"),
        ("Bluetooth adapter (", "-"),
        ("Serial lines with nodes (", "/dev/ttyACM0"),
        ("TCP for nodes (- for none) [127.0.0.1:7011]: ", "0.0.0.0:7011"),
        ("Port for them, such as 7443 (- for none) [-]: ", "7443"),
        ("Passphrase (Enter for no backups): ", "correct horse battery"),
        ("The same again: ", "correct horse battery"),
        ("Write this? (y/n) [y]: ", "y"),
    ]
