"""A site for load tests: rooms, nodes, and a feed drawn beforehand, so that making it costs nothing during a run.

It is traffic and no building: rooms switch between plainly free and plainly occupied.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile

import numpy as np
import numpy.typing as npt

SEED = 20240312

# The first three have a clear word on occupancy and no memory, so rooms follow at once; the other sensors of a node
# stay silent, which costs a report its two bytes a feature all the same.
SENSORS = (
    *(f"{kind}+mean+spread" for kind in ("light", "co2", "sound", "temperature", "humidity", "voc", "pm25", "power")),
    "pir",
    "door",
)
FEATURES = 22

# The feed is cut into slots of this many milliseconds of real time.
SLOT_MS = 10


@dataclass(frozen=True)
class Room:
    id: str
    name: str
    floor: int


@dataclass(frozen=True)
class Node:
    node_id: str
    room: str
    sensors: tuple[str, ...] = SENSORS


@dataclass(frozen=True)
class Fleet:
    """`count` nodes, every fifth of which shares the room of the node before it."""

    count: int
    start_utc_ms: int
    window_s: int

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        # The first four bytes are the hint, which has to differ from node to node.
        return tuple(Node(f"{i + 1:08x}00000000", f"r{i - (i % 5 == 4):04d}") for i in range(self.count))

    @cached_property
    def rooms(self) -> tuple[Room, ...]:
        names = dict.fromkeys(node.room for node in self.nodes)
        return tuple(Room(name, f"Room {name[1:]}", int(name[1:]) // 100) for name in names)

    def alone(self) -> dict[str, int]:
        """Rooms with one node, and the index of that node."""
        rooms = [node.room for node in self.nodes]
        return {room: i for i, room in enumerate(rooms) if rooms.count(room) == 1}


@dataclass(frozen=True)
class Traffic:
    """Lines for attune-sim by slot of real time, for nodes whose clocks run `rate` times real time.

    Node i brings the samples of its window `phase_ms[i]` of node time into the next one, so that the ends of windows
    are spread over time as they are in nodes that were switched on one after the other.
    """

    slots: tuple[bytes, ...]
    phase_ms: tuple[int, ...]
    window_ms: int
    rate: float

    def slots_of(self, node: int) -> list[int]:
        """The slots in which a window of a node ends."""
        step = self.window_ms / self.rate / SLOT_MS
        first = self.phase_ms[node] / self.rate / SLOT_MS
        slots = (int(first + window * step) for window in range(1, len(self.slots)))
        return list(takewhile(lambda slot: slot < len(self.slots), slots))


def draw(fleet: Fleet, rate: float, seconds: float, dwell: int, seed: int = SEED) -> Traffic:
    """A feed of so many real seconds, in which rooms switch every `dwell` windows or so."""
    random = np.random.default_rng(seed)
    window_ms = fleet.window_s * 1000
    windows = int(seconds * 1000 * rate / window_ms) + 1
    phase_ms = random.integers(1, window_ms, len(fleet.nodes))
    occupied = _occupied(fleet, windows, dwell, random)
    light = np.where(occupied, random.normal(420, 40, occupied.shape), random.normal(4, 1, occupied.shape))
    co2 = np.where(occupied, random.normal(900, 60, occupied.shape), random.normal(430, 15, occupied.shape))
    sound = np.where(occupied, random.normal(55, 3, occupied.shape), random.normal(35, 1, occupied.shape))
    slots: list[list[str]] = [[] for _ in range(int(seconds * 1000 / SLOT_MS))]
    for window in range(windows):
        for node in range(len(fleet.nodes)):
            tick = window * window_ms + int(phase_ms[node])
            slot = int(tick / rate / SLOT_MS)
            if slot < len(slots):
                head = f"{node} {tick}"
                slots[slot].append(
                    f"{head} 0 {light[node, window]:.0f}\n{head} 1 {co2[node, window]:.0f}\n"
                    f"{head} 2 {sound[node, window]:.0f}\n"
                )
    return Traffic(tuple("".join(lines).encode() for lines in slots), tuple(phase_ms.tolist()), window_ms, rate)


def _occupied(fleet: Fleet, windows: int, dwell: int, random: np.random.Generator) -> npt.NDArray[np.bool_]:
    """[nodes, windows]: each room switches after its own number of windows, `dwell` on average; its nodes agree."""
    index = {room.id: i for i, room in enumerate(fleet.rooms)}
    rows = [index[node.room] for node in fleet.nodes]
    period = random.integers(2 * dwell // 3, 4 * dwell // 3, len(index))
    phase = random.integers(0, 2 * dwell, len(index))
    steps = np.arange(windows)[None, :] + phase[:, None]
    return np.asarray((steps // period[:, None] % 2 == 1)[rows], dtype=np.bool_)
