"""A clock that somebody sets is told from one that is slow."""

import logging

import pytest
from attuned.clock_watch import ClockWatch


def test_jumps_are_noticed_and_drift_is_not(caplog: pytest.LogCaptureFixture) -> None:
    times = {"wall": 1_000_000, "steady": 5_000}
    watch = ClockWatch(lambda: times["wall"], lambda: times["steady"])

    def go(wall_ms: int, steady_ms: int) -> tuple[int, int]:
        times["wall"] += wall_ms
        times["steady"] += steady_ms
        watch.look()
        return watch.jump_ms, watch.jumped_utc_ms

    with caplog.at_level(logging.WARNING):
        assert go(10_000, 10_000) == (0, 0)
        assert go(10_999, 10_000) == (0, 0)
        assert go(11_000, 10_000) == (1_000, 1_031_999)
        assert go(10_000, 10_000) == (1_000, 1_031_999)
        assert go(10_000 - 3_600_000, 10_000) == (-3_600_000, 1_051_999 - 3_600_000)
    assert watch.started_utc_ms == 1_000_000
    assert [record.getMessage() for record in caplog.records] == [
        "The machine's clock was set forward by 1.0 s: see that it is kept by NTP (`timedatectl`).",
        "The machine's clock was set back by 3600.0 s: see that it is kept by NTP (`timedatectl`).",
    ]


def test_the_machines_own_clocks_agree() -> None:
    watch = ClockWatch()
    watch.look()
    assert watch.jump_ms == 0
