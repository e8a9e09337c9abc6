"""Sensors that sample a level every 20 s: lag, gain, offset, noise, resolution, range and faults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from attuned.demo.faults import FaultRates, Faults
from attuned.demo.layout import Node
from attuned.demo.physics import Floats, Ints

SAMPLE = np.dtype([("node", "<u4"), ("tick_ms", "<u8"), ("sensor", "u1"), ("value", "<f4")])
"""A reading: node index, milliseconds since the start, index of the sensor in the node's type, value in its unit."""

Samples = np.ndarray[tuple[int], np.dtype[np.void]]

PERIOD_MS = 20_000
"""Time between two readings of a level."""


COVERED = 0.03
"""Share of the light that adhesive tape lets through."""


@dataclass(frozen=True)
class Device:
    """A kind of sensor. Deviations are standard deviations; `offset` and `gain` differ from device to device.

    noise, resolution, offset, low, high: in the unit of the kind; gain: relative; lag_s: first-order time constant.
    """

    noise: float
    resolution: float
    offset: float
    gain: float
    lag_s: float
    low: float
    high: float


DEVICES: Mapping[str, Device] = {
    # Accuracies as data sheets of such parts give them; lags are those of a small ventilated housing.
    "temperature": Device(noise=0.03, resolution=0.01, offset=0.25, gain=0.0, lag_s=180, low=-10, high=60),  # SHT40
    "humidity": Device(noise=0.15, resolution=0.01, offset=1.5, gain=0.0, lag_s=90, low=0, high=100),  # SHT40
    "light": Device(noise=0.8, resolution=1.0, offset=0.0, gain=0.15, lag_s=1, low=0, high=20_000),  # BH1750
    "co2": Device(noise=8.0, resolution=1.0, offset=30.0, gain=0.03, lag_s=60, low=350, high=5_000),  # SCD41
    "sound": Device(noise=0.5, resolution=0.1, offset=0.8, gain=0.0, lag_s=0.1, low=29, high=110),  # MEMS microphone
}


class Levels:
    """All level sensors of all nodes, one channel each [C]."""

    def __init__(
        self, nodes: Sequence[Node], room_of: Sequence[int], rates: FaultRates, rng: np.random.Generator
    ) -> None:
        """`room_of` gives the room index of each node."""
        channels = [(n, s, kind) for n in nodes for s, kind in enumerate(n.sensors) if kind in DEVICES]
        self.kinds = tuple(DEVICES)
        self._rng = rng
        self._node: Ints = np.array([n.index for n, _, _ in channels], dtype=np.int64)
        self._sensor: Ints = np.array([s for _, s, _ in channels], dtype=np.int64)
        self._kind: Ints = np.array([self.kinds.index(kind) for _, _, kind in channels], dtype=np.int64)
        self._room: Ints = np.array([room_of[n.index] for n, _, _ in channels], dtype=np.int64)
        self._offset = rng.standard_normal(len(channels)) * self._constant("offset")
        self._gain = np.exp(rng.standard_normal(len(channels)) * self._constant("gain"))
        self._phase_ms: Ints = rng.integers(1, PERIOD_MS + 1, size=len(nodes))[self._node]
        self._faults = Faults(len(channels), PERIOD_MS, rates)
        self._felt: Floats = np.full(len(channels), np.nan)
        self._last = np.zeros(len(channels))

    def _constant(self, name: str) -> Floats:
        """A constant of the devices, channel by channel."""
        return np.array([getattr(DEVICES[kind], name) for kind in self.kinds])[self._kind]

    def devices(self, node: int) -> dict[str, tuple[float, float]]:
        """(gain, offset) of each level sensor of a node, by kind: what goes with it wherever it hangs."""
        mine = np.flatnonzero(self._node == node).tolist()
        return {self.kinds[self._kind[c]]: (float(self._gain[c]), float(self._offset[c])) for c in mine}

    def cover(self, node: int) -> None:
        """From now on a node's light sensor sees COVERED of the light."""
        self._gain[(self._node == node) & (self._kind == self.kinds.index("light"))] *= COVERED

    def step(self, truth: Floats, start_ms: int, step_ms: int) -> Samples:
        """Lets the sensors feel `truth` [kinds, rooms] for a step and returns the readings that fall due in it."""
        now = truth[self._kind, self._room]
        keep = np.exp(-step_ms / 1000 / self._constant("lag_s"))
        # At the first step the sensors have long settled.
        felt = np.where(np.isnan(self._felt), now, self._felt)
        self._felt = now + (felt - now) * keep
        due = np.flatnonzero((self._phase_ms - 1 - start_ms) % PERIOD_MS < step_ms)
        tick_ms = start_ms + 1 + (self._phase_ms[due] - 1 - start_ms) % PERIOD_MS
        return self._read(due, tick_ms)

    def _read(self, due: Ints, tick_ms: Ints) -> Samples:
        fault = self._faults.draw(due, tick_ms, self._rng)
        value = self._measure(due)
        value = np.where(fault.stuck, self._last[due], value)
        low, high = self._constant("low")[due], self._constant("high")[due]
        value = np.where(fault.spike, self._rng.uniform(low, high), value)
        # A sensor that is stuck repeats its last good reading, not a spike.
        self._last[due] = np.where(fault.spike, self._last[due], value)
        samples = np.empty(len(due), dtype=SAMPLE)
        samples["node"], samples["sensor"] = self._node[due], self._sensor[due]
        samples["tick_ms"], samples["value"] = tick_ms, value
        return samples[~fault.missing]

    def _measure(self, due: Ints) -> Floats:
        noise = self._constant("noise")[due] * self._rng.standard_normal(len(due))
        value = self._felt[due] * self._gain[due] + self._offset[due] + noise
        resolution = self._constant("resolution")[due]
        value = np.rint(value / resolution) * resolution
        return np.clip(value, self._constant("low")[due], self._constant("high")[due])
