"""Local times: offsets, hours that occur twice, hours that do not occur."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from attuned.learning.replay.times import LocalTimes, check_format, instant_ms, reader, zone
from hypothesis import example, given
from hypothesis import strategies as st

BRUSSELS = ZoneInfo("Europe/Brussels")


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def resolved(texts: list[str], local: ZoneInfo = BRUSSELS) -> list[int]:
    return list(LocalTimes(local).utc_ms(datetime.fromisoformat(text) for text in texts))


def test_winter_and_summer() -> None:
    assert resolved(["2015-02-04 17:51:00", "2015-07-04 17:51:00"]) == [
        utc("2015-02-04 16:51:00"),
        utc("2015-07-04 15:51:00"),
    ]


def test_an_offset_of_its_own_wins() -> None:
    east = datetime(2015, 2, 4, 12, tzinfo=timezone(timedelta(hours=8)))
    assert list(LocalTimes(BRUSSELS).utc_ms([east])) == [utc("2015-02-04 04:00:00")]


def test_the_hour_that_occurs_twice_goes_on_in_file_order() -> None:
    # On 25 October 2015 clocks in Brussels went from 03:00 back to 02:00 at 01:00 UTC.
    clocks = ("01:50", "02:10", "02:30", "02:50", "02:10", "02:30", "02:50", "03:10")
    texts = [f"2015-10-25 {clock}" for clock in clocks]
    steps = [utc("2015-10-24 23:50:00") + step * 1_200_000 for step in range(8)]
    assert resolved(texts) == steps


def test_the_hour_that_occurs_twice_read_backwards() -> None:
    clocks = ("03:10", "02:50", "02:30", "02:10", "02:50", "02:30", "02:10", "01:50")
    texts = [f"2015-10-25 {clock}" for clock in clocks]
    steps = [utc("2015-10-25 02:10:00") - step * 1_200_000 for step in range(8)]
    assert resolved(texts) == steps


def test_a_repeated_row_in_the_hour_that_occurs_twice_stays_where_it_was() -> None:
    assert resolved(["2015-10-25 02:10", "2015-10-25 02:10"]) == [utc("2015-10-25 00:10:00")] * 2


def test_half_an_hour_that_occurs_twice() -> None:
    # Lord Howe goes back by half an hour, at 02:00 on 5 April 2015 (15:00 UTC the day before).
    texts = ["2015-04-05 01:40", "2015-04-05 01:50", "2015-04-05 01:30", "2015-04-05 01:40"]
    steps = [utc("2015-04-04 14:40:00") + step * 600_000 for step in range(4)]
    assert resolved(texts, ZoneInfo("Australia/Lord_Howe")) == steps


def test_an_hour_that_does_not_occur_is_read_with_the_offset_before() -> None:
    # On 29 March 2015 clocks went from 02:00 to 03:00 at 01:00 UTC.
    assert resolved(["2015-03-29 01:59", "2015-03-29 02:30", "2015-03-29 03:30"]) == [
        utc("2015-03-29 00:59:00"),
        utc("2015-03-29 01:30:00"),
        utc("2015-03-29 01:30:00"),
    ]


@given(
    st.sampled_from(["Europe/Brussels", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Beirut", "UTC"]),
    st.datetimes(datetime(2000, 1, 1), datetime(2030, 1, 1)),  # noqa: DTZ001 - readings of a wall clock
)
@example("America/Sao_Paulo", datetime(2018, 11, 4, 0, 30))  # noqa: DTZ001 - at midnight the clock went to 01:00
@example("Asia/Beirut", datetime(2019, 10, 26, 23, 30))  # noqa: DTZ001 - at midnight the clock went back to 23:00
def test_a_moment_alone_is_the_first_that_the_wall_clock_showed(name: str, moment: datetime) -> None:
    expected = moment.replace(tzinfo=ZoneInfo(name), fold=0).timestamp() * 1000
    assert list(LocalTimes(ZoneInfo(name)).utc_ms([moment])) == [pytest.approx(expected, abs=1)]


ISO = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M")


@given(
    st.sampled_from(ISO), st.from_regex(r"[0-9]{3,5}-[0-9]{1,2}-[0-9]{1,2}[ T][0-9]{1,2}:[0-9]{1,2}(:[0-9]{1,2})?Z?")
)
@example(ISO[0], "2015-02-04 24:00:00")
@example(ISO[0], "2015-02-04 23:59:60")
@example(ISO[0], "2015-02-30 12:00:00")
@example(ISO[0], "2015-W06-3 12:00:00")
@example(ISO[0], "2015-2-4 5:6:7")
@example(ISO[1], "2015-02-04 17:51")
@example(ISO[1], "2015-02-04 17:51\n")
@example(ISO[1], "\u0662015-02-04 17:51")
def test_iso_times_are_read_as_strptime_reads_them(form: str, text: str) -> None:
    def outcome(read: Callable[[str], datetime]) -> datetime | None:
        try:
            return read(text)
        except ValueError:
            return None

    assert outcome(reader(form)) == outcome(lambda text: datetime.strptime(text, form))  # noqa: DTZ007 - the independent reading


def test_instants_of_a_spec() -> None:
    midnight = utc("2015-02-04 23:00:00")
    assert instant_ms("2015-02-05 00:00", BRUSSELS) == midnight
    assert instant_ms("2015-02-05", BRUSSELS) == midnight
    assert instant_ms(date(2015, 2, 5), BRUSSELS) == midnight
    assert instant_ms(datetime(2015, 2, 5), BRUSSELS) == midnight  # noqa: DTZ001 - as TOML gives it
    assert instant_ms("2015-02-05T00:00:00+00:00", BRUSSELS) == midnight + 3_600_000


@pytest.mark.parametrize("form", ["%Y-%m-%d %H:%M:%S", "%d/%m/%y %I:%M %p", "%Y-%j %H:%M", "%Y-%m-%dT%H:%M:%S%z"])
def test_good_formats(form: str) -> None:
    check_format(form)


@pytest.mark.parametrize("form", ["%Q", "%Y-%m-%d", "%H:%M:%S", "%Y-%m-%d %I:%M", "date", "%"])
def test_bad_formats(form: str) -> None:
    with pytest.raises(ValueError, match=r"; write a"):
        check_format(form)


@pytest.mark.parametrize("name", ["Europe/Brussel", "Europe", "", "../etc/passwd", "+02:00"])
def test_bad_zones(name: str) -> None:
    with pytest.raises(ValueError, match="; write an IANA name"):
        zone(name)
