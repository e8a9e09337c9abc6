"""Nodes in reach of radios: between the hub's links and the choice of gateways in `radio.py`."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from attune_proto.v1 import link_pb2

from attuned.nodes.advertising import ADVERTISED_SIZE
from attuned.nodes.ears import Heard
from attuned.nodes.link import Gateway, Link
from attuned.nodes.radio import Need, Radio
from attuned.nodes.trust import Trust

# Connections of a radio, at most: more than any controller has. Gateways may claim anything.
SLOTS_LIMIT = 255

# Signals as radios tell them, dBm; a gateway may claim anything.
_LEAST_DBM, _MOST_DBM = -127, 20


@dataclass(frozen=True)
class Advertiser:
    """Whose advertisements have a key: a node of ours (its id), or one whose code waits (8 digits of it)."""

    name: str
    hint: bytes
    waits: bool


@dataclass(frozen=True)
class Hearing:
    """An advertisement that a gateway has heard, `age_ms` ago; `who` is None for strangers."""

    who: Advertiser | None
    heard: Heard
    age_ms: int
    server: str
    connected: bool


def monotonic_ms() -> int:
    """A clock of this process that never goes back."""
    return time.monotonic_ns() // 1_000_000


class Air:
    """`need_of` says how much is wanted of a node of ours, by its id, and `busy` whether it is in the middle of an
    update; `now_ms` is a clock that never goes back."""

    def __init__(self, trust: Trust, now_ms: Callable[[], int] = monotonic_ms) -> None:
        self.need_of: Callable[[str], Need] = lambda _: Need.AGE
        self.busy: Callable[[str], bool] = lambda _: False
        self._trust = trust
        self._now_ms = now_ms
        self._who: dict[bytes, Advertiser] = {}
        self._links: dict[tuple[Gateway, int], Link] = {}
        self._radio = Radio(self._need, lambda key: self.busy(self._who[key].name))

    def look(self) -> list[Link]:
        """Time has passed, or nodes and codes have come and gone; links that are somebody's, or nobody's, since now."""
        now, before = self._now_ms(), {place: link.whose for place, link in self._links.items()}
        self._who = self._advertisers()
        self._radio.know(self._who.keys(), now)
        self._radio.look(now)
        for link in self._links.values():
            link.whose = self._whose(link)
        self._tell()
        return [link for place, link in self._links.items() if link.whose != before[place]]

    def sighted(self, gateway: Gateway, said: link_pb2.Sighting) -> None:
        """A gateway hears somebody advertise."""
        if len(said.hint) != ADVERTISED_SIZE:
            return
        rssi_dbm = min(max(said.rssi_dbm, _LEAST_DBM), _MOST_DBM)
        self._radio.sighted(gateway, said.hint, rssi_dbm, said.failures, self._now_ms())
        self._tell()

    def link_up(self, link: Link, hint: bytes) -> bool:
        """A link over Bluetooth came up, with whoever has advertised this; False if the gateway has too many."""
        if self.slots_used(link.gateway) >= SLOTS_LIMIT:
            return False
        self._links[link.gateway, link.number] = link
        self._radio.link_up(link.gateway, link.number, hint[:ADVERTISED_SIZE], self._now_ms())
        link.whose = self._whose(link)
        self._tell()
        return True

    def link_down(self, link: Link) -> None:
        if self._links.pop((link.gateway, link.number), None) is not None:
            self._radio.link_down(link.gateway, link.number, self._now_ms())
            self._tell()

    def gone(self, gateway: Gateway) -> None:
        """Call it before the links of a gateway that is gone go down: nobody is to be told anything there."""
        self._links = {place: link for place, link in self._links.items() if place[0] is not gateway}
        self._radio.gone(gateway, self._now_ms())
        self._tell()

    def signal(self, link: Link, rssi_dbm: int) -> None:
        if link.on_air and rssi_dbm:
            rssi_dbm = min(max(rssi_dbm, _LEAST_DBM), _MOST_DBM)
            self._radio.signal(link.gateway, link.number, rssi_dbm, self._now_ms())

    def spoke(self, link: Link, node: str) -> None:
        """A node has said something in its session."""
        key = self._radio.key_of(link.gateway, link.number) if link.on_air else b""
        if key and self._who[key].hint == bytes.fromhex(node)[: len(self._who[key].hint)]:
            self._radio.spoke(key, self._now_ms())

    def others_wait(self, link: Link) -> bool:
        """Whether a link over Bluetooth is one that other nodes wait for, as far as is known."""
        return link.on_air and self._radio.others_wait(link.gateway)

    def slots_used(self, gateway: Gateway) -> int:
        """Connections over Bluetooth that a gateway has."""
        return sum(owner is gateway for owner, _ in self._links)

    def hearings(self, gateway: Gateway) -> list[Hearing]:
        """What a gateway hears, the loudest first."""
        now = self._now_ms()
        found = [self._hearing(key, heard, now) for key, heard in self._radio.hears(gateway)]
        return sorted(found, key=lambda each: (-each.heard.rssi_dbm, each.heard.hint))

    def of(self, node: str) -> Hearing | None:
        """A node of ours as its gateway hears it, or else the one that hears it best."""
        key = self._key_of(node)
        heard = self._radio.best(key) if key else None
        return self._hearing(key, heard, self._now_ms()) if heard else None

    def strangers(self) -> int:
        """Advertisements heard now that nobody can name."""
        return self._radio.strangers(self._now_ms())

    def _hearing(self, key: bytes, heard: Heard, now_ms: int) -> Hearing:
        server = self._radio.server(key) if key else None
        connected = any(owner is server and self._radio.key_of(owner, number) == key for owner, number in self._links)
        name = server.name if server else ""
        return Hearing(self._who.get(key), heard, now_ms - heard.at_ms, name, bool(key) and connected)

    def _key_of(self, node: str) -> bytes:
        known = self._trust.nodes.get(node)
        return known.advertising if known and known.advertising in self._who else b""

    def _advertisers(self) -> dict[bytes, Advertiser]:
        waiting = {each.row.advertising: each for each in self._trust.waiting.values() if each.row.advertising}
        found = {key: Advertiser(each.row.hint, each.hint, waits=True) for key, each in waiting.items()}
        for node in self._trust.nodes.values():
            if node.advertising:
                hint = bytes.fromhex(node.node)[:4]
                found[node.advertising] = Advertiser(node.node, hint, waits=node.advertising in waiting)
        return found

    def _need(self, key: bytes) -> Need:
        who = self._who[key]
        return Need.URGENT if who.waits else self.need_of(who.name)

    def _whose(self, link: Link) -> bytes:
        key = self._radio.key_of(link.gateway, link.number)
        return self._who[key].hint if key else b""

    def _tell(self) -> None:
        for wish in self._radio.take_wishes():
            cast(Gateway, wish.station).wish(wish.hint, wish.need)
