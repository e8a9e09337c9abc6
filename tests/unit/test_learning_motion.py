"""Motion as a weak source: evidence of presence alone, bounded by what people said of the free room."""

from collections.abc import Sequence
from datetime import UTC
from pathlib import Path

import numpy as np
import pytest
from attune_core import MISSING, Schema, Windower
from attuned.learning.blocks import as_node
from attuned.learning.gathering import Gathering, find_again
from attuned.learning.motion import has_motion, moved, reliability, weight
from attuned.learning.releases import Release, build, rebuilt
from attuned.nodes.facts import NodeFacts
from attuned.nodes.window import Window
from attuned.store.reading import Reader
from attuned.store.site import LabelRow, SiteStore
from hypothesis import given
from hypothesis import strategies as st
from release_world import DAY_MS, MINUTE_MS, START, fill, node_id

A, B = node_id(1), node_id(2)
SEEING, BLIND = Schema(("co2", "pir"), 60), Schema(("co2",), 60)


def test_windows_with_motion_are_those_whose_sensor_counted() -> None:
    windower = Windower(Schema(("co2", "pir", "door", "pir"), 60))
    events = [(10_000, 1, 2.0), (70_000, 2, 5.0), (130_000, 3, 1.0), (250_000, 0, 500.0)]
    columns = list(zip(*events, strict=True))
    _, first = windower.samples(np.array(columns[1], np.uint8), np.array(columns[0]), np.array(columns[2], np.float32))
    _, last = windower.advance(300_000)
    # Motion in the first and the third minute; in the second somebody used the door.
    assert moved(windower.schema, np.concatenate([first, last])).tolist() == [True, False, True, False, False]


def test_a_sensor_without_a_reading_saw_nothing() -> None:
    assert not moved(SEEING, np.full((2, len(SEEING)), MISSING, np.int16)).any()
    assert has_motion(SEEING)
    assert not has_motion(BLIND)


def label(first: int, last: int, said: str, day: int = 0, weight: float = 1.0) -> LabelRow:
    """From a minute of a day to another."""
    a, b = (START + day * DAY_MS + minute * MINUTE_MS for minute in (first, last))
    return LabelRow(0, "r", said, a, b, weight, "person", "ann", b)


def test_motion_is_believed_by_how_often_people_agreed() -> None:
    steps = np.array([START // MINUTE_MS + minute for minute in (5, 6, 30, 90, 200)])
    rows = [label(0, 10, "occupied"), label(20, 40, "free"), label(80, 100, "occupied"), label(300, 400, "free")]
    # Three of four before anybody checked; two labels with motion agree, one does not: (3 + 2) of (4 + 3).
    assert reliability(steps, 60, rows) == pytest.approx(2 * 5 / 7 - 1)
    assert reliability(steps, 60, []) == pytest.approx(0.5)
    assert reliability(steps, 60, [label(0, 10, "free", weight=0.5)]) == pytest.approx(0.5)
    assert reliability(steps, 60, 9 * [label(0, 10, "free")]) == 0


@given(st.floats(0, 1), st.floats(0, 1e6), st.integers(0, 100_000))
def test_motion_never_outweighs_what_people_said_of_the_free_room(believed: float, free: float, windows: int) -> None:
    each = weight(believed, free, windows)
    assert 0 <= each <= believed
    assert each * windows <= 3 * free + 1e-6


def windows(node: str, schema: Schema, days: int = 2) -> list[Window]:
    """A minute each: motion, and bad air, from 8 to 12 of each day."""
    found = []
    for minute in range(days * 1440):
        x = np.zeros(len(schema), "<i2")
        used = 480 <= minute % 1440 < 720
        x[0] = 900 * used + 7 * (minute % 11)
        if has_motion(schema):
            x[schema.features.index("pir.count")] = 300 if used and minute % 2 else -512
        found.append(
            Window(node, 1, minute + 1, 60 * (minute + 1), START + (minute + 1) * MINUTE_MS, 0, b"", x.tobytes())
        )
    return found


async def stored(folder: Path, labels: Sequence[LabelRow], nodes: Sequence[tuple[str, Schema]]) -> Gathering:
    found = sorted((w for node in nodes for w in windows(*node)), key=lambda window: window.end_utc_ms)
    await fill(folder, found, labels)
    site = SiteStore(folder)
    await site.open()
    facts = {
        node: NodeFacts(node, 1, 60, schema.sensor_bytes.hex(), schema.hash.hex(), "00" * 16, 2, 64, "0").to_json()
        for node, schema in nodes
    }
    await site.save_facts(facts)
    await site.close()
    return Gathering(Reader(folder), {"r": [node for node, _ in nodes]}, 60, UTC)


BOTH = ((A, SEEING), (B, BLIND))


async def released(folder: Path, labels: Sequence[LabelRow], nodes: Sequence[tuple[str, Schema]] = BOTH) -> Release:
    return build((await stored(folder, labels, nodes)).room("r"))[0]


def motion_names(release: Release) -> list[str]:
    return [block.name for block in release.blocks if block.name.startswith("motion")]


async def test_every_node_of_the_room_learns_of_motion(tmp_path: Path) -> None:
    release = await released(tmp_path, [label(60, 90, "free"), label(500, 520, "occupied")])
    days = [np.datetime64(START + day * DAY_MS, "ms").astype("M8[D]") for day in (0, 1)]
    assert motion_names(release) == [f"motion {day} {node}" for node in (A, B) for day in days]
    blocks = [block for block in release.blocks if block.name in motion_names(release)]
    # 120 of 240 minutes saw motion; ten of them are somebody's word on the first day.
    assert [block.count for block in blocks] == [110, 120, 110, 120]
    # One label agreed: (3 + 1) of 5. But 230 windows may weigh no more than three times 30 minutes of `free`.
    assert [block.weight for block in blocks] == pytest.approx([3 * 30 / 230] * 4)
    assert {block.labels for block in blocks} == {frozenset()}


@pytest.mark.parametrize(
    ("labels", "nodes"),
    [
        ([label(500, 520, "occupied")], BOTH),
        ([label(60, 90, "free"), label(500, 520, "occupied")], ((B, BLIND),)),
        ([*(label(485 + 20 * i, 500 + 20 * i, "free") for i in range(9))], BOTH),
        ([label(60, 90, "free", weight=0.5)], BOTH),
    ],
    ids=["nobody said free", "no motion sensor", "people said free where there was motion", "a booking said free"],
)
async def test_motion_counts_for_nothing(
    tmp_path: Path, labels: list[LabelRow], nodes: Sequence[tuple[str, Schema]]
) -> None:
    assert motion_names(await released(tmp_path, labels, nodes)) == []


async def test_it_is_found_again_and_gives_the_same_bytes(tmp_path: Path) -> None:
    release = await released(tmp_path, [label(60, 90, "free"), label(500, 520, "occupied")])
    found = find_again(Reader(tmp_path), release)
    assert found.missing == ()
    assert rebuilt(found.inputs, release).canonical() == release.canonical()


async def test_a_day_whose_windows_are_gone_is_named(tmp_path: Path) -> None:
    release = await released(tmp_path, [label(60, 90, "free"), label(500, 520, "occupied")])
    names = motion_names(release)
    blocks = [
        block.model_copy(update={"windows": ((0, 9, 1, 5),)}) if block.name == names[1] else block
        for block in release.blocks
    ]
    other = release.model_copy(update={"blocks": tuple(blocks)})
    assert find_again(Reader(tmp_path), other).missing == (names[1],)


async def test_what_it_teaches_shows(tmp_path: Path) -> None:
    """A room with bad air looks more occupied to the node without a motion sensor than people alone taught it."""
    labels = [label(60, 90, "free")]
    gathering = await stored(tmp_path, labels, BOTH)
    with_motion = build(gathering.room("r"))[1]
    alone = build(Gathering(Reader(tmp_path), {"r": [B]}, 60, UTC).room("r"))[0]
    x = np.array([[900] + [0] * (len(BLIND) - 1)], np.int16)
    assert nats(with_motion, x) > nats(alone, x) + 0.5


def nats(release: Release, x: np.ndarray) -> float:

    return float(as_node(BLIND, bytes.fromhex(release.state)).predict(x)[0][0, 0])
