"""Rooms from a table that people type, paste or export: whatever separates its columns, with or without a header."""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from unicodedata import normalize

from pydantic import ValidationError

from attuned.config import RoomSettings
from attuned.errors import ConfigError

COLUMNS = ("id", "name", "floor", "building")

# What people call the columns in English, German, French and Dutch; accents and all but letters do not count.
_NAMES = {
    "id": "id room roomid roomnumber roomno number no nr code raum raumid raumnummer raumnr zimmer zimmernummer "
    "zimmernr nummer salle piece numero ruimte kamer lokaal",
    "name": "name roomname description title bezeichnung raumname raumbezeichnung nom naam omschrijving",
    "floor": "floor level storey story etage stockwerk stock geschoss ebene niveau verdieping",
    "building": "building wing block site gebaude haus trakt flugel batiment gebouw vleugel",
}

_HEADER = "it looks like a header: call its columns id, name, floor, building, or, if it is a room, put it last"

# More than the rooms of a campus, and a table that is read in a second.
FILE_LIMIT = 4 << 20
ROOM_LIMIT = 10_000
_CELL_LIMIT = 200


@dataclass(frozen=True)
class BadRow:
    """A line that is no room: its number from 1, what stands there, and a sentence that says why."""

    line: int
    text: str
    reason: str


@dataclass(frozen=True)
class Table:
    """What was read: rooms without nodes, the lines that are none, and the order of the columns."""

    rooms: tuple[RoomSettings, ...]
    bad: tuple[BadRow, ...]
    order: Sequence[str] = COLUMNS


def file_bytes(path: Path) -> bytes:
    """What a file holds, and no more than is taken, whatever somebody names. OSError, ConfigError."""
    with path.open("rb") as file:
        data = file.read(FILE_LIMIT + 1)
    if len(data) > FILE_LIMIT:
        raise ConfigError(f"{path} has more than {FILE_LIMIT >> 20} MiB: name a file with a line a room.")
    return data


def decoded(data: bytes) -> str:
    """The text of a file as spreadsheets save them: UTF-8, UTF-16 with its mark, else Windows-1252. ConfigError."""
    for encoding in ("utf-16",) if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise ConfigError("The table is not text: save it as CSV in UTF-8.")


def read(text: str, order: Sequence[str] = COLUMNS) -> Table:
    """Reads a table; its header, if it has one, says more of the order of columns than `order`."""
    lines = [(number, line) for number, line in enumerate(_lines(text), start=1) if line.strip()]
    separator = _separator([line for _, line in lines])
    rooms: dict[str, RoomSettings] = {}
    bad: list[BadRow] = []
    if lines and (named := _header(lines[0][1], separator)):
        order, lines = named, lines[1:]
    elif _begins_with_words([_id(line, separator, order) for _, line in lines]):
        bad.append(BadRow(*lines.pop(0), _HEADER))
    for number, line in lines:
        try:
            room = _room(_cells(line, separator), order)
            if room.id in rooms:
                raise ValueError(f"room {room.id} stands in the table twice")
            if len(rooms) >= ROOM_LIMIT:
                raise ValueError(f"there are more than {ROOM_LIMIT:,} rooms")
            rooms[room.id] = room
        except (ValueError, csv.Error) as error:
            bad.append(BadRow(number, line.strip(), str(error)))
    return Table(tuple(rooms.values()), tuple(bad), order)


def _lines(text: str) -> Iterator[str]:
    for line in re.split(r"\r\n|\r|\n", text.removeprefix("\ufeff")):
        # Excel writes such a line for itself.
        if not re.fullmatch(r"sep=.", line):
            yield line


def _separator(lines: Sequence[str]) -> str:
    """What most lines have of `;`, tabulator, `|` or comma; the first where several do."""
    counts = {mark: sum(mark in line for line in lines) for mark in "\t;|,"}
    return max(counts, key=lambda mark: counts[mark])


def _cells(line: str, separator: str) -> list[str]:
    # Tables as text have the mark at both ends, too.
    line = line.strip().strip("|") if separator == "|" else line
    cells = next(csv.reader([line], delimiter=separator, skipinitialspace=True, strict=True), [])
    return [cell.strip() for cell in cells]


def _header(line: str, separator: str) -> list[str] | None:
    """The column that each cell names, "" for one that no room has; None if this is no header."""
    try:
        cells = _cells(line, separator)
    except csv.Error:
        return None
    bare = [re.sub(r"[\W_]", "", normalize("NFKD", cell)).casefold() for cell in cells]
    found = [next((column for column, names in _NAMES.items() if cell in names.split()), "") for cell in bare]
    named = [column for column in found if column]
    return found if "id" in named and len(named) == len(set(named)) and (len(named) > 1 or len(cells) == 1) else None


def _begins_with_words(ids: Sequence[str]) -> bool:
    """The first has no digit where all others have one: a header in other words, and hardly a room."""
    digits = [any(map(str.isdigit, room)) for room in ids]
    return len(digits) > 2 and not digits[0] and all(digits[1:])


def _id(line: str, separator: str, order: Sequence[str]) -> str:
    try:
        return "".join(_cells(line, separator)[order.index("id") :][:1])
    except csv.Error:
        return line


def _room(cells: Sequence[str], order: Sequence[str]) -> RoomSettings:
    """ValueError with what is wrong."""
    if len(cells) > len(order) and any(cells[len(order) :]):
        raise ValueError(f"there are {len(cells)} columns and not {len(order)}: put names with separators in quotes")
    values = {column: cell for column, cell in zip(order, cells, strict=False) if column and cell}
    if wrong := next((column for column, cell in values.items() if not _plain(cell)), None):
        raise ValueError(f"the {wrong} is longer than {_CELL_LIMIT} characters or has some that cannot be shown")
    if "id" not in values:
        raise ValueError("it has no id")
    try:
        return RoomSettings(**values)
    except ValidationError:
        raise ValueError("the id must be one word of at most 64 characters without / + #") from None


def _plain(cell: str) -> bool:
    return len(cell) <= _CELL_LIMIT and cell.isprintable()
