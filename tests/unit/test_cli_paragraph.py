"""Paragraphs whose commands can be copied."""

import pytest
from attuned.cli import output
from attuned.cli.paragraph import lines
from hypothesis import given
from hypothesis import strategies as st

WORDS = st.lists(st.text("abcxyz-/.", min_size=1, max_size=12), min_size=1, max_size=20)


def test_a_command_stays_on_one_line() -> None:
    text = "Take one back with `attune label undo NUMBER`, or say how it was."
    assert lines(text, 40) == ["Take one back with", "`attune label undo NUMBER`, or say how", "it was."]
    assert lines("see `a b`.", 4, first="- ", others="  ") == ["- see", "  `a b`."]


@pytest.mark.parametrize("is_service", [False, True])
def test_a_sentence_of_a_service_is_one_entry_of_the_journal(
    is_service: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(output, "_is_service", lambda: is_service)
    monkeypatch.setenv("COLUMNS", "80")
    output.show("It is so. " * 10)
    assert (capsys.readouterr().out.count("\n") == 1) is is_service


@given(WORDS, WORDS, st.integers(10, 80))
def test_nothing_is_lost_and_lines_fit_where_words_do(before: list[str], command: list[str], width: int) -> None:
    text = f"{' '.join(before)} `{' '.join(command)}` {' '.join(before)}"
    made = lines(text, width)
    assert " ".join(made) == text
    assert any(f"`{' '.join(command)}`" in line for line in made)
    assert all(len(line) <= width or " " not in line.replace(f"`{' '.join(command)}`", "x") for line in made)
