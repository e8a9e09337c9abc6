"""The loop over a made recording: a room whose light sensor is covered one day."""

import functools
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC

import numpy as np
import pytest
from attune_core import Schema
from attuned.labels.pacing import Pace
from attuned.learning.loop.recorded import Recorded
from attuned.learning.loop.room import Known, LoopRoom
from attuned.learning.loop.run import HOUR_MS, Chosen, Loop, LoopFigures, hours_of
from attuned.learning.replay.core import CoreCode, new_head
from attuned.learning.replay.judging import RoomJudge
from attuned.learning.replay.observed import NodeWindows
from attuned.learning.replay.streams import RoomStream
from hypothesis import given
from hypothesis import strategies as st

STEP_S, DAY_S = 600, 86_400
START_S = 20_000 * DAY_S
SCHEMA = Schema(("temperature", "light", "co2"), STEP_S)
LIGHT = 3
DAYS, COVERED = 22, 13
Asked = list[tuple[int, int, int]]


def recording(seed: int = 0, covered: int = COVERED) -> tuple[RoomStream, NodeWindows]:
    """People from 8 to 12 and from 13 to 17; they move every feature, and light by five units until it is covered."""
    ends_s = START_S + (np.arange(DAYS * DAY_S // STEP_S) + 1) * STEP_S
    hour = (ends_s - 1) % DAY_S / 3600
    busy = ((hour >= 8) & (hour < 12)) | ((hour >= 13) & (hour < 17))
    noise = np.random.default_rng(seed).normal(0, 0.5, (len(ends_s), len(SCHEMA)))
    x = noise + 0.4 * busy[:, None]
    x[:, LIGHT] += 5.0 * busy
    late = ends_s > START_S + covered * DAY_S
    x[late, LIGHT : LIGHT + 3] = np.random.default_rng(seed + 1).normal(-6, 0.05, (int(late.sum()), 3))
    features = np.clip(np.rint(1024 * x), -32767, 32767).astype(np.int16)
    none = np.zeros(len(ends_s), np.int64)
    return RoomStream("r", (), ends_s, busy.astype(np.int8), none), NodeWindows(ends_s, features)


class Watched(Chosen):
    """Chooses, and remembers when it was asked, and what about."""

    def __init__(self, pace: Pace) -> None:
        super().__init__(pace, 1000 * STEP_S)
        self.asked: Asked = []

    def __call__(
        self, rooms: Sequence[LoopRoom], from_utc_ms: int, to_utc_ms: int, left: int
    ) -> list[tuple[LoopRoom, int, int]]:
        found = super().__call__(rooms, from_utc_ms, to_utc_ms, left)
        self.asked += [(to_utc_ms, first, last) for _, first, last in found]
        return found


@functools.cache
def looped(budget: int, covered: int = COVERED, unknown: int = 0) -> tuple[LoopFigures, Asked, LoopRoom]:
    """A loop over the recording, of whose first windows nobody knows the truth."""
    stream, windows = recording(covered=covered)
    labels = stream.labels.copy()
    labels[:unknown] = -1
    stream = replace(stream, labels=labels)
    judge = RoomJudge(CoreCode(), STEP_S, {"n": SCHEMA.kinds})
    room = LoopRoom(stream, {"n": windows}, {"n": SCHEMA}, Known(judge, {"n": new_head(SCHEMA)}))
    ask = Watched(Pace(budget, len(hours_of([room]))))
    loop = Loop(UTC, "UTC", STEP_S, ask, budget)
    loop.run([room])
    return loop.figures, ask.asked, room


def right(room: LoopRoom, first: int, last: int) -> float:
    """Share of windows of days [first, last) whose more probable state was the true one."""
    days = (room.stream.ends_s - 1 - START_S) // DAY_S
    here = (days >= first) & (days < last)
    return float(np.mean((room.log_odds[here] > 0) == room.stream.labels[here]))


def test_a_covered_sensor_is_found_and_what_follows_brings_the_room_back() -> None:
    figures, _, room = looped(200)
    drift = [one for one in figures.happenings if one.what == "drift"]
    assert figures.drift_events == len(drift) >= 1
    assert "light" in drift[0].text
    # The day after the cover, an hour after midnight, when the first covered day is over.
    assert drift[0].utc_ms == (START_S + (COVERED + 1) * DAY_S) * 1000 + HOUR_MS
    because = [one for one in figures.happenings if one.text.startswith("drift event 1")]
    assert [one.utc_ms for one in because] == [drift[0].utc_ms]
    released = [one for one in figures.happenings if one.what == "released" and one.utc_ms > drift[0].utc_ms]
    assert released
    assert figures.releases + figures.refused + figures.undecided == len(figures.happenings) - len(drift)
    assert right(room, COVERED - 3, COVERED) > 0.95
    assert right(room, DAYS - 2, DAYS) > 0.85


def test_nothing_changed_raises_nothing() -> None:
    figures, _, room = looped(40, covered=DAYS)
    assert figures.drift_events == 0
    assert right(room, DAYS - 3, DAYS) > 0.95


@pytest.mark.parametrize("budget", [0, 1, 7, 60])
def test_the_budget_is_spent_and_never_exceeded(budget: int) -> None:
    figures, asked, room = looped(budget)
    assert figures.labels_asked == len(asked) == len(room.rows) == budget


def test_answers_are_of_the_last_hour_and_true() -> None:
    _, asked, room = looped(30)
    for now, first, last in asked:
        assert now - HOUR_MS <= first < last <= now
    truth = dict(zip((room.stream.ends_s * 1000).tolist(), room.stream.labels.tolist(), strict=True))
    for row in room.rows:
        assert row.class_name == ("free", "occupied")[truth[row.to_utc_ms]]
        assert row.told_utc_ms - HOUR_MS <= row.from_utc_ms
    # Each question is another one.
    assert len({row.to_utc_ms for row in room.rows}) == len(room.rows)


def test_who_does_not_know_costs_nothing() -> None:
    figures, _, room = looped(10, unknown=DAYS * DAY_S // STEP_S // 2)
    assert figures.labels_asked == len(room.rows) <= 10
    assert all(row.to_utc_ms > (START_S + DAYS // 2 * DAY_S) * 1000 for row in room.rows)


def test_twice_the_same() -> None:
    first, second = looped(40), looped.__wrapped__(40)
    assert first[:2] == second[:2]
    assert first[2].log_odds.tolist() == second[2].log_odds.tolist()


def test_the_future_changes_nothing_before_it() -> None:
    """Every window is judged before its label, or any later one, is learned."""
    plain, other = looped(40, covered=DAYS)[2], looped(40, covered=COVERED)[2]
    before = plain.stream.ends_s <= START_S + COVERED * DAY_S
    assert plain.log_odds[before].tolist() == other.log_odds[before].tolist()
    assert plain.log_odds[~before].tolist() != other.log_odds[~before].tolist()


def test_windows_of_several_splits_are_kept_once() -> None:
    _, windows = recording()
    kept = Recorded(hidden=(int(windows.ends_s[5]) * 1000, int(windows.ends_s[-1]) * 1000))
    kept.add("n", SCHEMA, NodeWindows(windows.ends_s[50:], windows.features[50:]))
    numbers = kept.columns["n"].seq
    kept.add("n", SCHEMA, NodeWindows(windows.ends_s[:60], windows.features[:60]))
    columns = kept.columns["n"]
    assert columns.ends_ms.tolist() == (windows.ends_s * 1000).tolist()
    assert np.array_equal(columns.features, windows.features)
    assert columns.seq[50:].tolist() == numbers.tolist()
    span = (int(columns.ends_ms[3]), int(columns.ends_ms[6]))
    assert kept.windows({"n": len(SCHEMA)}, [span])["n"].ends_ms.tolist() == columns.ends_ms[4:6].tolist()


@given(
    budget=st.integers(0, 60),
    worths=st.lists(st.lists(st.floats(0, 1), max_size=6).map(lambda w: sorted(w, reverse=True)), min_size=1),
)
def test_a_pace_keeps_to_its_budget(budget: int, worths: list[list[float]]) -> None:
    pace, left = Pace(budget, len(worths)), budget
    for hour in worths:
        asked = pace.asks(hour, left)
        assert 0 <= asked <= min(len(hour), left)
        left -= asked


def test_a_pace_spends_all_on_what_is_worth_most() -> None:
    pace = Pace(12, 240)
    asked: list[int] = []
    for hour in range(240):
        worth = 0.9 if hour % 24 == 10 else 0.1 + 0.001 * (hour % 24)
        count = pace.asks([worth], 12 - len(asked))
        asked += [hour] * count
    assert len(asked) == 12
    assert sum(hour % 24 == 10 for hour in asked) >= 9
