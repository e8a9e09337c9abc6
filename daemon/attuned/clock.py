"""The daemon's clock: UTC in whole milliseconds, passed in wherever time matters."""

import time
from typing import Protocol


class Clock(Protocol):
    """UTC, and how much faster than real time it runs."""

    @property
    def rate(self) -> float:
        """Seconds of this clock in one real second, above zero."""

    def utc_ms(self) -> int:
        """Milliseconds since 1970-01-01T00:00:00Z."""


class SystemClock:
    """The machine's clock."""

    rate: float = 1.0

    def utc_ms(self) -> int:
        return time.time_ns() // 1_000_000


class ScaledClock:
    """A clock for demonstrations and tests: starts where it is told and runs at its own rate.

    The real time at which it showed `start_utc_ms` may be given, so that several processes share one clock.
    """

    def __init__(self, start_utc_ms: int, rate: float, real_start_ms: int | None = None) -> None:
        self.rate = rate
        self._start_utc_ms = start_utc_ms
        self._real_start_ms = SystemClock().utc_ms() if real_start_ms is None else real_start_ms

    def utc_ms(self) -> int:
        elapsed_ms = time.time_ns() / 1_000_000 - self._real_start_ms
        return self._start_utc_ms + int(elapsed_ms * self.rate)
