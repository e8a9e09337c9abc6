"""The model of the link layer that a benchmark times packets with, against events counted by hand."""

import pytest

from bench.over_air.events import Interval, air_s, least_waits, limit, pieces, replay
from bench.over_air.steps import Packet

FAST = Interval("fast", 0.015)


def packet(step: str, size: int, *, up: bool) -> Packet:
    return Packet(step, up, size, 0.0)


def test_a_packet_of_the_longest_kind_takes_as_long_as_the_specification_says() -> None:
    # 1 + 4 + 2 + 251 + 3 bytes at a microsecond a bit.
    assert air_s(251) == pytest.approx(2088e-6)
    assert air_s(0) == pytest.approx(80e-6)
    assert pieces(251) == [251]
    assert pieces(600) == [251, 251, 98]


def test_an_answer_goes_in_the_next_event() -> None:
    said = [packet("MTU", 7, up=False), packet("MTU", 7, up=True)]
    # The second event: the central has nothing, and 150 us later the answer of 17 bytes ends.
    assert replay(said, FAST, {}) == pytest.approx(0.015 + 80e-6 + 150e-6 + 136e-6)
    # The node computes for 20 ms from the end of the question on: the third one.
    assert replay(said, FAST, {1: 0.020}) == pytest.approx(0.030 + 80e-6 + 150e-6 + 136e-6)


def test_an_event_ends_with_its_interval() -> None:
    said = [packet("update", 251, up=False) for _ in range(7)]
    # A packet, an empty one and two pauses are 2,468 us: six go into 15 ms.
    assert replay(said, FAST, {}) == pytest.approx(0.015 + 2088e-6)
    assert replay(said[:6], FAST, {}) == pytest.approx(5 * 2468e-6 + 2088e-6)


def test_a_node_that_passes_over_events_hears_each_third_one_and_speaks_when_it_likes() -> None:
    slow = Interval("slow", 0.5, latency=2)
    said = [packet("time", 46, up=False), packet("time ack", 43, up=True), packet("report ack", 37, up=False)]
    # Heard at 0 s, answered at 0.5 s; the last goes at 1.5 s.
    assert replay(said, slow, {}) == pytest.approx(1.5 + air_s(37))
    assert replay(said[:2], slow, {}) == pytest.approx(0.5 + air_s(0) + 150e-6 + air_s(43))


def test_the_limit_leaves_out_what_need_not_be() -> None:
    chunks = [("update question", False), ("update ack", True)]
    chunks += 2 * [("update chunk", False), ("update ack", True)] + [("update verdict", True)]
    said = [packet(step, 40, up=up) for step, up in chunks]
    # Two chunks, each with its acknowledgement; the verdict comes with the last one.
    assert least_waits(said) == 4
    assert limit(said, FAST) == pytest.approx(3 * 0.015 + air_s(40))
    whole = [packet("update", 200, up=False), packet("update verdict", 40, up=True)]
    assert least_waits(whole) == 2
    twice = 2 * [packet("find the service", 27, up=False), packet("find the service", 9, up=True)]
    assert least_waits(twice) == 2
