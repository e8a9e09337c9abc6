"""Links, the outbox and their pacing, without a socket: lines that only write down what happens to them."""

import asyncio
import itertools
import logging
from dataclasses import dataclass, field

import pytest
from attune_gateway.framing import FrameCounts
from attune_gateway.link import Link
from attune_gateway.links import Links
from attune_gateway.outbox import BATCH_BYTES, BATCH_FRAMES, QUEUE_BYTES, QUEUE_FRAMES, Outbox
from attune_gateway.pacing import Backoff, Sparingly
from attune_proto.v1.link_pb2 import Frame, GatewayBatch, LinkStats, LinkUp

FRAME = b"\x01hint+message"


@dataclass
class FakeLine:
    """Takes `room` frames and writes down the rest."""

    room: int = 1_000_000
    reading: bool = True
    closed: bool = False
    sent: list[bytes] = field(default_factory=list)

    def send(self, frames: list[bytes]) -> int:
        taken = frames[: self.room - len(self.sent)]
        self.sent += taken
        return len(frames) - len(taken)

    def pause(self) -> None:
        self.reading = False

    def resume(self) -> None:
        self.reading = True

    def close(self) -> None:
        self.closed = True

    def state(self) -> str:
        return "closed" if self.closed else "reads" if self.reading else "held"


@dataclass
class Clock:
    now_s: float = 1000.0

    def __call__(self) -> float:
        return self.now_s


def bring_up(links: Links, line: FakeLine | None = None, counts: FrameCounts | None = None) -> Link:
    return links.up(line or FakeLine(), counts or FrameCounts(), "tcp", "192.0.2.1:5")


async def drain(outbox: Outbox) -> list[GatewayBatch]:
    batches = []
    while True:
        try:
            async with asyncio.timeout(0.01):
                batches.append(await outbox.take())
        except TimeoutError:
            return batches


async def test_link_is_announced_with_its_frames_and_ends_in_a_batch_of_its_own() -> None:
    links = Links(600, Clock())
    link = bring_up(links)
    links.received(link, [FRAME, FRAME])
    links.down(link)
    other = bring_up(links)
    links.received(other, [FRAME])
    first, second = await drain(links.outbox)
    up = [LinkUp(link=number, transport="tcp", peer="192.0.2.1:5") for number in (1, 2)]
    assert sorted(first.links_up, key=lambda entry: entry.link) == up
    assert list(first.frames) == [Frame(link=1, data=FRAME)] * 2
    assert second == GatewayBatch(links_down=[1], frames=[Frame(link=2, data=FRAME)])


async def test_link_that_comes_and_goes_unannounced_leaves_no_trace() -> None:
    links = Links(600, Clock())
    for _ in range(1000):
        links.down(bring_up(links, counts=FrameCounts(truncated=3)))
    assert await drain(links.outbox) == []
    assert len(links) == 0


async def test_numbers_are_never_used_again() -> None:
    links = Links(600, Clock())
    first = bring_up(links)
    links.down(first)
    assert bring_up(links).number != first.number


async def test_batches_are_bounded_and_keep_the_order() -> None:
    links = Links(600, Clock())
    link = bring_up(links)
    small = [b"%05d" % number for number in range(1000)]
    links.received(link, small)
    large = [b"%05d" % number * 200 for number in range(100)]
    links.received(link, large)
    batches = await drain(links.outbox)
    assert [frame.data for batch in batches for frame in batch.frames] == small + large
    assert max(len(batch.frames) for batch in batches) == BATCH_FRAMES
    assert max(sum(len(frame.data) for frame in batch.frames) for batch in batches) < BATCH_BYTES + 1024


@pytest.mark.parametrize(("size", "frames_until_full"), [(5, QUEUE_FRAMES), (1024, QUEUE_BYTES // 1024)])
async def test_full_queue_holds_links_back_until_it_is_half_empty(size: int, frames_until_full: int) -> None:
    links = Links(600, Clock())
    line = FakeLine()
    link = bring_up(links, line)
    links.received(link, [bytes(size)] * (frames_until_full - 1))
    assert line.state() == "reads"
    links.received(link, [bytes(size)])
    assert line.state() == "held"
    late = FakeLine()
    bring_up(links, late)
    assert late.state() == "held"
    left = frames_until_full
    while line.state() == "held":
        assert left > frames_until_full // 2
        left -= len((await links.outbox.take()).frames)
    assert late.state() == "reads"
    assert left <= frames_until_full // 2


async def test_new_stream_gets_what_is_up_and_what_waits() -> None:
    links = Links(600, Clock())
    told_and_gone, dead_with_frames, alive = (bring_up(links) for _ in range(3))
    links.received(alive, [FRAME])
    await drain(links.outbox)
    links.down(told_and_gone)
    links.received(dead_with_frames, [FRAME])
    links.down(dead_with_frames)
    links.restart()
    first, second = await drain(links.outbox)
    assert {up.link for up in first.links_up} == {dead_with_frames.number, alive.number}
    assert list(first.frames) == [Frame(link=dead_with_frames.number, data=FRAME)]
    assert second == GatewayBatch(links_down=[dead_with_frames.number])


async def test_totals_are_sent_when_they_changed() -> None:
    links = Links(600, Clock())
    line, counts = FakeLine(room=1), FrameCounts()
    link = bring_up(links, line, counts)
    watch = asyncio.create_task(links.watch(every_s=0.001))
    await drain(links.outbox)
    counts.good, counts.truncated, counts.corrupted, counts.oversized = 4, 1, 2, 5
    links.deliver([Frame(link=link.number, data=FRAME)] * 3 + [Frame(link=99, data=FRAME)])
    batches = await drain(links.outbox)
    expected = LinkStats(link=link.number, frames=4, damaged=3, oversized=5, unsendable=2)
    assert [list(batch.stats) for batch in batches] == [[expected]]
    assert line.sent == [FRAME]
    counts.good = 5
    watch.cancel()
    links.down(link)
    last, end = await drain(links.outbox)
    assert (last.stats[0].frames, list(end.links_down)) == (5, [link.number])


async def test_silent_link_is_closed_unless_it_is_held_back() -> None:
    clock = Clock()
    links = Links(600, clock)
    silent, heard = FakeLine(), FakeLine()
    bring_up(links, silent)
    link = bring_up(links, heard)
    watch = asyncio.create_task(links.watch(every_s=0.001))
    links.received(link, [bytes(1024)] * 1024)
    assert silent.state() == "held"
    clock.now_s += 601
    await asyncio.sleep(0.01)
    assert silent.state() == "held"
    await drain(links.outbox)
    clock.now_s += 599
    await asyncio.sleep(0.01)
    assert silent.state() == "reads"
    links.received(link, [FRAME])
    clock.now_s += 2
    await asyncio.sleep(0.01)
    assert silent.state() == "closed"
    assert heard.state() == "reads"
    watch.cancel()


async def test_damage_is_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    links = Links(6000, clock)
    counts = FrameCounts()
    bring_up(links, counts=counts)
    watch = asyncio.create_task(links.watch(every_s=0.001))
    with caplog.at_level(logging.WARNING):
        for _ in range(4):
            counts.truncated += 1
            counts.oversized += 2
            await asyncio.sleep(0.005)
            clock.now_s += 19
    watch.cancel()
    # At 0 s the first damage, at 57 s still within the minute: it waits.
    assert [record.message for record in caplog.records] == [
        "Link 1 (tcp 192.0.2.1:5): dropped 1 damaged and 2 oversized frames; check its line."
    ]
    clock.now_s += 10
    watch = asyncio.create_task(links.watch(every_s=0.001))
    await asyncio.sleep(0.01)
    watch.cancel()
    assert "dropped 3 damaged and 6 oversized frames" in caplog.text


def test_who_dials_again_is_warned_of_as_seldom_as_one_who_stays(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    links = Links(6000, clock)
    with caplog.at_level(logging.WARNING):
        for port in range(50):
            counts = FrameCounts()
            link = links.up(FakeLine(), counts, "tcp", f"192.0.2.1:{port}")
            counts.corrupted += 1
            links.down(link)
            clock.now_s += 2
        other = links.up(FakeLine(), (counts := FrameCounts()), "tcp", "192.0.2.2:5")
        counts.corrupted += 1
        links.down(other)
    # At 0 s and at 60 s for the first host, and at once for the second.
    assert [record.message.split(":")[0] for record in caplog.records] == [
        "Link 1 (tcp 192.0.2.1", "Link 31 (tcp 192.0.2.1", "Link 51 (tcp 192.0.2.2",
    ]  # fmt: skip


def test_backoff_doubles_its_ceiling_up_to_the_longest() -> None:
    backoff = Backoff(0.5, 3.0, uniform=lambda low, high: high + low)
    assert [backoff.next() for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]
    backoff.reset()
    assert backoff.next() == 0.5


def test_only_a_connection_that_lasted_ends_the_back_off() -> None:
    backoff = Backoff(0.5, 3.0, uniform=lambda low, high: high + low)
    assert [backoff.after(lasted_s) for lasted_s in (0.0, 2.9, 3.1, 0.1)] == [0.5, 1.0, 0.5, 1.0]


def test_backoff_has_full_jitter() -> None:
    delays = []
    for _ in range(200):
        backoff = Backoff(1.0, 8.0)
        delays.append(backoff.next())
    # Of 200 uniform draws all above 0.2 or all below 0.8 has a chance of 0.8 ** 200 = 4e-20.
    assert 0.0 <= min(delays) < 0.2
    assert 0.8 < max(delays) <= 1.0


def test_sparing_words() -> None:
    sparingly = Sparingly(60)
    passed = [
        sparingly.allows(now, text) for now, text in [(0, "a"), (59, "a"), (59, "b"), (60, "a"), (119, "a"), (120, "a")]
    ]
    assert passed == [True, False, True, True, False, True]


def test_words_that_go_on_become_rarer_up_to_an_hour_and_others_pass_at_once() -> None:
    sparingly = Sparingly(60)
    passed = [second for second in range(0, 12 * 3600, 30) if sparingly.allows(second, "away")]
    # 1, 2, 4, ... 32 minutes after the one before, then an hour.
    assert [after - before for before, after in itertools.pairwise(passed)][:8] == [
        60, 120, 240, 480, 960, 1920, 3600, 3600
    ]  # fmt: skip
    assert sparingly.allows(12 * 3600, "off")
    assert sparingly.allows(12 * 3600 + 60, "off")
    # What counts something, and is never the same, comes each minute.
    assert [second for second in range(0, 301, 30) if sparingly.allows(13 * 3600 + second)] == [
        0,
        60,
        120,
        180,
        240,
        300,
    ]
