"""Which nodes are connected and when they make way for others. No I/O; whoever calls says what time it is.

Need decides, then who has waited longest. A connection stays as long as nobody waits for its slot.
"""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from attune_proto.v1.link_pb2 import NEED_AGE, NEED_NONE, Sighting, Wish

from attune_gateway.ble.central import HINT_SIZE, Advertisement
from attune_gateway.ble.nearby import Nearby, Neighbourhood

# An advertisement as old as this says nothing of whether the node can be connected now: radios pause for some seconds
# between their times of listening.
STALE_S = 20.0

# Without a frame either way for so long a connection has done its work; the daemon answers most things at once.
IDLE_S = 5.0

# Where nothing more is wanted of a node: so long after its last frame it has said all, and makes way for one that is
# wanted for something.
DONE_S = 1.0

# The longest stay while others of the same need wait: a backlog of an hour has gone up by then.
LONGEST_S = 60.0

# The same while one of greater need waits: enough for a handshake and what is most urgent on the other side, too.
SHORT_S = 10.0

# Who has only its turn to wait for waits so long before it takes a slot from its like: nodes that share a slot would
# else spend their batteries on handshakes.
PATIENCE_S = 15.0

# A node begins with a handshake at once; who has said nothing for so long is none.
SILENT_S = 30.0

# Without a daemon for so long, connections are given up: another gateway may have one.
ALONE_S = 60.0

# A controller that is full is asked for more again after so long.
FULL_S = 300.0


@dataclass(slots=True, eq=False)
class _Stay:
    """A connection, or the attempt at one. good: a frame has come; unwanted: the daemon has said so."""

    node: Nearby
    since_s: float
    active_s: float
    up: bool = False
    ending: bool = False
    good: bool = False
    unwanted: bool = False


class Schedule:
    """slots: connections at a time; uniform: draws the jitter of pauses."""

    def __init__(self, slots: int, uniform: Callable[[float, float], float] = random.uniform) -> None:
        self._most = slots
        self._slots = slots
        self._full_s = 0.0
        self._near = Neighbourhood(uniform)
        self._stays: dict[bytes, _Stay] = {}
        self._attached = False
        self._alone_s: float | None = None

    def __len__(self) -> int:
        return len(self._near)

    @property
    def connections(self) -> int:
        """Connections, and the attempt at one."""
        return len(self._stays)

    def heard(self, advertisement: Advertisement, now_s: float) -> None:
        """An advertisement has come; its hint has HINT_SIZE bytes."""
        self._near.heard(advertisement, now_s)

    def wish(self, wishes: Iterable[Wish], now_s: float) -> None:
        """The daemon has said what it wants; what is no hint is passed over."""
        for wish in wishes:
            if len(wish.hint) != HINT_SIZE:
                continue
            self._near.want(wish.hint, wish.need, now_s)
            if (stay := self._stays.get(wish.hint)) is not None:
                # Who is connected is not heard, and may have been forgotten while no daemon asked for it.
                stay.node = self._near.find(wish.hint) or stay.node
                stay.unwanted = wish.need == NEED_NONE

    def attach(self) -> None:
        """A stream to the daemon begins: it knows nothing, and has not said what it wants."""
        self._attached = True
        self._alone_s = None
        self._near.void()
        self._near.tell_anew()
        for stay in self._stays.values():
            stay.unwanted = False

    def detach(self, now_s: float) -> None:
        """There is no stream any more, and nothing that the daemon wants."""
        if self._attached:
            self._alone_s = now_s
        self._attached = False
        self._near.void()

    def sightings(self, now_s: float) -> list[Sighting]:
        """What the daemon has to be told now."""
        self._near.age(now_s)
        return self._near.sightings(now_s) if self._attached else []

    def to_connect(self, now_s: float) -> Nearby | None:
        """The node to connect now, if there is one and a slot for it; there is one attempt at a time."""
        if now_s >= self._full_s:
            self._slots = self._most
        if len(self._stays) >= self._slots or not all(stay.up for stay in self._stays.values()):
            return None
        return self._next(now_s)

    def to_end(self, now_s: float) -> list[bytes]:
        """The hints of connections to end now; each is said once."""
        ends = [stay for stay in self._stays.values() if self._is_over(stay, now_s)]
        if not ends and (one := self._to_make_way(now_s)) is not None:
            ends.append(one)
        for stay in ends:
            stay.ending = True
        return [stay.node.hint for stay in ends]

    def connecting(self, node: Nearby, now_s: float) -> None:
        """The attempt at a connection begins."""
        node.fresh = False
        self._stays[node.hint] = _Stay(node, now_s, now_s)

    def connected(self, hint: bytes, now_s: float) -> None:
        """The attempt was a success."""
        stay = self._stays[hint]
        stay.up, stay.since_s, stay.active_s = True, now_s, now_s

    def failed(self, hint: bytes, now_s: float) -> None:
        """The attempt was none."""
        self._leave(hint, now_s, is_failure=True)

    def full(self, hint: bytes, now_s: float) -> None:
        """The controller has no slot for the attempt."""
        self._leave(hint, now_s, is_failure=False)
        self._slots = max(1, len(self._stays))
        self._full_s = now_s + FULL_S

    def active(self, hint: bytes, now_s: float, *, good: bool) -> None:
        """A frame went to the node, or a good one came from it."""
        if (stay := self._stays.get(hint)) is None:
            return
        stay.active_s = now_s
        if good and not stay.good:
            stay.good = True
            self._near.succeed(stay.node)

    def ended(self, hint: bytes, now_s: float) -> None:
        """A connection has ended, whoever ended it. If nothing good ever came over it, it was a failure."""
        stay = self._stays[hint]
        self._leave(hint, now_s, is_failure=not stay.good and not stay.unwanted)

    def clear(self, now_s: float) -> None:
        """The radio has gone, and all connections with it."""
        for hint in list(self._stays):
            self._leave(hint, now_s, is_failure=False)

    def _leave(self, hint: bytes, now_s: float, *, is_failure: bool) -> None:
        node = self._stays.pop(hint).node
        node.waits_since_s = now_s
        if is_failure:
            self._near.fail(node, now_s)

    def _next(self, now_s: float) -> Nearby | None:
        waiting = (
            node
            for node in self._near.wanted()
            if node.fresh and now_s - node.heard_s <= STALE_S and now_s >= node.retry_s and node.hint not in self._stays
        )
        return min(waiting, key=lambda node: (-node.need, node.waits_since_s), default=None)

    def _is_over(self, stay: _Stay, now_s: float) -> bool:
        if stay.ending or not stay.up:
            return False
        alone = self._alone_s is not None and now_s - self._alone_s >= ALONE_S
        silent = not stay.good and now_s - stay.since_s >= SILENT_S
        return stay.unwanted or alone or silent

    def _to_make_way(self, now_s: float) -> _Stay | None:
        """One connection less for the one who waits first; the next one when that slot is taken."""
        if len(self._stays) < self._slots or any(stay.ending for stay in self._stays.values()):
            return None
        if (waiting := self._next(now_s)) is None:
            return None
        yielding = [stay for stay in self._stays.values() if stay.up and _yields(stay, waiting, now_s)]
        return min(yielding, key=lambda stay: (stay.node.need, stay.active_s, stay.since_s), default=None)


def _yields(stay: _Stay, waiting: Nearby, now_s: float) -> bool:
    """Whether a connection makes way for a node that waits."""
    stayed_s = now_s - stay.since_s
    if waiting.need > stay.node.need and stayed_s >= SHORT_S:
        return True
    if waiting.need > stay.node.need == NEED_AGE and stay.good and now_s - stay.active_s >= DONE_S:
        return True
    if waiting.need <= stay.node.need and now_s - waiting.waits_since_s < PATIENCE_S:
        return False
    if waiting.need == stay.node.need and stayed_s >= LONGEST_S:
        return True
    return now_s - stay.active_s >= IDLE_S
