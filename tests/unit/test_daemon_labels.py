"""Labels: kept, sent to nodes in parts until they answer, and sent again where they have to be."""

import asyncio
import contextlib
import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from attune_proto.v1 import node_pb2
from attuned.errors import NotFoundError, RequestError, StoreError
from attuned.labels.labels import _last_taught
from attuned.labels.names import no_room
from attuned.labels.teaching import CLASSES, LEAST_WINDOWS, PART_WINDOWS, UNLEARN_TRIES, Teaching, thin
from attuned.nodes.boot import BootRecord
from attuned.nodes.conversation import Conversation
from attuned.nodes.facts import NodeFacts
from attuned.nodes.ties import Ties
from attuned.nodes.window import Window
from attuned.site import Site
from attuned.store.site import LONGEST_MS, LabelRow
from daemon_world import (
    HOUR,
    MINUTE,
    NOON,
    A,
    B,
    FakeClock,
    FakeGateway,
    commit,
    errands,
    hear,
    hello,
    opened_site,
    window,
)
from hypothesis import given, settings
from hypothesis import strategies as st


def label(first: float, last: float, class_name: str = "occupied", number: int = 1, **more: Any) -> LabelRow:
    """From so many minutes after noon to so many."""
    start, end = NOON + round(first * MINUTE), NOON + round(last * MINUTE)
    values: dict[str, Any] = {"weight": 1.0, "source": "person", "author": "ann", "told_utc_ms": 0} | more
    return LabelRow(number, "r", class_name, start, end, **values)


def minutes(first: int, last: int, node: str = A) -> list[Window]:
    """Windows of the minutes that end after `first` and by `last` after noon."""
    return [window(i, NOON + i * MINUTE, node=node) for i in range(first + 1, last + 1)]


class Pupil:
    """A node with a link, and what it has been sent. Its boot began at noon."""

    def __init__(self, capacity: int = 64, boot: int = 1, class_capacity: int = 8) -> None:
        facts = NodeFacts.from_hello(hello(label_capacity=capacity, boot=boot, class_capacity=class_capacity))
        self.conversation = Conversation(A, "r", facts, {})
        self.conversation._boot = BootRecord(ties=Ties([0], [NOON]))
        self.sent: list[node_pb2.Label] = []
        self.teaching = Teaching(FakeClock(rate=1e4), self.send)

    def send(self, conversation: Conversation, message: node_pb2.DaemonMessage) -> bool:
        self.sent.append(message.label)
        return True

    def answer(self, part: node_pb2.Label, refused: int = 0) -> None:
        learned = len(part.windows) - refused
        ack = node_pb2.LabelAck(number=part.number, part=part.part, learned=learned, refused=refused)
        self.teaching.answer(self.conversation, ack)

    def answer_all(self) -> list[node_pb2.Label]:
        """Answers part by part; every part that was sent."""
        answered = 0
        while answered < len(self.sent):
            self.answer(self.sent[answered])
            answered += 1
        return self.sent


def test_a_label_goes_out_in_parts_one_at_a_time() -> None:
    pupil = Pupil()
    pupil.teaching.plan(pupil.conversation, label(0, 20), minutes(0, 20))
    assert len(pupil.sent) == 1
    parts = pupil.answer_all()
    assert [(part.number, part.part, len(part.windows)) for part in parts] == [(1, 0, 8), (1, 1, 8), (1, 2, 4)]
    assert [w.seq for part in parts for w in part.windows] == list(range(1, 21))
    assert {(part.class_index, part.weight) for part in parts} == {(1, 256)}
    # Seconds of the boot, which began at noon; told once.
    assert [(part.from_s, part.to_s) for part in parts] == [(0, 1200), (0, 0), (0, 0)]
    assert pupil.teaching.learned(1) == {A: 20}
    assert pupil.teaching.waiting(1) == set()
    assert pupil.conversation.label_windows == 20


def test_a_class_that_a_node_has_no_room_for_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CLASSES, "meeting", 4)
    pupil = Pupil(class_capacity=4)
    pupil.teaching.plan(pupil.conversation, label(0, 20, "meeting"), minutes(0, 20))
    assert not pupil.sent
    assert "label 1 says meeting, and it has room for 4 classes" in pupil.conversation.last_refusal
    pupil.teaching.plan(pupil.conversation, label(0, 20), minutes(0, 20))
    assert pupil.sent


def test_a_label_without_windows_still_names_its_interval() -> None:
    pupil = Pupil()
    pupil.teaching.plan(pupil.conversation, label(1.5, 10.25, "free"), [])
    (part,) = pupil.sent
    assert (part.class_index, part.weight, part.from_s, part.to_s) == (0, 256, 90, 615)
    pupil.answer(part)
    assert pupil.teaching.learned(1) == {A: 0}


@pytest.mark.parametrize("interval", [(-20, -10), (-20, 0)])
def test_a_label_from_before_the_boot_names_no_seconds_of_it(interval: tuple[int, int]) -> None:
    pupil = Pupil()
    pupil.teaching.plan(pupil.conversation, label(*interval), [])
    assert (pupil.sent[0].from_s, pupil.sent[0].to_s) == (0, 0)


def test_a_node_without_a_tie_learns_what_it_is_sent() -> None:
    pupil = Pupil()
    pupil.conversation._boot = BootRecord()
    pupil.teaching.plan(pupil.conversation, label(0, 2), minutes(0, 2))
    assert (pupil.sent[0].from_s, pupil.sent[0].to_s, len(pupil.sent[0].windows)) == (0, 0, 2)


def test_answers_to_something_else_are_not_taken() -> None:
    pupil = Pupil()
    pupil.teaching.plan(pupil.conversation, label(0, 20), minutes(0, 20))
    first = pupil.sent[0]
    for number, part in ((1, 1), (2, 0), (0, 0)):
        ack = node_pb2.LabelAck(number=number, part=part, learned=8)
        pupil.teaching.answer(pupil.conversation, ack)
    assert len(pupil.sent) == 1
    pupil.answer(first)
    pupil.answer(first)  # the same answer twice
    assert [part.part for part in pupil.sent] == [0, 1]
    assert pupil.teaching.learned(1) == {A: 8}


def test_a_node_cannot_claim_more_than_it_was_sent() -> None:
    pupil = Pupil()
    pupil.teaching.plan(pupil.conversation, label(0, 2), minutes(0, 2))
    pupil.teaching.answer(pupil.conversation, node_pb2.LabelAck(number=1, part=0, learned=2**32 - 1))
    assert pupil.teaching.learned(1) == {A: 2}


def test_what_a_node_refuses_is_counted_and_said() -> None:
    pupil = Pupil()
    pupil.teaching.plan(pupil.conversation, label(0, 4), minutes(0, 4))
    pupil.answer(pupil.sent[0], refused=3)
    assert pupil.conversation.last_refusal == "3 windows of label 1 were refused by the node"
    assert pupil.teaching.learned(1) == {A: 1}


async def test_an_unanswered_part_is_sent_again() -> None:
    pupil = Pupil()  # whose clock runs so fast that 15 s are 1.5 ms
    pupil.teaching.plan(pupil.conversation, label(0, 20), minutes(0, 20))
    task = asyncio.create_task(pupil.teaching.run())
    async with asyncio.timeout(1):
        while len(pupil.sent) < 3:  # noqa: ASYNC110 (a list has no event)
            await asyncio.sleep(0.001)
    task.cancel()
    assert {part.part for part in pupil.sent} == {0}


async def test_waiting_for_nodes_ends_with_the_last_answer_or_the_time() -> None:
    pupil = Pupil()
    pupil.teaching.plan(pupil.conversation, label(0, 4), minutes(0, 4))
    await pupil.teaching.wait(1, 0.02)
    assert pupil.teaching.waiting(1) == {A}
    waiting = asyncio.create_task(pupil.teaching.wait(1, 5))
    await asyncio.sleep(0)
    pupil.answer(pupil.sent[0])
    await asyncio.wait_for(waiting, 0.5)
    await pupil.teaching.wait(99, 5)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2000), st.integers(8, 600))  # beyond 256 windows for one the weight meets its limit
def test_a_thinned_label_is_spread_evenly_and_keeps_its_weight(count: int, capacity: int) -> None:
    pupil = Pupil(capacity)
    pupil.teaching.plan(pupil.conversation, label(0, count + 1), minutes(0, count))
    parts = pupil.answer_all()
    seqs = [w.seq for part in parts for w in part.windows]
    assert len(seqs) == min(count, max(capacity // 2, PART_WINDOWS))
    assert seqs == sorted(set(seqs))
    if count:
        gaps = {later - earlier for earlier, later in pairwise(seqs)}
        assert not gaps or max(gaps) <= 2 * min(gaps)
        # Each weight is rounded to 1/256 of a person's word.
        assert sum(part.weight * len(part.windows) for part in parts) == pytest.approx(
            256 * max(count, LEAST_WINDOWS), abs=len(seqs) / 2
        )


def test_weights_stay_within_the_wire() -> None:
    pupil = Pupil(16)
    pupil.teaching.plan(pupil.conversation, label(0, 1, weight=1e-6), minutes(0, 1))
    pupil.teaching.plan(pupil.conversation, label(0, 10_000, number=2), minutes(0, 10_000))
    parts = pupil.answer_all()
    assert {part.weight for part in parts if part.number == 1} == {1}
    assert {part.weight for part in parts if part.number == 2} == {65_535}


def test_thinning_nothing() -> None:
    assert thin([], 5) == []
    assert thin(minutes(0, 5), 5) == minutes(0, 5)


# The service, on a site with a store.


class Room:
    """A site with nodes A and B in room r; A has a link."""

    def __init__(self, site: Site, clock: FakeClock) -> None:
        self.site, self.clock, self.gateway = site, clock, FakeGateway()
        site.commits.flush = self.flush  # type: ignore[method-assign]
        site.labels._flush = self.flush
        site.hub.link_up(self.gateway, 1)
        self.gateway.take()
        self.arriving: list[Window] = []

    async def flush(self) -> None:
        """Stands for the commits task: what has arrived is written and acknowledged."""
        arrived, self.arriving = self.arriving, []
        await self.commit(arrived)

    async def commit(self, windows: list[Window]) -> None:
        await commit(self.site, *windows)
        self.site.acknowledge([], windows)

    async def tell(self, label: LabelRow, *, force: bool = False) -> LabelRow:
        """A second passes after each label."""
        stored = await self.site.labels.add(label, force=force)
        self.clock.now += 1000
        return stored

    async def greet(self, boot: int = 1, **more: Any) -> None:
        hear(self.site.hub, self.gateway, hello(boot=boot, **more))
        hear(self.site.hub, self.gateway, node_pb2.TimeAck(echo_tick_ms=100_000, tick_ms=100_000))
        await errands(self.site)

    def forget(self) -> tuple[list[node_pb2.Unlearn], list[node_pb2.Label]]:
        """Answers everything; what was to be forgotten, and then the parts that came with windows."""
        unlearn: list[node_pb2.Unlearn] = []
        parts: list[node_pb2.Label] = []
        while fresh := [m for _, _, m in self.gateway.take() if m.WhichOneof("body") in ("label", "unlearn")]:
            for message in fresh:
                if message.HasField("unlearn"):
                    assert parts == []
                    unlearn.append(message.unlearn)
                    ack = node_pb2.LabelAck(number=message.unlearn.number, part=message.unlearn.part)
                else:
                    parts += [message.label] if message.label.windows else []
                    part = message.label
                    ack = node_pb2.LabelAck(number=part.number, part=part.part, learned=len(part.windows))
                hear(self.site.hub, self.gateway, ack)
        return unlearn, parts

    def play(self, log: dict[tuple[int, int], tuple[int, int]]) -> None:
        """Does to a log of (boot, seq) -> (number, class) what a node does to its own, and answers."""
        while fresh := [m for _, _, m in self.gateway.take() if m.WhichOneof("body") in ("label", "unlearn")]:
            for message in fresh:
                if message.HasField("unlearn"):
                    for key in [key for key, (number, _) in log.items() if number == message.unlearn.number]:
                        del log[key]
                    ack = node_pb2.LabelAck(number=message.unlearn.number, part=message.unlearn.part)
                else:
                    part = message.label
                    for w in part.windows:
                        if log.get((w.boot, w.seq), (0, 0))[0] < part.number:
                            log[w.boot, w.seq] = part.number, part.class_index
                    ack = node_pb2.LabelAck(number=part.number, part=part.part, learned=len(part.windows))
                hear(self.site.hub, self.gateway, ack)

    def learn(self) -> list[node_pb2.Label]:
        """Answers every part; what was sent."""
        parts: list[node_pb2.Label] = []
        while fresh := [m.label for _, _, m in self.gateway.take() if m.HasField("label")]:
            for part in fresh:
                parts.append(part)
                ack = node_pb2.LabelAck(number=part.number, part=part.part, learned=len(part.windows))
                hear(self.site.hub, self.gateway, ack)
        return parts


@pytest.fixture
async def room(tmp_path: Path) -> Any:
    clock = FakeClock(NOON + 2 * HOUR)
    site = await opened_site(tmp_path, clock)
    yield Room(site, clock)
    with contextlib.suppress(StoreError):  # the test has closed it
        await site.close()


async def test_a_label_reaches_the_windows_of_its_interval_once(room: Room) -> None:
    await room.greet()
    await room.commit([*minutes(0, 30), *minutes(0, 30, B)])
    room.arriving = [window(31, NOON + 20 * MINUTE)]  # on its way to the disk
    stored = await room.tell(label(10, 20))
    assert (stored.number, stored.told_utc_ms) == (1, NOON + 2 * HOUR)
    sent = [w.seq for part in room.learn() for w in part.windows]
    assert sent == [*range(11, 21), 31]
    assert room.site.teaching.learned(1)[A] == 11
    assert room.site.teaching.waiting(1) == {B}
    assert room.site.labels.taught("r")
    assert (await room.site.site_store.labels())[0].number == 1


async def test_windows_that_come_after_the_label_are_sent_too(room: Room) -> None:
    await room.greet()
    await room.commit(minutes(0, 5))
    await room.tell(label(0, 20))
    room.learn()
    await room.commit([window(6, NOON + 6 * MINUTE), window(7, NOON + 21 * MINUTE)])
    (part,) = room.learn()
    assert ([w.seq for w in part.windows], part.part, part.from_s, part.to_s) == ([6], 1, 0, 0)
    assert room.site.teaching.learned(1) == {A: 6}


async def test_a_new_boot_is_told_every_label_in_force_and_the_same_boot_only_what_waits(room: Room) -> None:
    await room.greet()
    await room.commit(minutes(0, 30))
    await room.tell(label(0, 10))
    await room.tell(label(5, 12, "free"))
    room.learn()
    await room.greet()
    assert room.learn() == []
    await room.greet(boot=2)
    parts = room.learn()
    assert [(part.number, part.part, len(part.windows)) for part in parts] == [(1, 0, 5), (2, 0, 7)]
    assert {w.boot for part in parts for w in part.windows} == {1}
    # Minutes 6 to 10 are the second label's, which is newer.
    assert room.site.teaching.learned(1) == {A: 5}


async def test_what_a_newer_label_says_is_left_to_it(room: Room) -> None:
    await room.greet()
    await room.commit(minutes(0, 10))
    await room.tell(label(0, 20))
    await room.tell(label(5, 30, "free"))
    room.learn()
    await room.commit([window(16, NOON + 16 * MINUTE)])
    (part,) = room.learn()
    assert (part.number, [w.seq for w in part.windows]) == (2, [16])


async def test_a_daemon_that_starts_again_tells_a_node_every_label_once(room: Room, tmp_path: Path) -> None:
    await room.greet()
    await room.commit(minutes(0, 30))
    await room.tell(label(0, 10))
    await room.site.close()
    again = Room(await opened_site(tmp_path, room.clock), room.clock)
    assert again.site.labels.taught("r")
    assert again.site.labels.count == 1
    await again.greet()
    assert sum(len(part.windows) for part in again.learn()) == 10
    await again.greet()
    assert again.learn() == []
    await again.site.close()


async def test_what_is_told_while_a_node_is_greeted_is_neither_lost_nor_told_twice(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the windows of the first label are read for the new boot, another label comes into force."""
    await room.greet()
    await room.commit(minutes(0, 30))
    await room.tell(label(0, 4))
    room.learn()
    read = room.site.window_store.windows_in
    added: list[int] = []

    async def slow(*args: Any) -> list[Window]:
        found = await read(*args)
        if not added:
            added.append(1)
            await room.tell(label(10, 14))
        return found

    hear(room.site.hub, room.gateway, hello(boot=2))
    monkeypatch.setattr(room.site.window_store, "windows_in", slow)
    await errands(room.site)
    parts = [part for part in room.learn() if part.windows]
    assert {part.number: len(part.windows) for part in parts} == {1: 4, 2: 4}
    assert room.site.teaching.learned(2) == {A: 4}


async def test_a_superseded_label_is_not_told_to_a_new_boot(room: Room) -> None:
    await room.greet()
    await room.commit(minutes(0, 30))
    await room.tell(label(0, 4))
    await room.tell(label(0, 8, "free"))
    room.learn()
    await room.greet(boot=2)
    assert {(part.number, part.class_index) for part in room.learn()} == {(2, 0)}


async def test_two_labels_at_the_same_time_stand_in_the_order_of_their_numbers(room: Room) -> None:
    rows = await asyncio.gather(
        room.site.labels.add(label(0, 4)),
        room.site.labels.add(label(2, 7)),
        room.site.labels.add(label(2, 8)),
    )
    assert sorted(row.number for row in rows) == [1, 2, 3]
    assert [row.number for row in room.site.labels._in_force["r"]] == [1, 3]


async def test_a_node_that_was_never_heard_is_told_when_it_comes(room: Room) -> None:
    await room.commit(minutes(0, 12))
    await room.tell(label(0, 12))
    assert room.learn() == []
    await room.greet()
    assert sum(len(part.windows) for part in room.learn()) == 12


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        (label(0, 1, "busy"), "A label says free or occupied, not 'busy'."),
        (label(5, 5), "The label has no length: give two different times."),
        (label(5, 4), "The label ends before it begins: give the earlier time first."),
        (label(119 - LONGEST_MS / MINUTE, 120), "longer than a week"),
        (
            label(120 - 25 * 60.1, 120),
            "longer than a day: see whether the days are right, and say it day by day; `attune label add --force`",
        ),
        (label(121, 130), "The label lies in the future: label what has happened."),
        (label(100, 122), "The label ends in the future: label what has happened."),
        (label(-NOON / MINUTE - 1, -NOON / MINUTE + 1), "of a time before 1970: see whether the year is right."),
        (label(0, 1, source="s" * 65), "at most 64 characters"),
        (label(0, 1, weight=0.0), "above 0 and at most 1"),
        (label(0, 1, weight=1.5), "above 0 and at most 1"),
        (label(0, 1, weight=float("nan")), "above 0 and at most 1"),
    ],
)
async def test_labels_that_cannot_be_are_refused(room: Room, bad: LabelRow, sentence: str) -> None:
    with pytest.raises(RequestError, match=sentence):
        await room.tell(bad)
    assert await room.site.site_store.labels() == []


async def test_a_label_of_an_unknown_room_is_refused(room: Room) -> None:
    with pytest.raises(NotFoundError, match=r"There is no room 'x': `attune rooms` lists the rooms\."):
        await room.tell(LabelRow(0, "x", "free", NOON, NOON + 1, 1.0, "person", "", 0))


async def test_a_label_of_more_than_a_day_is_taken_if_it_is_meant(room: Room) -> None:
    assert (await room.tell(label(120 - 25 * 60.1, 120), force=True)).number == 1


async def test_the_day_on_which_clocks_are_put_back_is_a_day(room: Room) -> None:
    assert (await room.tell(label(120 - 25 * 60, 120))).number == 1


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("2.31", "There is no room '2.31': did you mean 2.13 or 2.14? `attune rooms` lists them all."),
        ("meeting", "There is no room 'meeting': did you mean 2.13? `attune rooms` lists them all."),
        ("kitchen", "There is no room 'kitchen': did you mean K? `attune rooms` lists them all."),
        ("Kitchen Nroth", "There is no room 'Kitchen Nroth': did you mean K? `attune rooms` lists them all."),
        ("", "There is no room '': `attune rooms` lists the rooms."),
        ("x" * 10_000, f"There is no room '{'x' * 64}': `attune rooms` lists the rooms."),
    ],
)
def test_the_nearest_rooms_are_named(name: str, sentence: str) -> None:
    assert str(no_room(name, {"2.13": "Meeting", "2.14": "", "hall": "", "K": "Kitchen North"})) == sentence


# Labels of one second, and weak ones.


async def test_contradictions_of_one_second_are_refused(room: Room) -> None:
    await room.site.labels.add(label(0, 10))
    with pytest.raises(RequestError, match=r"Label 1, told in the same second, says otherwise of r in that time"):
        await room.site.labels.add(label(9, 20, "free"))
    await room.site.labels.add(label(10, 20, "free"))  # they only touch
    room.clock.now += 1000
    assert (await room.site.labels.add(label(9, 20, "free"))).number == 3


async def test_weak_labels_replace_nothing_and_teach_nobody(room: Room) -> None:
    await room.greet()
    await room.commit(minutes(0, 30))
    await room.tell(label(0, 10))
    room.learn()
    await room.tell(label(0, 20, "free", weight=0.25, source="booking"))
    assert room.learn() == []
    rows = await room.site.site_store.labels()
    assert [(row.number, row.superseded_by, row.weight) for row in rows] == [(2, 0, 0.25), (1, 0, 1.0)]
    assert [row.number for row in room.site.labels.in_force("r")] == [1]
    await room.greet(boot=2)
    assert {part.number for part in room.learn()} == {1}


# Taking back.


async def test_a_label_that_is_taken_back_is_forgotten_and_what_it_replaced_is_told_again(room: Room) -> None:
    await room.greet()
    await room.commit(minutes(0, 30))
    await room.tell(label(2, 6))
    await room.tell(label(0, 10, "free", author="bob"))
    room.learn()
    withdrawn = await room.site.labels.withdraw(2, "ann")
    assert withdrawn.label.withdrawn_by == "ann"
    assert [row.number for row in withdrawn.in_force_again] == [1]
    unlearn, parts = room.forget()
    assert [one.number for one in unlearn] == [2]
    assert [(part.number, [w.seq for w in part.windows]) for part in parts] == [(1, [3, 4, 5, 6])]
    assert room.site.teaching.unlearned(2) == {A}
    assert [row.number for row in room.site.labels.in_force("r")] == [1]
    await room.commit([window(31, NOON + 9 * MINUTE)])
    assert room.learn() == []
    with pytest.raises(RequestError, match="was taken back before"):
        await room.site.labels.withdraw(2, "ann")
    assert [(row.number, row.superseded_by) for row in await room.site.site_store.labels()] == [(2, 0), (1, 0)]


async def test_without_a_number_the_authors_newest_goes(room: Room) -> None:
    for author in ("ann", "bob", "ann"):
        await room.tell(label(0, 5, author=author))
    numbers = [(await room.site.labels.withdraw(0, "ann")).label.number for _ in range(2)]
    assert numbers == [3, 1]
    with pytest.raises(NotFoundError, match=r"ann gave no label that could be taken back: name one by its number"):
        await room.site.labels.withdraw(0, "ann")
    with pytest.raises(NotFoundError, match=r"There is no label 99: `attune label list` shows their numbers\."):
        await room.site.labels.withdraw(99, "ann")


async def test_what_two_labels_cover_goes_to_the_other_one(room: Room) -> None:
    for i in range(3):
        await room.tell(label(0, 5 + i))
    withdrawn = await room.site.labels.withdraw(2, "ann")
    assert withdrawn.in_force_again == []
    rows = {row.number: row.superseded_by for row in await room.site.site_store.labels()}
    assert rows == {1: 3, 2: 3, 3: 0}
    await room.site.labels.withdraw(3, "ann")
    assert [row.number for row in room.site.labels.in_force("r")] == [1]


async def test_a_node_that_is_away_forgets_when_it_is_back(room: Room, tmp_path: Path) -> None:
    await room.greet()
    await room.commit(minutes(0, 30))
    await room.tell(label(0, 4))
    room.learn()
    room.site.hub.link_down(room.gateway, 1)
    await room.site.labels.withdraw(1, "ann")
    assert room.gateway.take() == []
    await room.site.close()
    again = Room(await opened_site(tmp_path, room.clock), room.clock)
    await again.greet(label_windows=4)
    assert [one.number for one in again.forget()[0]] == [1]
    await again.greet(label_windows=0)
    assert again.forget() == ([], [])
    await again.greet(boot=2, label_windows=0)  # it has nothing to forget
    assert again.forget() == ([], [])
    assert again.site.teaching.unlearned(1) == {A}
    await again.site.close()


async def test_a_node_that_cannot_forget_does_not_hold_up_the_next_label(room: Room) -> None:
    await room.greet()
    await room.commit(minutes(0, 30))
    await room.tell(label(0, 4))
    room.learn()
    await room.site.labels.withdraw(1, "ann")
    await room.tell(label(10, 14))
    for _ in range(UNLEARN_TRIES):
        assert [m.WhichOneof("body") for _, _, m in room.gateway.take()] == ["unlearn"]
        room.site.teaching.resume(room.site.hub.conversations[A])
    (part,) = room.learn()
    assert part.number == 2
    assert "label 1 was not forgotten" in room.site.hub.conversations[A].last_refusal


async def test_a_room_keeps_the_newest_labels_alone(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attuned.labels.labels.KEPT_LABELS", 3)
    for i in range(5):
        await room.tell(label(i * 2, i * 2 + 1))
    assert [row.number for row in room.site.labels.in_force("r")] == [3, 4, 5]
    await room.site.labels.load()
    assert [row.number for row in room.site.labels.in_force("r")] == [3, 4, 5]


deeds = st.lists(
    st.one_of(
        st.tuples(st.integers(0, 30), st.integers(1, 30), st.sampled_from(["free", "occupied"])),
        st.integers(1, 8),
    ),
    max_size=10,
)


@settings(max_examples=25, deadline=None)
@given(deeds)
async def test_after_any_labels_and_undoing_the_node_is_as_if_the_rest_alone_had_been_told(deeds: list[Any]) -> None:
    """The node's log has room for all of it; which label holds a window is worked out from the list in force."""
    with tempfile.TemporaryDirectory() as folder:
        room = Room(await opened_site(Path(folder), FakeClock(NOON + 2 * HOUR)), FakeClock(NOON + 2 * HOUR))
        log: dict[tuple[int, int], tuple[int, int]] = {}
        await room.greet()
        await room.commit(minutes(0, 60))
        for deed in deeds:
            room.site.labels._clock.now += 1000  # type: ignore[attr-defined]
            if isinstance(deed, int):
                with contextlib.suppress(RequestError):
                    await room.site.labels.withdraw(deed, "ann")
            else:
                await room.site.labels.add(label(deed[0], deed[0] + deed[1], deed[2]))
            room.play(log)
        told = {
            (1, seq): (row.number, CLASSES[row.class_name])
            for row in room.site.labels.in_force("r")
            for seq in range(1, 61)
            if row.covers(NOON + seq * MINUTE)
        }
        assert log == told
        await room.site.close()


# Imports.


@dataclass(frozen=True)
class Line:
    """A row as a file has it, minutes after noon."""

    line: int
    first: int
    last: int
    class_name: str = "free"
    weight: float = 1.0
    room: str = "r"

    @property
    def from_utc_ms(self) -> int:
        return NOON + self.first * MINUTE

    @property
    def to_utc_ms(self) -> int:
        return NOON + self.last * MINUTE


async def test_an_import_keeps_the_good_rows_and_teaches_once_at_its_end(room: Room) -> None:
    await room.greet()
    await room.commit(minutes(0, 60))
    async with room.site.labels.importing() as importing:
        first = [Line(2, 0, 10), Line(3, 5, 8, "occupied"), Line(4, 10, 10), Line(5, 20, 30, "occupied", room="R")]
        refused = await importing.add(first, "import", "ann")
        assert [line for line, _ in refused] == [3, 4, 5]
        assert "says otherwise of r than label 1 of the same file" in refused[0][1]
        assert await importing.add([Line(6, 40, 50, "occupied"), Line(7, 0, 60, weight=0.3)], "import", "ann") == []
        assert room.learn() == []
    parts = [part for part in room.learn() if part.windows]
    assert [(part.number, len(part.windows)) for part in parts] == [(1, 8), (1, 2), (2, 8), (2, 2)]
    assert room.site.labels.count == 3
    assert {row.source for row in await room.site.site_store.labels()} == {"import"}


async def test_an_import_that_is_broken_off_keeps_what_it_brought(room: Room) -> None:
    await room.greet()
    await room.commit(minutes(0, 10))

    async def broken_off() -> None:
        async with room.site.labels.importing() as importing:
            await importing.add([Line(2, 0, 10)], "import", "ann")
            raise KeyError

    with pytest.raises(KeyError):
        await broken_off()
    assert sum(len(part.windows) for part in room.learn()) == 10


async def test_a_part_of_too_many_rows_is_refused(room: Room) -> None:
    async with room.site.labels.importing() as importing:
        with pytest.raises(RequestError, match="at most 1000 labels"):
            await importing.add([Line(i, 0, 1) for i in range(1001)], "import", "ann")


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 9), st.sampled_from(["free", "occupied"])), max_size=25))
async def test_no_two_rows_of_an_import_contradict_each_other(lines: list[tuple[int, int, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        room = Room(await opened_site(Path(folder), FakeClock(NOON + 2 * HOUR)), FakeClock())
        rows = [Line(i, first, first + length, said) for i, (first, length, said) in enumerate(lines)]
        async with room.site.labels.importing() as importing:
            refused = {line for part in (rows[:10], rows[10:]) for line, _ in await importing.add(part, "import", "")}
        kept: list[Line] = []
        for row in rows:
            against = [k for k in kept if k.class_name != row.class_name and k.first < row.last and row.first < k.last]
            assert (row.line in refused) == bool(against)
            kept += [] if against else [row]
        assert len(await room.site.site_store.labels()) == len(kept)
        await room.site.close()


async def test_after_an_import_a_node_is_told_what_its_log_can_hold(room: Room) -> None:
    """Its log has room for 64 windows, and a full one lets go of the lowest number: older labels would come and go."""
    await room.greet()
    await room.commit(minutes(0, 115))
    async with room.site.labels.importing() as importing:
        for first in range(0, 900, 300):
            lines = [Line(i, i - 800, i - 799) for i in range(first, first + 300)]
            assert await importing.add(lines, "import", "ann") == []
    parts = [part for part in room.learn() if part.windows]
    # Labels 801 to 900 have windows: minutes 1 to 100. All of them are fewer than twice 64.
    assert [part.number for part in parts] == list(range(801, 901))
    assert [part.windows[0].seq for part in parts] == list(range(1, 101))


def test_only_the_last_labels_that_fill_a_log_are_told() -> None:
    rows = [label(i, i + 1, number=i + 1) for i in range(100)]
    chosen = _last_taught(rows, minutes(0, 100), 8, NOON)
    assert [row.number for row in chosen] == list(range(85, 101))
    # Without windows at the daemon, those count that the node may still hold.
    assert [row.number for row in _last_taught(rows, [], 8, NOON + 98 * MINUTE)] == [99, 100]
