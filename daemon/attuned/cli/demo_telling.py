"""How a demonstration tells what happens: steps that stay on the screen, and below them a picture of the moment."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from attuned.cli import clock, output
from attuned.cli.errors import CliError

if TYPE_CHECKING:
    from datetime import tzinfo

    from rich.console import RenderableType
    from rich.live import Live

# Answers of commands stand this far in; a terminal that nobody measures is this wide.
_INDENT = 4
_WIDTH = 120

# A command that takes longer than this has lost its daemon.
_COMMAND_S = 60.0


@dataclass
class Step:
    """Something that happened: when, by the site's clock and in real seconds since the start."""

    name: str
    utc_ms: int
    real_s: float


@dataclass
class Telling:
    """Tells steps as they happen. `quiet` prints nothing; `live` has a picture below the steps."""

    zone: tzinfo
    quiet: bool
    started: float = field(default_factory=time.monotonic)
    steps: dict[str, Step] = field(default_factory=dict)
    live: Live | None = None

    @contextmanager
    def screen(self) -> Iterator[None]:
        """Gives it a picture below the steps, on a terminal."""
        from rich.live import Live

        console = output.console()
        if self.quiet or not console.is_terminal:
            yield
            return
        with Live(console=console, auto_refresh=False, transient=True) as self.live:
            yield
        self.live = None

    @property
    def real_s(self) -> float:
        return time.monotonic() - self.started

    def tell(self, name: str, utc_ms: int, *lines: str) -> None:
        """A step by its name, with the first line beside its time and the others below."""
        from rich.text import Text

        self.steps[name] = Step(name, utc_ms, self.real_s)
        when = f"{clock.local(utc_ms, self.zone):%a %H:%M}"
        self._print(Text())
        self._print(Text.assemble((f"{when}  {self.real_s:5.1f} s  ", "dim"), (lines[0], "bold")))
        for line in lines[1:]:
            self._print(_below(line) if self.live else Text(" " * _INDENT + line))

    def tell_command(self, words: Sequence[str], answer: str) -> None:
        """A command as a person types it, and its answer."""
        from rich.text import Text

        self._print(Text(f"{' ' * _INDENT}$ {shlex.join(words)}", style="bold cyan"))
        for line in answer.splitlines():
            self._print(Text(" " * _INDENT + line))

    def show(self, picture: RenderableType) -> None:
        """The moment, where there is a screen for it."""
        if self.live is not None:
            self.live.update(picture, refresh=True)

    def _print(self, line: RenderableType) -> None:
        if not self.quiet:
            (self.live.console if self.live else output.console()).print(line, soft_wrap=self.live is None)


def _below(line: str) -> RenderableType:
    """A line that stands in, also where it goes on below."""
    from rich.padding import Padding
    from rich.text import Text

    return Padding(Text(line), (0, 0, 0, _INDENT), expand=False)


Waiting = Generator[None, None, str]


def command(socket: str, words: Sequence[str]) -> Waiting:
    """Runs a command of `attune`, yielding while it works; returns what it printed. Raises CliError if it failed."""
    console = output.console()
    width = min(console.width, _WIDTH) if console.is_terminal else _WIDTH
    environment = os.environ | {"COLUMNS": str(width - _INDENT), "NO_COLOR": "1"}
    program = [sys.argv[0], "--socket", socket, *words[1:]]
    process = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
    deadline = time.monotonic() + _COMMAND_S
    try:
        while process.poll() is None and time.monotonic() < deadline:
            yield
    finally:
        process.kill()
    answer: str = process.communicate()[0].strip("\n")
    if process.returncode:
        raise CliError(f"`{shlex.join(words)}` failed: {answer.removeprefix('attune: ') or 'it took too long.'}")
    return answer
