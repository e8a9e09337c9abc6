"""Questions to a person: one a line, with what Enter stands for."""

from __future__ import annotations

import getpass
import importlib
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from attuned.cli import paragraph
from attuned.cli.errors import CliError

_Answer = TypeVar("_Answer")

# What says that there shall be none of a thing, where Enter stands for one.
NONE = "-"


class Terminal:
    """The terminal that this process was started from."""

    def say(self, text: str, *, indent: int = 2, hanging: int = 0) -> None:
        """Prints a paragraph in lines that fit; those behind the first are indented by `hanging` more."""
        width = min(shutil.get_terminal_size().columns, 100)
        first, others = " " * indent, " " * (indent + hanging)
        print("\n".join(paragraph.lines(text, width, first=first, others=others)))

    def show(self, line: str) -> None:
        """Prints a line as it is."""
        print(line)

    def show_changes(self, lines: Iterable[str]) -> None:
        """Prints a unified diff, a line each: what does not fit is cut."""
        from rich.text import Text

        from attuned.cli.output import console

        styles = {"+": "green", "-": "red"}
        screen = console()
        for line in lines:
            text = Text(f"  {line}", style=styles.get(line[:1], ""))
            screen.print(text, no_wrap=True, overflow="ellipsis")

    def line(self, prompt: str) -> str:
        """What was typed; lines that were pasted together come together.

        CliError when the input ends.
        """
        try:
            # With it arrow keys work, and what is pasted is one answer.
            importlib.import_module("readline")
        except ImportError:
            pass
        try:
            with _ends_in_a_line_of_its_own():
                return input(prompt)
        except UnicodeDecodeError:
            return "\ufffd"

    def secret(self, question: str) -> str:
        """A line that is not shown."""
        with _ends_in_a_line_of_its_own():
            return getpass.getpass(f"  {question}: ")

    def ask(self, question: str, default: str, read: Callable[[str], _Answer]) -> _Answer:
        """Asks until `read` takes the answer; what it raises ValueError with is said."""
        while True:
            answer = self.line(f"  {question} [{default}]: ").strip() or default
            try:
                return read(answer)
            except ValueError as error:
                self.say(str(error), indent=4)

    def agrees(self, question: str, *, default: bool) -> bool:
        """Yes or no."""
        return self.ask(f"{question} (y/n)", "y" if default else "n", _yes)


@contextmanager
def _ends_in_a_line_of_its_own() -> Iterator[None]:
    """Ctrl-C and Ctrl-D leave the cursor behind the question."""
    try:
        yield
    except (EOFError, KeyboardInterrupt) as end:
        print()
        if isinstance(end, EOFError):
            raise CliError("The input has ended before the last question; nothing was changed.") from None
        raise


def _yes(answer: str) -> bool:
    if answer.casefold() in {"y", "yes"}:
        return True
    if answer.casefold() in {"n", "no"}:
        return False
    raise ValueError("Say y or n.")
