"""Where a boot's ticks meet UTC: a node has no clock worth trusting."""

from array import array
from bisect import bisect_right
from collections.abc import MutableSequence
from dataclasses import dataclass, field

# Longest way of a time message there and back for a tie at once; the error of a tie is at most half of it.
GOOD_ROUND_TRIP_MS = 5_000

# Attempts after which the best tie so far is taken.
ATTEMPTS = 3

# Time after which an answer is no longer expected: it or the question was lost on the way.
ANSWER_MS = 15_000

# A new tie is worth keeping if the last one is this old or this wrong (milliseconds).
RETIE_AGE_MS = 3_600_000
RETIE_ERROR_MS = 2_000


# Of ties that are older than this only the last one stays (milliseconds): no window as old as that is taken.
KEPT_MS = 32 * 24 * 3_600_000


@dataclass
class Ties:
    """Pairs of tick and UTC of one boot, in order of ticks."""

    ticks_ms: MutableSequence[int] = field(default_factory=list)
    utcs_ms: MutableSequence[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        # A node has one for each hour of a month: 16 bytes instead of 80.
        self.ticks_ms, self.utcs_ms = array("q", self.ticks_ms), array("q", self.utcs_ms)

    def add(self, tick_ms: int, utc_ms: int) -> bool:
        """Keeps the tie if it says something new; a tie never changes how earlier ticks are dated."""
        if self.ticks_ms and not self._worth_keeping(tick_ms, utc_ms):
            return False
        self.append(tick_ms, utc_ms)
        return True

    def append(self, tick_ms: int, utc_ms: int) -> None:
        """Takes a tie that has been kept before, in order of ticks."""
        self.ticks_ms.append(tick_ms)
        self.utcs_ms.append(utc_ms)
        while len(self.ticks_ms) > 1 and self.ticks_ms[1] <= tick_ms - KEPT_MS:
            del self.ticks_ms[0], self.utcs_ms[0]

    def utc_ms(self, tick_ms: int) -> int:
        """UTC of a tick by the latest tie at or before it, else by the first. Needs at least one tie."""
        i = max(bisect_right(self.ticks_ms, tick_ms) - 1, 0)
        return self.utcs_ms[i] + tick_ms - self.ticks_ms[i]

    def newest_utc_ms(self, tick_ms: int) -> int:
        """UTC of a tick by the latest tie of all, which knows the daemon's clock as it is now."""
        return self.utcs_ms[-1] + tick_ms - self.ticks_ms[-1]

    def tick_ms(self, utc_ms: int) -> int:
        """The tick at a UTC, the other way round; below zero before the boot."""
        i = max(bisect_right(self.utcs_ms, utc_ms) - 1, 0)
        return self.ticks_ms[i] + utc_ms - self.utcs_ms[i]

    def old_at(self, tick_ms: int) -> bool:
        """Whether the last tie is so old that crystals may have drifted."""
        return tick_ms - self.ticks_ms[-1] >= RETIE_AGE_MS

    def _worth_keeping(self, tick_ms: int, utc_ms: int) -> bool:
        wrong = abs(utc_ms - self.utc_ms(tick_ms)) > RETIE_ERROR_MS
        return tick_ms > self.ticks_ms[-1] and (wrong or self.old_at(tick_ms))


@dataclass
class TieAttempt:
    """Exchanges of time messages until a tie is good enough: the node's tick is read half-way there and back."""

    sent_utc_ms: dict[int, int] = field(default_factory=dict)
    tries: int = 0
    best: tuple[int, int, int] | None = None  # round trip, tick, UTC

    def waiting(self, now_utc_ms: int) -> bool:
        """Whether an answer is still to come."""
        return any(abs(now_utc_ms - sent_utc_ms) < ANSWER_MS for sent_utc_ms in self.sent_utc_ms.values())

    def ask(self, echo_tick_ms: int, utc_ms: int) -> None:
        """A time message goes out; its answer will carry `echo_tick_ms` again."""
        while len(self.sent_utc_ms) >= ATTEMPTS:
            del self.sent_utc_ms[next(iter(self.sent_utc_ms))]
        self.sent_utc_ms[echo_tick_ms] = utc_ms
        self.tries += 1

    def answer(self, echo_tick_ms: int, tick_ms: int, utc_ms: int) -> tuple[int, int] | None:
        """The answer came at `utc_ms`; a (tick, UTC) when that settles it, None if the daemon should ask once more."""
        sent_utc_ms = self.sent_utc_ms.pop(echo_tick_ms, None)
        if sent_utc_ms is not None and utc_ms >= sent_utc_ms:
            round_trip = utc_ms - sent_utc_ms
            candidate = (round_trip, tick_ms, sent_utc_ms + round_trip // 2)
            self.best = min(self.best, candidate) if self.best else candidate
        if self.best is None or (self.best[0] > GOOD_ROUND_TRIP_MS and self.tries < ATTEMPTS):
            return None
        return self.best[1], self.best[2]
