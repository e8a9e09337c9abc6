"""The factory release: sums over simulated windows, and the table that the C core is built with."""

from __future__ import annotations

import re
from pathlib import Path

import attune_core
import numpy as np
import pytest
from attuned.demo.building import Building
from attuned.demo.factory import OUTPUT, Moments, Plan, features, gather, main, render
from attuned.demo.faults import NO_FAULTS

SMALL = Plan(seed=1, start_utc_ms=1_710_198_000_000, days=1, rooms=8, nodes=12)  # Tuesday, 12 March 2024, 00:00
REPOSITORY = Path(__file__).parents[2]
ROW = re.compile(r"\{ATTUNE_(\w+), ATTUNE_(\w+), \{(\S+)f, (\S+)f\}, \{(\S+)f, (\S+)f\}\},")


@pytest.fixture(scope="module")
def small() -> dict[str, Moments]:
    return gather([SMALL])


def test_moments_are_those_worked_by_hand() -> None:
    moments = Moments.none()
    moments.add(np.array([1024, 2048, 512, -32768], np.int16), np.array([False, False, True, True]))
    moments.add(np.array([1536, 3072], np.int16), np.array([True, False]))
    # Free 1, 2, 3: mean 2, variance 2/3. Occupied 0.5, 1.5: mean 1, variance 1/4. The missing one does not count.
    assert moments.mean.tolist() == pytest.approx([2.0, 1.0])
    assert moments.variance.tolist() == pytest.approx([2 / 3, 1 / 4])


def test_no_variance_is_smaller_than_a_head_can_use() -> None:
    moments = Moments.none()
    moments.add(np.array([7, 7], np.int16), np.array([False, True]))
    assert moments.variance.tolist() == [1e-3, 1e-3]


def test_windows_are_the_node_cores() -> None:
    building = Building(3, faults=NO_FAULTS)
    samples = building.advance(600)
    node = building.nodes[1]
    names, rows = features(node, samples, building.tick_ms)
    assert rows.shape == (10, len(names))
    co2 = samples[(samples["node"] == 1) & (samples["sensor"] == node.sensors.index("co2"))]
    third = co2["value"][(co2["tick_ms"] > 120_000) & (co2["tick_ms"] <= 180_000)]
    # CO2's excess over 350 ppm in steps of 50, by its logarithm: centred on 2, in units of 0.7 (core/window/schema.c).
    expected = (np.log1p((third.mean() - 350) / 50) - 2) / 0.7 * 1024
    assert rows[2, names.index("co2.mean")] == pytest.approx(expected, abs=1)


def test_table_is_written_in_the_order_of_the_wire() -> None:
    moments = {"pir.count": Moments(np.array([2.0, 4.0]), np.array([-1.0, 2.0]), np.array([1.0, 5.0]))}
    moments["co2.mean"] = Moments(np.ones(2), np.zeros(2), np.zeros(2))
    rows = [line for line in render(moments).splitlines() if line.startswith("    {")]
    # PIR free: mean -1 / 2, variance 1 / 2 - 1 / 4; occupied: 2 / 4, 5 / 4 - 1 / 4. Levels vary by 0.5 more than
    # simulated.
    assert rows == [
        "    {ATTUNE_CO2, ATTUNE_MEAN, {0.000f, 0.000f}, {0.501f, 0.501f}},",
        "    {ATTUNE_PIR, ATTUNE_COUNT, {-0.500f, 0.500f}, {0.250f, 1.000f}},",
    ]


@pytest.mark.slow
def test_two_runs_write_the_same_table(small: dict[str, Moments]) -> None:
    assert render(gather([SMALL])) == render(small)


def test_the_table_in_the_repository_is_of_this_kind(small: dict[str, Moments]) -> None:
    committed = {
        f"{kind}.{statistic}".lower(): [float(x) for x in numbers]
        for kind, statistic, *numbers in ROW.findall((REPOSITORY / OUTPUT).read_text())
    }
    assert list(committed) == [f"{m[0]}.{m[1]}".lower() for m in ROW.findall(render(small))]
    for name, moments in small.items():
        spread = np.sqrt(committed[name][2:]) + np.sqrt(moments.variance)
        assert (np.abs(moments.mean - committed[name][:2]) < 1.5 * spread).all(), name


def test_a_node_on_the_factory_release_can_tell_a_meeting_from_the_night() -> None:
    schema = attune_core.Schema(["light", "co2", "sound", "pir"])
    head, _ = attune_core.Head.factory(schema, "gnb")
    windower = attune_core.Windower(schema)
    ticks = np.arange(1, 3, dtype=np.uint64) * 20_000
    for sensor, value in enumerate((0.0, 450.0, 34.0, 0.0)):
        windower.samples(sensor, ticks[:1], np.array([value]))
    night = windower.advance(60_000)[1]
    for sensor, value in enumerate((420.0, 1000.0, 58.0, 1.0)):
        windower.samples(sensor, ticks[-1:] + 60_000, np.array([value]))
    meeting = windower.advance(120_000)[1]
    evidence, known = head.predict(np.concatenate([night, meeting]))
    assert known.all()
    assert evidence[0, 0] < 0 < evidence[1, 0]


def test_an_unwritable_place_is_refused_with_a_way_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "missing" / "table.c")]) == 2
    assert "run this in the repository" in capsys.readouterr().err
