"""Where answers go: rich renderables and JSON to standard output, errors to standard error."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


def console() -> Console:
    """Standard output; colour only on a terminal, and none where NO_COLOR is set."""
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False)


def show(renderable: RenderableType) -> None:
    """Print what a command answers."""
    console().print(renderable)


def show_json(answer: dict[str, Any]) -> None:
    """Print a command's whole answer as one JSON document."""
    print(json.dumps(answer, indent=2, ensure_ascii=False))


def show_json_line(answer: dict[str, Any]) -> None:
    """Print one of many answers as one line, at once."""
    print(json.dumps(answer, ensure_ascii=False), flush=True)


def complain(sentence: str) -> None:
    """Print what went wrong and what to do next."""
    print(f"attune: {sentence}", file=sys.stderr)
