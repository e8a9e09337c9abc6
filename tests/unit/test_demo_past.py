"""The simulated past of a demonstration: what it consists of, and what a store that holds it says."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from attuned.demo import past as past_module
from attuned.demo.archive import write
from attuned.demo.building import Building
from attuned.demo.layout import NODE_TYPES, DemoError
from attuned.demo.past import FRIDAY_UTC_MS, LABEL_MIN, Past
from attuned.demo.score import Score, score, strip
from attuned.demo.sensors import COVERED
from attuned.demo.weather import DAY_MS, HOUR_MS
from attuned.nodes.facts import NodeFacts
from attuned.store.site import SiteStore
from attuned.store.windows import WindowStore

MINUTE = 60_000
DAYS = 3
END = FRIDAY_UTC_MS + DAYS * DAY_MS + HOUR_MS // 2


@pytest.fixture(scope="module")
def past() -> Past:
    """A Friday to Sunday, with the tape on the Sunday."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(past_module, "DAYS", DAYS)
        found = Past(6)
        assert [day.isoformat() for day in found.live(END)] == ["2024-01-12", "2024-01-13", "2024-01-14"]
    return found


def light(past: Past, hours: Sequence[float]) -> float:
    """The mean light of the covered node's windows between two hours after the start, as the node's features say it."""
    node = past.nodes[past.covered.node_id]
    first, last = (FRIDAY_UTC_MS + round(hour * HOUR_MS) for hour in hours)
    rows = np.array([np.frombuffer(window.features, "<i2") for window in node.between(first, last)])
    return float(rows[:, node.schema.features.index("light.mean")].mean())


def test_every_minute_of_every_node_is_there_once(past: Past) -> None:
    for node in past.nodes.values():
        assert [window.seq for window in node.windows] == list(range(1, DAYS * 1440 + 31))
        assert [window.end_utc_ms for window in node.windows] == list(
            range(FRIDAY_UTC_MS + MINUTE, END + MINUTE, MINUTE)
        )
        assert node.between(FRIDAY_UTC_MS, FRIDAY_UTC_MS + MINUTE) == node.windows[:1]


def test_the_tape_darkens_one_sensor_from_its_time_on(past: Past) -> None:
    assert past.covered.room in {room.id for room in past.building.rooms if room.kind == "office"}
    noon, taped = light(past, (24 + 11, 24 + 13)), light(past, (48 + 11, 48 + 13))
    assert taped < noon - 512, "both days are of a weekend: half a unit of daylight went"


def test_a_covered_sensor_sees_a_share_of_the_light() -> None:
    bare, taped = (Building(3, 4, 4, FRIDAY_UTC_MS + 12 * HOUR_MS, main_type="corner") for _ in range(2))
    taped.cover(1)
    assert all(node.sensors == NODE_TYPES["corner"] for node in bare.nodes)
    for node in range(4):
        before, after = bare.devices(node)["light"][0], taped.devices(node)["light"][0]
        assert after == pytest.approx(before * COVERED if node == 1 else before)
    assert bare.devices(1)["sound"] == taped.devices(1)["sound"]


def test_nothing_is_covered_before_its_day() -> None:
    with pytest.raises(DemoError, match="Nothing is covered yet"):
        _ = Past(6).covered


def test_labels_say_what_was_so(past: Past) -> None:
    assert [label.number for label in past.labels] == list(range(1, len(past.labels) + 1))
    for label in past.labels:
        ends = range(label.from_utc_ms + MINUTE, label.to_utc_ms + 1, MINUTE)
        assert len(ends) == LABEL_MIN
        assert {label.room in past.truth[utc_ms] for utc_ms in ends} == {label.class_name == "occupied"}
        assert label.to_utc_ms <= label.told_utc_ms < FRIDAY_UTC_MS + 2 * DAY_MS, "nobody labels the day of the tape"


def test_stretches_are_steady_and_leave_out_the_short_ones(past: Past) -> None:
    room, first, last = past.covered.room, FRIDAY_UTC_MS + 7 * HOUR_MS, FRIDAY_UTC_MS + 20 * HOUR_MS
    every = past.stretches(room, first, last, 1)
    assert [one.from_utc_ms for one in every[1:]] == [one.to_utc_ms for one in every[:-1]]
    assert (every[0].from_utc_ms, every[-1].to_utc_ms) == (first, last)
    for one in every:
        ends = range(one.from_utc_ms + MINUTE, one.to_utc_ms + 1, MINUTE)
        assert {room in past.truth[utc_ms] for utc_ms in ends} == {one.occupied}
    long = [one for one in every if one.to_utc_ms - one.from_utc_ms >= 20 * MINUTE]
    assert past.stretches(room, first, last, 20) == long
    assert 0 < len(long) < len(every)


async def test_a_store_holds_all_of_it(past: Past, tmp_path: Path) -> None:
    await write(past, tmp_path, [past.day(0), past.day(1)])
    site, windows = SiteStore(tmp_path), WindowStore(tmp_path)
    await site.open()
    await windows.open()
    assert sorted(await site.labels(), key=lambda row: row.number) == past.labels
    facts = {node: NodeFacts.from_json(text) for node, text in (await site.facts()).items()}
    assert {node: fact.make_schema().kinds for node, fact in facts.items()} == {
        node: one.node.sensors for node, one in past.nodes.items()
    }
    node = past.nodes[past.covered.node_id]
    assert await windows.windows_between([past.covered.node_id], FRIDAY_UTC_MS, END) == node.windows
    assert await windows.days.last() == "2024-01-13"
    assert [row.day for row in await windows.days.since(past.covered.node_id, "")] == ["2024-01-12", "2024-01-13"]
    assert sorted(await windows.beliefs.checkpoints(1 << 60)) == [room.id for room in past.building.rooms]
    await windows.close()
    await site.close()
    with sqlite3.connect(tmp_path / "windows.db") as connection:
        assert connection.execute("SELECT count(*) FROM said").fetchone() == (len(past.said),)


def test_a_stage_goes_on_where_the_past_ends(past: Past) -> None:
    plan = past.onwards()
    assert (plan.start_utc_ms, len(plan.rooms), len(plan.nodes)) == (END, 6, 6)
    assert {node.node_id for node in plan.nodes} == past.nodes.keys()


def test_minutes_are_counted_by_who_was_there() -> None:
    truth = {1: frozenset("r"), 2: frozenset("r"), 3: frozenset("s"), 4: frozenset()}
    said = [(1, 2), (2, 1), (3, 1), (4, 0), (5, 2)]
    found = score("r", said, truth)
    # Of the fifth nothing is known; unknown is right in no case.
    assert found == Score(free=2, occupied=2, free_right=1, occupied_right=1)
    assert (found.accuracy, found.recognised) == (0.5, 0.5)
    assert (Score().accuracy, (found + found).occupied) == (0.0, 4)


def test_a_strip_shows_what_most_minutes_were() -> None:
    truth = {utc_ms: frozenset("r" if utc_ms > 6 else "") for utc_ms in range(1, 13)}
    # Free and right, free but for one; occupied and right; wrong; nothing known.
    said = [(1, 1), (2, 1), (3, 1), (4, 1), (5, 2), (6, 1), (7, 2), (8, 2), (9, 2), (10, 1), (11, 0), (12, 2)]
    assert strip("r", said, truth, [0, 3, 6, 9, 12, 15]) == "··█x "
    assert strip("r", said, truth, [0]) == ""
