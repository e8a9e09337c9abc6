"""Which gateway serves which node over Bluetooth: what gateways hear goes in, wishes come out. No I/O, no clock.

A node is known by the key of its advertised hints. At any time at most one gateway has a wish for it other than NONE,
or a link that counts:

    nobody -> wished -> leaving -> nobody       a link that comes up unasked takes the place of a wish without a link

`leaving` has told the gateway NONE, and ends when its link is down, and not before its word of one can have come. Times
are milliseconds of a clock that never goes back.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from attuned.nodes.advertising import HintBook, is_of
from attuned.nodes.ears import FRESH_MS, Ears, Heard

# Another gateway takes over when it has heard a node so much better for so long: people who walk by change the signal
# by less, or not for long.
BETTER_DB = 8
BETTER_MS = 30_000

# A gateway that has failed so often in a row gives a node up to one that has not.
FAILURES = 3

# A gateway that is to serve a node and does not, whatever it says of it, gives it up to one that hears it, and is the
# last choice for a while. A turn among 200 nodes takes less.
PATIENCE_MS = 15 * 60_000
DOUBT_MS = 30 * 60_000

# An attempt to connect that was under way when a gateway heard NONE has come to its end, and the daemon knows, by then.
SETTLE_MS = 12_000

# A link that goes on so long after NONE counts no more: its frames are dropped, and another gateway may try.
LET_GO_MS = 30_000

# What was said last to a node that has just been removed reaches it by then.
LAST_WORD_MS = 3_000


class Station(Protocol):
    """A stream of a gateway; one that attaches anew is another."""

    name: str


class Need(IntEnum):
    """How much somebody wants of a node; the numbers are wire format."""

    NONE = 0
    AGE = 1
    BACKLOG = 2
    URGENT = 3


@dataclass(frozen=True)
class Wish:
    """What to tell a gateway of a hint."""

    station: Station
    hint: bytes
    need: Need


@dataclass
class _Link:
    """`key` is empty for a link of nobody's node. `ends_ms`: when such a link is told to end, or one that was told so
    counts no more; None if neither is to come."""

    station: Station
    number: int
    hint: bytes
    key: bytes
    ends_ms: int | None = None


@dataclass
class _Service:
    """The one gateway of a node, and the wish that it was told last.

    `good_ms`: when the node was heard through it; `better_ms`: since when another hears it better; `leaving_ms`: since
    when this one knows NONE; `follower`: who is to have it then.
    """

    station: Station
    hint: bytes
    need: Need
    good_ms: int
    better_ms: int | None = None
    leaving_ms: int | None = None
    follower: Station | None = None


class Radio:
    """`need_of` says how much is wanted of the node with a key, `busy` whether it is in the middle of an update."""

    def __init__(self, need_of: Callable[[bytes], Need], busy: Callable[[bytes], bool] = lambda _: False) -> None:
        self._need_of = need_of
        self._busy = busy
        self._book = HintBook()
        self._keys: frozenset[bytes] = frozenset()
        self._ears: dict[Station, Ears] = {}
        self._links: dict[tuple[Station, int], _Link] = {}
        self._services: dict[bytes, _Service] = {}
        self._doubts: dict[tuple[str, bytes], int] = {}
        self._left: dict[tuple[Station, bytes], int] = {}
        self._index: dict[bytes, list[_Link]] | None = None
        self._wishes: list[Wish] = []

    # What happens.

    def know(self, keys: Collection[bytes], now_ms: int) -> None:
        """These nodes are ours from now on, and no others."""
        if frozenset(keys) == self._keys:
            return
        turned, added = self._book.know(keys), frozenset(keys) - self._keys
        gone, self._keys = self._keys - frozenset(keys), frozenset(keys)
        for ears in self._ears.values():
            for key in gone & ears.ours.keys():
                ears.keep_strange(ears.ours.pop(key))
            for hint in turned.keys() & ears.strange.keys():
                ears.keep_ours(turned[hint], ears.strange.pop(hint))
        for link in self._links.values():
            if link.key in gone:
                link.key, link.ends_ms = b"", now_ms + LAST_WORD_MS
            elif not link.key and (key := next((key for key in added if is_of(key, link.hint)), b"")):
                link.key, link.ends_ms = key, None
        self._index = None
        for key in gone & self._services.keys():
            self._lose(key)
        for key in added:
            self._settle(key, now_ms)

    def sighted(self, station: Station, hint: bytes, rssi_dbm: int, failures: int, now_ms: int) -> None:
        """A gateway hears a node advertise."""
        key = self._book.find(hint, station.name, now_ms)
        if key is None:
            return
        ears, heard = self._ears.setdefault(station, Ears()), Heard(hint, rssi_dbm, failures, now_ms)
        if key:
            ears.keep_ours(key, heard)
            self._settle(key, now_ms)
        else:
            ears.keep_strange(heard)

    def link_up(self, station: Station, number: int, hint: bytes, now_ms: int) -> bytes:
        """A gateway is connected to whoever advertised a hint; the key of the node, empty if it is none of ours."""
        key = self._book.find(hint, station.name, now_ms) or b""
        link = self._links[station, number] = _Link(station, number, hint, key)
        self._index = None
        if key:
            self._settle(key, now_ms)
        else:
            self._end(link)
        return key

    def link_down(self, station: Station, number: int, now_ms: int) -> None:
        link = self._links.pop((station, number), None)
        self._index = None
        if link is not None and link.key:
            self._settle(link.key, now_ms)

    def signal(self, station: Station, number: int, rssi_dbm: int, now_ms: int) -> None:
        """How well a gateway hears a node that is connected to it, and does not advertise."""
        link = self._links.get((station, number))
        if link is not None and link.key:
            ears = self._ears.setdefault(station, Ears())
            ears.keep_ours(link.key, Heard(link.hint, rssi_dbm, 0, now_ms))

    def spoke(self, key: bytes, now_ms: int) -> None:
        """The node itself has said something: its gateway does what it should."""
        service = self._services.get(key)
        if service is not None:
            service.good_ms = now_ms

    def gone(self, station: Station, now_ms: int) -> None:
        """A gateway's stream has ended, and its wishes with it."""
        self._ears.pop(station, None)
        touched = {link.key for (owner, _), link in self._links.items() if owner is station and link.key}
        self._links = {place: link for place, link in self._links.items() if place[0] is not station}
        self._index = None
        left = {key for key, service in self._services.items() if service.station is station}
        for key in left:
            del self._services[key]
        for service in self._services.values():
            if service.follower is station:
                service.follower = None
        self._wishes = [wish for wish in self._wishes if wish.station is not station]
        self._left = {place: until for place, until in self._left.items() if place[0] is not station}
        for key in left | touched:
            self._settle(key, now_ms)

    def look(self, now_ms: int) -> None:
        """Time has passed, or needs have changed."""
        for ears in self._ears.values():
            ears.forget(now_ms)
        self._doubts = {place: until for place, until in self._doubts.items() if until > now_ms}
        self._left = {place: until for place, until in self._left.items() if until > now_ms}
        for link in self._links.values():
            if link.ends_ms is not None and now_ms >= link.ends_ms:
                self._end(link)
        for key in {*self._services, *(key for ears in self._ears.values() for key in ears.ours)}:
            self._settle(key, now_ms)

    # What follows.

    def take_wishes(self) -> list[Wish]:
        """What to tell gateways, in this order; each once."""
        wishes, self._wishes = self._wishes, []
        return wishes

    def key_of(self, station: Station, number: int) -> bytes:
        """Whose link it is; empty if nobody's, or if it counts no more."""
        link = self._links.get((station, number))
        return link.key if link else b""

    def others_wait(self, station: Station) -> bool:
        """Whether a gateway is to serve nodes that it has no link of."""
        mine = (key for key, service in self._services.items() if service.station is station)
        return any(not self._links_of(key) for key in mine)

    def hears(self, station: Station) -> Iterator[tuple[bytes, Heard]]:
        """What a gateway hears, with the key; empty for strangers."""
        ears = self._ears.get(station, Ears())
        yield from ears.ours.items()
        yield from ((b"", heard) for heard in ears.strange.values())

    def server(self, key: bytes) -> Station | None:
        """The gateway that serves a node, or is to."""
        service = self._services.get(key)
        return service.station if service and service.leaving_ms is None else None

    def best(self, key: bytes) -> Heard | None:
        """The node as its gateway hears it, or else as the one does that hears it best."""
        station = self.server(key)
        if station is not None and key in self._ears.get(station, Ears()).ours:
            return self._ears[station].ours[key]
        heard = [ears.ours[key] for ears in self._ears.values() if key in ears.ours]
        return max(heard, key=lambda each: each.rssi_dbm, default=None)

    def strangers(self, now_ms: int) -> int:
        """Advertisements that are heard now, and are of none of ours."""
        return len(
            {
                hint
                for ears in self._ears.values()
                for hint, heard in ears.strange.items()
                if now_ms - heard.at_ms < FRESH_MS
            }
        )

    # One node.

    def _settle(self, key: bytes, now_ms: int) -> None:
        """Brings a node to where it should be now."""
        links = self._links_of(key)
        self._take_up(key, links, now_ms)
        service = self._services.get(key)
        if service is not None and service.leaving_ms is not None:
            if not self._has_left(service, links, now_ms):
                return
            del self._services[key]
            links = [link for link in links if link.station is not service.station]
            if not links:
                self._choose(key, service.follower, now_ms)
        elif service is not None:
            self._reconsider(key, service, links, now_ms)
        elif not links:
            self._choose(key, None, now_ms)
        self._refresh(key, links)

    def _links_of(self, key: bytes) -> list[_Link]:
        if self._index is None:
            self._index = {}
            for link in self._links.values():
                if link.key:
                    self._index.setdefault(link.key, []).append(link)
        return self._index.get(key, [])

    def _take_up(self, key: bytes, links: list[_Link], now_ms: int) -> None:
        """A link that is there goes before a wish without one; of two gateways' links the newer is not wanted.

        Nor is one of a gateway that was told NONE lately, as when it was on its way to connect.
        """
        service = self._services.get(key)
        told = [link for link in links if link.ends_ms is None and (link.station, key) in self._left]
        wanted = [link for link in links if link.ends_ms is None and link not in told]
        if wanted and (service is None or service.station not in [link.station for link in links]):
            if service is not None and service.leaving_ms is None:
                self._tell(service.station, service.hint, Need.NONE)
                self._left[service.station, key] = now_ms + LET_GO_MS
            self._services[key] = service = _Service(wanted[0].station, wanted[0].hint, Need.NONE, now_ms)
        for link in (*wanted, *told):
            if service is None or link.station is not service.station:
                link.ends_ms = now_ms + LET_GO_MS
                self._tell(link.station, link.hint, Need.NONE)

    def _has_left(self, service: _Service, links: list[_Link], now_ms: int) -> bool:
        """Whether another gateway may have the node. A link that does not end is no more looked at."""
        since_ms = now_ms - (service.leaving_ms or 0)
        mine = [link for link in links if link.station is service.station]
        if mine and since_ms >= LET_GO_MS:
            for link in mine:
                self._drop(link)
            return True
        return not mine and since_ms >= SETTLE_MS

    def _reconsider(self, key: bytes, service: _Service, links: list[_Link], now_ms: int) -> None:
        linked = any(link.station is service.station for link in links)
        if linked and self._busy(key):
            return
        own = self._ears.get(service.station, Ears()).ours.get(key)
        fresh = own is not None and now_ms - own.at_ms < FRESH_MS
        lost = not linked and not fresh
        best = self._best(key, now_ms, without=service.station, doubted=lost)
        if best is None:
            if own is None and not linked:
                self._lose(key)
            return
        other = self._ears[best].ours[key]
        service.better_ms = self._better_since(service, own if fresh else None, other, now_ms)
        idle = now_ms - service.good_ms >= PATIENCE_MS
        failing = own is not None and not linked and own.failures >= FAILURES > other.failures
        beaten = service.better_ms is not None and now_ms - service.better_ms >= BETTER_MS
        if idle:
            self._doubts[service.station.name, key] = now_ms + DOUBT_MS
        if idle or lost or failing or beaten:
            self._leave(key, service, best, now_ms)

    @staticmethod
    def _better_since(service: _Service, own: Heard | None, other: Heard, now_ms: int) -> int | None:
        if own is None or other.rssi_dbm < own.rssi_dbm + BETTER_DB or other.failures >= FAILURES:
            return None
        return now_ms if service.better_ms is None else service.better_ms

    def _best(self, key: bytes, now_ms: int, *, without: Station | None = None, doubted: bool = True) -> Station | None:
        """Who hears a node best now; who fails or is `doubted` is the last choice, or none at all."""
        hear = {
            station: ears.ours[key]
            for station, ears in self._ears.items()
            if station is not without and key in ears.ours and now_ms - ears.ours[key].at_ms < FRESH_MS
        }
        trusted = {station: heard for station, heard in hear.items() if (station.name, key) not in self._doubts}
        if doubted:
            trusted = trusted or hear
        return max(trusted, key=lambda each: (hear[each].failures < FAILURES, hear[each].rssi_dbm), default=None)

    def _choose(self, key: bytes, follower: Station | None, now_ms: int) -> None:
        """Gives a node that nobody has to a gateway that hears it."""
        wanted = self._ears.get(follower, Ears()).ours.get(key) if follower else None
        keep = wanted is not None and now_ms - wanted.at_ms < FRESH_MS
        station = follower if keep else self._best(key, now_ms)
        if station is not None and key in self._keys:
            self._left.pop((station, key), None)
            self._services[key] = _Service(station, self._ears[station].ours[key].hint, Need.NONE, now_ms)

    def _refresh(self, key: bytes, links: list[_Link]) -> None:
        """Says what the one gateway of a node does not know yet."""
        service = self._services.get(key)
        if service is None or service.leaving_ms is not None:
            return
        hints = [link.hint for link in links if link.station is service.station]
        heard = self._ears.get(service.station, Ears()).ours.get(key)
        hint = hints[0] if hints else heard.hint if heard else service.hint
        if hint != service.hint:
            if service.need:
                self._tell(service.station, service.hint, Need.NONE)
            service.hint, service.need = hint, Need.NONE
        need = max(self._need_of(key), Need.AGE)
        if need is not service.need:
            service.need = need
            self._tell(service.station, hint, need)

    def _leave(self, key: bytes, service: _Service, follower: Station, now_ms: int) -> None:
        self._tell(service.station, service.hint, Need.NONE)
        service.need, service.leaving_ms, service.follower = Need.NONE, now_ms, follower
        self._left[service.station, key] = now_ms + LET_GO_MS

    def _lose(self, key: bytes) -> None:
        """Nobody is to serve the node any more. A link that it still has ends by itself, or with its last word."""
        service = self._services.pop(key)
        linked = any(link.station is service.station and link.hint == service.hint for link in self._links.values())
        if service.leaving_ms is None and not linked:
            self._tell(service.station, service.hint, Need.NONE)

    def _end(self, link: _Link) -> None:
        """A link that nobody wants is told so; one that does not go counts no more."""
        link.ends_ms = None
        if link.key:
            self._drop(link)
        else:
            self._tell(link.station, link.hint, Need.NONE)

    def _drop(self, link: _Link) -> None:
        link.key = b""
        self._index = None

    def _tell(self, station: Station, hint: bytes, need: Need) -> None:
        self._wishes.append(Wish(station, hint, need))
