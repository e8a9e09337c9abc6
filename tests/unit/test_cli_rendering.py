"""Columns, plots and numbers of the screens. Expected drawings are worked out by hand in the comments."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from attune_proto.v1 import admin_pb2
from attuned.cli import accuracy, clock, look, plots
from attuned.cli.grid import Column, Grid, Row, Section
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.text import Text

HOUR = 3_600_000
MINUTE = 60_000
UNKNOWN, FREE, OCCUPIED = (
    admin_pb2.ROOM_STATE_UNKNOWN,
    admin_pb2.ROOM_STATE_FREE,
    admin_pb2.ROOM_STATE_OCCUPIED,
)


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000


class TestGrid:
    COLUMNS = (Column("room", least=4), Column("name", leave=2, least=6), Column("n", leave=1, right=True))

    def lines(self, width: int, *rows: tuple[str, str, str]) -> list[str]:
        section = Section("", [Row([Text(cell) for cell in row]) for row in rows])
        return [line.plain for line in Grid(self.COLUMNS, [section], indent=0).lines(width)]

    def test_all_fits(self) -> None:
        # 4 + 2 + 9 + 2 + 2 = 19 cells
        assert self.lines(19, ("2.13", "Reception", "7"), ("2.14", "", "10")) == [
            "room  name        n",
            "2.13  Reception   7",
            "2.14             10",
        ]

    def test_a_flexible_column_shrinks_first(self) -> None:
        # 16 cells less the two gaps, "2.13" and "7" leave seven to the name.
        assert self.lines(16, ("2.13", "Reception", "7"))[1] == "2.13  Recept…  7"

    def test_then_the_less_important_column_leaves(self) -> None:
        assert self.lines(14, ("2.13", "Reception", "7"))[1] == "2.13  7"

    def test_a_column_without_words_takes_no_place(self) -> None:
        assert self.lines(19, ("2.13", "", "7")) == ["room  n", "2.13  7"]

    def test_wide_characters_count_twice(self) -> None:
        # Six cells: two characters of two cells, a blank where half of the third would stand, and the ellipsis.
        assert self.lines(13, ("会議室一", "", "12345"))[1] == "会議 …  12345"

    @given(
        st.lists(st.tuples(*[st.text(alphabet="ab会é ", max_size=30)] * 3), min_size=1, max_size=5),
        st.integers(min_value=16, max_value=90),
    )
    def test_no_line_is_wider_than_the_width(self, rows: list[tuple[str, str, str]], width: int) -> None:
        grid = Grid((Column("a", least=4), Column("b", leave=2, least=6), Column("c", leave=1, least=5)), [
            Section("", [Row([Text(cell) for cell in row], [Text("note " * 9)]) for row in rows])
        ])  # fmt: skip
        assert all(cell_len(line.plain) <= width for line in grid.lines(width))


class TestBar:
    def test_to_the_right_in_half_cells(self) -> None:
        # 1.5 of 4 on 4 cells is 3 half cells.
        assert plots.bar(1.5, 4.0, 4).plain == "    │━╸"

    def test_to_the_left(self) -> None:
        assert plots.bar(-2.5, 4.0, 4).plain == " ╺━━│"

    def test_what_is_beyond_the_scale_ends_there(self) -> None:
        assert plots.bar(-9.0, 4.0, 4).plain == "━━━━│"

    def test_nothing(self) -> None:
        assert plots.bar(0.0, 4.0, 4).plain == "    │"


def point(minute: int, known: int, probability: float) -> admin_pb2.BeliefPoint:
    return admin_pb2.BeliefPoint(utc_ms=minute * MINUTE, known=known, known_probability=probability)  # type: ignore[arg-type]


class TestDayCurve:
    def test_levels_means_and_gaps(self) -> None:
        # Four columns of ten minutes: 0.5; the mean of 1 and 0.5; unknown; a point that has grown too old.
        points = [point(0, OCCUPIED, 0.5), point(10, OCCUPIED, 1.0), point(15, OCCUPIED, 0.5), point(20, UNKNOWN, 0.9)]
        high, low = plots.day_curve(points, 0, 40 * MINUTE, 4, rows=2)
        # Two rows of eight steps: 0.5 is eight steps, 0.75 twelve.
        assert low.plain == "██··"
        assert high.plain == " ▄  "

    def test_certainly_free_still_shows_a_ground_line(self) -> None:
        assert plots.day_curve([point(0, FREE, 0.0)], 0, 10 * MINUTE, 1, rows=1)[0].plain == "▁"

    def test_time_in_states_adds_up_to_the_whole(self) -> None:
        # Points before the start count from the start; the last one holds for a quarter of an hour.
        points = [point(-5, OCCUPIED, 0.9), point(10, FREE, 0.1)]
        assert plots.time_in_states(points, 0, 60 * MINUTE) == {
            "occupied": 10 * MINUTE,
            "free": 15 * MINUTE,
            "unknown": 35 * MINUTE,
        }

    def test_ticks_are_the_sites_hours_across_a_clock_change(self) -> None:
        # From 2026-03-28 23:00 UTC, midnight in Brussels; 02:00 to 03:00 is left out, so 06:00 is five hours on.
        start = utc("2026-03-28T23:00:00")
        ticks = plots.hour_ticks(start, start + 24 * HOUR, 48, ZoneInfo("Europe/Brussels")).plain
        assert ticks.index("06:00") == 10
        assert ticks.index("12:00") == 22


class TestNumbers:
    @pytest.mark.parametrize(
        ("probability", "text"),
        [(0.0, "0 %"), (0.004, "<1 %"), (0.5, "50 %"), (0.985, "98 %"), (0.9951, ">99 %"), (1.0, "100 %")],
    )
    def test_percent(self, probability: float, text: str) -> None:
        assert look.percent(probability) == text

    def test_hundredths_add_up(self) -> None:
        # Each third of 1.00 is 0.33; one hundredth is missing and goes to the first.
        assert look.hundredths_that_add_up([1 / 3] * 3, 1.0) == [0.34, 0.33, 0.33]
        # 0.007 + 0.007 = 0.014: each would round to 0.01, together they are 0.01.
        assert sorted(look.hundredths_that_add_up([0.007, 0.007], 0.014)) == [0.0, 0.01]

    @given(st.lists(st.floats(min_value=-20, max_value=20), min_size=1, max_size=8))
    def test_hundredths_stay_near_and_add_up(self, values: list[float]) -> None:
        shown = look.hundredths_that_add_up(values, sum(values))
        assert sum(shown) == pytest.approx(sum(values), abs=0.0051)
        assert all(abs(one - value) <= 0.0101 for one, value in zip(shown, values, strict=True))


class TestClock:
    ZONE = ZoneInfo("Europe/Brussels")
    NOW = utc("2026-11-21T13:32:00")

    @pytest.mark.parametrize(
        ("then", "text"),
        [
            ("2026-11-21T07:41:00", "08:41"),
            ("2026-11-20T23:10:00", "00:10"),  # ten past midnight at the site
            ("2026-11-20T16:03:00", "Fri 17:03"),
            ("2026-11-12T16:03:00", "12 Nov"),
            ("2025-11-12T16:03:00", "12 Nov 2025"),
        ],
    )
    def test_short(self, then: str, text: str) -> None:
        assert clock.short(utc(then), self.NOW, self.ZONE) == text

    def test_no_time(self) -> None:
        assert clock.short(0, self.NOW, self.ZONE) == "-"
        assert clock.iso(0, self.ZONE) is None

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3599, "59 min"), (3600, "1 h"), (12_000, "3 h 20 min"),
         (86_400, "1 d"), (187_200, "2 d 4 h"), (-5, "0 s")],
    )  # fmt: skip
    def test_span(self, seconds: int, text: str) -> None:
        assert clock.span(seconds * 1000) == text

    def test_iso_keeps_the_offset_of_its_own_day(self) -> None:
        assert clock.iso(utc("2026-07-01T12:00:00") + 7, self.ZONE) == "2026-07-01T14:00:00.007+02:00"


def test_little_labelled_time_says_nothing_of_days_and_chances() -> None:
    # Half an hour, 4 minutes of it wrongly free: 4 / 30 * 1440 = 192 min a day.
    figures = admin_pb2.Accuracy(days=1, free_hours=0.2, occupied_hours=0.3, false_free_min_per_day=192)
    found = accuracy.site_facts(admin_pb2.SiteStatus(labels=1, rooms=1, rooms_judged=1, accuracy=figures))
    assert set(found) == {"accuracy", "wrongly"}
    assert found["wrongly"].plain == "free 4 min, occupied 0 min of the labelled time"
    figures.free_hours = 29.7
    found = accuracy.site_facts(admin_pb2.SiteStatus(labels=1, rooms=1, rooms_judged=1, accuracy=figures))
    assert found["wrongly"].plain == "free 192 min, occupied 0 min a labelled day"
    assert "chances" in found
