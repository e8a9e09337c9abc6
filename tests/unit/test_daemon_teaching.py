"""A label on its way to one node: parts, answers, repetitions, and the thinning of long ones."""

import asyncio
from itertools import pairwise

import pytest
from attune_proto.v1 import node_pb2
from attuned.labels.teaching import CLASSES, LEAST_WINDOWS, PART_WINDOWS, Teaching, thin
from attuned.nodes.boot import BootRecord
from attuned.nodes.conversation import Conversation
from attuned.nodes.facts import NodeFacts
from attuned.nodes.ties import Ties
from daemon_world import NOON, A, FakeClock, hello
from hypothesis import given, settings
from hypothesis import strategies as st
from label_world import label, minutes


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
