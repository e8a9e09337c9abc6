"""Releases: the same blocks give the same bytes, and what is gone is named."""

import hashlib
import json
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from attune_core import Head
from attune_core.update import Model, UpdateKind, delivered
from attuned.drift.life import DriftEvent
from attuned.drift.rows import event_row
from attuned.learning.blocks import Labelled, as_node, joined
from attuned.learning.folds import folds_of
from attuned.learning.gathering import PAST_WEIGHT, Gathering, find_again
from attuned.learning.releases import Release, build, rebuilt
from attuned.learning.reliability import Reliability
from attuned.store.reading import Reader
from attuned.store.site import LabelRow, SiteStore
from attuned.updates.envelope import Kind
from release_world import DAY_MS, MINUTE_MS, SCHEMA, START, Days, fill, node_id
from update_payloads import release_payload

A, B, C = node_id(1), node_id(2), node_id(3)
ROOMS = {"r": [A], "s": [B], "t": [C]}
SHORT = Days(2, every=4)


async def two_rooms(folder: Path) -> Gathering:
    other = Days(2, every=4, seed=2)
    windows = sorted([*SHORT.windows(A), *other.windows(B)], key=lambda window: window.end_utc_ms)
    await fill(folder, windows, [*SHORT.labels("r"), *other.labels("s")])
    return Gathering(Reader(folder), ROOMS, 60, UTC)


async def test_the_same_store_gives_the_same_bytes(tmp_path: Path) -> None:
    first = build((await two_rooms(tmp_path)).room("r"))
    again = build(Gathering(Reader(tmp_path), ROOMS, 60, UTC).room("r"))
    assert [each.canonical() for each in first] == [each.canonical() for each in again]
    (release,) = first
    assert release.id == hashlib.blake2b(release.canonical(), digest_size=16).hexdigest()
    assert json.loads(release.canonical())["through_label"] == 10
    assert Release.model_validate_json(release.canonical()) == release


async def test_it_is_the_sum_of_factory_cohort_and_labels(tmp_path: Path) -> None:
    inputs = (await two_rooms(tmp_path)).room("r")
    (release,) = build(inputs)
    names = [block.name for block in release.blocks]
    assert names == [f"factory {A}", f"cohort s {B} for {A}", *(f"label {n} {A}" for n in range(1, 11))]
    cohort = release.blocks[1]
    assert cohort.count == 64
    assert cohort.weight == pytest.approx(30 / 64)
    # Learned window by window instead of merged, in float32 as a node would.
    batch, _ = Head.factory(SCHEMA, "mixture")
    for block, windows in inputs.nodes[A].summands:
        batch.learn(windows.features, windows.classes, np.full(len(windows), block.weight))
    x = inputs.nodes[A].summands[2][1].features
    ours = as_node(SCHEMA, bytes.fromhex(release.state)).predict(x)[0]
    # Rounded as it travels.
    np.testing.assert_allclose(ours, delivered(batch, SCHEMA).predict(x)[0], atol=0.02)
    np.testing.assert_allclose(ours, batch.predict(x)[0], atol=0.5)


async def test_a_node_says_the_digest_that_the_core_computes(tmp_path: Path) -> None:
    (release,) = build((await two_rooms(tmp_path)).room("r"))
    factory, digest = Head.factory(SCHEMA, "mixture")
    on_factory = release.model_copy(update={"state": factory.export().hex(), "through_label": 0})
    assert on_factory.running_digest == digest.hex()
    head = as_node(SCHEMA, bytes.fromhex(release.state))
    kind, payload = release_payload(head, SCHEMA, release.through_label)
    assert kind is Kind.HEAD
    running = Model(factory, SCHEMA).updated(UpdateKind(kind), payload)
    assert running.digest.hex() == release.running_digest


async def test_rebuilding_gives_the_same_bytes_when_more_has_come(tmp_path: Path) -> None:
    (release,) = build((await two_rooms(tmp_path)).room("r"))
    later = Days(3, every=4, first=2880)
    away = [window._replace(boot=2) for window in Days(2, every=7, first=3).windows(A)]
    await fill(tmp_path, [*later.windows(A), *away], later.labels("r"))
    found = find_again(Reader(tmp_path), release)
    assert found.missing == ()
    assert rebuilt(found.inputs, release).canonical() == release.canonical()
    assert build(Gathering(Reader(tmp_path), ROOMS, 60, UTC).room("r"))[0].id != release.id


NEWEST_OF_A = "DELETE FROM inbox WHERE id = (SELECT max(id) FROM inbox WHERE hex(record) LIKE 'A1B2C3D400000001%')"


@pytest.mark.parametrize(
    ("file", "statement", "gone"),
    [
        ("attune.db", "DELETE FROM labels WHERE number = 3", [f"label 3 {A}"]),
        ("attune.db", "UPDATE labels SET class_name = 'free' WHERE number = 4", [f"label 4 {A}"]),
        ("windows.db", NEWEST_OF_A, [f"label 10 {A}"]),
    ],
)  # fmt: skip
async def test_a_block_that_was_forgotten_is_named(tmp_path: Path, file: str, statement: str, gone: list[str]) -> None:
    (release,) = build((await two_rooms(tmp_path)).room("r"))
    with sqlite3.connect(tmp_path / file) as connection:
        connection.execute(statement)
    assert list(find_again(Reader(tmp_path), release).missing) == gone


async def test_another_factory_is_named(tmp_path: Path) -> None:
    (release,) = build((await two_rooms(tmp_path)).room("r"))
    factory = release.blocks[0].model_copy(update={"digest": "00" * 16})
    other = release.model_copy(update={"blocks": (factory, *release.blocks[1:])})
    assert find_again(Reader(tmp_path), other).missing == (f"factory {A}",)


async def test_a_room_without_labels_is_the_factory_and_its_cohort(tmp_path: Path) -> None:
    gathering = await two_rooms(tmp_path)
    await fill(tmp_path, Days(1, every=60).windows(C), [])
    (release,) = build(Gathering(gathering.reader, ROOMS, 60, UTC).room("t"))
    assert [block.name.split()[0] for block in release.blocks] == ["factory", "cohort", "cohort"]
    assert release.through_label == 0


async def test_weak_labels_count_by_how_often_they_were_right(tmp_path: Path) -> None:
    def weak(start: int, end: int, said: str) -> LabelRow:
        a, b = START + start * MINUTE_MS, START + end * MINUTE_MS
        return LabelRow(0, "r", said, a, b, 0.5, "booking", "", b)

    labels = SHORT.labels("r")[:5]
    more = [weak(600, 660, "occupied"), weak(750, 770, "occupied"), weak(2000, 2060, "occupied")]
    await fill(tmp_path, SHORT.windows(A), [*labels, *more])
    (release,) = build(Gathering(Reader(tmp_path), {"r": [A]}, 60, UTC).room("r"))
    found = [block for block in release.blocks if block.name.startswith("weak")]
    # Right once, wrong once, beside a prior of 3 : 1, so right in 4 of 6. What people said is not taught twice.
    assert [block.name for block in found] == [
        f"weak booking {np.datetime64(START + DAY_MS, 'ms').astype('M8[D]')} {A}"
    ]
    assert found[0].count == 15
    assert found[0].weight == pytest.approx(0.5 * (2 * 4 / 6 - 1))


def test_a_source_that_is_no_better_than_chance_counts_nothing() -> None:
    truth = [LabelRow(n, "r", "free", n * 10, n * 10 + 10, 1.0, "person", "", 0) for n in range(1, 9)]
    wrong = [replace(row, class_name="occupied", weight=0.5, source="pir") for row in truth]
    assert Reliability.of([*truth, *wrong]).weight("pir") == 0
    assert Reliability.of([]).weight("import") == 0.5


def test_folds_keep_neighbours_together() -> None:
    ends = np.arange(0, 20 * 86_400, 600, dtype=np.int64)
    folds = folds_of(ends)
    near = folds.near(ends)
    for fold in range(folds.count):
        held = ends[folds.fold(ends) == fold]
        learned = ends[~near[:, fold]]
        distance = np.abs(learned[:, None] - held[None, ::7]).min()
        assert distance > 3600 - 7 * 600
        assert len(held) + len(learned) < len(ends)
    edges = ends[(folds.fold(ends) == 2) & (ends % 86_400 == 600)]
    assert near[np.isin(ends, edges - 600)][:, 2].all()


def test_runs_name_every_window() -> None:
    number = np.array([1, 1, 1, 2, 2], np.int64)
    seq = np.array([5, 6, 8, 9, 10], np.int64)
    zeros = np.zeros(5, np.int64)
    windows = Labelled(seq, zeros, seq, number, zeros.astype(np.uint8), np.zeros((5, 2), np.int16))
    assert windows.runs() == ((1, 0, 5, 6), (1, 0, 8, 8), (2, 0, 9, 10))
    assert joined([], 2).runs() == ()


async def test_labels_from_before_a_change_weigh_less_and_judge_nothing(tmp_path: Path) -> None:
    days = Days(4)
    await fill(tmp_path, days.windows(A), days.labels("r"))
    whole = Gathering(Reader(tmp_path), {"r": [A]}, 60, UTC).room("r")
    site = SiteStore(tmp_path)
    await site.open()
    since = datetime.fromtimestamp((START + 3 * DAY_MS) / 1000, UTC).date()
    event = DriftEvent(0, A, since, "node moved", ("light",), (), 2.0)
    (row,) = await site.drift.save([event_row(event)])
    now = Gathering(Reader(tmp_path), {"r": [A]}, 60, UTC).room("r")
    blocks = [block for block, _ in now.nodes[A].summands]
    before = [block for block in blocks if block.name.startswith("before ")]
    assert len(before) == 15
    assert sum(block.weight * block.count for block in before) == pytest.approx(PAST_WEIGHT)
    # A day of five labels is left to judge by.
    own = [block for block, _ in now.own[A]]
    assert [block.weight for block in own] == [1.0] * 5
    assert sum(block.count for block in own) == 1440
    (release,) = build(now)
    assert release.through_label == 20
    assert find_again(Reader(tmp_path), release).missing == ()
    assert rebuilt(find_again(Reader(tmp_path), release).inputs, release) == release
    # A change that has passed changes nothing.
    await site.drift.save([replace(row, state="resolved")])
    await site.close()
    again = Gathering(Reader(tmp_path), {"r": [A]}, 60, UTC).room("r")
    assert [block for block, _ in again.nodes[A].summands] == [block for block, _ in whole.nodes[A].summands]


async def test_a_label_of_a_moment_weighs_as_much_as_five_windows(tmp_path: Path) -> None:
    days = Days(1)
    short = LabelRow(0, "r", "free", START, START + 2 * MINUTE_MS, 1.0, "person", "ann", START + 3 * MINUTE_MS)
    long = replace(short, from_utc_ms=START + 10 * MINUTE_MS, to_utc_ms=START + 20 * MINUTE_MS)
    await fill(tmp_path, days.windows(A), [short, long])
    inputs = Gathering(Reader(tmp_path), {"r": [A]}, 60, UTC).room("r")
    assert [(block.weight, block.count) for block, _ in inputs.own[A]] == [(2.5, 2), (1.0, 10)]
