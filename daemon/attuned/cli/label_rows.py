"""Labels from a file, a row at a time: what can be read of a CSV file. In memory is the row at hand."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import BinaryIO

from attuned.cli.errors import CliError
from attuned.cli.times import parse_moment

# Bytes of one line: a label has less than 500, whatever its columns.
LINE_LIMIT = 16_384

NEEDED = ("room", "class", "from", "to")
_HEADER = f"The first line must name the columns, for instance `{','.join(NEEDED)}`, with `weight` if you like"


@dataclass(frozen=True)
class Row:
    """A label that a file has in a line; times in UTC milliseconds."""

    line: int
    room: str
    class_name: str
    from_utc_ms: int
    to_utc_ms: int
    weight: float


@dataclass(frozen=True)
class Bad:
    """A line that is no label, and a sentence that says why."""

    line: int
    reason: str


@dataclass(frozen=True)
class Reading:
    """How a file is to be read: the site's clock and zone, and what holds where the file says nothing."""

    now_utc_ms: int
    zone: tzinfo
    room: str
    weight: float


def read_csv(file: BinaryIO, reading: Reading) -> Iterator[Row | Bad]:
    """Each line as a label or as what is wrong with it. Raises CliError if the first line names no columns."""
    lines = _lines(file)
    first = next(lines, (1, b""))[1]
    header = (_text(first) or "").removeprefix("\ufeff")
    delimiter = max(",;\t", key=header.count)
    names = [name.strip().casefold() for name in next(csv.reader([header], delimiter=delimiter), [])]
    missing = [name for name in NEEDED if name not in names and not (name == "room" and reading.room)]
    if missing:
        raise CliError(f"{_HEADER}; there is no `{missing[0]}`.")
    for line, data in lines:
        if data is not None and not data.strip():
            continue
        try:
            yield _row(line, _fields(data, names, delimiter), reading)
        except (CliError, csv.Error, ValueError) as error:
            yield Bad(line, str(error).rstrip(".") + ".")


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """Numbered lines; None for one that is too long, whose rest is skipped."""
    number = 0
    while line := file.readline(LINE_LIMIT):
        number += 1
        whole = line.endswith(b"\n") or len(line) < LINE_LIMIT
        while line and not line.endswith(b"\n") and not whole:
            line = file.readline(LINE_LIMIT)
        yield number, line if whole else None


def _text(data: bytes | None) -> str | None:
    try:
        return None if data is None else data.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        return None


def _fields(data: bytes | None, names: Sequence[str], delimiter: str) -> dict[str, str]:
    if data is None:
        raise ValueError(f"The line has more than {LINE_LIMIT} bytes.")
    text = _text(data)
    if text is None:
        raise ValueError("The line is not in UTF-8; save the file as UTF-8.")
    values = [value.strip() for value in next(csv.reader([text], delimiter=delimiter, strict=True))]
    if len(values) > len(names):
        raise ValueError(f"The line has {len(values)} columns and the first line {len(names)}.")
    return dict(zip(names, values, strict=False))


def _row(line: int, fields: dict[str, str], reading: Reading) -> Row:
    room = reading.room or fields.get("room", "")
    if not room:
        raise ValueError("The line names no room.")
    return Row(
        line,
        room,
        fields.get("class", ""),
        _moment(fields.get("from", ""), reading),
        _moment(fields.get("to", ""), reading),
        _weight(fields.get("weight", ""), reading.weight),
    )


def _moment(text: str, reading: Reading) -> int:
    """Only times that mean the same tomorrow: with a date."""
    if not re.match(r"\d{4}-\d\d-\d\d[ T]\d", text):
        raise ValueError(f"`{text[:40]}` is no time with a date; write 2026-11-21 14:00 or 2026-11-21T14:00+01:00.")
    return parse_moment(text, reading.now_utc_ms, reading.zone)


def _weight(text: str, default: float) -> float:
    if not text:
        return default
    try:
        return float(text.replace(",", "."))
    except ValueError:
        raise ValueError(f"`{text[:40]}` is no weight; write a number above 0 and at most 1.") from None
