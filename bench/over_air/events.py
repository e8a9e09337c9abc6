"""Packets under a model of the link layer, which a virtual link has none of: connection events, air time, latency.

At each multiple of the connection interval there is an event: central and peripheral send in turn, one packet or an
empty one each, 150 us after the other, for as long as one of them has something and the interval lasts (1M PHY, packets
of up to 251 bytes, without encryption). Nothing is lost. What is sent because of something that has come goes in the
next event at the earliest; whatever a side had been sent before it said something counts as its reason. With a latency
of n the node listens to each (n+1)th event, and to those for which it has something.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.over_air.steps import HANDSHAKE, REQUESTS, Packet

LONGEST = 251
_IFS_S = 150e-6

FRAMES_OF_NEED = ("hello", "time", "report", "report ack", "update", "update chunk", "update ack", "update verdict")
"""Those that wait for each other whatever is done: the first report needs the time, which needs the hello."""


@dataclass(frozen=True)
class Interval:
    """seconds between events; latency: events that the node may pass over."""

    name: str
    seconds: float
    latency: int = 0


def air_s(size: int) -> float:
    """Preamble, access address, header, CRC: ten bytes around the packet, at 1 Mbit/s."""
    return (10 + size) * 8e-6


def pieces(size: int) -> list[int]:
    """Bytes of the link layer's packets that carry one of L2CAP."""
    return [min(LONGEST, size - at) for at in range(0, size, LONGEST)]


@dataclass
class _Way:
    """What one side has still to send."""

    up: bool
    waiting: deque[tuple[int, int]]  # number of the packet, bytes of a piece of it

    @classmethod
    def of(cls, packets: Sequence[Packet], *, up: bool) -> "_Way":
        return cls(up, deque((n, size) for n, p in enumerate(packets) if p.up == up for size in pieces(p.size)))


def replay(packets: Sequence[Packet], interval: Interval, thinking_s: Mapping[int, float]) -> float:
    """Seconds from the first event to the end of the last packet. thinking_s: by the number of a packet, how long the
    node computes before it can send it."""
    ways = [_Way.of(packets, up=up) for up in (False, True)]
    came_s: dict[int, float] = {}
    event = 0
    while any(way.waiting for way in ways):
        begin_s = event * interval.seconds
        ready = [_ready(way, packets, came_s, thinking_s, begin_s) for way in ways]
        if ready[1] or event % (interval.latency + 1) == 0:
            _exchange(ways, ready, came_s, begin_s, begin_s + interval.seconds)
        event += 1
    return max(came_s.values())


def _ready(
    way: _Way, packets: Sequence[Packet], came_s: Mapping[int, float], thinking_s: Mapping[int, float], now_s: float
) -> int:
    """How many of the pieces that wait can go in the event that begins now."""
    for count, (number, _) in enumerate(way.waiting):
        before = [came_s.get(n, float("inf")) for n in range(number) if packets[n].up != way.up]
        if max(before, default=-1.0) + thinking_s.get(number, 0.0) >= now_s:
            return count
    return len(way.waiting)


def _exchange(ways: list[_Way], ready: list[int], came_s: dict[int, float], now_s: float, end_s: float) -> None:
    """One event: pairs of packets until neither side has more, or there is no time for another pair."""
    while any(ready):
        sizes = [way.waiting[0][1] if count else 0 for way, count in zip(ways, ready, strict=True)]
        pair_s = sum(map(air_s, sizes)) + 2 * _IFS_S
        if now_s + pair_s > end_s:
            return
        for side, way in enumerate(ways):
            now_s += air_s(sizes[side])
            if ready[side]:
                number, _ = way.waiting.popleft()
                ready[side] -= 1
                if not way.waiting or way.waiting[0][0] != number:
                    came_s[number] = now_s
            now_s += _IFS_S


def least_waits(packets: Sequence[Packet]) -> int:
    """How often one side has to wait for the other, whatever is done: each request of ATT that serves a purpose of its
    own and its answer, the handshake, and what is needed of the frames, one after the other."""
    asked = {packet.step for packet in packets if packet.step in REQUESTS}
    spoken = [packet.step for packet in packets if packet.step in FRAMES_OF_NEED and packet.step != "update verdict"]
    chunks = spoken.count("update chunk")
    once = {step for step in spoken if step not in ("update chunk", "update ack")}
    greeted = any(packet.step == HANDSHAKE for packet in packets)
    verdict = any(packet.step == "update verdict" for packet in packets) and not chunks
    return 2 * len(asked) + 2 * greeted + len(once) + 2 * chunks + verdict


def limit(packets: Sequence[Packet], interval: Interval) -> float:
    """The least seconds that any schedule of these bytes takes: an event for each wait, or the air time."""
    bytes_s = sum(air_s(size) + _IFS_S for packet in packets for size in pieces(packet.size))
    return max((least_waits(packets) - 1) * interval.seconds + air_s(packets[-1].size), bytes_s)
