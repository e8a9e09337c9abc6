"""Rooms: weights of nodes, what several classes say together, what is worth saying, and hours for the store."""

import math
import struct

import pytest
from attuned.nodes.window import EVIDENCE_STEPS
from attuned.presence.belief import RoomState, Share, occupied_evidence, probability, unknown_after_steps
from attuned.presence.fusion import fuse
from attuned.presence.model import Calibration, RoomModel
from attuned.presence.rooms import KNOWN_UNKNOWN, Late, Rooms, occupied_nats, pack_hours, take_hours, unpack_hour
from attuned.presence.timeline import Checkpoint, Step
from attuned.presence.weights import kind_weights
from daemon_world import HOUR, MINUTE, NOON, A, B, window
from hypothesis import given
from hypothesis import strategies as st

KINDS = st.sampled_from(["temperature", "humidity", "light", "co2", "sound", "pir", "door"])


# Weights and fusion.


def test_each_kind_of_sensor_speaks_once() -> None:
    # co2 stands in two nodes: a counts (1/2 + 1) / 2, b 1/2, c in full.
    weights = kind_weights({"a": ["co2", "pir"], "b": ["co2"], "c": ["light"], "d": []})
    assert weights == {"a": 0.75, "b": 0.5, "c": 1.0}


def test_a_node_with_a_sensor_twice_does_not_count_for_more() -> None:
    assert kind_weights({"a": ["pir", "pir"], "b": ["pir"]}) == {"a": 0.5, "b": 0.5}


@given(st.lists(KINDS, min_size=1, max_size=6), st.integers(1, 6), st.floats(-6, 6))
def test_copies_of_a_node_count_as_one(kinds: list[str], copies: int, nats: float) -> None:
    nodes = {f"n{i}": kinds for i in range(copies)}
    weights = kind_weights(nodes)
    assert sum(weights.values()) == pytest.approx(1)
    assert fuse(dict.fromkeys(nodes, nats), weights, 9.0).total == pytest.approx(nats, abs=1e-9)


@given(st.dictionaries(st.text("abcdef", min_size=1), st.lists(KINDS, min_size=1), max_size=6))
def test_weights_are_shares_of_one(sensors: dict[str, list[str]]) -> None:
    weights = kind_weights(sensors)
    assert set(weights) == set(sensors)
    assert all(0 < weight <= 1 for weight in weights.values())


def test_no_node_alone_says_more_than_the_limit() -> None:
    # 0.25 x 9 + 0.5 x (-9) + 1 = -1.25: what a node says beyond the limit does not count, however little it weighs.
    fused = fuse({"a": 16.0, "b": -11.0, "c": 1.0}, {"a": 0.25, "b": 0.5}, 9.0)
    assert (fused.total, fused.shares) == (-1.25, {"a": 2.25, "b": -4.5, "c": 1.0})


@given(st.dictionaries(st.text("abcdef", min_size=1), st.floats(-9, 9), max_size=9), st.floats(9, 20))
def test_what_a_room_says_at_once_is_limited_and_its_shares_add_up(evidence: dict[str, float], limit: float) -> None:
    fused = fuse(evidence, {}, limit)
    assert abs(fused.total) <= limit
    assert sum(fused.shares.values()) == pytest.approx(fused.total, abs=1e-9)
    assert all(fused.shares[node] * nats >= 0 for node, nats in evidence.items())
    plain = sum(evidence.values())
    assert fused.total == pytest.approx(max(-limit, min(limit, plain)), abs=1e-9)


# Evidence of one window.


def test_ways_of_being_occupied_are_averaged() -> None:
    # Likelihood ratios 2 and 4 against free, either way as likely: (2 + 4) / 2 = 3.
    assert occupied_evidence([math.log(2), math.log(4)]) == pytest.approx(math.log(3))
    assert occupied_evidence([1.25]) == 1.25
    assert occupied_evidence([-6.0] * 7) == pytest.approx(-6.0)


def test_evidence_on_the_wire_is_in_256ths_of_a_nat() -> None:
    assert occupied_nats(b"\x80\x01") == 1.5
    assert occupied_nats(b"\x00\xff") == -1.0
    assert occupied_nats(b"") is None


@given(st.floats(-800, 800))
def test_probability_never_overflows(log_odds: float) -> None:
    assert 0 <= probability(log_odds) <= 1
    assert probability(log_odds) + probability(-log_odds) == pytest.approx(1)


@pytest.mark.parametrize(("step_s", "steps"), [(10, 90), (60, 15), (240, 3), (300, 3), (600, 3)])
def test_unknown_after_a_quarter_of_an_hour_or_three_long_steps(step_s: int, steps: int) -> None:
    assert unknown_after_steps(step_s * 1000) == steps


# What is worth saying, of a room that is judged as its filter says.
AS_FILTERED = RoomModel(calibration=Calibration(slope=1, offset=0))
MODELS = {"r": AS_FILTERED, "s": AS_FILTERED}


def room_of_one() -> Rooms:
    return Rooms(["r", "s"], MINUTE, {A: "r", B: "s"}, lambda node: ["co2"], threshold=0.0, models=MODELS)


def said(rooms: Rooms, now_utc_ms: int) -> list[tuple[str, RoomState]]:
    """What is said now; and it is taken as said."""
    found = rooms.to_say(now_utc_ms)
    for name, belief in found:
        rooms.rooms[name].said = belief
    return [(name, belief.state) for name, belief in found]


def test_a_change_of_state_is_said_and_a_little_change_is_not() -> None:
    rooms = room_of_one()
    assert rooms.take(window(1, NOON, 6.0))
    assert said(rooms, NOON) == [("r", RoomState.OCCUPIED)]
    assert not rooms.take(window(2, NOON + MINUTE, 6.0))
    assert said(rooms, NOON + MINUTE) == []
    assert rooms.take(window(3, NOON + 2 * MINUTE, -6.0))
    assert said(rooms, NOON + 2 * MINUTE) == [("r", RoomState.FREE)]
    assert said(rooms, NOON + 2 * MINUTE) == []


def test_a_large_change_of_probability_is_said() -> None:
    rooms = room_of_one()
    rooms.take(window(1, NOON, 2.0))  # from about log 1/4: 0.65
    assert said(rooms, NOON) == [("r", RoomState.OCCUPIED)]
    rooms.take(window(2, NOON + MINUTE, 3.0))  # above 0.95
    assert said(rooms, NOON + MINUTE) == [("r", RoomState.OCCUPIED)]


def test_what_was_said_is_said_again_before_it_expires() -> None:
    rooms = room_of_one()
    times = []
    for i in range(40):
        rooms.take(window(1 + i, NOON + i * MINUTE, 6.0))
        if said(rooms, NOON + i * MINUTE):
            times.append(i)
    # Valid for 15 steps, and said again when three are left.
    assert times == [0, 12, 24, 36]


def test_a_silent_room_becomes_unknown_once() -> None:
    rooms = room_of_one()
    rooms.take(window(1, NOON, 6.0))
    said(rooms, NOON)
    assert not rooms.touch_silent(NOON + 16 * MINUTE)
    assert rooms.touch_silent(NOON + 16 * MINUTE + 1)
    assert said(rooms, NOON + 16 * MINUTE + 1) == [("r", RoomState.UNKNOWN)]
    assert not rooms.touch_silent(NOON + 17 * MINUTE)
    belief = rooms.rooms["r"].current(NOON + 30 * MINUTE)
    assert (belief.since_utc_ms, belief.as_of_utc_ms, belief.valid_until_utc_ms) == (NOON + 15 * MINUTE, NOON, 0)
    assert (belief.log_odds, belief.shares) == (0.0, (Share(A, 0.0, "is silent"),))


def test_a_room_whose_nodes_have_nothing_to_say_expires_with_its_last_evidence() -> None:
    rooms = room_of_one()
    rooms.take(window(1, NOON, 6.0))
    rooms.take(window(2, NOON + 10 * MINUTE, None))
    said(rooms, NOON + 10 * MINUTE)
    assert rooms.rooms["r"].said.valid_until_utc_ms == NOON + 15 * MINUTE
    assert rooms.touch_silent(NOON + 16 * MINUTE + 1)


def test_a_restored_room_that_hears_nothing_knows_since_when() -> None:
    rooms = room_of_one()
    checkpoint = Checkpoint(NOON // MINUTE, (0.1, 0.9), RoomState.OCCUPIED, NOON - HOUR, 3)
    rooms.restore("r", checkpoint, None)
    belief = rooms.rooms["r"].timeline.belief()
    assert (belief.state, belief.since_utc_ms, belief.as_of_utc_ms) == (RoomState.OCCUPIED, NOON - HOUR, NOON)
    assert belief.log_odds == pytest.approx(math.log(9))
    assert rooms.rooms["r"].current(NOON + HOUR).since_utc_ms == NOON + 12 * MINUTE


def test_late_windows_of_a_room_are_noted_as_one_stretch() -> None:
    rooms = room_of_one()
    rooms.take(window(1, NOON, 6.0))
    rooms.take(window(2, NOON + 2 * HOUR, 6.0))
    for late in (NOON + 30 * MINUTE, NOON + 20 * MINUTE, NOON + 40 * MINUTE):
        assert not rooms.take(window(3, late, 6.0))
    assert rooms.late == {"r": Late(NOON + 20 * MINUTE, NOON + 2 * HOUR)}


# Hours for the store.


def step(index: int, log_odds: float, state: RoomState = RoomState.OCCUPIED) -> Step:
    checkpoint = Checkpoint(index, (0.5, 0.5), state, 0, 0)
    return Step(index, log_odds=log_odds, checkpoint=checkpoint)


def test_an_hour_by_hand() -> None:
    first = NOON // MINUTE
    steps = [step(first + 1, 1.0), step(first + 3, -2.5), step(first + 60, 0.25), step(first + 61, 9.0)]
    hours = pack_hours("r", steps, MINUTE)
    assert [hour.hour for hour in hours] == [NOON // HOUR, NOON // HOUR + 1]
    values = struct.unpack("<60h", hours[0].known)
    assert (values[0], values[1], values[2], values[59]) == (256, KNOWN_UNKNOWN, -640, 64)
    assert set(values[3:59]) == {KNOWN_UNKNOWN}


@pytest.mark.parametrize("step_ms", [10_000, 60_000, 600_000])
@given(st.data())
def test_hours_come_back_in_256ths_of_a_nat_and_on_the_same_side(step_ms: int, data: st.DataObject) -> None:
    first = NOON // step_ms + 1
    offsets = data.draw(st.sets(st.integers(0, 3 * HOUR // step_ms), max_size=20))
    log_odds = {first + offset: data.draw(st.floats(-40, 40)) for offset in offsets}
    hours = pack_hours("r", [step(index, log_odds[index]) for index in sorted(log_odds)], step_ms)
    found = {utc: nats for hour in hours for utc, nats in unpack_hour(hour.hour, hour.known) if not math.isnan(nats)}
    assert set(found) == {index * step_ms for index in log_odds}
    for index, nats in log_odds.items():
        assert found[index * step_ms] == pytest.approx(nats, abs=1 / EVIDENCE_STEPS)
        assert (found[index * step_ms] > 0) == (nats > 0)


def test_the_hour_that_is_filling_stays() -> None:
    first = NOON // MINUTE
    settling = [step(first + i, 1.0) for i in range(59, 63)]
    assert [hour.hour for hour in take_hours("r", settling, MINUTE)] == [NOON // HOUR]
    assert [each.index for each in settling] == [first + 61, first + 62]
    assert take_hours("r", settling, MINUTE) == []
    assert take_hours("r", [], MINUTE) == []


def test_a_silent_node_says_so_and_the_other_goes_on() -> None:
    rooms = Rooms(["r"], MINUTE, {A: "r", B: "r"}, lambda node: ["co2"], threshold=0.0, models=MODELS)
    for minute in range(8):
        rooms.take(window(minute + 1, NOON + minute * MINUTE, 2.0, node=A))
        if minute < 3:
            rooms.take(window(minute + 1, NOON + minute * MINUTE, 2.0, node=B))
    belief = rooms.rooms["r"].current(NOON + 7 * MINUTE)
    assert belief.state is RoomState.OCCUPIED
    assert [(share.source, share.note) for share in belief.shares if share.note] == [(B, "is silent")]
    # The node that is left counts in full: two of a kind had counted half each.
    assert next(share.log_odds for share in belief.shares if share.source == A) == pytest.approx(2.0)
    assert sum(share.log_odds for share in belief.shares) == pytest.approx(belief.log_odds, abs=1e-9)
