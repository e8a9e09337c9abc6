"""A room's history across the store: restarts, and windows that come too late for the live state."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from attuned.errands import Errands
from attuned.errors import StoreError
from attuned.gate import Gate
from attuned.nodes.window import Window
from attuned.presence.belief import RoomState
from attuned.presence.history import HistoryPoint, history
from attuned.presence.watcher import Watcher
from attuned.site import Site
from attuned.store.beliefs import BeliefHour
from daemon_world import HOUR, MINUTE, NOON, A, B, FakeClock, commit, errands, opened_site, window


def day(first_hour: float, hours: float, node: str = A, boot: int = 1) -> list[Window]:
    """A window a minute from some hours after noon on: half an hour free, half an hour occupied, in turns."""
    first = NOON + round(first_hour * HOUR)
    ends = range(first + MINUTE, first + round(hours * HOUR) + 1, MINUTE)
    return [window(1 + i, end, 2.0 if end // (HOUR // 2) % 2 else -2.0, node, boot) for i, end in enumerate(ends)]


async def live(site: Site, clock: FakeClock, windows: Sequence[Window]) -> None:
    """Every window arrives when it ends, and is committed with those of its minute."""
    for each in windows:
        clock.now = max(clock.now, each.end_utc_ms)
        await commit(site, each)


async def pack(site: Site, clock: FakeClock) -> None:
    clock.now += HOUR
    await commit(site)
    clock.now -= HOUR


async def known(site: Site, until_hour: float) -> list[HistoryPoint]:
    return await history(site.window_store.beliefs, site.rooms.rooms["r"], NOON - HOUR, NOON + round(until_hour * HOUR))


async def rows(site: Site) -> dict[int, bytes]:
    return dict(await site.window_store.beliefs.known("r", 0, 1 << 31))


async def test_history_is_the_same_before_and_after_it_is_stored(tmp_path: Path) -> None:
    clock = FakeClock()
    site = await opened_site(tmp_path, clock)
    await live(site, clock, day(0, 4))
    before = await known(site, 4)
    await pack(site, clock)
    after = await known(site, 4)
    await site.close()
    assert len(before) == 240
    assert [(p.utc_ms, p.said, p.known) for p in after] == [(p.utc_ms, p.said, p.known) for p in before]
    assert [p.known_probability for p in after] == pytest.approx([p.known_probability for p in before], abs=1 / 512)


@pytest.mark.parametrize("hours", [0.5, 3.5, 4.0, 7.25])
@pytest.mark.parametrize("packed", [False, True])
async def test_a_restart_goes_on_like_a_daemon_that_never_stopped(tmp_path: Path, hours: float, packed: bool) -> None:
    clock = FakeClock()
    site = await opened_site(tmp_path, clock)
    await live(site, clock, day(0, hours))
    if packed:
        await pack(site, clock)
    steps = site.rooms.rooms["r"].timeline.history()
    belief, points = site.rooms.rooms["r"].timeline.belief(), await known(site, hours)
    await site.close()
    again = await opened_site(tmp_path, clock)
    assert again.rooms.rooms["r"].timeline.belief() == belief
    assert again.rooms.rooms["r"].timeline.history() == steps
    found = await known(again, hours)
    assert [(p.utc_ms, p.said, p.known) for p in found] == [(p.utc_ms, p.said, p.known) for p in points]
    await again.close()


async def test_a_restart_after_days_keeps_what_was_not_settled(tmp_path: Path) -> None:
    clock = FakeClock()
    site = await opened_site(tmp_path, clock)
    await live(site, clock, day(0, 5.5))
    await pack(site, clock)
    points = await known(site, 6)
    await site.close()
    clock.now += 72 * HOUR
    again = await opened_site(tmp_path, clock)
    assert [p.utc_ms for p in await known(again, 6)] == [p.utc_ms for p in points]
    await commit(again, window(999, clock.now, 2.0))
    await again.close()


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("late_hour", [0.25, 1.5, 3.25, 4.25])
async def test_late_windows_correct_history_as_if_they_had_come_in_time(
    tmp_path: Path, late_hour: float, restart: bool
) -> None:
    """A node's hour arrives at the end of six; the stored history is then that of a site where it came in time."""
    clock, late = FakeClock(), day(late_hour, 1, B)
    site = await opened_site(tmp_path / "late", clock)
    await live(site, clock, day(0, 6))
    belief = site.rooms.rooms["r"].timeline.belief()
    await commit(site, *late)
    assert site.rooms.rooms["r"].timeline.belief() == belief
    if restart:
        await site.close()
        site = await opened_site(tmp_path / "late", clock)
        await errands(site)
    await live(site, clock, day(6, 3, boot=2))
    await pack(site, clock)

    clock.now = NOON
    timely = await opened_site(tmp_path / "timely", clock)
    in_time = sorted(day(0, 6) + late, key=lambda w: w.end_utc_ms)
    await live(timely, clock, [*in_time, *day(6, 3, boot=2)])
    await pack(timely, clock)
    expected, found = await rows(timely), await rows(site)
    assert found == expected
    assert len(expected) == 7
    await timely.close()
    await site.close()


async def test_a_late_window_that_was_not_corrected_before_a_crash_is_corrected_at_the_next_start(
    tmp_path: Path,
) -> None:
    clock = FakeClock()
    site = await opened_site(tmp_path, clock)
    await live(site, clock, day(0, 5))
    await pack(site, clock)
    before = await rows(site)
    late = window(1, NOON + HOUR // 2, 6.0, B)
    site.rooms.take(late)
    await site.write([late])  # and no errand: the daemon is killed here
    await site.close()
    again = await opened_site(tmp_path, clock)
    await errands(again)
    after = await rows(again)
    await again.close()
    assert set(after) == set(before)
    assert after[NOON // HOUR] != before[NOON // HOUR]


async def test_correcting_the_last_stored_hour_keeps_the_steps_after_its_last_window(tmp_path: Path) -> None:
    """The room was heard until 14:20 and again at 16:30; a late window of 14:05 does not blot out 14:20 to 14:35."""
    clock = FakeClock()
    site = await opened_site(tmp_path, clock)
    await live(site, clock, [*day(0, 2 + 1 / 3), *day(4.5, 1, boot=2)])
    await pack(site, clock)
    before = {p.utc_ms for p in await known(site, 3) if p.known is not RoomState.UNKNOWN}
    await commit(site, window(1, NOON + 2 * HOUR + 5 * MINUTE, 1.0, B))
    after = {p.utc_ms for p in await known(site, 3) if p.known is not RoomState.UNKNOWN}
    await site.close()
    assert before == after
    assert max(after) == NOON + 2 * HOUR + 34 * MINUTE


async def test_a_room_that_falls_silent_was_said_to_be_known_until_then(tmp_path: Path) -> None:
    clock = FakeClock()
    site = await opened_site(tmp_path, clock)
    await live(site, clock, day(0, 0.25))
    clock.now += 17 * MINUTE
    assert site.rooms.touch_silent(clock.now)
    await commit(site)
    assert not site.rooms.touch_silent(clock.now)
    room = site.rooms.rooms["r"]
    assert (room.said.state, room.said.since_utc_ms) == (RoomState.UNKNOWN, NOON + 30 * MINUTE)
    points = await known(site, 1)
    await site.close()
    assert {p.said for p in points} == {RoomState.FREE}


async def test_what_was_said_before_a_restart_is_not_said_again_as_news(tmp_path: Path) -> None:
    clock = FakeClock()
    site = await opened_site(tmp_path, clock)
    await live(site, clock, day(0, 0.25))
    said = await site.window_store.beliefs.said("r", 0, NOON + HOUR)
    await site.close()
    again = await opened_site(tmp_path, clock)
    await commit(again)
    assert await again.window_store.beliefs.said("r", 0, NOON + HOUR) == said
    assert again.rooms.rooms["r"].said.state is RoomState.FREE
    await again.close()


async def test_an_errand_that_the_disk_refuses_is_done_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attuned.errands.TROUBLE_S", 0.01)
    waiting = Errands(Gate())
    tries: list[int] = []

    async def errand() -> None:
        tries.append(1)
        if len(tries) < 3:
            raise StoreError("The disk is full.")

    waiting.put(errand)
    await waiting.next()
    assert len(tries) == 3


async def test_hours_that_could_not_be_stored_are_stored_with_the_next_pack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeClock()
    site = await opened_site(tmp_path, clock)
    await live(site, clock, day(0, 3))
    store_pack = site.window_store.pack

    async def refuse(boots: object, hours: Sequence[BeliefHour]) -> int:
        raise StoreError("The disk is full.")

    monkeypatch.setattr(site.window_store, "pack", refuse)
    with pytest.raises(StoreError):
        await pack(site, clock)
    monkeypatch.setattr(site.window_store, "pack", store_pack)
    clock.now -= HOUR  # the failed pack has moved it
    await pack(site, clock)
    assert sorted(await rows(site)) == [NOON // HOUR]
    await site.close()


async def test_a_watcher_that_does_not_look_costs_no_more_than_its_rooms() -> None:
    watcher = Watcher()
    for _ in range(5000):
        watcher.note({"r", "s"})
    assert await watcher.changed() == {"r", "s"}
