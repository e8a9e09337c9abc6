"""Who is served when, by rules one at a time."""

import itertools

import pytest
from attune_gateway.ble.nearby import GONE_S, STRANGERS, WANTED
from attune_gateway.ble.schedule import (
    ALONE_S,
    DONE_S,
    FULL_S,
    IDLE_S,
    LONGEST_S,
    PATIENCE_S,
    SHORT_S,
    SILENT_S,
    STALE_S,
)
from attune_proto.v1.link_pb2 import NEED_AGE, NEED_BACKLOG, NEED_NONE, NEED_URGENT, Sighting, Wish
from ble_schedule_world import A, B, C, D, Radio


def test_only_who_is_wanted_and_heard_is_connected() -> None:
    radio = Radio()
    radio.hear(A)
    assert radio.turn() == []
    radio.want(B)
    assert radio.turn() == []
    radio.want(A)
    assert radio.turn() == [A]


def test_an_old_advertisement_says_nothing() -> None:
    radio = Radio()
    radio.want(A)
    radio.hear(A)
    radio.now_s += STALE_S + 1
    assert radio.turn() == []
    radio.hear(A)
    assert radio.turn() == [A]


def test_need_goes_before_waiting_and_waiting_before_the_rest() -> None:
    radio = Radio(slots=4)
    for hint, need in ((A, NEED_AGE), (B, NEED_BACKLOG), (C, NEED_AGE), (D, NEED_URGENT)):
        radio.want(hint, need)
        radio.now_s += 1
    radio.hear(C, A, B, D)
    assert radio.turn() == [D, B, A, C]


def test_a_connection_stays_while_nobody_waits() -> None:
    radio = Radio()
    radio.want(A)
    radio.hear(A)
    assert radio.turn() == [A]
    assert radio.wait(3600) == []
    assert radio.open == {A}


def test_an_idle_one_makes_way_and_gets_its_next_turn() -> None:
    radio = Radio()
    radio.want(A)
    radio.hear(A)
    radio.turn()
    radio.want(B)
    assert radio.wait(PATIENCE_S + IDLE_S, A, B) == [B]
    assert radio.wait(PATIENCE_S + IDLE_S + 1, A, B) == [A]


def test_one_of_which_nothing_more_is_wanted_makes_way_soon_to_one_that_is_wanted_for_something() -> None:
    radio = Radio()
    radio.want(A, NEED_BACKLOG)
    radio.hear(A)
    radio.turn()
    radio.want(B, NEED_BACKLOG)
    assert radio.wait(DONE_S + 1, B) == []
    radio.want(A, NEED_AGE)
    assert radio.wait(0.5, B) == [B]


def test_one_that_goes_on_speaking_is_not_done() -> None:
    radio = Radio()
    radio.want(A)
    radio.hear(A)
    radio.turn()
    radio.want(B, NEED_BACKLOG)
    assert radio.wait(SHORT_S - 1, B, busy=(A,)) == []
    assert radio.wait(1, B, busy=(A,)) == [B]


def test_a_busy_one_makes_way_after_its_longest_stay_to_its_like() -> None:
    radio = Radio()
    radio.want(A)
    radio.hear(A)
    radio.turn()
    radio.want(B)
    assert radio.wait(LONGEST_S - 1, B, busy=(A,)) == []
    assert radio.wait(2, B, busy=(A,)) == [B]


def test_a_busy_one_makes_way_soon_to_greater_need_and_never_to_less() -> None:
    radio = Radio()
    radio.want(A, NEED_BACKLOG)
    radio.hear(A)
    radio.turn()
    radio.want(B, NEED_AGE)
    assert radio.wait(10 * LONGEST_S, B, busy=(A,)) == []
    radio.want(C, NEED_URGENT)
    assert radio.wait(1, C, busy=(A,)) == [C]
    radio.want(D, NEED_URGENT)
    assert radio.wait(SHORT_S, D, busy=(C,)) == []


def test_no_need_ends_a_connection_and_is_no_failure() -> None:
    radio = Radio()
    radio.want(A)
    radio.hear(A)
    node = radio.schedule.to_connect(radio.now_s)
    assert node is not None
    radio.schedule.connecting(node, radio.now_s)
    radio.schedule.connected(A, radio.now_s)
    radio.want(A, NEED_NONE)
    assert radio.schedule.to_end(radio.now_s) == [A]
    assert radio.schedule.to_end(radio.now_s) == []
    radio.schedule.ended(A, radio.now_s)
    assert [sighting.failures for sighting in radio.schedule.sightings(radio.now_s)] == [0]


def test_who_says_nothing_is_given_up_and_that_is_a_failure() -> None:
    radio = Radio(slots=2)
    radio.want(A)
    radio.hear(A)
    node = radio.schedule.to_connect(radio.now_s)
    assert node is not None
    radio.schedule.connecting(node, radio.now_s)
    radio.schedule.connected(A, radio.now_s)
    radio.now_s += SILENT_S
    assert radio.schedule.to_end(radio.now_s) == [A]
    radio.schedule.ended(A, radio.now_s)
    assert [sighting.failures for sighting in radio.schedule.sightings(radio.now_s)] == [1]


def test_pauses_after_failures_double_to_five_minutes_and_a_success_resets_them() -> None:
    radio = Radio()
    radio.want(A)
    tries = []
    for _ in range(4000):
        radio.now_s += 0.5
        radio.hear(A)
        tries += [radio.now_s] * len(radio.turn(fail=True))
    pauses = [round(after - before) for before, after in itertools.pairwise(tries)]
    assert pauses[:8] == [2, 4, 8, 16, 32, 64, 128, 256]
    assert set(pauses[8:]) == {300}
    radio.now_s += 300
    radio.hear(A)
    assert radio.turn() == [A]
    assert [sighting.failures for sighting in radio.schedule.sightings(radio.now_s)] == [0]
    radio.schedule.ended(A, radio.now_s)
    radio.hear(A)
    assert radio.turn(fail=True) == [A]
    radio.now_s += 2
    radio.hear(A)
    assert radio.turn() == [A]


def test_a_full_controller_is_asked_for_less_for_a_while() -> None:
    radio = Radio(slots=3)
    for hint in (A, B, C):
        radio.want(hint)
    radio.hear(A, B)
    assert radio.turn() == [A, B]
    radio.hear(C)
    node = radio.schedule.to_connect(radio.now_s)
    assert node is not None
    radio.schedule.connecting(node, radio.now_s)
    radio.schedule.full(C, radio.now_s)
    # It goes on with two, in turns.
    assert radio.wait(FULL_S - 1, A, B, C)[0] == C
    assert len(radio.open) == 2
    radio.wait(2, A, B, C)
    assert len(radio.open) == 3


def test_a_new_stream_voids_wishes_keeps_connections_and_tells_anew() -> None:
    radio = Radio(slots=1)
    radio.want(A)
    radio.want(B)
    radio.hear(A, B)
    radio.turn()
    assert {sighting.hint for sighting in radio.schedule.sightings(radio.now_s)} == {A, B}
    radio.schedule.detach(radio.now_s)
    assert radio.schedule.sightings(radio.now_s + 5) == []
    radio.schedule.attach()
    assert {sighting.hint for sighting in radio.schedule.sightings(radio.now_s)} == {A, B}
    assert radio.wait(2 * LONGEST_S, B) == []
    assert radio.open == {A}
    radio.want(B)
    assert radio.wait(1, B) == [B]


def test_a_connected_node_that_the_daemon_asks_for_anew_counts_by_its_new_need() -> None:
    radio = Radio(slots=1)
    radio.want(A)
    radio.hear(A)
    radio.turn()
    # Who is connected does not advertise: by now a stranger would have been forgotten.
    radio.wait(GONE_S + 10, busy=(A,))
    radio.schedule.detach(radio.now_s)
    radio.schedule.sightings(radio.now_s)
    radio.schedule.attach()
    radio.want(A, NEED_URGENT)
    radio.want(B, NEED_BACKLOG)
    assert radio.wait(LONGEST_S, B, busy=(A,)) == []
    radio.want(A, NEED_NONE)
    assert radio.wait(1, B) == [B]


def test_without_a_daemon_connections_are_given_up_after_a_minute() -> None:
    radio = Radio()
    radio.want(A)
    radio.hear(A)
    radio.turn()
    radio.schedule.detach(radio.now_s)
    for _ in range(int(ALONE_S) - 1):
        radio.now_s += 1
        # As the uplink says each time that it was not let in.
        radio.schedule.detach(radio.now_s)
        assert radio.schedule.to_end(radio.now_s) == []
    radio.now_s += 1
    assert radio.schedule.to_end(radio.now_s) == [A]


def test_the_daemon_is_told_at_once_then_of_six_decibels_or_every_ten_seconds() -> None:
    radio = Radio()
    told = []

    def hear(after_s: float, rssi_dbm: int) -> None:
        radio.now_s += after_s
        radio.hear(A, rssi_dbm=rssi_dbm)
        told.append([sighting.rssi_dbm for sighting in radio.schedule.sightings(radio.now_s)])

    hear(0, -60)
    hear(0.1, -60)
    hear(0.4, -90)  # smoothed -67.5: enough, and too soon
    hear(0.6, -90)  # -73.1
    hear(5, -73)
    hear(5, -73)
    assert told == [[-60], [], [], [-73], [], [-73]]


def test_a_stranger_ages_out_and_who_is_wanted_does_not() -> None:
    radio = Radio()
    radio.want(A)
    radio.hear(A, B)
    radio.now_s += GONE_S + 1
    radio.schedule.sightings(radio.now_s)
    assert len(radio.schedule) == 1
    radio.hear(A)
    assert radio.turn() == [A]


def test_wishes_for_what_was_never_heard_are_bounded() -> None:
    radio = Radio()
    radio.want(A)
    radio.hear(A)
    for number in range(WANTED + 100):
        radio.want(number.to_bytes(8, "big"))
    assert len(radio.schedule) <= WANTED + STRANGERS
    radio.schedule.wish([Wish(hint=b"short", need=NEED_URGENT), Wish(hint=b"much too long", need=NEED_AGE)], 0)
    assert radio.turn() == [A]


@pytest.mark.parametrize("rssi_dbm", [-127, 20])
def test_strengths_are_told_as_they_are(rssi_dbm: int) -> None:
    radio = Radio()
    radio.hear(A, rssi_dbm=rssi_dbm)
    assert radio.schedule.sightings(radio.now_s) == [Sighting(hint=A, rssi_dbm=rssi_dbm)]
