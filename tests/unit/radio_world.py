"""Gateways with radios and nodes that walk about, around the choice of gateways. No sockets, no real time."""

from dataclasses import dataclass, field
from typing import Any

from attuned.nodes.advertising import advertised
from attuned.nodes.radio import Need, Radio

STEP_MS = 500
KEYS = [bytes([number]) * 32 for number in (1, 2)]


@dataclass(eq=False)
class FakeStation:
    """Does as it is told, a step later: connects whom it has a wish for, ends what it has a wish NONE for."""

    name: str
    wishes: dict[bytes, Need] = field(default_factory=dict)
    heard: dict[bytes, int] = field(default_factory=dict)
    links: dict[int, bytes] = field(default_factory=dict)
    numbers: int = 0
    attempts: dict[bytes, int] = field(default_factory=dict)  # by hint, when they succeed


@dataclass
class FakeNode:
    """Has one connection at a time, and a new hint after each. `signals`: dBm by the name of a gateway in reach."""

    key: bytes
    signals: dict[str, int] = field(default_factory=dict)
    connected: str = ""
    number: int = 0

    @property
    def hint(self) -> bytes:
        return advertised(self.key, self.number.to_bytes(3, "big"))


class World:
    """What the daemon says takes a step to a gateway, what gateways say a step to the daemon, in order."""

    def __init__(self) -> None:
        self.now = 0
        self.needs = dict.fromkeys(KEYS, Need.AGE)
        self.busy: set[bytes] = set()
        self.radio = Radio(self.needs.__getitem__, self.busy.__contains__)
        self.radio.know(KEYS, 0)
        self.nodes = [FakeNode(key) for key in KEYS]
        self.stations: dict[str, FakeStation] = {}
        self.kept: dict[str, set[bytes]] = {}  # connections of gateways whose stream is away, by hint
        self.up: list[tuple[Any, ...]] = []
        self.down: list[tuple[FakeStation, bytes, Need]] = []
        # What the daemon knows: wishes that it has told, links that it was told of.
        self.told: dict[FakeStation, dict[bytes, Need]] = {}
        self.linked: dict[tuple[FakeStation, int], bytes] = {}
        self.draws = 3
        self.moves: list[tuple[int, bytes, str]] = []

    # What is done to it.

    def attach(self, name: str) -> None:
        if name not in self.stations:
            station = self.stations[name] = FakeStation(name)
            self.told[station] = {}
            for hint in self.kept.pop(name, set()):
                self._link(station, hint)

    def detach(self, name: str, *, keeps: bool) -> None:
        """Its stream ends; with `keeps` its connections stay."""
        station = self.stations.pop(name, None)
        if station is None:
            return
        self.kept[name] = set(station.links.values())
        if not keeps:
            self.lose_kept(name)
        self.up = [said for said in self.up if said[1] is not station]
        self.down = [said for said in self.down if said[0] is not station]
        self.radio.gone(station, self.now)
        del self.told[station]
        self.linked = {place: key for place, key in self.linked.items() if place[0] is not station}
        self.follow()

    def lose_kept(self, name: str) -> None:
        for hint in self.kept.pop(name, set()):
            self._free(hint)

    def drop(self, name: str) -> None:
        """Its connections end by themselves."""
        station = self.stations.get(name)
        for number in list(station.links) if station else []:
            assert station is not None
            self._unlink(station, number)

    def live(self, seconds: float) -> None:
        for _ in range(int(seconds * 1000) // STEP_MS):
            self.step()

    def step(self) -> None:
        self.now += STEP_MS
        up, self.up = self.up, []
        down, self.down = self.down, []
        for said in up:
            self._hear(*said)
        for station, hint, need in down:
            station.wishes[hint] = need
        for station in self.stations.values():
            self._act(station)
        if self.now % 1000 == 0:
            self.radio.look(self.now)
            self.follow()

    # Gateways.

    def _act(self, station: FakeStation) -> None:
        for number, hint in list(station.links.items()):
            node = self._node(hint)
            if station.wishes.get(hint) is Need.NONE or station.name not in node.signals:
                self._unlink(station, number)
            elif self.now % 5_000 == 0:
                self.up.append(("signal", station, number, node.signals[station.name]))
        for node in self.nodes:
            if node.connected or station.name not in node.signals:
                continue
            if self.now >= station.attempts.get(node.hint, self.now + 1):
                # Once it is begun nothing holds it up, not even NONE.
                del station.attempts[node.hint]
                self._link(station, node.hint)
            elif node.hint in station.attempts:
                continue
            elif station.wishes.get(node.hint, Need.NONE) is not Need.NONE:
                station.attempts[node.hint] = self.now + 1000 * (self.draws % 11)
                self.draws += 7
            elif self.now - station.heard.get(node.hint, -10_000) >= 10_000:
                station.heard[node.hint] = self.now
                self.up.append(("sighted", station, node.hint, node.signals[station.name]))

    def _link(self, station: FakeStation, hint: bytes) -> None:
        station.numbers += 1
        station.links[station.numbers] = hint
        self._node(hint).connected = station.name
        self.up.append(("link_up", station, station.numbers, hint))

    def _unlink(self, station: FakeStation, number: int) -> None:
        self._free(station.links.pop(number))
        self.up.append(("link_down", station, number))

    def _free(self, hint: bytes) -> None:
        node = self._node(hint)
        node.connected, node.number = "", node.number + 1

    def _node(self, hint: bytes) -> FakeNode:
        return next(node for node in self.nodes if node.hint == hint)

    # The daemon.

    def _hear(self, what: str, station: FakeStation, *said: Any) -> None:
        if what == "sighted":
            self.radio.sighted(station, said[0], said[1], 0, self.now)
        elif what == "signal":
            self.radio.signal(station, said[0], said[1], self.now)
        elif what == "link_up":
            self.linked[station, said[0]] = self.radio.link_up(station, said[0], said[1], self.now)
        else:
            del self.linked[station, said[0]]
            self.radio.link_down(station, said[0], self.now)
        self.follow()

    def follow(self) -> None:
        """Passes wishes on, and looks at what must hold whatever happens."""
        for wish in self.radio.take_wishes():
            station = wish.station
            assert isinstance(station, FakeStation)
            told = self.told[station]
            assert told.get(wish.hint, Need.NONE) is not wish.need or wish.need is Need.NONE
            if wish.need is not Need.NONE and not self.wished(station, wish.hint):
                self.moves.append((self.now, self._key(wish.hint), station.name))
            told[wish.hint] = wish.need
            self.down.append((station, wish.hint, wish.need))
        for key in KEYS:
            assert len(self.holders(key)) <= 1, (self.now, [station.name for station in self.holders(key)])

    def wished(self, station: FakeStation, hint: bytes) -> bool:
        key = self._key(hint)
        return any(need and self._key(each) == key for each, need in self.told[station].items())

    def holders(self, key: bytes) -> set[FakeStation]:
        """Who has a wish other than NONE, or a link."""
        wished = {s for s, told in self.told.items() for hint, need in told.items() if need and self._key(hint) == key}
        return wished | {station for (station, _), whose in self.linked.items() if whose == key}

    @staticmethod
    def _key(hint: bytes) -> bytes:
        return next(key for key in KEYS if advertised(key, hint[:3]) == hint)
