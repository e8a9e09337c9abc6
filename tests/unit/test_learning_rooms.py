"""What a room learns, and that replay and daemon judge a room by one and the same rule."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from attuned.learning.copies import find_copies
from attuned.learning.record import UNLABELLED, RoomRecord, joined
from attuned.learning.replay.core import CoreCode
from attuned.learning.replay.judging import RoomJudge
from attuned.learning.rooms import learn_room
from attuned.presence.belief import RoomState
from attuned.presence.model import Calibration, RoomModel, threshold
from attuned.presence.timeline import RoomTimeline
from attuned.presence.weights import kind_weights
from hypothesis import given, settings
from hypothesis import strategies as st

STEP_S = 60
SENSORS: Mapping[str, Sequence[str]] = {"a": ["co2"], "b": ["co2", "light"], "c": ["pir"], "d": ["light"]}


def recorded(
    nats: np.ndarray, told: np.ndarray, labels: np.ndarray, nodes: tuple[str, ...] = ("a", "b", "c"), start_s: int = 0
) -> RoomRecord:
    count = len(nats)
    ends_s = start_s + STEP_S * np.arange(1, count + 1, dtype=np.int64)
    return RoomRecord(nodes, ends_s, np.zeros(count, np.int64), labels.astype(np.int8), nats, told)


def lived(days: int = 4, seed: int = 5, start_s: int = 0) -> RoomRecord:
    """A room in use from 8 to 12: a node that sees it, one that sees half of it, and one that sees nothing."""
    source = np.random.default_rng(seed)
    minute = np.arange(days * 1440) % 1440
    labels = ((minute >= 480) & (minute < 720)).astype(np.int8)
    sign = np.where(labels == 1, 1.0, -1.0)
    slow = [np.repeat(source.normal(0, 1, len(sign) // 30), 30) for _ in range(3)]
    nats = np.column_stack([3 * sign + 2 * slow[0], sign + 1.5 * slow[1], 2 * slow[2]])
    return recorded(nats, np.ones(nats.shape, dtype=bool), labels, start_s=start_s)


def with_copy(record: RoomRecord, node: str) -> RoomRecord:
    at = record.nodes.index(node)
    nats, told = record.nats[:, [at]], record.told[:, [at]]
    return RoomRecord(
        (*record.nodes, f"{node}2"),
        record.ends_s,
        record.stretch,
        record.labels,
        np.hstack([record.nats, nats]),
        np.hstack([record.told, told]),
    )


def judged(train: RoomRecord, test: RoomRecord, sensors: Mapping[str, Sequence[str]]) -> np.ndarray:
    judge = RoomJudge(CoreCode(), STEP_S, {node: tuple(kinds) for node, kinds in sensors.items()})
    judge.study(train)
    return np.asarray(1 / (1 + np.exp(-judge.judge(test))))


@pytest.mark.parametrize("node", ["a", "b", "c"])
def test_two_copies_of_a_node_count_as_one(node: str) -> None:
    """Though one of the others has a sensor of the same kind."""
    train, test = lived(), lived(seed=6)
    alone = judged(train, test, SENSORS)
    doubled = judged(with_copy(train, node), with_copy(test, node), {**SENSORS, f"{node}2": SENSORS[node]})
    assert np.abs(alone - doubled).max() < 0.02


def test_copies_that_differ_by_noise_are_copies_and_neighbours_are_not() -> None:
    record = with_copy(lived(), "a")
    noise = np.random.default_rng(8).normal(0, 0.4, record.nats.shape)
    shaken = RoomRecord(record.nodes, record.ends_s, record.stretch, record.labels, record.nats + noise, record.told)
    assert find_copies(shaken) == (("a", "a2"),)
    assert find_copies(lived()) == ()


def test_a_node_whose_copy_is_silent_speaks_for_both() -> None:
    present = {"a": ["co2"], "b": ["co2"]}
    assert kind_weights({**present, "a2": ["co2"]}, [("a", "a2")]) == {"a": 0.25, "b": 0.5, "a2": 0.25}
    assert kind_weights(present, [("a", "a2")]) == {"a": 0.5, "b": 0.5}


def test_a_room_learns_whom_to_trust_and_how_long_it_is_in_use() -> None:
    model = learn_room(lived(days=20), SENSORS, STEP_S)
    assert model.trust["a"] > model.trust["b"] > 1 > model.trust["c"]
    assert model.trust["c"] < 0.2
    # 20 stays of 4 and of 20 hours, and the prior's two.
    assert model.dwell_s == pytest.approx((20 * 3600, 4 * 3600), rel=0.2)


def test_without_labels_a_room_keeps_the_default() -> None:
    record = lived().labelled_where(np.zeros(4 * 1440, dtype=bool))
    assert learn_room(record, SENSORS, STEP_S) == RoomModel()
    assert learn_room(record[:0], SENSORS, STEP_S) == RoomModel()


def test_one_label_changes_no_calibration() -> None:
    known = np.zeros(4 * 1440, dtype=bool)
    known[500] = True
    model = learn_room(lived().labelled_where(known), SENSORS, STEP_S)
    assert (model.calibration, model.trust) == (Calibration(), {"a": 1, "b": 1, "c": 1})


def test_joined_records_keep_what_each_node_said() -> None:
    first = lived(days=1)
    second = RoomRecord(
        ("d",), first.ends_s + 90_000, first.stretch, first.labels, first.nats[:, :1], first.told[:, :1]
    )
    both = joined([second, first])
    assert both.nodes == ("a", "b", "c", "d")
    assert (np.diff(both.ends_s) > 0).all()
    assert both.stretch[1439] != both.stretch[1440]
    assert not both.told[:1440, 3].any()
    np.testing.assert_array_equal(both.nats[1440:, 3], first.nats[:, 0])


NATS = st.none() | st.floats(-16, 16)
MODELS = st.builds(
    RoomModel,
    dwell_s=st.tuples(st.floats(60, 1e6), st.floats(60, 1e6)),
    calibration=st.builds(Calibration, slope=st.floats(0.1, 1), offset=st.floats(-1, 1)),
    trust=st.dictionaries(st.sampled_from("abc"), st.floats(0, 3)),
    copies=st.sampled_from([(), (("a", "b"),)]),
)


@settings(max_examples=60)
@given(st.lists(st.tuples(NATS, NATS, NATS), min_size=1, max_size=12), MODELS, st.sampled_from([10, 60, 300]))
def test_replay_judges_a_room_as_the_daemon_does(
    said: list[tuple[float | None, ...]], model: RoomModel, step_s: int
) -> None:
    timeline = RoomTimeline(step_s * 1000, SENSORS.__getitem__, model=model, threshold=threshold(2))
    told = np.array([[value is not None for value in window] for window in said])
    for number, window in enumerate(said, start=1):
        for node, value in zip("abc", window, strict=True):
            timeline.add(node, (1, number), number * step_s * 1000, value)
    history = timeline.history()
    nats = np.array([[value or 0.0 for value in window] for window in said])
    ends_s = step_s * np.arange(1, len(said) + 1, dtype=np.int64)
    count = len(said)
    record = RoomRecord(
        tuple("abc"), ends_s, np.zeros(count, np.int64), np.full(count, UNLABELLED, np.int8), nats, told
    )
    sensors = {node: tuple(kinds) for node, kinds in SENSORS.items()}
    log_odds = RoomJudge(CoreCode(), step_s, sensors, model).judge(record)
    assert log_odds == pytest.approx([step[2] for step in history], abs=1e-9)
    for nats_after, (_, state, _) in zip(log_odds, history, strict=True):
        if state is not RoomState.UNKNOWN and abs(nats_after - threshold(2)) > 1e-6:
            assert state is (RoomState.OCCUPIED if nats_after > threshold(2) else RoomState.FREE)


@pytest.mark.parametrize("step_s", [10, 60, 600])
def test_a_room_turns_within_one_window_when_its_node_is_sure(step_s: int) -> None:
    timeline = RoomTimeline(step_s * 1000, SENSORS.__getitem__, model=RoomModel(), threshold=threshold(2))
    states = []
    for number in range(1, 40):
        timeline.add("a", (1, number), number * step_s * 1000, 16.0 if number in (20, 21) else -16.0)
        states.append(timeline.state)
    assert states[18:22] == [RoomState.FREE, RoomState.OCCUPIED, RoomState.OCCUPIED, RoomState.FREE]
