"""Sensors that report events: motion (PIR) and door contacts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from attuned.demo.faults import Fault, FaultRates, Faults
from attuned.demo.habits import Flags
from attuned.demo.layout import Node
from attuned.demo.physics import Floats, Ints
from attuned.demo.sensors import SAMPLE, Samples

SLOT_MS = 2_500
"""A motion sensor reports at most one hit a slot: it is blind for about two seconds after each."""

_JITTER_MS = 500
_FALSE_HITS = 1 / (4 * 3600)
"""Hits a second without anybody: warm air, the sun on the floor; one in four hours."""


ALIVE_MS = 60_000
"""A sensor of events says once a minute that it lives, with an event count of 0, or its silence would mean nothing."""


class _Channels:
    """Sensors of one kind of event."""

    def __init__(
        self, kind: str, nodes: Sequence[Node], room_of: Sequence[int], rates: FaultRates, step_ms: int
    ) -> None:
        channels = [(n.index, n.sensors.index(kind)) for n in nodes if kind in n.sensors]
        self.node: Ints = np.array([node for node, _ in channels], dtype=np.int64)
        self.sensor: Ints = np.array([sensor for _, sensor in channels], dtype=np.int64)
        self.room: Ints = np.array([room_of[node] for node, _ in channels], dtype=np.int64)
        self.every: Ints = np.arange(len(channels))
        self._faults = Faults(len(channels), step_ms, rates)

    def draw(self, start_ms: int, rng: np.random.Generator) -> Fault:
        """Faults of all channels for a step."""
        return self._faults.draw(self.every, np.full(len(self.every), start_ms), rng)

    def samples(self, channel: Ints, tick_ms: Ints, value: float) -> Samples:
        """Readings of some channels at their ticks, all of one value."""
        samples = np.empty(len(channel), dtype=SAMPLE)
        samples["node"], samples["sensor"] = self.node[channel], self.sensor[channel]
        samples["tick_ms"], samples["value"] = tick_ms, value
        return samples

    def alive(self, start_ms: int, works: Flags) -> Samples:
        """A reading of 0 from each channel that works, at the start of every minute."""
        due = np.flatnonzero(works) if start_ms % ALIVE_MS == 0 else self.every[:0]
        return self.samples(due, np.full(len(due), start_ms + 1), 0.0)


class Motion:
    """All motion sensors: in each slot a hit with probability 1 - exp(-rate), as from a Poisson process."""

    def __init__(
        self, nodes: Sequence[Node], room_of: Sequence[int], rates: FaultRates, step_ms: int, rng: np.random.Generator
    ) -> None:
        self._channels = _Channels("pir", nodes, room_of, rates, step_ms)
        self._rng = rng
        self._slots = step_ms // SLOT_MS
        # The same person is seen well from one place in the room and badly from another.
        self._sensitivity = np.exp(0.4 * rng.standard_normal(len(self._channels.node)))

    def step(self, rate: Floats, start_ms: int) -> Samples:
        """Hits in a step, from the rate a second in each room [R] at sensitivity 1."""
        channels = self._channels
        fault = channels.draw(start_ms, self._rng)
        silent = fault.missing | fault.stuck
        expected = (rate[channels.room] * self._sensitivity + _FALSE_HITS) * SLOT_MS / 1000
        # A stuck motion sensor is silent; a spike is a hit of its own.
        seen = np.where(silent, 0.0, -np.expm1(-expected))
        hits = self._rng.random((self._slots, len(silent))) < np.where(fault.spike, 1.0, seen)
        slot, channel = np.nonzero(hits)
        # Later than the minute's sign of life, which is at the first millisecond.
        tick = start_ms + slot * SLOT_MS + self._rng.integers(2, _JITTER_MS + 2, size=len(slot))
        return np.concatenate([channels.alive(start_ms, ~silent), channels.samples(channel, tick, 1.0)])


class Doors:
    """All door contacts; each opening and each closing is an event."""

    def __init__(
        self, nodes: Sequence[Node], room_of: Sequence[int], rates: FaultRates, step_ms: int, rng: np.random.Generator
    ) -> None:
        self._channels = _Channels("door", nodes, room_of, rates, step_ms)
        self._rng = rng
        self._pending: list[tuple[int, int]] = []

    def step(self, crossings: Sequence[tuple[int, int]], start_ms: int, step_ms: int) -> Samples:
        """Events that fall into the step, from `crossings` (tick in ms, room), some of which may lie after it."""
        channels = self._channels
        fault = channels.draw(start_ms, self._rng)
        works = ~(fault.missing | fault.stuck)
        self._pending += crossings
        due = [event for event in self._pending if event[0] <= start_ms + step_ms]
        self._pending = [event for event in self._pending if event[0] > start_ms + step_ms]
        found = [(c, tick) for tick, room in due for c in np.flatnonzero((channels.room == room) & works).tolist()]
        channel = np.array([c for c, _ in found], dtype=np.int64)
        tick_ms = np.array([tick for _, tick in found], dtype=np.int64)
        return np.concatenate([channels.alive(start_ms, works), channels.samples(channel, tick_ms, 1.0)])
