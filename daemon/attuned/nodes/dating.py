"""When a window ended, and whether that can be: by ties that the daemon made with a clock that may have been wrong."""

from attuned.nodes.ties import Ties

# How far ahead of the daemon's clock a window may end: the error of a tie, and some air.
FUTURE_MS = 60_000

# Further ahead than that, and up to here, a window waits at its node until it can be dated: its tie was made late, or
# the daemon's clock has been set back. Time mends both, and the node sends it again.
SOON_MS = 600_000

# How long ago it may have ended: windows are kept for 28 days.
PAST_MS = 31 * 24 * 3_600_000

# Reports of one node that wait for its ticks to be tied anew; it has 8 in flight.
WAITING_LIMIT = 64


def is_about(utc_ms: int, now_utc_ms: int) -> bool:
    """Whether a window may have ended then."""
    return now_utc_ms - PAST_MS <= utc_ms <= now_utc_ms + FUTURE_MS


def is_soon(utc_ms: int, now_utc_ms: int) -> bool:
    """Whether a window that cannot have ended yet may have in a while."""
    return FUTURE_MS < utc_ms - now_utc_ms <= SOON_MS


def dated(ties: Ties, end_ms: int, now_utc_ms: int) -> int:
    """UTC of a window's end, 0 without a tie: by the tie before it, unless that was made by quite another clock.

    Then by the latest tie: a clock is more often set right than wrong, as on a machine that begins without one.
    """
    if not ties.ticks_ms:
        return 0
    utc_ms = ties.utc_ms(end_ms)
    plausible = is_about(utc_ms, now_utc_ms) or is_soon(utc_ms, now_utc_ms)
    return utc_ms if plausible else ties.newest_utc_ms(end_ms)


class Doubts:
    """Reports that have to come again once the node's ticks have been tied to UTC anew.

    By their ticks they ended long ago or are yet to end, as the daemon's clock was before. Either the ticks or that
    clock are wrong, and a window that is refused is lost.
    """

    def __init__(self) -> None:
        self._exchanges = 0
        self._waiting: dict[int, int] = {}

    def settle(self) -> None:
        """The node's ticks have been compared with the daemon's clock."""
        self._exchanges += 1

    def holds(self, seq: int) -> bool:
        """Whether a report in doubt waits: it has not come before, or no comparison was made since."""
        self._waiting = {one: since for one, since in self._waiting.items() if since == self._exchanges or one == seq}
        if seq not in self._waiting and len(self._waiting) >= WAITING_LIMIT:
            return False
        return self._waiting.setdefault(seq, self._exchanges) == self._exchanges
