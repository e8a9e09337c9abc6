"""All nodes: frames of all gateways in, answers back along the way they came."""

import logging
from dataclasses import dataclass, field

import pytest
from attune_proto.v1 import link_pb2, node_pb2
from attuned.nodes.boot import BootRecord
from attuned.nodes.conversation import Conversation, Tie
from attuned.nodes.facts import NodeFacts
from attuned.nodes.frames import EVERY_NODE, FRAME_LIMIT, FrameError, check_frame
from attuned.nodes.hub import Hub
from attuned.nodes.press import Press
from attuned.nodes.sequence import SeqTracker
from attuned.nodes.sketch import NodeSketch
from attuned.nodes.summary import NodeSummary
from attuned.nodes.ties import Ties
from attuned.nodes.trust import STRANGER_LIMIT, Newcomer
from attuned.nodes.window import Window
from daemon_world import (
    MINUTE,
    NOON,
    A,
    B,
    FakeClock,
    FakeGateway,
    connect,
    hear,
    hello,
    report,
    trust_of,
)
from hypothesis import given
from hypothesis import strategies as st

TWIN = A[:8] + "ffffffff"  # another node with the hint of A


@dataclass
class Listener:
    """Writes down what the hub hears; commits nothing."""

    windows: list[tuple[Window, bool]] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    ties: list[Tie] = field(default_factory=list)

    def on_window(self, conversation: Conversation, window: Window, *, eager: bool) -> None:
        self.windows.append((window, eager))

    def on_repeat(self, conversation: Conversation, boot: int) -> None:
        self.heard.append("repeat")

    def on_hello(self, conversation: Conversation) -> None:
        self.heard.append("hello")

    def on_tie(self, conversation: Conversation, tie: Tie) -> None:
        self.ties.append(tie)

    def on_label_ack(self, conversation: Conversation, ack: node_pb2.LabelAck) -> None:
        self.heard.append("label_ack")

    def on_press(self, conversation: Conversation, press: Press) -> None:
        self.heard.append("press")

    def on_sketch(self, conversation: Conversation, sketch: NodeSketch) -> None:
        self.heard.append("sketch")

    def on_summary(self, conversation: Conversation, summary: NodeSummary) -> None:
        self.heard.append("summary")

    def on_health(self, conversation: Conversation) -> None:
        self.heard.append("health")

    def on_running(self, conversation: Conversation, *, fresh: bool) -> None:
        self.heard.append("fresh running" if fresh else "running")

    def on_newcomer(self, newcomer: Newcomer) -> None:
        self.heard.append("newcomer")

    def on_confirmed(self, node: str) -> None:
        pass


class World:
    """A hub with nodes A and B in a room each, and a gateway with links 1 and 2."""

    def __init__(
        self,
        facts: dict[str, NodeFacts] | None = None,
        boots: dict[tuple[str, int], BootRecord] | None = None,
        room_of: dict[str, str] | None = None,
    ) -> None:
        self.clock, self.listener, self.gateway = FakeClock(), Listener(), FakeGateway()
        rooms = room_of or {A: "r", B: "s"}
        self.hub = Hub(self.clock, rooms, facts or {}, boots or {}, trust=trust_of(*rooms))
        self.hub.dispatch.listener = self.listener
        self.hub.link_up(self.gateway, 1)
        self.hub.link_up(self.gateway, 2)
        assert self.gateway.calls() == [(1, EVERY_NODE), (2, EVERY_NODE)]

    def say(self, message: object, node: str = A, link: int = 1) -> list[str | None]:
        """The kinds of the answers to a message."""
        hear(self.hub, self.gateway, message, node, link=link)
        return self.gateway.bodies()

    def greet(self, node: str = A, link: int = 1, boot: int = 1) -> None:
        assert self.say(hello(node, boot), node, link) == ["time"]
        assert self.say(node_pb2.TimeAck(echo_tick_ms=100_000, tick_ms=100_000), node, link) == []


def test_a_link_that_comes_up_is_asked_who_is_there() -> None:
    world = World()
    world.hub.link_up(world.gateway, 3)
    assert world.gateway.frames == [(3, b"\x05\0\0\0\0\0")]


def test_a_number_that_is_said_again_is_of_another_link() -> None:
    world = World()
    world.greet()
    conversation = world.hub.conversations[A]
    assert world.hub.gateway_of(conversation) == "gw"
    world.hub.link_up(world.gateway, 1)
    assert world.hub.gateway_of(conversation) == ""
    assert not world.hub.send(conversation, node_pb2.DaemonMessage(hello_request=node_pb2.HelloRequest()))


def test_a_node_is_greeted_tied_and_heard() -> None:
    world = World()
    world.greet()
    assert world.listener.ties == [Tie(1, 100_000, NOON)]
    assert world.say(report(1, 60)) == []
    assert [(window.seq, eager) for window, eager in world.listener.windows] == [(1, False)]
    conversation = world.hub.conversations[A]
    assert world.hub.online(conversation)
    assert world.hub.gateway_of(conversation) == "gw"


def test_four_reports_on_their_way_ask_for_a_commit() -> None:
    world = World()
    world.greet()
    for seq in range(1, 6):
        world.say(report(seq, 60))
    assert [eager for _, eager in world.listener.windows] == [False, False, False, True, True]


def test_a_report_that_came_before_is_acknowledged_again_once_it_is_committed() -> None:
    world = World()
    world.greet()
    world.say(report(1, 60))
    world.say(report(1, 60))
    assert world.listener.heard == ["hello"]
    world.hub.conversations[A].committed(world.listener.windows[0][0])
    world.say(report(1, 60))
    assert world.listener.heard == ["hello", "repeat"]
    assert len(world.listener.windows) == 1


def test_after_a_restart_a_node_that_goes_on_reporting_is_called() -> None:
    """The node's connection to its gateway has outlived the daemon."""
    world, before = World(), World()
    before.greet()
    world.gateway.sides = before.gateway.sides
    for _ in range(3):
        hear(world.hub, world.gateway, report(7, 60))
    # Once, however much it says.
    assert world.gateway.calls() == [(1, bytes.fromhex(A)[:4])]
    connect(world.hub, world.gateway)
    # Not dated yet: it is asked who it is instead of being dated by a guess.
    assert world.say(report(7, 60)) == ["hello_request"]
    assert world.say(hello(first_seq=7, next_seq=8)) == ["time"]
    assert world.listener.windows == []


def test_after_a_restart_what_the_store_remembers_is_not_taken_twice() -> None:
    boots = {(A, 1): BootRecord(SeqTracker(5), Ties([0], [NOON - 100_000]), windows=5)}
    world = World({A: NodeFacts.from_hello(hello())}, boots)
    world.say(hello(first_seq=4, next_seq=7))
    for seq in (4, 5, 6):
        world.say(report(seq, 60))
    assert [window.seq for window, _ in world.listener.windows] == [6]
    assert world.listener.heard == ["hello", "repeat", "repeat"]


GARBAGE = [
    b"",
    b"\x04abcd",
    b"\x01" + bytes.fromhex(A)[:4] + b"\x0a\x00",  # a message in the clear
    b"\x05" + bytes.fromhex(A)[:4] + b"\x00",  # calls go down
    b"\x07abcd" + b"\x0a\x00",
    b"\x04" + bytes.fromhex(A)[:4] + bytes(FRAME_LIMIT),
]


@pytest.mark.parametrize("frame", GARBAGE)
def test_frames_that_make_no_sense_are_counted_logged_once_a_minute_and_dropped(
    frame: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    world = World()
    world.greet()
    for _ in range(5):
        world.hub.frame(world.gateway, 1, frame)
    assert len(caplog.records) == 1
    world.clock.now += MINUTE
    world.hub.frame(world.gateway, 1, frame)
    assert len(caplog.records) == 2
    assert world.hub.bad_frames(world.hub.conversations[A]) == 6
    assert world.gateway.frames == []
    world.say(report(1, 60))
    assert len(world.listener.windows) == 1


def test_a_message_of_a_later_version_is_dropped() -> None:
    world = World()
    world.greet()
    world.hub.frame(world.gateway, 1, world.gateway.sides[A].seal(b"\xfa\x01\x00"))  # field 31, empty
    assert world.hub.bad_frames(world.hub.conversations[A]) == 1


def test_frames_of_an_unknown_link_are_dropped() -> None:
    world = World()
    world.greet()
    frame = world.gateway.sides[A].seal(node_pb2.NodeMessage(hello=hello()))
    world.hub.frame(world.gateway, 9, frame)
    world.hub.frame(FakeGateway("other"), 1, frame)
    assert world.gateway.frames == []


@pytest.mark.parametrize("node_id", [b"", bytes(7), bytes.fromhex(B), bytes(9)])
def test_a_hello_whose_node_id_does_not_fit_its_hint_is_dropped(node_id: bytes) -> None:
    world = World()
    assert world.say(hello(node_id=node_id)) == []
    assert len(world.hub.conversations) == 2


def test_two_nodes_with_one_hint_on_one_link_are_told_apart() -> None:
    world = World(room_of={A: "r", TWIN: "s"})
    world.greet()
    world.greet(TWIN, boot=9)
    world.say(report(1, 60), TWIN)
    world.say(report(1, 60), A)
    assert [window.node for window, _ in world.listener.windows] == [TWIN, A]


def test_two_nodes_with_one_hint_on_two_links_are_told_apart() -> None:
    world = World(room_of={A: "r", TWIN: "s"})
    world.greet()
    world.greet(TWIN, link=2, boot=9)
    world.say(report(1, 60), A, link=1)
    world.say(report(1, 60), TWIN, link=2)
    assert [window.node for window, _ in world.listener.windows] == [A, TWIN]
    world.hub.send(world.hub.conversations[TWIN], node_pb2.DaemonMessage())
    assert [link for link, _ in world.gateway.frames] == [2]


def test_a_node_is_answered_where_it_was_heard_last() -> None:
    world = World()
    world.greet(link=1)
    world.say(report(1, 60), link=2)
    assert len(world.listener.windows) == 1
    world.hub.link_down(world.gateway, 1)
    assert world.hub.online(world.hub.conversations[A])
    world.hub.send(world.hub.conversations[A], node_pb2.DaemonMessage())
    assert [link for link, _ in world.gateway.frames] == [2]


def test_a_gateway_that_goes_takes_its_links_along() -> None:
    world = World()
    world.greet()
    other = FakeGateway("other")
    world.hub.link_up(other, 1)
    hear(world.hub, other, hello(B), B)
    world.gateway.take()
    world.hub.gateway_gone(world.gateway)
    assert not world.hub.send(world.hub.conversations[A], node_pb2.DaemonMessage())
    assert world.hub.send(world.hub.conversations[B], node_pb2.DaemonMessage())
    assert not world.hub.online(world.hub.conversations[A])


def test_a_node_that_is_not_heard_for_five_windows_is_offline() -> None:
    world = World()
    world.greet()
    world.clock.now += 5 * MINUTE
    assert world.hub.online(world.hub.conversations[A])
    world.clock.now += 1
    assert not world.hub.online(world.hub.conversations[A])


def test_strangers_are_heard_of_up_to_a_limit_and_get_nothing() -> None:
    world = World()
    for number in range(STRANGER_LIMIT + 5):
        hint = number.to_bytes(4, "big")
        world.hub.frame(world.gateway, 1, b"\x03" + hint + b"\x01" + bytes(49))
        world.hub.frame(world.gateway, 1, b"\x04" + hint + bytes(40))
    assert len(world.hub.trust.strangers) == STRANGER_LIMIT
    assert len(world.hub.conversations) == 2
    assert world.gateway.frames == []


def test_a_test_node_gets_no_time_where_test_nodes_are_not_taken() -> None:
    world = World()
    assert world.say(hello(test=True)) == []
    assert "test image" in world.hub.conversations[A].last_refusal
    world.hub.trust.test_nodes = True
    assert world.say(hello(test=True)) == ["time"]


def test_what_gateway_and_node_count_is_shown_together() -> None:
    world = World()
    world.greet()
    world.hub.link_stats(world.gateway, link_pb2.LinkStats(link=1, damaged=3, oversized=2, frames=99))
    world.say(node_pb2.Health(bad_frames=4, reset_reason=77))  # type: ignore[arg-type]
    assert world.hub.bad_frames(world.hub.conversations[A]) == 9
    assert world.listener.heard == ["hello", "health"]
    world.hub.link_stats(world.gateway, link_pb2.LinkStats(link=1, damaged=2**40))
    assert world.hub.bad_frames(world.hub.conversations[A]) == 2**32 - 1


@pytest.mark.parametrize("tag", [b"", bytes(16), b"\xff" * 16])
def test_what_is_in_the_clear_is_not_taken(tag: bytes) -> None:
    """A sound report in every kind of frame, sealed with nothing, at both places where a text may begin."""
    world = World()
    world.greet()
    text = node_pb2.NodeMessage(report=report(1, 60)).SerializeToString() + tag
    for kind in range(256):
        for counter in (b"", b"\xf0\0\0\0"):
            world.hub.frame(world.gateway, 1, bytes([kind]) + bytes.fromhex(A)[:4] + counter + text)
    assert world.listener.windows == []
    world.say(report(1, 60))
    assert len(world.listener.windows) == 1


@given(st.lists(st.binary(max_size=40), max_size=10), st.lists(st.binary(max_size=60), max_size=10))
def test_no_bytes_stop_the_hub(raw: list[bytes], bodies: list[bytes]) -> None:
    world = World()
    world.greet()
    hint, side = bytes.fromhex(A)[:4], world.gateway.sides[A]
    sealed = [side.seal(body) for body in bodies]
    clear = [bytes([kind]) + hint + body for body in bodies for kind in range(6)]
    for frame in [*raw, *clear, *sealed]:
        world.hub.frame(world.gateway, 1, frame)
    for conversation in world.hub.conversations.values():
        assert isinstance(conversation.reset_reason, str)
        assert world.hub.bad_frames(conversation) >= 0


@pytest.mark.parametrize("frame", GARBAGE)
def test_garbage_is_a_frame_error(frame: bytes) -> None:
    with pytest.raises(FrameError):
        check_frame(frame)
