"""Accuracy from labels: what was said then, never what is known now; sums worked by hand."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from attune_proto.v1 import admin_pb2
from attuned.api.admin import AdminService
from attuned.api.answers import Context
from attuned.learning.accuracy import LEAST_DAYS, Accuracy, accuracy
from attuned.learning.figures import CALIBRATION_BINS, confusion, recall
from attuned.learning.prequential import DAY_MS, SUMS, Spoken, by_day, fingerprint, judge_day, label_days
from attuned.nodes.link_service import LinkService
from attuned.site import Site
from attuned.store.accuracy import AccuracyDay, RoomRelease
from attuned.store.beliefs import SaidRow
from attuned.store.site import LabelRow
from daemon_world import HOUR, MINUTE, NOON, A, B, FakeClock, commit, errands, opened_site, window
from hypothesis import given
from hypothesis import strategies as st
from site_world import HeardSite

UNKNOWN, FREE, OCCUPIED = 0, 1, 2
TODAY = NOON // DAY_MS


def said(minutes: int, state: int, p: float, spoken: int | None = None) -> SaidRow:
    """What was said of the room so many minutes after noon, and when; at once if nothing else is given."""
    at = NOON + minutes * MINUTE
    return SaidRow("r", at, state, p, at, NOON + (minutes if spoken is None else spoken) * MINUTE)


def label(first: int, last: int, class_name: str, number: int = 1, *, told: int = 600, by: int = 0) -> LabelRow:
    """Minutes after noon; `by` is the label that replaced it."""
    start, end, told_ms = (NOON + minutes * MINUTE for minutes in (first, last, told))
    return LabelRow(number, "r", class_name, start, end, 1.0, "person", "ann", told_ms, by)


def judged(labels: Sequence[LabelRow], rows: Sequence[SaidRow], releases: Sequence[RoomRelease] = ()) -> AccuracyDay:
    (day,) = judge_day("r", TODAY, labels, Spoken.of(rows, releases), MINUTE)
    return day


# What counts.

SAID = [said(0, FREE, 0.25), said(10, OCCUPIED, 0.75), said(20, UNKNOWN, 0.5)]


def test_a_day_by_hand() -> None:
    # Minutes 1..15 free, 16..30 occupied. Said: free for 1..9, occupied for 10..19, unknown for 20..30.
    day = judged([label(0, 15, "free"), label(15, 30, "occupied", 2)], SAID)
    assert day.seconds == (9 * 60, 6 * 60, 0, 0, 4 * 60, 11 * 60)
    # .75 lies in bin 12 of 15, (11/15, 12/15]: 9 + 4 right of 19, 14.25 expected. Unknown is .5 in bin 8, and wrong.
    assert [round(gap / 60, 6) for gap in day.gaps if gap] == [-5.5, 13 - 14.25]
    found = accuracy("", by_day([day])[1])
    assert (found.free_s, found.occupied_s, found.days) == (900, 900, 1)
    assert found.balanced_accuracy == pytest.approx((9 / 15 + 4 / 15) / 2)
    assert found.calibration_error == pytest.approx((5.5 + 1.25) / 30)
    # Half an hour was labelled, a 48th of a day: six minutes falsely occupied in it.
    assert found.false_occupied_min_per_day == pytest.approx(6 * 48)
    assert found.false_free_min_per_day == 0
    assert found.unknown_share == pytest.approx(11 / 30)


def test_before_anything_was_said_there_is_nothing_to_judge() -> None:
    assert judged([label(-10, 5, "free")], SAID).seconds == (6 * 60, 0, 0, 0, 0, 0)  # minutes 0 to 5


def test_what_was_said_later_of_the_same_time_does_not_count() -> None:
    # At minute 20 the label was told; at 21, having learned it, the daemon thought otherwise of minute 12.
    rows = [said(0, OCCUPIED, 0.9), said(12, FREE, 0.01, spoken=21), said(25, FREE, 0.01)]
    assert judged([label(10, 20, "free", told=20)], rows).seconds == (0, 600, 0, 0, 0, 0)
    # Told only at 22, it counts: it had not been known.
    assert judged([label(10, 20, "free", told=22)], rows).seconds == (9 * 60, 60, 0, 0, 0, 0)


def test_what_came_later_stands_even_where_it_speaks_of_an_earlier_time() -> None:
    rows = [said(0, FREE, 0.1), said(9, OCCUPIED, 0.9), said(5, UNKNOWN, 0.5, spoken=10)]
    assert judged([label(2, 12, "free")], rows).seconds == (2 * 60, 0, 8 * 60, 0, 0, 0)


def test_time_after_a_label_was_told_is_not_judged_by_it() -> None:
    assert judged([label(0, 8, "free", told=5)], SAID).seconds == (5 * 60, 0, 0, 0, 0, 0)


def test_a_later_label_judges_what_was_said_before_the_first_one() -> None:
    # Label 1 was told at 6 and learned; label 2 corrects it. What was said since 6 comes from heads that knew label 1.
    labels = [label(0, 6, "occupied", told=6, by=2), label(0, 8, "free", 2, told=30)]
    rows = [said(0, FREE, 0.2), said(4, OCCUPIED, 0.9, spoken=7)]
    # Minutes 1..6 as said by minute 6: free. Of minutes 7 and 8 nothing had been told: occupied was said.
    assert judged(labels, rows).seconds == (6 * 60, 2 * 60, 0, 0, 0, 0)


def test_superseded_labels_do_not_count() -> None:
    assert sum(judged([label(0, 6, "occupied", by=9)], SAID).seconds) == 0


def test_each_release_answers_for_its_own_time() -> None:
    releases = [RoomRelease("r", NOON - HOUR, "aa"), RoomRelease("r", NOON + 4 * MINUTE, "bb")]
    first, second = judge_day("r", TODAY, [label(-1, 6, "free")], Spoken.of([said(-99, FREE, 0.1)], releases), MINUTE)
    assert (first.release, first.seconds[0], second.release, second.seconds[0]) == ("aa", 300, "bb", 120)


def test_a_step_that_ends_at_midnight_belongs_to_the_day_before() -> None:
    night = label(700, 730, "free", told=900)
    assert sorted(label_days([night])) == [TODAY, TODAY + 1]
    rows = [said(0, FREE, 0.1)]
    days = [judge_day("r", day, [night], Spoken.of(rows, ()), MINUTE)[0].seconds[0] for day in (TODAY, TODAY + 1)]
    assert days == [20 * 60, 10 * 60]
    assert sorted(label_days([label(700, 720, "free", told=900)])) == [TODAY]


def test_old_rows_without_a_time_of_saying_count() -> None:
    rows = [SaidRow("r", NOON, FREE, 0.1, NOON)]
    assert judged([label(0, 5, "free")], rows).seconds[0] == 300


moments = st.integers(0, 60)
rows_said = st.lists(st.tuples(moments, st.integers(0, 2), moments), max_size=8)
told_labels = st.lists(st.tuples(moments, st.integers(1, 30), st.booleans(), moments), max_size=4)


@given(rows_said, told_labels)
def test_judging_agrees_with_looking_up_each_minute(
    spoken: list[tuple[int, int, int]], told: list[tuple[int, int, bool, int]]
) -> None:
    """Each minute for itself, by the words of the definition."""
    spoken.sort(key=lambda row: row[2])
    rows = [said(at, state, [0.5, 0.25, 0.75][state], when) for at, state, when in spoken]
    told.sort(key=lambda row: row[3])
    labels = [
        label(first, first + length, "occupied" if occupied else "free", number, told=when)
        for number, (first, length, occupied, when) in enumerate(told, start=1)
    ]
    expected = [0] * 6
    for minute in range(1, 100):
        now = NOON + minute * MINUTE
        covering = [row for row in labels if row.covers(now)]
        if not covering or min(row.told_utc_ms for row in covering) < now:
            continue
        known_by = min(row.told_utc_ms for row in covering)
        standing = [row for row in rows if row.utc_ms <= now and row.spoken_utc_ms <= known_by]
        if standing:
            column = {FREE: 0, OCCUPIED: 1, UNKNOWN: 2}[standing[-1].state]
            expected[3 * (covering[-1].class_name == "occupied") + column] += 60
    assert list(judged(labels, rows).seconds) == expected


def test_fingerprints_tell_what_has_changed() -> None:
    first, second = label(0, 5, "free"), label(0, 5, "occupied")
    seen = {fingerprint(rows) for rows in ([], [first], [second], [first, second], [label(0, 5, "free", by=2)])}
    assert len(seen) == 5


# Figures.


def sums(*days: tuple[int, int, int, int]) -> np.ndarray:
    """Days of (free said free, free said occupied, occupied said free, occupied said occupied) seconds."""
    rows = np.zeros((len(days), SUMS))
    rows[:, [0, 1, 3, 4]] = days
    return rows


def test_nothing_is_said_without_labels() -> None:
    assert accuracy("aa", np.zeros((0, SUMS))) == Accuracy("aa")
    assert Accuracy("aa").balanced_accuracy is None


def test_one_class_alone_has_no_balanced_accuracy() -> None:
    found = accuracy("", sums((3600, 0, 0, 0)))
    assert (found.balanced_accuracy, found.interval, found.false_free_min_per_day) == (None, None, 0)


def test_few_days_have_no_interval() -> None:
    day = (3000, 600, 600, 3000)
    assert accuracy("", sums(*[day] * (LEAST_DAYS - 1))).interval is None
    # Days that are all alike leave nothing to chance: 3000 of 3600 in both classes.
    assert accuracy("", sums(*[day] * LEAST_DAYS)).interval == pytest.approx((5 / 6, 5 / 6))


def test_the_interval_is_that_of_drawing_days() -> None:
    # Of n days alike but for one that is all wrong, a draw has k wrong ones with the binomial law of n and 1 / n.
    n = 8
    found = accuracy("", sums(*[(3600, 0, 0, 3600)] * (n - 1), (0, 3600, 3600, 0)))
    assert found.balanced_accuracy == pytest.approx(1 - 1 / n)
    # P(k >= 4) = .015 and P(k >= 3) = .068: 2.5 % of the draws have more than three wrong days; a third has none.
    assert found.interval == pytest.approx((1 - 3 / n, 1.0))


def test_recall_is_not_known_of_a_class_that_does_not_occur() -> None:
    truth, told = np.array([0, 0, 0], np.int8), np.array([0, 1, 2], np.int8)
    free, occupied = recall(confusion(truth, told)).tolist()
    assert free == pytest.approx(1 / 3)
    assert np.isnan(occupied)


def test_days_of_several_rooms_add_up() -> None:
    gaps = (1.0,) * CALIBRATION_BINS
    rows = [
        AccuracyDay("r", 3, "a", "f", (60, 0, 0, 0, 0, 0), gaps),
        AccuracyDay("s", 3, "a", "f", (0, 0, 0, 60, 0, 0), gaps),
        AccuracyDay("s", 1, "a", "f", (0, 0, 0, 0, 60, 0), gaps),
        AccuracyDay("s", 2, "", "f", (0,) * 6, (0.0,) * CALIBRATION_BINS),  # a day of which nothing could be judged
    ]
    days, found = by_day(rows)
    assert days.tolist() == [1, 3]
    assert found[:, :6].tolist() == [[0, 0, 0, 0, 60, 0], [60, 0, 0, 60, 0, 0]]
    assert found[:, 6:].sum(axis=1).tolist() == [CALIBRATION_BINS, 2 * CALIBRATION_BINS]


# On a site with a store.


async def at_work(folder: Path) -> HeardSite:
    """Two hours of a room: an hour that looks free, and one that looks in use; a window a minute, each in time."""
    clock = FakeClock()
    heard = HeardSite(await opened_site(folder, clock, {"r": [A], "s": [B]}), clock)
    heard.site.commits.flush = heard.flush  # type: ignore[method-assign]
    await errands(heard.site)
    await heard.greet()
    for minute in range(1, 121):
        clock.now = NOON + minute * MINUTE
        await commit(heard.site, window(minute, clock.now, 4.0 if minute > 60 else -4.0))
    return heard


async def tell(site: Site, first: int, last: int, class_name: str) -> None:
    await site.labels.add(label(first, last, class_name))
    await errands(site)


async def test_labels_are_held_against_what_was_said(tmp_path: Path) -> None:
    heard = await at_work(tmp_path)
    site, clock = heard.site, heard.clock
    assert site.accuracy.room("r")[0].days == 0
    clock.now = NOON + 121 * MINUTE
    # The room was free for the second half hour of what looked like use.
    await tell(site, 10, 60, "free")
    await tell(site, 70, 90, "occupied")
    await tell(site, 90, 120, "free")
    (found,) = site.accuracy.room("r")
    assert (found.free_s, found.occupied_s) == (80 * 60, 20 * 60)
    assert found.balanced_accuracy == pytest.approx((50 / 80 + 1) / 2)
    assert found.false_occupied_min_per_day == pytest.approx(30 * 1440 / 100)
    assert (await site.accuracy.whole(["r", "s"])).balanced_accuracy == found.balanced_accuracy
    assert site.accuracy.labelled(["r", "s"]) == 1
    # Having learned, the room may think otherwise of the past: what was said stays.
    clock.now += 3 * HOUR
    await commit(site)
    await site.accuracy.refresh("r")
    assert site.accuracy.room("r") == [found]
    # A label that is taken back counts no more; here is what is left without it.
    await site.labels.withdraw(3, "ann")
    await errands(site)
    assert site.accuracy.room("r")[0].balanced_accuracy == 1.0
    # Somebody knew better: what counts is what was said before anybody had said anything.
    await tell(site, 90, 120, "occupied")
    assert site.accuracy.room("r")[0].balanced_accuracy == 1.0
    await site.close()


async def test_figures_last_and_are_caught_up_with(tmp_path: Path) -> None:
    heard = await at_work(tmp_path)
    site, clock = heard.site, heard.clock
    clock.now += MINUTE
    await tell(site, 10, 60, "free")
    before = site.accuracy.room("r")
    await site.labels.add(label(70, 90, "occupied"))
    await site.close()  # before anything could follow from the second label
    again = await opened_site(tmp_path, clock, {"r": [A], "s": [B]})
    assert again.accuracy.room("r") == before
    await errands(again)
    assert again.accuracy.room("r")[0].occupied_s == 20 * 60
    assert await again.accuracy.load() == []
    await again.close()


async def test_a_new_release_begins_without_figures(tmp_path: Path) -> None:
    heard = await at_work(tmp_path)
    site, clock = heard.site, heard.clock
    clock.now += MINUTE
    await tell(site, 10, 60, "free")
    first = site.accuracy.room("r")[0].release
    await heard.greet(boot=2, release=b"\x0f" * 16)
    present, before = site.accuracy.room("r")
    assert (present.release != first, present.days, before.release, before.days) == (True, 0, first, 1)
    assert (await site.accuracy.whole(["r", "s"])).days == 0
    assert site.accuracy.labelled(["r", "s"]) == 0
    await site.close()


async def test_a_room_without_labels_costs_and_says_nothing(tmp_path: Path) -> None:
    site = (await at_work(tmp_path)).site
    await site.accuracy.refresh("s")
    assert list(site.accuracy.room("s")) == [Accuracy()]
    assert await site.site_store.accuracy.days() == []
    await site.close()


async def test_the_command_line_is_told(tmp_path: Path) -> None:
    heard = await at_work(tmp_path)
    site, clock = heard.site, heard.clock
    admin, context = AdminService(site, LinkService(site.hub, site.gateways)), cast(Context, None)
    empty = await admin.GetStatus(admin_pb2.GetStatusRequest(), context)
    assert (empty.accuracy, empty.rooms_judged) == (admin_pb2.Accuracy(), 0)
    clock.now += MINUTE
    await tell(site, 10, 60, "free")
    await tell(site, 70, 90, "occupied")
    status = await admin.GetStatus(admin_pb2.GetStatusRequest(), context)
    assert (status.accuracy.balanced_accuracy, status.accuracy.HasField("least"), status.rooms_judged) == (1, False, 1)
    reply = await admin.ListRooms(admin_pb2.ListRoomsRequest(rooms=["r"]), context)
    (found,) = reply.rooms[0].accuracy
    assert found.release == "00" * 16
    assert (found.free_hours, found.occupied_hours) == pytest.approx((50 / 60, 20 / 60))
    await site.close()
