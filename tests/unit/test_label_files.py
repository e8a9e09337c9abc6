"""Labels from files: tables and calendars, good rows kept, bad ones by their line. Times are worked out by hand."""

from __future__ import annotations

import io
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from attuned.cli import label_calendar
from attuned.cli.errors import CliError
from attuned.cli.label_calendar import read_calendar
from attuned.cli.label_rows import Bad, Reading, Row, read_csv
from hypothesis import given, settings
from hypothesis import strategies as st

BRUSSELS = ZoneInfo("Europe/Brussels")


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000


NOW = utc("2026-11-21T14:30:00")
READING = Reading(NOW, BRUSSELS, "", 0.3)


def table(text: str | bytes, **more: Any) -> list[Row | Bad]:
    data = text.encode() if isinstance(text, str) else text
    return list(read_csv(io.BytesIO(data), replace(READING, **more)))


def test_a_table() -> None:
    rows = table(
        "\ufeffclass;Room;to;from;weight\r\n"
        'free;"2.13";2026-11-20 14:20;2026-11-20T14:00;\r\n'
        "\r\n"
        "occupied;2.14;2026-07-01T12:00Z;2026-07-01 10:00;0,5\r\n"
    )
    assert rows == [
        Row(2, "2.13", "free", utc("2026-11-20T13:00:00"), utc("2026-11-20T13:20:00"), 0.3),
        Row(4, "2.14", "occupied", utc("2026-07-01T08:00:00"), utc("2026-07-01T12:00:00"), 0.5),
    ]


def test_one_room_for_all() -> None:
    (row,) = table("class,from,to\nfree,2026-11-20 14:00,2026-11-20 14:20", room="r")
    assert isinstance(row, Row)
    assert row.room == "r"


GOOD = b"r,free,2026-11-20 14:00,2026-11-20 14:20\n"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"r,free\xe9,2026-11-20 14:00,2026-11-20 14:20\n", "not in UTF-8"),
        (b"r,free,2026-11-20 14:00\n", "`` is no time with a date"),
        (b"r,free,now,-20m\n", "`now` is no time with a date"),
        (b"r,free,2026-11-31 14:00,2026-11-20 14:20\n", "There is no day 2026-11-31"),
        (b"r,free,2026-10-25 02:30,2026-10-25 04:00\n", "put back over"),
        (b"r,free,2026-03-29 02:30,2026-03-29 04:00\n", "put forward over"),
        (b"r,free,2026-11-22 02:30,2026-11-22 04:00\n", "still to come"),
        (b",free,2026-11-20 14:00,2026-11-20 14:20\n", "names no room"),
        (b"r,free,2026-11-20 14:00,2026-11-20 14:20,1,2\n", "6 columns and the first line 4"),
        (b'"r,free,2026-11-20 14:00,2026-11-20 14:20\n', "unexpected end of data"),
        (b"r" * 20_000 + b",free,2026-11-20 14:00,2026-11-20 14:20\n", "more than 16384 bytes"),
    ],
)
def test_a_bad_line_spoils_no_other(line: bytes, reason: str) -> None:
    before, bad, after = table(b"room,class,from,to\n" + GOOD + line + GOOD)
    assert isinstance(before, Row)
    assert isinstance(after, Row)
    assert (before.line, after.line) == (2, 4)
    assert isinstance(bad, Bad)
    assert bad.line == 3
    assert reason in bad.reason
    assert bad.reason.endswith(".")


def test_a_weight_that_is_none() -> None:
    (bad,) = table("room,class,from,to,weight\nr,free,2026-11-20 14:00,2026-11-20 14:20,much")
    assert bad == Bad(2, "`much` is no weight; write a number above 0 and at most 1.")


@pytest.mark.parametrize("text", ["", "r,free,2026-11-20 14:00,2026-11-20 14:20\n", "\0", "room;class;from\n"])
def test_a_table_without_names_is_refused(text: str) -> None:
    with pytest.raises(CliError, match="The first line must name the columns"):
        table(text)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(max_size=80), max_size=8))
def test_any_bytes_are_rows_or_bad_rows(lines: list[bytes]) -> None:
    found = table(b"room,class,from,to\n" + b"\n".join(lines))
    assert [row.line for row in found] == sorted({row.line for row in found})


class Endless(io.RawIOBase):
    """A table of so many lines that is made while it is read."""

    def __init__(self, lines: int) -> None:
        self._left = lines
        self._rest = b"room,class,from,to\n"

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        while len(self._rest) < len(buffer) and self._left:
            self._rest += GOOD
            self._left -= 1
        part, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)


def memory_of_reading(lines: int) -> tuple[int, int]:
    """Rows of a table of so many lines, and the most bytes that were taken while they were read."""
    tracemalloc.start()
    file = io.BufferedReader(Endless(lines))  # type: ignore[type-var]
    count = sum(1 for _ in read_csv(file, READING))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return count, peak


def test_a_long_table_needs_no_memory() -> None:
    # On a thread of its own: tracemalloc walks up the whole stack at each allocation, and that of pytest is deep.
    with ThreadPoolExecutor(1) as thread:
        count, peak = thread.submit(memory_of_reading, 2_500).result()
    assert count == 2_500
    # Its text alone would take as much, and its rows seven times that.
    assert peak < 100_000


# Calendars.


def event(*lines: str) -> str:
    return "\r\n".join(["BEGIN:VEVENT", "UID:a@x", "LOCATION:2.13", *lines, "END:VEVENT"]) + "\r\n"


def calendar(*events: str | bytes, room: str = "") -> list[Row | Bad]:
    body = b"".join(one if isinstance(one, bytes) else one.encode() for one in events)
    data = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n" + body + b"END:VCALENDAR\r\n"
    return list(read_calendar(io.BytesIO(data), Reading(NOW, BRUSSELS, room, 0.3)))


def intervals(*events: str | bytes) -> list[tuple[int, int]]:
    return [(row.from_utc_ms, row.to_utc_ms) for row in calendar(*events) if isinstance(row, Row)]


@pytest.mark.parametrize(
    ("lines", "start", "end"),
    [
        (["DTSTART:20261120T130000Z", "DTEND:20261120T140000Z"], "2026-11-20T13:00:00", "2026-11-20T14:00:00"),
        (["DTSTART:20261120T130000", "DURATION:PT90M"], "2026-11-20T12:00:00", "2026-11-20T13:30:00"),
        (
            ["DTSTART;TZID=America/New_York:20261120T080000", "DTEND;TZID=America/New_York:20261120T090000"],
            "2026-11-20T13:00:00",
            "2026-11-20T14:00:00",
        ),
        (["DTSTART;VALUE=DATE:20261119"], "2026-11-18T23:00:00", "2026-11-19T23:00:00"),
        # Clocks went back an hour at 3 o'clock of the 25th of October, and forward at 2 o'clock of the 29th of March.
        (["DTSTART;VALUE=DATE:20261025"], "2026-10-24T22:00:00", "2026-10-25T23:00:00"),
        (["DTSTART:20261025T010000", "DTEND:20261025T040000"], "2026-10-24T23:00:00", "2026-10-25T03:00:00"),
        (
            ["DTSTART;TZID=Europe/Brussels:20260329T010000", "DTEND;TZID=Europe/Brussels:20260329T040000"],
            "2026-03-29T00:00:00",
            "2026-03-29T02:00:00",
        ),
    ],
)
def test_a_booking(lines: list[str], start: str, end: str) -> None:
    assert calendar(event(*lines)) == [Row(3, "2.13", "occupied", utc(start), utc(end), 0.3)]


def test_a_weekly_meeting_stays_at_ten_when_the_clocks_change() -> None:
    weekly = event(
        "DTSTART;TZID=Europe/Brussels:20261014T100000",
        "DTEND;TZID=Europe/Brussels:20261014T110000",
        "RRULE:FREQ=WEEKLY;COUNT=9",
        "EXDATE;TZID=Europe/Brussels:20261021T100000",
    )
    moved = event(
        "RECURRENCE-ID;TZID=Europe/Brussels:20261104T100000",
        "DTSTART;TZID=Europe/Brussels:20261105T150000",
        "DTEND;TZID=Europe/Brussels:20261105T160000",
    )
    # Summer time, UTC+2, until 25 October; the 21st was deleted, the 4th of November moved; the 25th is to come.
    starts = ["2026-10-14T08:00:00", "2026-10-28T09:00:00", "2026-11-11T09:00:00", "2026-11-18T09:00:00"]
    assert [start for start, _ in intervals(weekly, moved)] == [*map(utc, starts), utc("2026-11-05T14:00:00")]


def test_until_and_extra_dates() -> None:
    rule = event(
        "DTSTART:20261101T080000Z",
        "DTEND:20261101T090000Z",
        "RRULE:FREQ=DAILY;INTERVAL=2;UNTIL=20261105T080000Z",
        "RDATE:20261110T080000Z",
    )
    days = [1, 3, 5, 10]
    assert [start for start, _ in intervals(rule)] == [utc(f"2026-11-{day:02d}T08:00:00") for day in days]


def test_what_does_not_count_is_left_out() -> None:
    times = ("DTSTART:20261120T130000Z", "DTEND:20261120T140000Z")
    later = event("DTSTART:20261121T140000Z", "DTEND:20261121T150000Z")
    assert calendar(event(*times, "STATUS:CANCELLED"), event(*times, "TRANSP:TRANSPARENT"), later) == []


TIMES = ("DTSTART:20261120T130000Z", "DTEND:20261120T140000Z")


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["DTEND:20261120T140000Z"], "no beginning that can be read"),
        (["DTSTART:2026-11-20", "DTEND:20261120T140000Z"], "."),
        (["DTSTART:20261120T130000Z", "DTEND:20261120T120000Z"], "does not end after its beginning"),
        (["DTSTART:20261120T130000Z", "DTEND:20261120T140000"], "of different kinds"),
        (["DTSTART;TZID=Mars/Base:20261120T130000", TIMES[1]], "time zone 'Mars/Base' is not known"),
        ([TIMES[0], "DTEND;TZID=Mars/Base:20261120T150000"], "time zone 'Mars/Base' is not known"),
        ([*TIMES, "RRULE:FREQ=SECONDLY"], "repeats in a way that bookings do not"),
        (["DTSTART:19000101T130000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY"], "repeats more than 20000 times"),
        ([*TIMES, "RRULE:FREQ=DAILY;BYDAY=XX"], "."),
        ([*TIMES, "X-LONG:" + "x" * 70_000], "more than 65536 bytes"),
    ],
)
def test_a_broken_event_spoils_no_other(lines: list[str], reason: str) -> None:
    good = event(*TIMES)
    before, bad, after = calendar(good, event(*lines), good)
    assert isinstance(before, Row)
    assert isinstance(after, Row)
    assert isinstance(bad, Bad)
    assert bad.line == 9
    assert reason in bad.reason


def test_broken_bytes_in_an_event_are_no_harm_where_nobody_reads_them() -> None:
    broken = event(*TIMES, "SUMMARY:x").encode().replace(b"SUMMARY:x", b"SUMMARY:\xff\xfe")
    assert len(intervals(broken, event(*TIMES))) == 2
    where = event(*TIMES).encode().replace(b"2.13", b"\xff")
    (row,) = calendar(where)
    assert isinstance(row, Row)
    assert row.room == "\ufffd"  # which the site does not have


def test_an_event_without_a_room_and_with_one_for_all() -> None:
    nowhere = event(*TIMES).replace("LOCATION:2.13\r\n", "")
    assert calendar(nowhere) == [Bad(3, "The event names no room as its location; name one for all with --room.")]
    (row,) = calendar(nowhere, room="2.14")
    assert isinstance(row, Row)
    assert row.room == "2.14"


def test_an_event_that_never_ends_is_given_up_at_the_next() -> None:
    found = calendar("BEGIN:VEVENT\r\nUID:b\r\n", event(*TIMES))
    assert isinstance(found[0], Bad)
    assert isinstance(found[1], Row)


@pytest.mark.parametrize("data", [b"", b"\x89PNG", b"room,class,from,to\n"])
def test_no_calendar(data: bytes) -> None:
    with pytest.raises(CliError, match="The file is no calendar"):
        list(read_calendar(io.BytesIO(data), READING))


def test_a_calendar_that_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_calendar, "SIZE_LIMIT", 100)
    with pytest.raises(CliError, match="export it in parts"):
        calendar(event(*TIMES))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(st.characters(min_codepoint=10, max_codepoint=300), max_size=40), max_size=6))
def test_any_event_is_bookings_or_bad(lines: list[str]) -> None:
    found = calendar(event(*TIMES[:1], *lines))
    assert all(isinstance(row, Row | Bad) for row in found)
