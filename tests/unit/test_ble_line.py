"""A line over a connection that only writes down what happens to it, and what the outbox does with sightings."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from attune_gateway.ble.central import NodeFailedError
from attune_gateway.ble.line import HELD_FRAMES, WAITING_BYTES, BleLine
from attune_gateway.ble.parts import PartCutter, PartJoiner
from attune_gateway.links import Links
from attune_gateway.outbox import BATCH_SIGHTINGS, QUEUE_SIGHTINGS
from attune_proto.v1.link_pb2 import Frame, LinkStats, LinkUp, Sighting

HINT = b"a hint.."
FRAME = b"\x04\0\0\0\0" + bytes(range(200))


@dataclass
class FakeConnection:
    """Takes `room` parts, then fails, or waits if it is to."""

    mtu: int = 100
    room: int = 1_000_000
    waits: bool = False
    parts: list[bytes] = field(default_factory=list)
    closed: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    async def write(self, part: bytes) -> None:
        if len(self.parts) >= self.room:
            if not self.waits:
                raise NodeFailedError("it takes no more")
            await asyncio.get_running_loop().create_future()
        self.parts.append(part)

    async def rssi_dbm(self) -> int | None:
        return -40

    async def disconnect(self) -> None:
        """Is done by whoever made it."""


@dataclass
class World:
    links: Links = field(default_factory=lambda: Links(600, lambda: 0.0))
    activity: list[bool] = field(default_factory=list)

    def line(self) -> BleLine:
        return BleLine(self.links, HINT, self.activity.append)

    @contextlib.asynccontextmanager
    async def running(self, line: BleLine, connection: FakeConnection) -> AsyncIterator[None]:
        task = asyncio.create_task(line.run(connection, "F0:1", -61.7))
        await asyncio.sleep(0)
        try:
            yield
        finally:
            line.close()
            await task
        assert not self.links


async def turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_frames_go_both_ways_in_parts() -> None:
    world, connection = World(), FakeConnection()
    line = world.line()
    # A node that speaks before the line is a link is heard none the less.
    for part in PartCutter(97).cut(FRAME):
        line.notified(part)
    async with world.running(line, connection):
        batch = await world.links.outbox.take()
        assert list(batch.links_up) == [LinkUp(link=1, transport="ble", peer="F0:1", hint=HINT, mtu=96)]
        assert list(batch.frames) == [Frame(link=1, data=FRAME)]
        world.links.deliver([Frame(link=1, data=FRAME), Frame(link=1, data=FRAME[::-1])])
        await turns()
        joiner = PartJoiner()
        assert [frame for part in connection.parts if (frame := joiner.feed(part))] == [FRAME, FRAME[::-1]]
        assert max(map(len, connection.parts)) == 97
        assert world.activity == [True, False, False]
        (link,) = world.links
        assert link.changed_stats() == LinkStats(link=1, frames=1, rssi_dbm=-62)


async def test_what_a_node_does_not_take_is_bounded_and_counted() -> None:
    world, connection = World(), FakeConnection(room=1, waits=True)
    line = world.line()
    async with world.running(line, connection):
        many = 2 * WAITING_BYTES // len(FRAME)
        refused = line.send([FRAME] * many + [b"tiny", bytes(1025)])
        assert refused == many - WAITING_BYTES // len(FRAME) + 2


async def test_a_node_that_takes_nothing_ends_the_line() -> None:
    world, connection = World(), FakeConnection(room=1)
    line = world.line()
    task = asyncio.create_task(line.run(connection, "F0:1", -60))
    await asyncio.sleep(0)
    line.send([FRAME])
    async with asyncio.timeout(5):
        await task
    assert not world.links


async def test_the_end_of_the_connection_ends_the_line_and_counts_half_a_frame() -> None:
    world, connection = World(), FakeConnection()
    line = world.line()
    task = asyncio.create_task(line.run(connection, "F0:1", -60))
    await asyncio.sleep(0)
    line.notified(b"\x80half a frame")
    (link,) = world.links
    connection.closed.set_result(None)
    async with asyncio.timeout(5):
        await task
    assert (link.counts.damaged, len(world.links)) == (1, 0)


async def test_while_held_back_frames_wait_and_too_many_end_the_line() -> None:
    world, connection = World(), FakeConnection()
    line = world.line()
    cutter = PartCutter(243)
    async with world.running(line, connection):
        line.pause()
        for _ in range(HELD_FRAMES):
            line.notified(next(cutter.cut(FRAME)))
        await world.links.outbox.take()
        line.resume()
        assert len((await world.links.outbox.take()).frames) == HELD_FRAMES
        line.pause()
        for _ in range(HELD_FRAMES + 1):
            line.notified(next(cutter.cut(FRAME)))
        await turns()
        assert not world.links


@pytest.mark.parametrize("size", [1, 4])
async def test_frames_too_short_to_be_one_are_damaged(size: int) -> None:
    world = World()
    line = world.line()
    async with world.running(line, FakeConnection()):
        line.notified(b"\xc0" + bytes(size))
        (link,) = world.links
        assert (link.counts.good, link.counts.damaged) == (0, 1)


async def test_sightings_go_in_batches_the_newest_of_each_and_never_too_many() -> None:
    links = Links(600, lambda: 0.0)
    for number in range(QUEUE_SIGHTINGS + 10):
        links.outbox.sight([Sighting(hint=number.to_bytes(8, "big"), rssi_dbm=-1)])
    last = QUEUE_SIGHTINGS + 9
    links.outbox.sight([Sighting(hint=last.to_bytes(8, "big"), rssi_dbm=-2)])
    told: list[Sighting] = []
    while len(told) < QUEUE_SIGHTINGS:
        batch = await links.outbox.take()
        assert 0 < len(batch.sightings) <= BATCH_SIGHTINGS
        told += batch.sightings
    assert [int.from_bytes(one.hint, "big") for one in told] == list(range(10, last + 1))
    assert told[-1].rssi_dbm == -2
    links.outbox.sight([Sighting(hint=HINT)])
    links.restart()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await links.outbox.take()
