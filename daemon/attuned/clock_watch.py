"""Whether somebody sets the machine's clock while the daemon runs: times of windows and labels go by it."""

import asyncio
import logging
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

LOOK_S = 10.0

# Less than this is how a clock is led back to the right time, and nothing that anybody would see in a history.
JUMP_MS = 1000


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


def _steady_ms() -> int:
    """Goes on while the machine sleeps, and cannot be set."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


class ClockWatch:
    """Compares the machine's clock with one that nobody can set."""

    def __init__(self, wall_ms: Callable[[], int] = _wall_ms, steady_ms: Callable[[], int] = _steady_ms) -> None:
        self._wall_ms, self._steady_ms = wall_ms, steady_ms
        self.started_utc_ms = wall_ms()
        self._offset_ms = self.started_utc_ms - steady_ms()
        self.jump_ms = 0
        self.jumped_utc_ms = 0

    def look(self) -> None:
        """Notes a jump since the last look."""
        now = self._wall_ms()
        offset_ms = now - self._steady_ms()
        jump_ms, self._offset_ms = offset_ms - self._offset_ms, offset_ms
        if abs(jump_ms) >= JUMP_MS:
            self.jump_ms, self.jumped_utc_ms = jump_ms, now
            log.warning(
                "The machine's clock was set %s by %.1f s: see that it is kept by NTP (`timedatectl`).",
                "forward" if jump_ms > 0 else "back",
                abs(jump_ms) / 1000,
            )

    async def run(self) -> None:
        """Looks for ever."""
        while True:
            await asyncio.sleep(LOOK_S)
            self.look()
