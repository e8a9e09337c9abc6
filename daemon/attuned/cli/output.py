"""Where answers go: rich renderables and JSON to standard output, errors to standard error."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

from attuned.cli import paragraph

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


def console() -> Console:
    """Standard output; colour only on a terminal, and none where NO_COLOR is set."""
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False)


def show(renderable: RenderableType) -> None:
    """Print what a command answers; mere sentences in lines that fit, or whole for the journal."""
    screen = console()
    if isinstance(renderable, str):
        width = sys.maxsize if _is_service() else screen.width
        for line in renderable.split("\n"):
            print("\n".join(paragraph.lines(line, width)) if len(line) > width else line)
    else:
        screen.print(renderable)


def show_json(answer: dict[str, Any]) -> None:
    """Print a command's whole answer as one JSON document."""
    print(json.dumps(answer, indent=2, ensure_ascii=False))


def show_json_line(answer: dict[str, Any]) -> None:
    """Print one of many answers as one line, at once."""
    print(json.dumps(answer, ensure_ascii=False), flush=True)


def complain(sentence: str) -> None:
    """Print what went wrong and what to do next; in a service's journal it is an error (sd-daemon(3))."""
    level = "<3>" if _is_service() else ""
    print(f"{level}attune: {sentence}", file=sys.stderr)


def _is_service() -> bool:
    if "JOURNAL_STREAM" not in os.environ:
        return False
    from attune_service.journal import is_journal

    return is_journal()
