"""The nodes that a radio hears, and what the daemon is told of them. No I/O; whoever calls says what time it is."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from attune_proto.v1.link_pb2 import NEED_NONE, Sighting

from attune_gateway.ble.central import Advertisement
from attune_gateway.pacing import Backoff

# Nodes that the daemon does not ask for: those of neighbours, new ones, and whatever a stranger makes up.
STRANGERS = 1024

# How many strangers may be new: a site that is switched on at once, and then what a crowd may add in a second. A
# stranger that is heard again within twenty seconds stays in the table, whatever the crowd does.
NEW_AT_ONCE = 500
NEW_PER_S = 50.0

# Nodes that the daemon asks for: a site's, with the hints that they had before, which nobody takes back.
WANTED = 4096

# A stranger that has not been heard for so long has gone.
GONE_S = 120.0

# When the daemon is told of a node again.
_TELL_S = 10.0
_TELL_SOONEST_S = 1.0
_TELL_DB = 6.0

# Share of the newest strength in the smoothed one: single ones jump by 10 dB where people walk.
_NEWEST = 0.25

# Of the pause after a node's first failure, and of the longest.
_RETRY_S = (2.0, 300.0)


def smoothed(before_dbm: float, now_dbm: float) -> float:
    """The strength of a signal after one more measurement."""
    return before_dbm + _NEWEST * (now_dbm - before_dbm)


@dataclass(slots=True, eq=False)
class Nearby:
    """A node in reach. Times are seconds of the caller's clock.

    address: of its newest advertisement, "" if there was none; fresh: it was heard since it was last connected or
    tried; waits_since_s: when it was first asked for, had its last turn, or failed; failures: since the last success.
    """

    hint: bytes
    backoff: Backoff
    address: str = ""
    rssi_dbm: float = 0.0
    heard_s: float = 0.0
    fresh: bool = False
    need: int = NEED_NONE
    waits_since_s: float = 0.0
    retry_s: float = 0.0
    failures: int = 0
    told: Sighting | None = None
    told_s: float = 0.0

    def is_to_tell(self, now_s: float) -> bool:
        """Whether what is known of it differs enough from what the daemon was told."""
        if not self.address:
            return False
        if self.told is None:
            return True
        since_s = now_s - self.told_s
        if since_s < _TELL_SOONEST_S:
            return False
        moved_db = abs(self.rssi_dbm - self.told.rssi_dbm)
        return moved_db >= _TELL_DB or self.failures != self.told.failures or since_s >= _TELL_S


@dataclass
class Neighbourhood:
    """All nodes in reach: those that are wanted, which strangers cannot push out, and the others.

    uniform: draws the jitter of pauses after failures.
    """

    uniform: Callable[[float, float], float]
    _wanted: dict[bytes, Nearby] = field(default_factory=dict)
    _strangers: OrderedDict[bytes, Nearby] = field(default_factory=OrderedDict)
    _changed: dict[bytes, Nearby] = field(default_factory=dict)
    _new: float = NEW_AT_ONCE
    _new_s: float | None = None

    def __len__(self) -> int:
        return len(self._wanted) + len(self._strangers)

    def wanted(self) -> Iterator[Nearby]:
        """Those that the daemon asks for."""
        return iter(self._wanted.values())

    def find(self, hint: bytes) -> Nearby | None:
        """The node of that hint."""
        return self._wanted.get(hint) or self._strangers.get(hint)

    def heard(self, advertisement: Advertisement, now_s: float) -> None:
        """An advertisement has come."""
        node = self.find(advertisement.hint)
        if node is None:
            if not self._admits(now_s):
                return
            node = self._make(advertisement.hint)
            self._keep(node)
        elif node.hint in self._strangers:
            self._strangers.move_to_end(node.hint)
        known = bool(node.address)
        node.rssi_dbm = smoothed(node.rssi_dbm, advertisement.rssi_dbm) if known else advertisement.rssi_dbm
        node.address, node.heard_s, node.fresh = advertisement.address, now_s, True
        self._changed[node.hint] = node

    def want(self, hint: bytes, need: int, now_s: float) -> None:
        """The daemon says which need a node has, also of one that has not been heard so far."""
        node = self.find(hint)
        if need == NEED_NONE:
            if node is not None and node.need != NEED_NONE:
                self._let_go(node)
            return
        if node is None or node.need == NEED_NONE:
            node = self._strangers.pop(hint, None) or self._make(hint)
            node.waits_since_s = now_s
            self._wanted[hint] = node
            if len(self._wanted) > WANTED:
                self._forget(min(self._wanted.values(), key=lambda one: one.heard_s).hint)
        node.need = need

    def fail(self, node: Nearby, now_s: float) -> None:
        """A node could not be connected, or said nothing; the daemon is told."""
        node.failures += 1
        node.retry_s = now_s + node.backoff.next()
        self._changed[node.hint] = node

    def succeed(self, node: Nearby) -> None:
        """A node has sent a frame."""
        if node.failures:
            self._changed[node.hint] = node
        node.failures, node.retry_s = 0, 0.0
        node.backoff.reset()

    def void(self) -> None:
        """The daemon asks for none any more."""
        for node in list(self._wanted.values()):
            self._let_go(node)

    def tell_anew(self) -> None:
        """The daemon knows nothing of any node."""
        for node in (*self._wanted.values(), *self._strangers.values()):
            node.told = None
            self._changed[node.hint] = node

    def sightings(self, now_s: float) -> list[Sighting]:
        """What the daemon has to be told now."""
        due = [node for node in self._changed.values() if node.is_to_tell(now_s)]
        for node in due:
            del self._changed[node.hint]
            node.told = Sighting(hint=node.hint, rssi_dbm=round(node.rssi_dbm), failures=node.failures)
            node.told_s = now_s
        return [node.told for node in due if node.told is not None]

    def age(self, now_s: float) -> None:
        """Forgets strangers that have gone."""
        while self._strangers:
            oldest = next(iter(self._strangers.values()))
            if now_s - oldest.heard_s <= GONE_S:
                return
            self._forget(oldest.hint)

    def _make(self, hint: bytes) -> Nearby:
        return Nearby(hint, Backoff(*_RETRY_S, self.uniform))

    def _let_go(self, node: Nearby) -> None:
        node.need = NEED_NONE
        del self._wanted[node.hint]
        if node.address:
            self._keep(node)

    def _keep(self, stranger: Nearby) -> None:
        self._strangers[stranger.hint] = stranger
        if len(self._strangers) > STRANGERS:
            self._forget(next(iter(self._strangers)))

    def _forget(self, hint: bytes) -> None:
        self._wanted.pop(hint, None)
        self._strangers.pop(hint, None)
        self._changed.pop(hint, None)

    def _admits(self, now_s: float) -> bool:
        since_s = 0.0 if self._new_s is None else now_s - self._new_s
        self._new = min(NEW_AT_ONCE, self._new + NEW_PER_S * since_s)
        self._new_s = now_s
        if self._new < 1:
            return False
        self._new -= 1
        return True
