"""A node's button: a press makes one label, however often it is sent, and what cannot be a label says why."""

from pathlib import Path
from typing import Any

import pytest
from attune_proto.v1 import node_pb2
from attuned.nodes.conversation import Conversation
from attuned.nodes.dating import PAST_MS
from attuned.site import Site
from attuned.store.site import LabelRow
from daemon_world import HOUR, MINUTE, NOON, A, FakeClock, commit, errands, hello, opened_site, trust_all, window
from hypothesis import given
from hypothesis import strategies as st
from site_world import HeardSite

STRANGER = "c1b2c3d400000003"


class Room(HeardSite):
    """A site whose node A said hello at noon, 100 s after its start."""

    def __init__(self, site: Site, clock: FakeClock) -> None:
        super().__init__(site, clock)
        self.flushed = 0

    async def flush(self) -> None:
        self.flushed += 1

    async def greet(self, node: str = A, boot: int = 1, **more: Any) -> None:
        await super().greet(node, boot, **more)
        self.gateway.take()

    async def press(self, tick_ms: int, class_index: int = 1, number: int = 1, node: str = A) -> list[tuple[int, int]]:
        """(boot, press) of what was acknowledged."""
        button = node_pb2.Button(press=number, class_index=class_index, tick_ms=tick_ms)
        self.hear(button, node)
        await errands(self.site)
        acks = [message.button_ack for _, _, message in self.gateway.take() if message.HasField("button_ack")]
        return [(ack.boot, ack.press) for ack in acks]

    async def labels(self) -> list[LabelRow]:
        return (await self.site.site_store.labels())[::-1]

    def node(self, node: str = A) -> Conversation:
        return self.site.hub.conversations[node]


@pytest.fixture
async def room(tmp_path: Path) -> Room:
    clock = FakeClock()
    return Room(await opened_site(tmp_path, clock), clock)


async def test_a_press_labels_the_ten_minutes_before_it(room: Room) -> None:
    await room.greet()
    room.clock.now = NOON + 30 * MINUTE
    # 20 minutes after noon; the press has waited for a link.
    assert await room.press(100_000 + 20 * MINUTE) == [(1, 1)]
    (stored,) = await room.labels()
    assert stored == LabelRow(
        1, "r", "occupied", NOON + 10 * MINUTE, NOON + 20 * MINUTE, 1.0, "button", A, NOON + 20 * MINUTE
    )
    assert room.flushed == 1
    assert room.site.labels.count == 1
    assert room.site.labels.taught("r")
    assert room.node().refused == 0


async def test_the_room_learns_from_a_press_as_from_any_label(room: Room) -> None:
    await room.greet()
    await commit(room.site, *(window(i, NOON + i * MINUTE) for i in range(1, 16)))
    room.clock.now = NOON + 15 * MINUTE
    room.gateway.take()
    button = node_pb2.Button(press=1, class_index=0, tick_ms=100_000 + 15 * MINUTE)
    room.hear(button)
    await errands(room.site)
    part = next(message.label for _, _, message in room.gateway.take() if message.HasField("label"))
    assert (part.number, part.class_index, part.weight) == (1, 0, 256)
    assert [w.seq for w in part.windows] == list(range(6, 14))  # eight in a part


async def test_a_press_that_is_sent_again_makes_no_second_label(room: Room, tmp_path: Path) -> None:
    await room.greet()
    assert await room.press(100_000) == [(1, 1)]
    assert await room.press(100_000) == [(1, 1)]
    await room.site.close()
    again = Room(await opened_site(tmp_path, room.clock), room.clock)
    await again.greet()
    assert await again.press(100_000) == [(1, 1)]
    assert len(await again.labels()) == 1
    # Other presses and other boots are their own.
    again.clock.now += 1000
    assert await again.press(101_000, number=2) == [(1, 2)]
    await again.greet(boot=2)
    again.clock.now += 1000
    assert await again.press(101_000, number=1) == [(2, 1)]
    assert [row.number for row in await again.labels()] == [1, 2, 3]
    await again.site.close()


async def test_presses_that_wait_for_the_disk_are_stored_once(room: Room) -> None:
    await room.greet()
    button = node_pb2.Button(press=1, class_index=1, tick_ms=100_000)
    for _ in range(1000):
        room.hear(button)
    assert len(room.site.errands) == 1
    await errands(room.site)
    assert len(await room.labels()) == 1


async def test_a_press_in_no_room_counts_for_nothing(room: Room) -> None:
    trust_all(room.site, STRANGER)
    await room.greet(STRANGER)
    assert await room.press(100_000, node=STRANGER) == [(1, 1)]
    assert await room.labels() == []
    assert room.node(STRANGER).last_refusal == (
        "a press of its button, but it is in no room: `attune node move` puts it into one"
    )


async def test_a_press_without_a_clock_waits_for_one(room: Room) -> None:
    room.hear(hello())
    assert await room.press(100_000) == []
    assert await room.labels() == []
    assert room.node().last_refusal == "a press of its button before its clock was known: it comes again"
    await room.greet()
    assert await room.press(100_000) == [(1, 1)]
    assert len(await room.labels()) == 1


async def test_a_press_at_a_time_that_cannot_be_is_refused_for_good(room: Room) -> None:
    await room.greet()
    assert await room.press(100_000 + 61_000) == [(1, 1)]  # in a minute and a second
    room.clock.now = NOON + PAST_MS + 1
    assert await room.press(100_000, number=2) == [(1, 2)]
    assert await room.labels() == []
    assert room.node().refused == 2
    assert room.node().last_refusal.startswith("a press of its button long ago or in the future")


async def test_a_press_of_a_class_that_no_label_has_is_refused(room: Room) -> None:
    await room.greet()
    assert await room.press(100_000, class_index=2) == [(1, 1)]
    assert room.node().last_refusal == "a press of its button. A label says free or occupied, not class 2."


async def test_two_presses_of_one_second_that_contradict_each_other(room: Room) -> None:
    await room.greet()
    assert await room.press(100_000, class_index=1) == [(1, 1)]
    assert await room.press(100_200, class_index=0, number=2) == [(1, 2)]
    assert [row.class_name for row in await room.labels()] == ["occupied"]
    assert "in the same second" in room.node().last_refusal


async def test_a_clock_that_is_a_little_ahead_labels_nothing_that_is_to_come(room: Room) -> None:
    await room.greet()
    await room.press(100_000 + 30_000)
    (stored,) = await room.labels()
    assert stored.to_utc_ms == NOON


async def test_presses_that_a_node_had_to_drop_are_told(room: Room) -> None:
    await room.greet()
    for dropped in (2, 2, 5, 1):  # the last after a restart
        room.hear(node_pb2.Health(dropped_presses=dropped))
    assert room.node().refused == 2 + 3 + 1
    assert room.node().last_refusal == "1 presses of its button made room for newer ones before anybody took them"


@given(
    st.integers(0, (1 << 32) - 1),
    st.integers(0, (1 << 32) - 1),
    st.one_of(st.integers(0, (1 << 64) - 1), st.integers(0, 2 * PAST_MS)),
)
def test_whatever_a_press_says_it_is_dated_or_answered(number: int, class_index: int, tick_ms: int) -> None:
    button = node_pb2.Button(press=number, class_index=class_index, tick_ms=tick_ms)
    conversation = Conversation(A, "r", None, {})
    assert conversation.press(button, NOON) == ([], None)
    conversation.hello(hello(), NOON)
    assert conversation.press(button, NOON) == ([], None)
    conversation.time_ack(node_pb2.TimeAck(echo_tick_ms=100_000, tick_ms=100_000), NOON)
    now = NOON + HOUR
    replies, press = conversation.press(button, now)
    if press is not None:
        assert not replies
        assert now - PAST_MS <= press.utc_ms <= now
