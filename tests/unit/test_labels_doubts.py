"""Likely mistakes among labels, and what to ask next, on rooms that are made up and so are known."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from attune_core import MISSING, Schema
from attuned.api import labels as label_calls
from attuned.labels.asking import Candidate, choose, vectors, worth
from attuned.labels.checking import chance_against, check
from attuned.labels.doubts import LEAST_LABELS
from attuned.labels.questions import RoomNow, questions, signals
from attuned.nodes.window import Window
from attuned.presence.belief import RoomState
from attuned.presence.history import HistoryPoint
from attuned.store.site import LabelRow
from daemon_world import HOUR, MINUTE, NOON, A, B, FakeClock, FakeGateway, commit, hear, hello, opened_site

SCHEMA = Schema(("co2",), 60)
D = len(SCHEMA)


def made(seed: int, count: int, wrong: int) -> tuple[list[LabelRow], list[Window], set[int]]:
    """Labels of ten minutes each hour, in stays of six, and windows whose CO2 tells the classes apart by two units."""
    rng = np.random.default_rng(seed)
    truth = np.arange(count) // 6 % 2
    planted = set(rng.permutation(count)[:wrong].tolist())
    labels, windows = [], []
    for i in range(count):
        start = NOON + i * HOUR
        said = ("free", "occupied")[truth[i] ^ (i in planted)]
        labels.append(LabelRow(i + 1, "r", said, start, start + 10 * MINUTE, 1.0, "person", "ann", start + HOUR))
        for minute in range(1, 11):
            q = np.clip(rng.normal(truth[i] * 2.0, 1.0, D) * 1024, -32000, 32000).astype("<i2")
            windows.append(Window(A, 1, i * 60 + minute, 0, start + minute * MINUTE, 0, b"", q.tobytes()))
    return labels, windows, {i + 1 for i in planted}


@pytest.mark.parametrize("seed", range(3))
def test_planted_mistakes_are_named_first(seed: int) -> None:
    labels, windows, planted = made(seed, 200, 10)
    found = check(labels, windows, {A: SCHEMA})
    assert len(planted & {doubt.label.number for doubt in found[:10]}) >= 9
    assert all(0.5 < chance_against(doubt) <= 1 for doubt in found[:5])


def test_two_nodes_know_more_than_one() -> None:
    labels, windows, planted = made(1, 120, 12)
    noise = [w._replace(node=B, features=windows[-1 - i].features) for i, w in enumerate(windows)]
    found = check(labels, sorted([*windows, *noise], key=lambda w: w.end_utc_ms), {A: SCHEMA, B: SCHEMA})
    assert len(planted & {doubt.label.number for doubt in found[:12]}) >= 9


def test_few_labels_doubt_nobody_but_contradictions_are_named() -> None:
    labels, windows, _ = made(0, 2 * LEAST_LABELS - 2, 0)
    assert check(labels, windows, {A: SCHEMA}) == []
    first = labels[0]
    other = "free" if first.class_name == "occupied" else "occupied"
    against = LabelRow(99, "r", other, first.from_utc_ms, first.to_utc_ms - MINUTE, 0.3, "booking", "", NOON)
    (doubt,) = check([*labels, against], windows, {A: SCHEMA})  # a booking says nothing against a person's word
    assert (doubt.label.number, list(doubt.contradicted_by)) == (99, [1])
    assert chance_against(doubt) == 0.5


def test_weak_labels_are_judged_and_teach_nobody() -> None:
    labels, windows, planted = made(2, 200, 0)
    rows = [
        row
        if row.number % 2
        else LabelRow(row.number, "r", "occupied", row.from_utc_ms, row.to_utc_ms, 0.3, "booking", "", NOON)
        for row in labels
    ]
    wrong = {row.number for row, truth in zip(rows, labels, strict=True) if row.class_name != truth.class_name}
    assert planted == set()
    found = {doubt.label.number for doubt in check(rows, windows, {A: SCHEMA})[: len(wrong)]}
    assert len(found & wrong) > 0.9 * len(wrong)


def test_windows_of_other_sensors_are_left_out() -> None:
    labels, windows, _ = made(0, 20, 0)
    other = [w._replace(features=w.features + b"\0\0") for w in windows]
    assert check(labels, other, {A: SCHEMA}) == []
    assert check([], [], {}) == []


# Asking.


def look(*values: float) -> npt.NDArray[np.float64]:
    return np.array(values)


def candidate(probability: float, at: int = 0, **looks: npt.NDArray[np.float64]) -> Candidate:
    return Candidate("r", at, at + 1, probability, looks)


def test_worth_by_hand() -> None:
    # Unsure and new: 1. Sure and known: 0.05 * 0.05. One unit away: half of the novelty, so 0.05 + 0.95 / 2.
    assert worth(candidate(0.5, a=look(0, 0)), {}) == pytest.approx(1.0)
    assert worth(candidate(1.0, a=look(0, 0)), {"a": [look(0, 0)]}) == pytest.approx(0.0025)
    assert worth(candidate(0.5, a=look(1, np.nan)), {"a": [look(0, 5), look(9, 9)]}) == pytest.approx(0.525)
    assert worth(candidate(0.5, a=look(np.nan)), {"a": [look(0)]}) == pytest.approx(1.0)
    assert worth(candidate(0.5), {}) == pytest.approx(0.05)


def test_what_was_asked_is_not_asked_again() -> None:
    alike = [candidate(0.5, i, a=look(0.01 * i)) for i in range(5)]
    other = candidate(0.4, 9, a=look(3.0))
    chosen = choose([*alike, other], {}, 2)
    assert chosen == [alike[4], other]
    assert len(choose(alike, {}, 99)) == 5


def test_vectors_and_what_is_missing() -> None:
    found = vectors([np.array([1024, MISSING], "<i2").tobytes()])
    np.testing.assert_array_equal(found, [[1.0, np.nan]])


def room_now(labels: list[LabelRow]) -> RoomNow:
    """An hour of a room whose CO2 rises in the last twenty minutes, when nobody is sure."""
    windows, points = [], []
    for minute in range(1, 61):
        q = np.full(D, 2048 if minute > 40 else 0, "<i2")
        windows.append(Window(A, 1, minute, 0, NOON + minute * MINUTE, 0, b"", q.tobytes()))
        chance = 0.5 if minute > 40 else 0.02
        points.append(HistoryPoint(NOON + minute * MINUTE, RoomState.FREE, chance, RoomState.FREE, chance))
    return RoomNow("r", windows, points, labels, [], {A: SCHEMA})


def test_the_unsure_minutes_are_asked_first_and_labelled_ones_never() -> None:
    room = room_now([])
    asked = questions([room], NOON, NOON + HOUR, 2)
    assert [(one.from_utc_ms - NOON) // MINUTE for one in asked] == [50, 30]
    label = LabelRow(1, "r", "free", NOON + 45 * MINUTE, NOON + 55 * MINUTE, 1.0, "person", "", NOON + HOUR)
    asked = questions([room_now([label])], NOON, NOON + HOUR, 9)
    assert sorted((one.from_utc_ms - NOON) // MINUTE for one in asked) == [0, 10, 20, 30]
    (signal,) = signals(room, asked[0])
    assert signal.name == f"co2 ({A[-4:]})"
    assert (signal.step_ms, signal.values[0]) == (MINUTE, 0.0)


async def test_weak_labels_do_not_push_out_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attuned.labels.labels.CHECKED_LABELS", 3)
    site = await opened_site(tmp_path, FakeClock(NOON + HOUR))
    word = LabelRow(0, "r", "free", NOON, NOON + 10 * MINUTE, 1.0, "person", "ann", 0)
    weak = [
        LabelRow(0, "r", "occupied", NOON, NOON + i * MINUTE, 0.3, "booking", "", NOON + i * 1000) for i in (9, 8, 7, 6)
    ]
    await site.site_store.add_label(word)
    for row in weak:
        await site.site_store.add_label(row)
    checked, found = await site.labels.doubted("r")
    assert checked == 3
    # The newest two of the weak ones, each contradicted by the word, which is still looked at.
    assert [(doubt.label.number, list(doubt.contradicted_by)) for doubt in found] == [(5, [1]), (4, [1])]
    await site.close()


async def test_a_site_is_asked_and_checked(tmp_path: Path) -> None:
    site = await opened_site(tmp_path, FakeClock(NOON + HOUR))
    gateway = FakeGateway()
    site.hub.link_up(gateway, 1)
    hear(site.hub, gateway, hello(kinds=("co2",)))
    await commit(site, *room_now([]).windows)
    room = await label_calls.room_now(site, "r", NOON, NOON + HOUR)
    assert list(room.schemas) == [A]
    assert len(questions([room], NOON, NOON + HOUR, 5)) == 5
    assert await site.labels.doubted("r") == (0, [])
    await site.close()
