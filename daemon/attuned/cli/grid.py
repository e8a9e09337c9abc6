"""Lay rows of short texts out in columns that fit the width at hand.

Nothing is wrapped: flexible columns shrink to their least width and end in `…`, then whole columns are left out, the
least important first, and each that still fits stays. Pure: rich texts in, a rich renderable out.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

_GAP = 2


@dataclass(frozen=True)
class Column:
    """A column's heading and how it gives way. `leave` 0: never left out; else the lowest is the last to go.
    `least` 0: never shrinks; else the least width in cells."""

    title: str
    leave: int = 0
    least: int = 0
    right: bool = False


@dataclass(frozen=True)
class Row:
    """A cell for each column, and lines of their own below the row."""

    cells: Sequence[Text]
    notes: Sequence[Text] = ()


@dataclass(frozen=True)
class Section:
    """Rows under a heading of their own; no heading if it is empty."""

    heading: str
    rows: Sequence[Row]


@dataclass(frozen=True)
class Facts:
    """Names with a value each, in two columns; long values go on below themselves."""

    facts: Mapping[str, Text]
    indent: int = 2

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        left = self.indent + max(map(len, self.facts)) + _GAP
        for name, value in self.facts.items():
            head = Text(" " * self.indent).append(name.ljust(left - self.indent), style="dim")
            if left + value.cell_len <= options.max_width:
                yield head + value
                continue
            first, *others = hanging(value, left, options.max_width)
            yield head + first[left:]
            yield from others


@dataclass(frozen=True)
class Grid:
    """Sections that share one set of columns; renders itself to the console's width."""

    columns: Sequence[Column]
    sections: Sequence[Section]
    indent: int = 2
    titles: bool = True

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in self.lines(options.max_width):
            line.no_wrap, line.overflow = True, "ellipsis"
            yield line

    def lines(self, width: int) -> Iterator[Text]:
        """The lines at a width in cells."""
        widths = self._widths(width - self.indent)
        if self.titles:
            heads = [Text(column.title, style="dim") for column in self.columns]
            yield self._line(heads, widths)
        for number, section in enumerate(self.sections):
            if section.heading:
                if number:
                    yield Text()
                yield Text(section.heading, style="bold")
            for row in section.rows:
                yield self._line(row.cells, widths)
                for note in row.notes:
                    yield from hanging(note, self.indent + 2, width)

    def _line(self, cells: Sequence[Text], widths: dict[int, int]) -> Text:
        line = Text(" " * self.indent)
        for position, (index, width) in enumerate(widths.items()):
            cell = cells[index].copy()
            cell.truncate(width, overflow="ellipsis")
            padding = " " * (width - cell.cell_len)
            line.append(" " * _GAP if position else "")
            line.append_text(Text(padding) + cell if self.columns[index].right else cell + Text(padding))
        line.rstrip()
        return line

    def _widths(self, room: int) -> dict[int, int]:
        """Column index -> width in cells, for the columns that stay."""
        natural = self._natural()
        speaking = [index for index, width in enumerate(natural) if width]
        stay: list[int] = []
        for index in sorted(speaking, key=lambda index: self.columns[index].leave):
            if not self.columns[index].leave or self._needed([*stay, index], natural) <= room:
                stay.append(index)
        return self._shrunk({index: natural[index] for index in sorted(stay)}, room)

    def _natural(self) -> list[int]:
        """What each column would like; 0 where it has nothing to say in any row."""
        rows = [row for section in self.sections for row in section.rows]
        likes = [max((row.cells[index].cell_len for row in rows), default=0) for index in range(len(self.columns))]
        return [
            like and max(like, len(column.title) * self.titles)
            for like, column in zip(likes, self.columns, strict=True)
        ]

    def _needed(self, stay: Sequence[int], natural: Sequence[int]) -> int:
        least = (min(self.columns[i].least or natural[i], natural[i]) for i in stay)
        return sum(least) + _GAP * (len(stay) - 1)

    def _shrunk(self, widths: dict[int, int], room: int) -> dict[int, int]:
        """Take what is too much from the flexible columns, always from the widest."""
        while sum(widths.values()) + _GAP * (len(widths) - 1) > room:
            flexible = [i for i in widths if self.columns[i].least and widths[i] > min(self.columns[i].least, 6)]
            above = [i for i in flexible if widths[i] > self.columns[i].least] or flexible
            if not above:
                break
            widths[max(above, key=lambda i: widths[i])] -= 1
        return widths


def hanging(text: Text, indent: int, width: int) -> Iterator[Text]:
    """A text of one style in lines that fit the width, each behind the indent."""
    for part in textwrap.wrap(text.plain, max(width - indent, 12)):
        yield Text(" " * indent).append(part, style=text.style)
