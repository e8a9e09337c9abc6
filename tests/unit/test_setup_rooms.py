"""Tables of rooms as people export and paste them."""

import csv
import io
from pathlib import Path

import pytest
from attuned.config import RoomSettings
from attuned.errors import ConfigError
from attuned.setup.room_table import BadRow, decoded, file_bytes, read
from hypothesis import given
from hypothesis import strategies as st

NORTH = RoomSettings(id="2.13", name="Meeting, north", floor="2", building="A")
TINY = RoomSettings(id="2.14", name="Küche")


@pytest.mark.parametrize(
    "text",
    [
        '2.13,"Meeting, north",2,A\n2.14,Küche',
        "2.13;Meeting, north;2;A\r\n2.14;Küche;;",
        "2.13\tMeeting, north\t2\tA\n2.14\tKüche\t\t",
        "id;name;floor;building\n2.13;Meeting, north;2;A\n2.14;Küche;;",
        "Building;Floor;Room no.;Name\nA;2;2.13;Meeting, north\n;;2.14;Küche",
        "ROOM_ID;Room Name;m2;Level;Wing\n2.13;Meeting, north;31;2;A\n2.14;Küche;;;",
        "\ufeffid;name;floor;building\r\n\r\n2.13;Meeting, north;2;A\r\n\r\n2.14;Küche\r\n\r\n",
        "sep=;\n2.13;Meeting, north;2;A\n2.14;Küche",
        "| id | name | floor | building |\n| 2.13 | Meeting, north | 2 | A |\n| 2.14 | Küche | | |",
        "Raum-Nr.;Bezeichnung;Etage;Geb\u00e4ude\r\n2.13;Meeting, north;2;A\r\n2.14;K\u00fcche;;",
        "Salle;Nom;\u00c9tage;Ba\u0302timent\n2.13;Meeting, north;2;A\n2.14;K\u00fcche;;",
        "  2.13 ;  Meeting, north ; 2;A  \n2.14; Küche ;",
    ],
)
def test_the_same_rooms_in_many_dresses(text: str) -> None:
    table = read(text)
    assert (table.rooms, table.bad) == ((NORTH, TINY), ())


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("2 14;x;2", "the id must be one word of at most 64 characters without / + #"),
        ("a/b;x;2", "the id must be one word"),
        ("#;x;2", "the id must be one word"),
        (f"{'9' * 65};x", "the id must be one word"),
        (";x;2", "it has no id"),
        (";;", "it has no id"),
        ("2.13;again", "room 2.13 stands in the table twice"),
        ("2.15;a;b;c;d", "there are 5 columns and not 4: put names with separators in quotes"),
        ("2.15;\x1b[2J;2", "the name is longer than 200 characters or has some that cannot be shown"),
        (f"2.15;{'x' * 201}", "the name is longer than 200 characters"),
        ('2.15;"open;2', "unexpected end of data"),
        ("2.15;a\x00b", "the name is longer than 200 characters or has some that cannot be shown"),
    ],
)
def test_a_bad_row_is_named_with_its_line(line: str, reason: str) -> None:
    table = read(f"id;name;floor;building\n2.13;North;2;\n{line}\n2.16;South;2;\n")
    assert [room.id for room in table.rooms] == ["2.13", "2.16"]
    (bad,) = table.bad
    assert isinstance(bad, BadRow)
    assert (bad.line, bad.text) == (3, line.strip())
    assert bad.reason.startswith(reason)


def test_rows_that_are_typed_again_keep_the_order_of_the_header() -> None:
    first = read("name;id\nNorth;2 13\n")
    assert (first.rooms, first.bad[0].line, first.order) == ((), 2, ["name", "id"])
    assert read("North;2.13", first.order).rooms == (RoomSettings(id="2.13", name="North"),)


def test_a_header_in_other_words_is_no_room() -> None:
    table = read("Pokoj;Budova\n2.13;A\n2.14;A")
    assert [room.id for room in table.rooms] == ["2.13", "2.14"]
    assert [(row.line, row.reason[:26]) for row in table.bad] == [(1, "it looks like a header: ca")]
    # A room may be called so: behind others, below a header, or among others of its kind.
    for text in (
        "2.13;A\n2.14;A\nFoyer;A",
        "id;building\nFoyer;A\n2.13;A\n2.14;A",
        "Foyer;A\nHall;A\n2.13;A",
        "Foyer;A",
    ):
        assert read(text).bad == ()


def test_nothing_is_no_table() -> None:
    for text in ("", "\n\n", "\ufeff", "id;name\n"):
        assert (read(text).rooms, read(text).bad) == ((), ())


def test_one_column_is_enough() -> None:
    assert [room.id for room in read("id\n1\n2").rooms] == ["1", "2"]
    assert [room.id for room in read("1\n2").rooms] == ["1", "2"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_files_are_read_as_spreadsheets_save_them(encoding: str) -> None:
    assert decoded("2.14;Küche".encode(encoding)) == "2.14;Küche"


def test_files_that_are_no_tables() -> None:
    with pytest.raises(ConfigError, match="is not text: save it as CSV in UTF-8"):
        decoded(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="/dev/zero has more than 4 MiB: name a file with a line a room"):
        file_bytes(Path("/dev/zero"))


WORDS = st.text(st.characters(categories=["L", "N"], max_codepoint=0x2FF), min_size=1, max_size=12)
NAMES = st.text(st.characters(categories=["L", "N", "P", "Zs"], max_codepoint=0xFF), max_size=20).map(
    lambda text: " ".join(text.split())
)


@given(st.dictionaries(WORDS, st.tuples(NAMES, NAMES, NAMES), max_size=8), st.sampled_from(";\t,"))
def test_what_a_spreadsheet_writes_is_read_back(rooms: dict[str, tuple[str, str, str]], separator: str) -> None:
    file = io.StringIO()
    writer = csv.writer(file, delimiter=separator, quoting=csv.QUOTE_ALL)
    writer.writerow(["id", "name", "floor", "building"])
    writer.writerows([room, *cells] for room, cells in rooms.items())
    # A table that has more of another mark than of its own is not told from one of that mark.
    if any(mark in file.getvalue() for mark in {";", "\t", "|", ","} - {separator}):
        return
    table = read(file.getvalue())
    assert not table.bad
    assert {room.id: (room.name, room.floor, room.building) for room in table.rooms} == rooms


@given(st.text(max_size=200))
def test_no_text_breaks_it(text: str) -> None:
    table = read(text)
    assert all(bad.reason for bad in table.bad)
