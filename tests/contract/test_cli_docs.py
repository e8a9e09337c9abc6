"""Every command and option is documented, and every example in the documentation works."""

from __future__ import annotations

import importlib
import importlib.util
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attuned.cli.app as cli
import pytest
import typer
from cli_site import Site, served

DOCS = Path(__file__).parents[2] / "docs"
PAGE = "".join((DOCS / name).read_text(encoding="utf-8") for name in ("operations.md", "replay.md"))
EXAMPLES = [line.split("#")[0].strip() for line in PAGE.splitlines() if line.startswith("attune ")]


def documented() -> Iterator[tuple[str, str]]:
    """(command, option or nothing) for all that the command line understands."""
    yield from _of(typer.main.get_command(cli.app), "attune")
    for name in ("replay", "demo"):
        if importlib.util.find_spec(f"attuned.cli.{name}"):
            forwarded = typer.Typer()
            forwarded.command(name)(getattr(importlib.import_module(f"attuned.cli.{name}"), name))
            yield from _of(typer.main.get_command(forwarded), f"attune {name}")


def _of(command: Any, path: str) -> Iterator[tuple[str, str]]:
    yield path, ""
    for parameter in command.params:
        for option in parameter.opts:
            if option.startswith("--") and not option.endswith("-completion"):
                yield path, option
    for name, inner in getattr(command, "commands", {}).items():
        yield from _of(inner, f"{path} {name}")


@pytest.mark.parametrize(("command", "option"), sorted(set(documented())))
def test_is_documented(command: str, option: str) -> None:
    words = re.escape(option or command)
    assert re.search(rf"(?<![\w-]){words}(?![\w-])", PAGE), (
        f"docs/operations.md and docs/replay.md say nothing of {command} {option}"
    )


def test_there_are_examples_of_every_command_that_asks_the_daemon() -> None:
    first_words = {tuple(example.split()[1:2]) for example in EXAMPLES}
    assert {("status",), ("rooms",), ("nodes",), ("label",)} <= first_words


@pytest.mark.parametrize("example", [line for line in EXAMPLES if "--watch" not in line])
def test_example_works(example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTUNE_SOCKET", str(tmp_path / "attune.sock"))
    monkeypatch.setattr(sys, "argv", shlex.split(example))
    with served(Site(), str(tmp_path / "attune.sock")):
        assert cli.run() == 0
