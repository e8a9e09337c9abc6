"""When to try again, and when to say something again."""

import random
from collections.abc import Callable


class Backoff:
    """Exponential back-off with full jitter: many who lost the same peer do not come back at the same moment."""

    def __init__(self, first_s: float, longest_s: float, uniform: Callable[[float, float], float] = random.uniform):
        self._longest_s = longest_s
        self._first_s = first_s
        self._uniform = uniform
        self._ceiling_s = first_s

    def reset(self) -> None:
        """The last attempt was a success."""
        self._ceiling_s = self._first_s

    def next(self) -> float:
        """Seconds to wait before the next attempt."""
        delay_s = self._uniform(0.0, self._ceiling_s)
        self._ceiling_s = min(2 * self._ceiling_s, self._longest_s)
        return delay_s

    def after(self, lasted_s: float) -> float:
        """Seconds to wait after a connection that lasted so long: only one that held was a success, so that a peer that
        takes it and drops it at once is left alone for longer and longer."""
        if lasted_s > self._longest_s:
            self.reset()
        return self.next()


# Seconds between two of a message that goes on and on, in the end: a night without a daemon is a dozen lines.
RAREST_S = 3600.0


class Sparingly:
    """Lets one message of a kind pass in `every_s` seconds, and the same words ever less, up to once in RAREST_S."""

    def __init__(self, every_s: float = 60.0) -> None:
        self._first_s = self._every_s = every_s
        self._last_s: float | None = None
        self._last = ""

    def allows(self, now_s: float, message: str = "") -> bool:
        """True if `message` differs from the last one that passed, or that one is old enough."""
        again = self._last_s is not None and message == self._last
        if self._last_s is not None and again and now_s - self._last_s < self._every_s:
            return False
        self._every_s = min(2 * self._every_s, RAREST_S) if again and message else self._first_s
        self._last_s, self._last = now_s, message
        return True
