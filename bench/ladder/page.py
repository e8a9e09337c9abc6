"""The tables of docs/learning.md, between markers that this module writes anew."""

from collections.abc import Sequence
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "learning.md"
BEGIN = "<!-- {name}: written by the bench -->"
END = "<!-- end of {name} -->"


def markdown(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    ruler = ["---", *["---:" for _ in headings[1:]]]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (headings, ruler, *rows))


def replaced(text: str, name: str, content: str) -> str:
    """The page with new content between the markers of this name; ValueError where they do not stand there once."""
    begin, end = BEGIN.format(name=name), END.format(name=name)
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise ValueError(f"The page needs the lines {begin!r} and {end!r} once each, in this order.")
    before, rest = text.split(begin)
    after = rest.split(end)[1]
    return f"{before}{begin}\n{content}\n{end}{after}"


def write(parts: dict[str, str]) -> None:
    """Writes each part between its markers."""
    text = PAGE.read_text(encoding="utf-8")
    for name, content in parts.items():
        text = replaced(text, name, content)
    PAGE.write_text(text, encoding="utf-8")
