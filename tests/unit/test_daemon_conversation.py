"""The daemon's half of the conversation with one node."""

from typing import Any

import pytest
from attune_proto.v1 import node_pb2
from attuned.nodes.boot import BootRecord
from attuned.nodes.conversation import TICK_LIMIT_MS, Conversation
from attuned.nodes.dating import FUTURE_MS, PAST_MS, SOON_MS
from attuned.nodes.facts import NodeFacts
from attuned.nodes.sequence import SeqTracker
from attuned.nodes.window import Window, pack, unpack_all
from daemon_world import NOON, SENSORS, A, hello, report
from hypothesis import given
from hypothesis import strategies as st

BOOTED = NOON - 100_000  # the hello of daemon_world is sent 100 s after the start of the node


def greeted(room: str = "r", **more: Any) -> Conversation:
    """A node that said hello at noon and was tied at once, with no time on the way."""
    conversation = Conversation(A, room, None, {})
    conversation.hello(hello(**more), NOON)
    conversation.time_ack(node_pb2.TimeAck(echo_tick_ms=100_000, tick_ms=100_000), NOON)
    return conversation


def compare_clocks(conversation: Conversation, end_s: int, tick_ms: int, now_utc_ms: int) -> None:
    """What follows a report that ended then by its ticks: the daemon asks for the node's tick, and hears it at once."""
    (question,) = conversation.retie(end_s, now_utc_ms)
    ack = node_pb2.TimeAck(echo_tick_ms=question.time.echo_tick_ms, tick_ms=tick_ms)
    conversation.time_ack(ack, now_utc_ms)


def test_a_hello_is_answered_with_the_time() -> None:
    conversation = Conversation(A, "r", None, {})
    (reply,) = conversation.hello(hello(), NOON)
    assert (reply.time.echo_tick_ms, reply.time.utc_ms) == (100_000, NOON)
    assert tuple(conversation.kinds) == SENSORS


def test_a_window_is_dated_by_the_tie() -> None:
    window = greeted().report(report(1, 60), NOON)
    assert window is not None
    assert (window.boot, window.seq, window.end_utc_ms) == (1, 1, BOOTED + 60_000)


def test_a_slow_answer_makes_the_daemon_ask_again() -> None:
    conversation = Conversation(A, "r", None, {})
    conversation.hello(hello(), NOON)
    ack = node_pb2.TimeAck(echo_tick_ms=100_000, tick_ms=104_000)
    (again,), tie = conversation.time_ack(ack, NOON + 8_000)
    assert (again.time.echo_tick_ms, tie) == (104_000, None)
    replies, tie = conversation.time_ack(node_pb2.TimeAck(echo_tick_ms=104_000, tick_ms=108_000), NOON + 8_200)
    assert replies == []
    assert tie is not None
    assert (tie.tick_ms, tie.utc_ms) == (108_000, NOON + 8_100)


def test_nothing_is_dated_before_the_first_tie() -> None:
    conversation = Conversation(A, "r", None, {})
    conversation.hello(hello(), NOON)
    assert conversation.report(report(1, 60), NOON) is None
    assert not conversation.pending


def test_a_report_counts_once_while_it_is_on_its_way_and_after() -> None:
    conversation = greeted()
    window = conversation.report(report(1, 60), NOON)
    assert window is not None
    assert conversation.report(report(1, 60), NOON) is None
    assert conversation.acknowledgement().report_ack.through == 0
    conversation.committed(window)
    assert conversation.acknowledgement().report_ack.through == 1
    assert conversation.report(report(1, 60), NOON) is None
    assert (conversation.windows, conversation.pending) == (1, set())


def test_a_boot_that_comes_back_while_its_reports_are_on_their_way_counts_them_once() -> None:
    conversation = greeted()
    window = conversation.report(report(1, 60), NOON)
    assert window is not None
    conversation.hello(hello(boot=2), NOON)
    conversation.hello(hello(boot=1), NOON)
    assert conversation.report(report(1, 60), NOON) is None
    conversation.committed(window)
    assert conversation.windows == 1


def test_a_window_of_the_last_boot_is_committed_to_it() -> None:
    conversation = greeted()
    window = conversation.report(report(1, 60), NOON)
    assert window is not None
    conversation.hello(hello(boot=2), NOON)
    conversation.committed(window)
    assert conversation.boots[1].sequence.through == 1
    assert conversation.acknowledgement().report_ack.through == 0


REFUSED = [
    (report(1, 60, features=b"\0\0"), "a report with 2 bytes of features instead of"),
    (report(1, 60, b"\0"), "a report with 1 bytes of evidence"),
    (report(1, 60, bytes(16)), "a report with 16 bytes of evidence"),
    (report(1, 60, state=256), "the state 256"),
    (report(1, 101 + SOON_MS // 1000), "a window that ends 601 s in the future"),
]


@pytest.mark.parametrize(("bad", "reason"), REFUSED)
def test_a_report_that_cannot_be_used_is_refused_counted_and_acknowledged(bad: node_pb2.Report, reason: str) -> None:
    """Its identity is kept, so that the node does not send it for ever."""
    conversation = greeted()
    if "future" in reason:
        # Either its ticks are wrong or the daemon's clock went back: it comes again when they have been compared.
        assert conversation.report(bad, NOON) is None
        compare_clocks(conversation, bad.end_s, 100_000, NOON)
    window = conversation.report(bad, NOON)
    assert window is not None
    assert window.refused
    assert reason in conversation.last_refusal
    assert conversation.refused == 1
    conversation.committed(window)
    assert conversation.acknowledgement().report_ack.through == 1
    assert (conversation.windows, conversation.last_window_utc_ms) == (0, 0)


def test_a_clock_that_is_set_back_costs_no_window() -> None:
    """The daemon's clock goes back five minutes: a window of a minute ago ends four minutes ahead by the tie before."""
    conversation = greeted()
    early = report(1, 160)  # a minute after the tie
    back = NOON + 60_000 - 300_000
    (again,) = conversation.retie(early.end_s, back)
    assert conversation.report(early, back) is None
    assert (conversation.refused, conversation.has(early), conversation.pending) == (0, False, set())
    conversation.time_ack(node_pb2.TimeAck(echo_tick_ms=again.time.echo_tick_ms, tick_ms=161_000), back)
    later = conversation.report(report(2, 180), back + 20_000)
    assert later is not None
    assert (later.refused, later.end_utc_ms) == (False, back + 19_000)
    assert conversation.report(early, NOON - 1) is None
    window = conversation.report(early, NOON)
    assert window is not None
    assert (window.refused, window.end_utc_ms, conversation.refused) == (False, NOON + 60_000, 0)


def test_a_window_of_last_year_is_refused() -> None:
    conversation = greeted(tick_ms=100_000 + PAST_MS + 60_000)
    conversation.time_ack(node_pb2.TimeAck(echo_tick_ms=100_000 + PAST_MS + 60_000, tick_ms=100_000 + PAST_MS), NOON)
    assert conversation.boot.ties.ticks_ms
    assert conversation.report(report(1, 60), NOON) is None
    compare_clocks(conversation, 60, 100_000 + PAST_MS, NOON)
    window = conversation.report(report(1, 60), NOON)
    assert window is not None
    assert window.refused
    assert "31 days ago" in conversation.last_refusal


def test_numbers_far_beyond_the_last_are_refused_without_being_kept() -> None:
    conversation = greeted()
    assert conversation.report(report(4097, 60), NOON) is None
    assert "far beyond" in conversation.last_refusal
    assert conversation.report(report(0, 60), NOON) is None
    assert not conversation.pending


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (hello(schema=bytes(8)), "not one that this version knows"),
        (hello(sensors=b""), "make no feature schema"),
        (hello(sensors=b"\x7f"), "make no feature schema"),
        (hello(window_s=5), "make no feature schema"),
        (hello(window_s=2**32 - 1), "make no feature schema"),
        (hello(classes=1), "1 classes and room for 8"),
        (hello(classes=9), "9 classes and room for 8"),
        (hello(classes=3, class_capacity=2), "3 classes and room for 2"),
        (hello(class_capacity=1), "2 classes and room for 1"),
        (hello(class_capacity=9), "2 classes and room for 9"),
        (hello(tick_ms=TICK_LIMIT_MS), "firmware is damaged"),
        (hello(tick_ms=2**64 - 1), "firmware is damaged"),
    ],
)
def test_a_hello_that_cannot_be_gets_no_time(bad: node_pb2.Hello, reason: str) -> None:
    """And what the node says after it belongs to no boot."""
    conversation = greeted()
    assert conversation.hello(bad, NOON) == []
    assert reason in conversation.last_refusal
    assert conversation.report(report(1, 60), NOON) is None
    assert conversation.time_ack(node_pb2.TimeAck(echo_tick_ms=100_000, tick_ms=100_000), NOON) == ([], None)


def test_a_tick_beyond_all_time_is_no_tie() -> None:
    conversation = Conversation(A, "r", None, {})
    conversation.hello(hello(), NOON)
    assert conversation.time_ack(node_pb2.TimeAck(echo_tick_ms=100_000, tick_ms=2**64 - 1), NOON) == ([], None)
    assert not conversation.boot.ties.ticks_ms


def test_a_node_without_a_room_gets_no_time_and_leaves_no_boot() -> None:
    conversation = greeted(room="")
    assert conversation.facts is not None
    assert conversation.report(report(1, 60), NOON) is None
    assert conversation.boots == {}


def test_a_node_that_was_taken_out_of_its_room_brings_no_windows() -> None:
    """Its connection, and the time that it was told, outlive the daemon that knew its room."""
    boots = greeted().boots
    conversation = Conversation(A, "", None, boots)
    conversation.hello(hello(), NOON)
    assert conversation.boot.ties.ticks_ms
    assert conversation.report(report(1, 60), NOON) is None


def test_hellos_of_many_boots_leave_no_records() -> None:
    conversation = Conversation(A, "r", None, {})
    for boot in range(100):
        conversation.hello(hello(boot=boot), NOON)
    assert conversation.boots == {}


def test_what_a_node_no_longer_holds_is_lost() -> None:
    conversation = greeted()
    conversation.hello(hello(first_seq=4, next_seq=9), NOON)
    assert conversation.windows_lost == 3
    assert conversation.acknowledgement().report_ack.through == 3


def test_what_is_on_its_way_to_the_disk_is_not_lost() -> None:
    """The backlog was full: the node let go of reports that the daemon has, but has not committed yet."""
    conversation = greeted()
    windows = [conversation.report(report(seq, 60), NOON) for seq in (1, 2, 3)]
    assert conversation.report(report(130, 60, first_seq=6), NOON)
    assert conversation.windows_lost == 2
    for window in windows:
        assert window is not None
        conversation.committed(window)
    assert (conversation.windows, conversation.windows_lost) == (3, 2)


@pytest.mark.parametrize("first_seq", [3, 2**32 - 1])
def test_a_report_that_the_node_does_not_hold_gives_nothing_up(first_seq: int) -> None:
    conversation = greeted()
    assert conversation.report(report(2, 60, first_seq=first_seq), NOON)
    assert (conversation.windows_lost, conversation.boot.sequence) == (0, SeqTracker())
    conversation.hello(hello(first_seq=2**32 - 1, next_seq=7), NOON)
    assert conversation.windows_lost == 0


def test_an_old_tie_is_renewed_once_even_if_the_answer_is_lost() -> None:
    conversation = greeted()
    hour_s = 3600 + 100
    now = BOOTED + hour_s * 1000
    assert conversation.retie(hour_s - 1, now) == []
    (question,) = conversation.retie(hour_s, now)
    assert question.time.utc_ms == now
    assert conversation.retie(hour_s, now + 14_999) == []
    assert len(conversation.retie(hour_s, now + 15_000)) == 1


def test_a_window_in_the_future_asks_for_the_time_again() -> None:
    assert len(greeted().retie(100 + 61, NOON)) == 1
    assert greeted().retie(100 + 60, NOON) == []


def test_reset_reasons_of_newer_nodes_are_numbers() -> None:
    conversation = greeted()
    assert conversation.reset_reason == ""
    conversation.health.reset_reason = node_pb2.RESET_REASON_WATCHDOG
    assert conversation.reset_reason == "watchdog"
    conversation.health.MergeFromString(b"\x10\x2a")  # field 2, varint, 42
    assert conversation.reset_reason == "42"


def test_facts_come_back_from_the_store() -> None:
    facts = NodeFacts.from_hello(hello())
    assert NodeFacts.from_json(facts.to_json()) == facts
    remembered = Conversation(A, "r", facts, {1: BootRecord()})
    assert tuple(remembered.kinds) == SENSORS


anything = st.builds(
    node_pb2.Report,
    seq=st.integers(0, 2**32 - 1) | st.integers(0, 5),
    end_s=st.integers(0, 2**32 - 1),
    features=st.binary(max_size=60) | st.just(report(1, 60).features),
    evidence=st.binary(max_size=20),
    state=st.integers(0, 2**32 - 1),
    first_seq=st.integers(0, 2**32 - 1) | st.integers(0, 5),
)


@given(st.lists(anything, max_size=8), st.integers(0, TICK_LIMIT_MS - 1))
def test_whatever_is_reported_can_be_stored(reports: list[node_pb2.Report], tick_ms: int) -> None:
    conversation = Conversation(A, "r", None, {})
    conversation.hello(hello(tick_ms=tick_ms), NOON)
    conversation.time_ack(node_pb2.TimeAck(echo_tick_ms=tick_ms, tick_ms=tick_ms), NOON)
    for each in reports:
        conversation.retie(each.end_s, NOON)
        window = conversation.report(each, NOON)
        if window is not None:
            assert list(unpack_all(pack(window))) == [window]
            assert NOON - PAST_MS <= window.end_utc_ms <= NOON + FUTURE_MS
            conversation.committed(window)
    assert 0 <= conversation.acknowledgement().report_ack.more < 1 << 32


windows = st.builds(
    Window,
    node=st.binary(min_size=8, max_size=8).map(bytes.hex),
    boot=st.integers(0, 2**32 - 1),
    seq=st.integers(0, 2**32 - 1),
    end_s=st.integers(0, 2**32 - 1),
    end_utc_ms=st.integers(0, 2**53),
    state=st.integers(0, 255),
    evidence=st.binary(max_size=14),
    features=st.binary(max_size=48),
)


@given(st.lists(windows, max_size=5))
def test_records_of_windows_come_back(kept: list[Window]) -> None:
    assert list(unpack_all(b"".join(pack(window) for window in kept))) == kept


def test_the_record_of_a_window_byte_by_byte() -> None:
    window = Window(A, 0x01020304, 5, 300, 0x0102030405, 0x31, b"\x00\x01", b"\x10\x00\x20\x00")
    assert pack(window).hex(" ") == (
        "a1 b2 c3 d4 00 00 00 01"  # node
        " 04 03 02 01"  # boot
        " 05 04 03 02 01 00 00 00"  # end of the window in UTC ms
        " 05 00 00 00"  # seq
        " 2c 01 00 00"  # end in seconds of the boot
        " 31 02 04"  # state, bytes of evidence, bytes of features
        " 00 01 10 00 20 00"
    )


def test_reports_that_a_node_holds_are_its_last_word_less_what_has_come_since() -> None:
    conversation = greeted()
    assert conversation.reports_waiting == 0
    conversation.take_health(node_pb2.Health(backlog=2))
    assert conversation.reports_waiting == 2
    for seq, left in ((1, 1), (2, 0), (3, 0)):
        window = conversation.report(report(seq, 60 * seq), NOON + 300_000)
        assert window is not None
        conversation.committed(window)
        assert conversation.reports_waiting == left
    conversation.take_health(node_pb2.Health(backlog=1))
    assert conversation.reports_waiting == 1
