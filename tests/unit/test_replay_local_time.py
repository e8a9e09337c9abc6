"""What a node's clock says in a replay: the spec's local time at each window's end, with summer time."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from attuned.learning.replay.local_time import clock_samples, merged, with_clock
from attuned.learning.replay.nodes import Samples
from attuned.learning.replay.observed import observe
from attuned.learning.replay.spec import load_spec
from attuned.learning.replay.streams import NodeStream, load_splits
from replay_standin import NumpyCode

HOUR, DAY = 3600, 86_400


def end(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("utc", "zone", "week_s"),
    [
        ("2015-02-02 00:00", "UTC", 0),  # a Monday
        ("2015-02-08 23:59:59", "UTC", 7 * DAY - 1),
        ("2015-02-02 22:59", "Europe/Brussels", 24 * HOUR - 60),
        ("2015-02-02 23:00", "Europe/Brussels", DAY),
        # Sunday 29 March 2015, 01:00 UTC: Brussels goes from 02:00 to 03:00.
        ("2015-03-29 00:59", "Europe/Brussels", 6 * DAY + 2 * HOUR - 60),
        ("2015-03-29 01:00", "Europe/Brussels", 6 * DAY + 3 * HOUR),
        # Sunday 25 October 2015, 01:00 UTC: from 03:00 back to 02:00.
        ("2015-10-25 00:59", "Europe/Brussels", 6 * DAY + 3 * HOUR - 60),
        ("2015-10-25 01:00", "Europe/Brussels", 6 * DAY + 2 * HOUR),
        # Half hours, and Sunday that is Monday elsewhere.
        ("2015-02-01 18:30", "Asia/Kolkata", 0),
    ],
)
def test_local_seconds_since_monday(utc: str, zone: str, week_s: int) -> None:
    samples = clock_samples(np.array([end(utc)]), 0, 3, ZoneInfo(zone))
    assert samples.value.tolist() == [week_s]
    assert samples.sensor.tolist() == [3]


def test_the_clock_is_told_at_the_ends_of_windows() -> None:
    booted_s = end("2015-02-02 08:00")
    samples = clock_samples(np.array([booted_s + 60, booted_s + 120]), booted_s * 1000, 0, UTC)
    assert samples.tick_ms.tolist() == [60_000, 120_000]


def test_merged_samples_are_in_order_of_time() -> None:
    first = Samples(np.array([0, 0], np.uint8), np.array([10, 30]), np.array([1, 2], np.float32))
    second = Samples(np.array([1, 1], np.uint8), np.array([20, 30]), np.array([3, 4], np.float32))
    both = merged(first, second)
    assert both.tick_ms.tolist() == [10, 20, 30, 30]
    assert both.sensor.tolist() == [0, 1, 0, 1]
    assert both.value.tolist() == [1, 3, 2, 4]


def test_every_window_of_a_boot_has_the_time() -> None:
    # Readings in two windows of three, and the same moment as the label's: 06:00, 06:01, 06:02 on a Saturday.
    start_s = end("2015-02-07 06:00")
    times = np.array([start_s, start_s + 120]) * 1000
    stream = NodeStream("n", ("temperature+mean",), times, np.array([[22.0], [24.0]]), UTC)
    windows = observe(NumpyCode(), stream, 60)
    assert stream.kinds == ("temperature+mean", "clock")
    assert windows.ends_s.tolist() == [start_s, start_s + 120]
    # A quarter of a turn, and two minutes more: cosine -sin(2 pi 2 / 1440) = -0.008727, times 1024 -8.94.
    assert windows.features.tolist() == [[0, 1024, 0, 1024], [1024, 1024, -9, 1024]]


def test_a_split_gets_its_clock_from_the_spec(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("date,T,L\n2015-07-01 12:00,20,1\n")
    (tmp_path / "spec.toml").write_text(
        """
        name = "made"
        timezone = "Europe/Brussels"
        files = [{ path = "a.csv", split = "test" }]
        columns = { time = { column = "date", format = "%Y-%m-%d %H:%M" }, label = "L" }
        nodes = [{ id = "n", room = "r", sensors = { temperature = "T" } }]
        """
    )
    spec = load_spec(tmp_path / "spec.toml")
    split = load_splits(spec, tmp_path / "spec.toml")[0]
    assert split.rooms[0].nodes[0].kinds == ("temperature",)
    node = with_clock(split, spec.zone).rooms[0].nodes[0]
    assert node.kinds == ("temperature", "clock")
    # Noon local time, in summer: half a turn, on a Wednesday.
    assert observe(NumpyCode(), node, 60).features.tolist() == [[-1024, 0, -1024, 0, -1024, 0]]
