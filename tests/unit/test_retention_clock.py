"""Retention by a clock that jumps: nothing goes before its time, and what is old goes all the same."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from attuned.nodes.boot import BootRecord
from attuned.nodes.ties import KEPT_MS, Ties
from attuned.retention import AWAKE_HOURS
from attuned.site import Site
from attuned.store.windows import WindowStore
from daemon_world import HOUR, MINUTE, NOON, A, FakeClock, opened_site, window
from hypothesis import given, settings
from hypothesis import strategies as st

DAY = 24 * HOUR
YEAR = 365 * DAY


async def site_with_hours(folder: Path, hours: Sequence[int], clock: FakeClock) -> Site:
    """A site with a window in the middle of each of these hours before noon."""
    store = WindowStore(folder)
    await store.open()
    await store.commit([window(i + 1, NOON - hour * HOUR + 30 * MINUTE) for i, hour in enumerate(hours)], [])
    await store.pack({}, [])
    await store.close()
    return await opened_site(folder, clock, {"r": [A]})


async def kept(site: Site) -> list[int]:
    """Hours before noon of the windows that are left."""
    found = await site.window_store.windows_between([A], 0, 2 * NOON)
    return [-((w.end_utc_ms - NOON) // HOUR) for w in found]


async def live(site: Site, clock: FakeClock, hours: int) -> None:
    """The daemon runs for so many hours."""
    for _ in range(hours):
        clock.now += HOUR
        await site.retention._note()


async def ran_before(site: Site, clock: FakeClock) -> None:
    """The daemon has run for long enough to be believed, and it is noon."""
    clock.now = NOON - AWAKE_HOURS * HOUR
    await live(site, clock, AWAKE_HOURS)


OLD = [40 * 24, 29 * 24, 28 * 24 + 5, 28 * 24 - 5, 24, 1]


async def test_what_is_old_goes_by_a_clock_that_is_right(tmp_path: Path) -> None:
    clock = FakeClock()
    site = await site_with_hours(tmp_path, OLD, clock)
    await ran_before(site, clock)
    await site.retention.sweep()
    assert await kept(site) == [28 * 24 - 5, 24, 1]
    await site.close()


@pytest.mark.parametrize("wrong_hours", [0, 1, 70])
async def test_a_year_ahead_for_hours_costs_as_many_hours(tmp_path: Path, wrong_hours: int) -> None:
    clock = FakeClock()
    hours = list(range(28 * 24 + 5, 0, -1))
    site = await site_with_hours(tmp_path, hours, clock)
    await ran_before(site, clock)
    clock.now += YEAR
    await site.retention.sweep()
    await live(site, clock, wrong_hours)
    await site.retention.sweep()
    # Two more than it was wrong: the hours in which it jumped count as well.
    assert await kept(site) == [hour for hour in hours if hour < 28 * 24 - 1 - wrong_hours]
    # And nothing more when it is right again, three hours later.
    clock.now = NOON + wrong_hours * HOUR
    await live(site, clock, 3)
    await site.retention.sweep()
    assert {hour for hour in hours if hour < 28 * 24 - 2 - wrong_hours} <= set(await kept(site))
    await site.close()


async def test_a_clock_that_stays_is_believed(tmp_path: Path) -> None:
    clock = FakeClock()
    site = await site_with_hours(tmp_path, OLD, clock)
    await ran_before(site, clock)
    clock.now += YEAR
    await live(site, clock, AWAKE_HOURS)
    await site.retention.sweep()
    assert await kept(site) == []
    await site.close()


@pytest.mark.parametrize("back", [DAY, 50 * YEAR])
async def test_a_clock_that_went_back_drops_nothing(tmp_path: Path, back: int) -> None:
    clock = FakeClock()
    site = await site_with_hours(tmp_path, OLD, clock)
    await ran_before(site, clock)
    clock.now -= back
    await live(site, clock, 1)
    await site.retention.sweep()
    assert await kept(site) == OLD
    clock.now = NOON
    await site.retention.sweep()
    assert await kept(site) == [28 * 24 - 5, 24, 1]
    await site.close()


async def test_hours_that_have_not_come_go_when_the_clock_is_believed(tmp_path: Path) -> None:
    """Twice ahead for 40 hours each, with the hours of a believed clock between: that is no clock that stays."""
    clock = FakeClock()
    site = await site_with_hours(tmp_path, OLD, clock)
    await ran_before(site, clock)
    for _ in range(2):
        clock.now += YEAR
        await live(site, clock, 40)
        clock.now -= YEAR
        await live(site, clock, AWAKE_HOURS)
    clock.now += YEAR
    await live(site, clock, 1)
    await site.retention.sweep()
    assert await kept(site) == [24, 1]  # nine days have passed
    await site.close()


@pytest.mark.parametrize("beginning", [0, NOON - 3 * YEAR])
async def test_a_machine_that_begins_each_day_without_a_clock_drops_what_is_old(tmp_path: Path, beginning: int) -> None:
    """Switched on for eight hours a day, and told the time a quarter of an hour after each start."""
    clock = FakeClock()
    site = await site_with_hours(tmp_path, [40 * 24, 29 * 24, 24], clock)
    for day in range(20, 0, -1):
        clock.now = beginning
        await site.retention._note()
        clock.now = NOON - day * DAY
        await live(site, clock, 8)
    await site.retention.sweep()
    assert await kept(site) == [29 * 24, 24]
    clock.now = beginning
    await site.retention.sweep()
    assert await kept(site) == [29 * 24, 24]
    await site.close()


async def test_a_jump_over_a_restart_is_not_believed_either(tmp_path: Path) -> None:
    clock = FakeClock()
    site = await site_with_hours(tmp_path, OLD, clock)
    await ran_before(site, clock)
    await site.close()
    again = await opened_site(tmp_path, FakeClock(NOON + YEAR), {"r": [A]})
    await again.retention.sweep()
    assert await kept(again) == [28 * 24 - 5, 24, 1]
    await again.close()


async def test_a_machine_that_is_off_at_night_keeps_a_few_days_more(tmp_path: Path) -> None:
    """Ten hours a day: the 72 hours that have to agree take seven days and two hours."""
    clock = FakeClock()
    site = await site_with_hours(tmp_path, [40 * 24, 33 * 24, 30 * 24], clock)
    clock.now = NOON - 20 * DAY
    while clock.now < NOON:
        await live(site, clock, 10)
        clock.now += 14 * HOUR
    await site.retention.sweep()
    # The newest hour is that of 22:00 the day before; 72 hours of running before it lie 7 days and 2 hours back.
    assert await kept(site) == [30 * 24]
    await site.close()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(-2 * YEAR, 2 * YEAR), st.integers(0, 40)), max_size=4))
async def test_whatever_jumps_no_more_goes_than_was_run(jumps: list[tuple[int, int]]) -> None:
    """Jumps for fewer than AWAKE_HOURS together: what is younger than the limit by their hours is still there."""
    total = 1 + sum(hours + 1 for _, hours in jumps)
    if total >= AWAKE_HOURS:
        return
    with tempfile.TemporaryDirectory() as folder:
        clock = FakeClock()
        hours = [28 * 24 + 1, *(28 * 24 - total - i for i in (-1, 1, 2)), 1]
        site = await site_with_hours(Path(folder), sorted(set(hours), reverse=True), clock)
        await ran_before(site, clock)
        for jump, length in jumps:
            clock.now = NOON + jump
            await live(site, clock, length)
            await site.retention.sweep()
        assert {28 * 24 - total - 1, 28 * 24 - total - 2, 1} <= set(await kept(site))
        await site.close()


async def test_ties_go_but_for_the_last_of_each_boot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attuned.retention.AWAKE_HOURS", 1)
    site = await opened_site(tmp_path, FakeClock(), {"r": [A]})
    old = NOON - KEPT_MS
    for boot, utcs in ((1, [old - 3 * HOUR, old - 2 * HOUR]), (2, [old - HOUR, old - 1, old, NOON])):
        for utc_ms in utcs:
            await site.window_store.add_tie(A, boot, utc_ms - utcs[0], utc_ms)
    await site.retention.sweep()
    boots = await site.window_store.boots()
    assert boots == {
        (A, 1): BootRecord(ties=Ties([HOUR], [old - 2 * HOUR])),
        (A, 2): BootRecord(ties=Ties([HOUR, HOUR + KEPT_MS], [old, NOON])),
    }
    await site.close()


def test_a_boot_keeps_no_more_ties_than_a_month_needs() -> None:
    ties = Ties()
    for hour in range(5 * 365 * 24):
        ties.append(hour * HOUR, NOON + hour * HOUR)
    newest = (5 * 365 * 24 - 1) * HOUR
    assert len(ties.ticks_ms) == 32 * 24 + 1
    assert ties.utc_ms(newest - 31 * DAY) == NOON + newest - 31 * DAY
