"""Rooms of a simulated building and the nodes in them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from attuned.errors import RequestError

ROOMS_PER_FLOOR = 30
"""A corridor with more doors than this would be two corridors."""

FEWEST_ROOMS = 4
"""Lobby, kitchen, meeting room and office: one of each kind that people need for a day."""

NOWHERE = -1
"""Index of the room beyond the lobby, to which no room belongs."""


class Kind(StrEnum):
    """What a room is used for."""

    OFFICE = "office"
    MEETING = "meeting"
    KITCHEN = "kitchen"
    CORRIDOR = "corridor"
    LOBBY = "lobby"


PASSAGES = frozenset({Kind.CORRIDOR, Kind.LOBBY})
"""Rooms that people cross on their way."""

_CYCLE = (
    Kind.KITCHEN, Kind.MEETING, Kind.OFFICE,
    Kind.OFFICE, Kind.OFFICE, Kind.MEETING,
    Kind.OFFICE, Kind.OFFICE, Kind.OFFICE,
)  # fmt: skip

NODE_TYPES: dict[str, tuple[str, ...]] = {
    "office": ("temperature", "humidity", "light", "co2", "sound", "pir"),
    "ceiling": ("co2", "pir"),
    "corner": ("temperature", "light", "sound"),
    "door": ("temperature", "light", "door"),
}
"""Sensors of each node type, in wire order."""

_EXTRA_TYPES = ("corner", "door", "ceiling", "corner")


class DemoError(RequestError):
    """A simulated building was asked for something that it cannot be or do."""


@dataclass(frozen=True)
class Room:
    """A room. `towards` is the index of the room behind its door on the way out, NOWHERE for the lobby."""

    index: int
    id: str
    name: str
    floor: int
    kind: Kind
    towards: int
    seats: int
    area_m2: float
    height_m: float
    window_m2: float
    facing_deg: float
    """Azimuth of the window's outward normal: 0 north, 90 east, 180 south."""

    @property
    def volume_m3(self) -> float:
        """Air volume in m3."""
        return self.area_m2 * self.height_m


@dataclass(frozen=True)
class Node:
    """A node: `room` is a room id, `node_id` 8 bytes as 16 hex digits, `sensors` the kinds in wire order."""

    index: int
    node_id: str
    type: str
    room: str
    sensors: tuple[str, ...]


def plan_rooms(count: int, rng: np.random.Generator) -> tuple[Room, ...]:
    """`count` rooms on three floors, or on as many as keep to ROOMS_PER_FLOOR. Raises DemoError below FEWEST_ROOMS."""
    if count < FEWEST_ROOMS:
        raise DemoError(f"A building needs at least {FEWEST_ROOMS} rooms, not {count}: ask for more rooms.")
    floors = max(min(3, count // FEWEST_ROOMS), -(-count // ROOMS_PER_FLOOR))
    rooms: list[Room] = []
    passage = NOWHERE
    for floor in range(1, floors + 1):
        on_floor = count // floors + (floor <= count % floors)
        first = len(rooms)
        kind = Kind.LOBBY if floor == 1 else Kind.CORRIDOR
        rooms.append(_room(first, floor=floor, position=0, kind=kind, towards=passage, rng=rng))
        passage = first
        for position in range(1, on_floor):
            kind = _CYCLE[(len(rooms) - floor) % len(_CYCLE)]
            rooms.append(_room(len(rooms), floor=floor, position=position, kind=kind, towards=passage, rng=rng))
    return tuple(rooms)


def _room(index: int, *, floor: int, position: int, kind: Kind, towards: int, rng: np.random.Generator) -> Room:
    seats = _seats(kind, rng)
    area = _area(kind, seats) * rng.uniform(0.9, 1.2)
    number = f"{floor}.{10 + position}"
    return Room(
        index=index,
        id=number,
        name=f"{kind.value.capitalize()} {number}",
        floor=floor,
        kind=kind,
        towards=towards,
        seats=seats,
        area_m2=area,
        height_m=rng.uniform(2.6, 3.0),
        window_m2=0.0 if kind is Kind.CORRIDOR else area * rng.uniform(0.12, 0.22),
        # Rooms on both sides of a corridor that runs east to west, somewhat turned.
        facing_deg=(200.0 if position % 2 else 20.0) + rng.uniform(-5.0, 5.0),
    )


def _seats(kind: Kind, rng: np.random.Generator) -> int:
    if kind is Kind.OFFICE:
        return int(rng.choice((1, 2, 2, 3, 4)))
    if kind is Kind.MEETING:
        return int(rng.choice((6, 8, 12)))
    return {Kind.KITCHEN: 8, Kind.LOBBY: 1, Kind.CORRIDOR: 0}[kind]


def _area(kind: Kind, seats: int) -> float:
    """Floor area in m2: EN 16798-1 counts 10 m2 a person in offices and 2 in conference rooms; others by experience."""
    if kind is Kind.OFFICE:
        return 7.0 + 8.0 * seats
    if kind is Kind.MEETING:
        return 6.0 + 2.2 * seats
    return {Kind.KITCHEN: 22.0, Kind.LOBBY: 45.0, Kind.CORRIDOR: 30.0}[kind]


def place_nodes(rooms: tuple[Room, ...], count: int, rng: np.random.Generator, main_type: str = "") -> tuple[Node, ...]:
    """One main node a room, then further nodes of other types; the first four bytes of ids differ. Raises DemoError.

    `main_type` is that of every main node, in place of what the use of its room asks for.
    """
    if count < 1:
        raise DemoError(f"A building needs at least one node, not {count}: ask for more nodes.")
    # The first four bytes are the hint by which a frame's sender is looked up: drawn without repetition.
    hints = rng.choice(2**32, size=count, replace=False)
    tails = rng.integers(2**32, size=count)
    # One after the other until every room has a second node, then a third.
    hosts = rng.permutation([room.index for room in rooms if room.kind not in PASSAGES])
    nodes = []
    for index in range(count):
        extra = index - len(rooms)
        room = rooms[index] if extra < 0 else rooms[hosts[extra % len(hosts)]]
        kind = (main_type or _main_type(room)) if extra < 0 else _EXTRA_TYPES[extra % len(_EXTRA_TYPES)]
        nodes.append(Node(index, f"{hints[index]:08x}{tails[index]:08x}", kind, room.id, NODE_TYPES[kind]))
    return tuple(nodes)


def _main_type(room: Room) -> str:
    """Nobody hangs a full node in a corridor."""
    return "ceiling" if room.kind is Kind.CORRIDOR else "office"
