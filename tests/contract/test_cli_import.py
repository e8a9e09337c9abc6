"""Importing labels against a served site: what the daemon is sent, what is listed, and how it ends."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest
from attune_proto.v1 import admin_pb2
from cli_run import CommandLine

HEADER = "room,class,from,to\n"
GOOD = "2.13,free,2026-11-20 14:00,2026-11-20 14:20\n"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "labels.csv"
    path.write_text(HEADER + GOOD + "2.13,free,soon,later\n" + GOOD.replace("2.13", "2.99"), encoding="utf-8")
    return path


def sent(attune: CommandLine) -> list[admin_pb2.ImportLabelsRequest]:
    return [one for one in attune.site.asked if isinstance(one, admin_pb2.ImportLabelsRequest)]


def test_good_rows_are_kept_and_bad_ones_listed(attune: CommandLine, table: Path) -> None:
    code, out, err = attune("label", "import", str(table))
    assert (code, out) == (1, "Stored 1 of 3 labels.\n")
    assert err.splitlines() == [
        "line 3: `soon` is no time with a date; write 2026-11-21 14:00 or 2026-11-21T14:00+01:00.",
        "line 4: There is no room 2.99.",
    ]
    (part,) = sent(attune)
    assert (part.source, [(row.line, row.weight) for row in part.labels]) == ("import", [(2, 1.0), (4, 1.0)])


def test_json(attune: CommandLine, table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = attune("label", "import", str(table), "--json")
    assert (code, err) == (1, "")
    assert '"stored": 1' in out
    assert '"line": 4' in out


def test_parts_options_and_an_end_without_errors(attune: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "many.CSV"
    path.write_text(HEADER + GOOD * 1200, encoding="utf-8")
    words = ["--room", "0.01", "--source", "survey", "--weight", "0.5"]
    assert attune("label", "import", str(path), *words) == (0, "Stored 1,200 of 1,200 labels.\n", "")
    assert [len(part.labels) for part in sent(attune)] == [500, 500, 200]
    assert {(row.room, row.weight) for part in sent(attune) for row in part.labels} == {("0.01", 0.5)}
    assert {part.source for part in sent(attune)} == {"survey"}


def test_a_calendar_names_rooms_as_people_do(attune: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "bookings.ics"
    body = "BEGIN:VEVENT\r\nUID:1\r\nLOCATION:meeting NORTH\r\nDTSTART:20261120T130000Z\r\nDTEND:20261120T140000Z\r\n"
    path.write_text(f"BEGIN:VCALENDAR\r\n{body}END:VEVENT\r\nEND:VCALENDAR\r\n", encoding="utf-8")
    assert attune("label", "import", str(path))[:2] == (0, "Stored 1 of 1 labels.\n")
    (part,) = sent(attune)
    assert (part.source, part.labels[0].room, part.labels[0].weight) == ("booking", "2.13", 0.3)


def test_an_empty_table(attune: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text(HEADER, encoding="utf-8")
    assert attune("label", "import", str(tmp_path / "empty.csv")) == (0, "The file has no labels.\n", "")


@pytest.mark.parametrize(
    ("name", "code", "sentence"),
    [("none.csv", 1, "cannot be read (No such file or directory)"), ("labels.txt", 2, "neither .csv nor .ics")],
)
def test_files_that_cannot_be_read(attune: CommandLine, tmp_path: Path, name: str, code: int, sentence: str) -> None:
    said = attune("label", "import", str(tmp_path / name))
    assert said[0] == code
    assert sentence in said[2]


def test_a_table_without_names_says_so(attune: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(GOOD, encoding="utf-8")
    code, out, err = attune("label", "import", str(tmp_path / "x.csv"))
    assert (code, out) == (1, "")
    assert err.startswith("attune: The first line must name the columns")


def test_what_the_daemon_refuses_as_a_whole(attune: CommandLine, table: Path) -> None:
    attune.site.refuse["ImportLabels"] = grpc.StatusCode.FAILED_PRECONDITION, "The disk is full: make room."
    code, _, err = attune("label", "import", str(table))
    assert (code, err.splitlines()[-1]) == (1, "attune: The disk is full: make room.")
