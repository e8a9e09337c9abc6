"""A clock that jumps: no window is lost to it, and rooms go on when it is right again."""

from pathlib import Path

import pytest
from attune_core import Schema, Sketch
from attune_proto.v1 import node_pb2
from attuned.learning.forgetting import Request
from attuned.nodes.conversation import Conversation
from attuned.presence.belief import RoomState
from attuned.presence.history import history
from attuned.site import Site
from attuned.store.site import LabelRow
from daemon_world import (
    HOUR,
    MINUTE,
    NOON,
    SENSORS,
    A,
    FakeClock,
    FakeGateway,
    commit,
    hear,
    hello,
    opened_site,
    report,
    window,
)

DAY = 24 * HOUR
YEAR = 365 * DAY


# Windows of a node whose clock was told by a clock that jumped.


class Told:
    """A node that was tied at noon, 100 s after its start; the daemon's clock is `ahead` of what it was then."""

    def __init__(self) -> None:
        self.conversation = Conversation(A, "r", None, {})
        self.ahead = 0
        self.conversation.hello(hello(), NOON)
        self.conversation.time_ack(node_pb2.TimeAck(echo_tick_ms=100_000, tick_ms=100_000), NOON)

    def now(self, tick_ms: int) -> int:
        return NOON + tick_ms - 100_000 + self.ahead

    def said(self, seq: int, end_s: int, late_ms: int = 100) -> int | None:
        """The node reports a window that ended `late_ms` ago; its date, None if it has to come again, 0 if refused."""
        tick_ms = end_s * 1000 + late_ms
        for question in self.conversation.retie(end_s, self.now(tick_ms)):
            ack = node_pb2.TimeAck(echo_tick_ms=question.time.echo_tick_ms, tick_ms=tick_ms)
            held = self.conversation.report(report(seq, end_s), self.now(tick_ms))
            self.conversation.time_ack(ack, self.now(tick_ms))
            if held is not None:
                return self._date(held.refused, held.end_utc_ms)
        window = self.conversation.report(report(seq, end_s), self.now(tick_ms))
        return None if window is None else self._date(window.refused, window.end_utc_ms)

    def _date(self, refused: bool, utc_ms: int) -> int:
        return 0 if refused else utc_ms - NOON + 100_000


@pytest.mark.parametrize("jump", [YEAR, 40 * DAY, -DAY, -YEAR])
def test_no_window_is_lost_to_a_jump(jump: int) -> None:
    node = Told()
    assert node.said(1, 160) == 160_000
    node.ahead = jump
    # Nobody knows whether the clock is right now or was then: the ticks say how old a window is.
    assert [node.said(2, 220), node.said(3, 280)] == [220_000 + jump, 280_000 + jump]
    node.ahead = 0
    # A day may have gone by: until the ticks are compared again, within the hour, the tie of then counts.
    still = jump if jump == -DAY else 0
    assert [node.said(4, 340), node.said(5, 400)] == [340_000 + still, 400_000 + still]
    assert node.conversation.refused == 0


def test_a_backlog_from_before_a_jump_keeps_its_age() -> None:
    node = Told()
    node.ahead = YEAR
    dates = [node.said(seq, 100 + 60 * seq, 3_600_000 - 60_000 * seq) for seq in (1, 2, 3)]
    assert dates == [YEAR + 160_000, YEAR + 220_000, YEAR + 280_000]


def test_the_question_for_the_tick_is_not_waited_for_until_the_clock_is_where_it_was() -> None:
    node = Told()
    assert node.conversation.retie(4000, node.now(4_000_000))  # its answer is lost
    node.ahead = -DAY
    assert node.conversation.retie(4060, node.now(4_060_000))


@pytest.mark.parametrize("back", [30 * MINUTE, YEAR])
async def test_a_node_that_falls_silent_as_the_clock_goes_back_is_offline_soon(tmp_path: Path, back: int) -> None:
    clock, gateway = FakeClock(), FakeGateway()
    site = await opened_site(tmp_path, clock, {"r": [A]})
    hub = site.hub
    hub.link_up(gateway, 1)
    hear(hub, gateway, hello())
    conversation = hub.conversations[A]
    conversation.last_window_utc_ms = NOON
    assert hub.online(conversation)
    clock.now = NOON - back
    hub.look()
    assert (hub.online(conversation), conversation.last_heard_utc_ms) == (True, NOON - back)
    assert conversation.last_window_utc_ms <= NOON - back + MINUTE
    clock.now += 10 * MINUTE
    hub.look()
    assert not hub.online(conversation)
    await site.close()


def test_what_was_counted_and_pressed_before_the_clock_was_right_is_dated_as_windows_are() -> None:
    """The node was tied in 1970, two hours after its start, and again when the daemon had heard what time it is."""
    conversation = Conversation(A, "r", None, {})
    for tick_ms, utc_ms in ((100_000, MINUTE), (2 * HOUR, NOON)):
        conversation.hello(hello(tick_ms=tick_ms), utc_ms)
        conversation.time_ack(node_pb2.TimeAck(echo_tick_ms=tick_ms, tick_ms=tick_ms), utc_ms)
    counts = Sketch(len(Schema(SENSORS, 60)), Schema(SENSORS, 60).sensors.tolist()).export()
    _, sketch = conversation.sketch(
        node_pb2.DriftSketch(number=1, end_s=3600, windows=30, counts=counts), NOON + MINUTE
    )
    features = bytes(2 * len(Schema(SENSORS, 60).features))
    _, summary = conversation.summary(
        node_pb2.Summary(number=1, end_s=3600, reports=30, class_reports=b"\0", features=features), NOON + MINUTE
    )
    _, press = conversation.press(node_pb2.Button(press=1, class_index=1, tick_ms=HOUR), NOON + MINUTE)
    assert sketch is not None
    assert summary is not None
    assert press is not None
    assert (sketch.to_utc_ms, summary.to_utc_ms, press.utc_ms) == (NOON - HOUR,) * 3


# Rooms, packing, days.


async def test_rooms_go_on_when_the_clock_is_right_again(tmp_path: Path) -> None:
    clock = FakeClock()
    site = await opened_site(tmp_path, clock, {"r": [A]})
    for minute in range(1, 6):
        clock.now = NOON + minute * MINUTE
        site.rooms.take(window(minute, clock.now, nats=4.0))
    await site.write([window(minute, NOON + minute * MINUTE, nats=4.0) for minute in range(1, 6)])
    assert site.rooms.rooms["r"].said.state is RoomState.OCCUPIED
    clock.now += YEAR
    ahead = window(6, clock.now, nats=4.0)
    site.rooms.take(ahead)
    await site.write([ahead])
    clock.now = NOON + 6 * MINUTE
    assert site.rooms.ahead(clock.now) == ["r"]
    await site._take_up_again(["r"])
    assert site.rooms.ahead(clock.now) == []
    for minute in range(7, 20):
        clock.now = NOON + minute * MINUTE
        site.rooms.take(window(minute, clock.now, nats=-4.0))
    await site.write([])
    assert int(site.rooms.rooms["r"].said.state) == RoomState.FREE
    assert site.rooms.late == {}
    await site.close()


async def known_states(site: Site) -> dict[int, RoomState]:
    """What is known of room r by now, by the ends of steps."""
    points = await history(site.window_store.beliefs, site.rooms.rooms["r"], 0, site.clock.utc_ms())
    return {point.utc_ms: point.known for point in points}


async def live_hours(site: Site, clock: FakeClock, count: int, first: int) -> None:
    """Hours of windows in room r, numbered from `first` on: half of each it is occupied."""
    for hour in range(count):
        began = clock.now
        clock.now += HOUR
        minutes = ((first + 60 * hour + i, began + (i + 1) * MINUTE) for i in range(60))
        await commit(site, *(window(seq, end, nats=4.0 if seq % 60 < 30 else -4.0) for seq, end in minutes))


@pytest.mark.parametrize("young", [False, True])
@pytest.mark.parametrize("behind", [5 * HOUR, 3 * HOUR + 7 * MINUTE, 40 * MINUTE, 2 * MINUTE, 30 * YEAR])
async def test_what_is_known_stays_known_after_a_start_in_the_past(tmp_path: Path, behind: int, young: bool) -> None:
    """A machine whose clock begins where somebody wrote it down hours ago, until it hears what time it is."""
    hours = 1 if young else 6
    clock = FakeClock(NOON - hours * HOUR)
    site = await opened_site(tmp_path, clock, {"r": [A]})
    await live_hours(site, clock, hours, first=1)
    before = await known_states(site)
    assert list(before.values()).count(RoomState.OCCUPIED) >= 25 * hours
    await site.close()
    clock.now = NOON - behind
    site = await opened_site(tmp_path, clock, {"r": [A]})
    clock.now = NOON + 20 * MINUTE
    await live_hours(site, clock, 4, first=1000)
    after = await known_states(site)
    assert {utc_ms: after.get(utc_ms) for utc_ms in before} == before
    await site.close()


async def test_a_start_takes_no_notice_of_hours_that_have_not_come(tmp_path: Path) -> None:
    clock = FakeClock(NOON + YEAR)
    site = await opened_site(tmp_path, clock, {"r": [A]})
    ahead = [window(i, clock.now - (180 - i) * MINUTE, nats=4.0) for i in range(1, 181)]
    for each in ahead:
        site.rooms.take(each)
    await site.write(ahead)
    await site.keeping.pack(clock.now, {})
    await site.close()
    again = await opened_site(tmp_path, FakeClock(NOON), {"r": [A]})
    assert again.rooms.rooms["r"].said.state is RoomState.UNKNOWN
    assert again.rooms.take(window(200, NOON, nats=4.0))
    await again.close()


async def test_packing_goes_on_after_a_clock_that_went_back(tmp_path: Path) -> None:
    clock = FakeClock()
    site = await opened_site(tmp_path, clock, {"r": [A]})
    assert not site.keeping.due(NOON)
    assert site.keeping.due(NOON - DAY)
    await site.keeping.pack(NOON - DAY, {})
    assert not site.keeping.due(NOON - DAY)
    await site.close()


async def test_days_that_have_not_come_are_looked_at_when_they_come(tmp_path: Path) -> None:
    clock = FakeClock(NOON + YEAR)
    site = await opened_site(tmp_path, clock, {"r": [A]})
    days = site.window_store.days
    await site.detector.look()
    assert await days.last() == "2027-09-20"
    clock.now = NOON
    await site.detector.look()
    # The day before the noon of 21 September 2026.
    assert await days.last() == "2026-09-20"
    clock.now = NOON + DAY
    await site.detector.look()
    assert await days.last() == "2026-09-21"
    await site.close()


async def test_a_label_told_by_a_clock_that_was_ahead_is_forgotten_with_the_others(tmp_path: Path) -> None:
    clock = FakeClock(NOON + DAY)
    site = await opened_site(tmp_path, clock, {"r": [A]})
    for minute in (1, 2):
        stretch = NOON - HOUR + minute * MINUTE, NOON - HOUR + (minute + 1) * MINUTE
        await site.site_store.add_label(LabelRow(0, "r", "free", *stretch, 1.0, "person", "ann", clock.now))
        clock.now = NOON
    selection = await site.forgetting.select(Request(source="person"))
    assert (await site.forgetting.preview(selection))["labels"] == 2
    await site.forgetting.carry_out(await site.forgetting.begin(selection, "ann"))
    assert await site.site_store.labels() == []
    await site.close()
