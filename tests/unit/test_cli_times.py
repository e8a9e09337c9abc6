"""What a person may type as a time, and what each of it means. Expected values are worked out by hand in UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from attuned.cli.errors import CliError, WrongUsageError
from attuned.cli.times import Interval, parse_interval, parse_moment
from hypothesis import given
from hypothesis import strategies as st

BRUSSELS = ZoneInfo("Europe/Brussels")


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000


# Saturday, 15:30 in Brussels (UTC+1).
NOW = utc("2026-11-21T14:30:00")


@pytest.mark.parametrize(
    ("typed", "start", "end"),
    [
        ("now", "2026-11-21T14:20:00", "2026-11-21T14:30:00"),
        ("-20m", "2026-11-21T14:10:00", "2026-11-21T14:30:00"),
        ("-20m now", "2026-11-21T14:10:00", "2026-11-21T14:30:00"),
        ("-40m -20m", "2026-11-21T13:50:00", "2026-11-21T14:10:00"),
        ("-1h30m now", "2026-11-21T13:00:00", "2026-11-21T14:30:00"),
        ("-2d -47h", "2026-11-19T14:30:00", "2026-11-19T15:30:00"),
        ("-90s now", "2026-11-21T14:28:30", "2026-11-21T14:30:00"),
        ("14:00 14:20", "2026-11-21T13:00:00", "2026-11-21T13:20:00"),
        ("9:05 9:06:30", "2026-11-21T08:05:00", "2026-11-21T08:06:30"),
        ("14:00 +20m", "2026-11-21T13:00:00", "2026-11-21T13:20:00"),
        ("14:00 now", "2026-11-21T13:00:00", "2026-11-21T14:30:00"),
        ("14:00 -5m", "2026-11-21T13:00:00", "2026-11-21T14:25:00"),
        ("today 00:00 today 01:00", "2026-11-20T23:00:00", "2026-11-21T00:00:00"),
        ("yesterday 14:00 14:20", "2026-11-20T13:00:00", "2026-11-20T13:20:00"),
        ("yesterday 9-11", "2026-11-20T08:00:00", "2026-11-20T10:00:00"),
        ("9:30-11", "2026-11-21T08:30:00", "2026-11-21T10:00:00"),
        ("2026-07-01 22-24", "2026-07-01T20:00:00", "2026-07-01T22:00:00"),
        # The clocks were put back over this: four hours on the wall are five.
        ("2026-10-25 1-5", "2026-10-24T23:00:00", "2026-10-25T04:00:00"),
        ("yesterday 22:00 24:00", "2026-11-20T21:00:00", "2026-11-20T23:00:00"),
        ("yesterday 23:00 today 01:00", "2026-11-20T22:00:00", "2026-11-21T00:00:00"),
        ("2026-11-21 14:00 14:20", "2026-11-21T13:00:00", "2026-11-21T13:20:00"),
        ("2026-11-01 14:00 2026-11-02 14:00", "2026-11-01T13:00:00", "2026-11-02T13:00:00"),
        ("2026-11-21T14:00 14:20", "2026-11-21T13:00:00", "2026-11-21T13:20:00"),
        ("2026-11-21T14:00Z 2026-11-21T14:20+00:00", "2026-11-21T14:00:00", "2026-11-21T14:20:00"),
        # In July Brussels is at UTC+2.
        ("2026-07-01 14:00 14:20", "2026-07-01T12:00:00", "2026-07-01T12:20:00"),
    ],
)
def test_forms(typed: str, start: str, end: str) -> None:
    expected = Interval(utc(start), utc(end))
    assert parse_interval(typed.split(), NOW, BRUSSELS) == expected
    assert parse_interval([typed], NOW, BRUSSELS) == expected, "quoting the words together changes nothing"


@pytest.mark.parametrize(
    ("typed", "part_of_message"),
    [
        ("14:00", "Say until when, for instance `14:00 now`"),
        ("yesterday 14:00", "`yesterday 14:00 now`"),
        ("yesterday", "Say the time of day after the day, for instance `yesterday 14:00`"),
        ("14.00 14.20", "`14.00` is not a time that can be read; write 14:00"),
        ("25:00 26:00", "There is no time 25:00"),
        ("14:60 15:00", "There is no time 14:60"),
        ("2026-02-30 14:00 15:00", "There is no day 2026-02-30"),
        ("2026-13-01T14:00 15:00", "is not a time that can be read"),
        ("14:00 14:20 14:40", "comes after the end"),
        ("+20m now", "can only be an end"),
        ("-20x now", "`-20x` is not a time"),
        ("-20m --jsno", "There is no option --jsno"),
        ("-99999d99999d99999d99999d99999d99999d99999d99999d99999d", "outside of the calendar"),
        ("0001-01-01 00:00 01:00", "outside of the calendar"),
        ("9999-12-31 24:00 now", "outside of the calendar"),
        ("", "Say when the room was so"),
    ],
)
def test_what_cannot_be_read_is_wrong_usage(typed: str, part_of_message: str) -> None:
    with pytest.raises(WrongUsageError) as refused:
        parse_interval(typed.split(), NOW, BRUSSELS)
    assert part_of_message in str(refused.value)


@pytest.mark.parametrize(
    ("typed", "part_of_message"),
    [
        ("16:00 16:20", "`16:00` is still to come: at the site it is 15:30 on 2026-11-21"),
        ("16:00 16:20", "for the day before write `yesterday 16:00`"),
        ("15:00 16:00", "`16:00` is still to come"),
        ("15:00 +31m", "`+31m` is still to come"),
        ("2026-11-22 10:00 11:00", "`2026-11-22 10:00` is still to come"),
        ("14:20 14:00", "The end 2026-11-21 14:00:00 does not lie after the beginning 2026-11-21 14:20:00"),
        ("14:00 14:00", "does not lie after"),
        ("yesterday 23:00 01:00", "The end 2026-11-20 01:00:00"),
        ("-20m -40m", "does not lie after"),
    ],
)
def test_what_can_be_read_and_not_be_is_refused(typed: str, part_of_message: str) -> None:
    with pytest.raises(CliError) as refused:
        parse_interval(typed.split(), NOW, BRUSSELS)
    assert part_of_message in str(refused.value)
    assert refused.value.exit_code == 1


class TestClockChanges:
    """In Brussels 02:00 becomes 03:00 on 2026-03-29, and 03:00 becomes 02:00 on 2026-10-25."""

    def test_a_time_that_was_skipped(self) -> None:
        with pytest.raises(CliError, match="put forward over 2026-03-29 02:30"):
            parse_interval(["2026-03-29 02:30", "03:30"], NOW, BRUSSELS)

    def test_a_time_that_came_twice_names_both(self) -> None:
        with pytest.raises(CliError, match=r"2026-10-25T02:30\+02:00 or 2026-10-25T02:30\+01:00"):
            parse_interval(["2026-10-25 02:30", "04:00"], NOW, BRUSSELS)

    def test_the_offset_says_which(self) -> None:
        read = parse_interval(["2026-10-25T02:30+02:00", "2026-10-25T02:30+01:00"], NOW, BRUSSELS)
        assert read == Interval(utc("2026-10-25T00:30:00"), utc("2026-10-25T01:30:00"))

    def test_before_it_comes_again_there_is_only_one(self) -> None:
        at_first_0245 = utc("2026-10-25T00:45:00")
        assert parse_interval(["02:30", "now"], at_first_0245, BRUSSELS).from_utc_ms == utc("2026-10-25T00:30:00")

    def test_the_hours_between_are_real_hours(self) -> None:
        read = parse_interval(["2026-10-25 01:00", "04:00"], NOW, BRUSSELS)
        assert read.to_utc_ms - read.from_utc_ms == 4 * 3_600_000
        read = parse_interval(["2026-03-29 01:00", "04:00"], NOW, BRUSSELS)
        assert read.to_utc_ms - read.from_utc_ms == 2 * 3_600_000

    def test_yesterday_across_a_change_is_a_calendar_day(self) -> None:
        noon_after = utc("2026-10-26T11:00:00")
        read = parse_interval(["yesterday 12:00", "13:00"], noon_after, BRUSSELS)
        assert read.from_utc_ms == utc("2026-10-25T11:00:00")


@pytest.mark.parametrize(
    ("zone", "start"),
    [
        ("Asia/Kolkata", "2026-11-21T08:30:00"),
        ("UTC", "2026-11-21T14:00:00"),
        ("America/New_York", "2026-11-20T19:00:00"),
    ],
)
def test_times_of_day_are_the_sites(zone: str, start: str) -> None:
    day = "yesterday " if zone == "America/New_York" else ""
    assert parse_interval([f"{day}14:00", "+5m"], NOW, ZoneInfo(zone)).from_utc_ms == utc(start)


@given(st.lists(st.text(alphabet="0123456789-+:dhmsTZ nowyestrday", max_size=12), max_size=5))
def test_anything_else_is_refused_in_a_sentence(words: list[str]) -> None:
    said = ""
    try:
        read = parse_interval(words, NOW, BRUSSELS)
    except CliError as refused:
        said = str(refused)
    assert said.endswith(".") if said else read.from_utc_ms < read.to_utc_ms <= NOW


@pytest.mark.parametrize(
    ("typed", "moment"),
    [
        ("yesterday", "2026-11-19T23:00:00"),
        ("2026-07-01", "2026-06-30T22:00:00"),
        ("today 14:00", "2026-11-21T13:00:00"),
        ("-2d", "2026-11-19T14:30:00"),
        ("now", "2026-11-21T14:30:00"),
    ],
)
def test_one_moment(typed: str, moment: str) -> None:
    assert parse_moment(typed, NOW, BRUSSELS) == utc(moment)


@pytest.mark.parametrize("typed", ["", "soon", "14:00 14:20", "9-11", "2026-13-01", "-99999d" * 3])
def test_what_is_no_moment(typed: str) -> None:
    with pytest.raises(WrongUsageError):
        parse_moment(typed, NOW, BRUSSELS)
