"""What every command says of itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attuned.cli.app as cli
import pytest
from cli_run import CommandLine


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, (*path, name))


@pytest.mark.parametrize("path", sorted(commands(cli.whole())), ids=" ".join)
def test_help_fits_and_is_whole(attune: CommandLine, path: tuple[str, ...]) -> None:
    """Nothing is cut, and types of Python are nobody's words."""
    for width in (60, 80):
        code, out, err = attune(*path, "--help", width=width)
        assert (code, err) == (0, "")
        assert max(map(len, out.splitlines())) <= width
        for mark in ("<str>", "<path>", "list[", "{", "[[", "...\n"):
            assert mark not in out.replace("[ARGS]...", "")


def test_an_argument_that_may_be_left_out_stands_in_brackets(attune: CommandLine) -> None:
    assert attune("rooms", "--help")[1].startswith("Usage: attune rooms [OPTIONS] [ROOM]\n")
    assert attune("label", "add", "--help")[1].startswith(
        "Usage: attune label add [OPTIONS] ROOM free|occupied FROM [TO]\n"
    )


def test_a_group_says_whole_sentences_of_its_commands(attune: CommandLine) -> None:
    text = " ".join(attune("--help")[1].split())
    assert "retrain Build new releases from the labels and judge them; Ctrl-C keeps what is done. forget" in text
