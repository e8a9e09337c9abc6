"""Faults of sensors: lost readings, spikes, drop-outs and stuck values, each at a small seeded rate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from attuned.demo.habits import Flags
from attuned.demo.physics import Floats, Ints

_DAY_MS = 86_400_000


@dataclass(frozen=True)
class FaultRates:
    """How often faults begin, for each channel on its own.

    lost, spike: probability at each reading. dropout, stuck: beginnings a day; they last `..._ms` on average
    (exponentially distributed). A drop-out gives no readings, a stuck sensor repeats its last one.
    """

    lost: float = 1e-3
    spike: float = 1e-4
    dropout: float = 1 / 20
    dropout_ms: float = 25 * 60_000
    stuck: float = 1 / 60
    stuck_ms: float = 120 * 60_000


NO_FAULTS = FaultRates(lost=0, spike=0, dropout=0, stuck=0)


@dataclass(frozen=True)
class Fault:
    """What is wrong with each of some readings; spikes and stuck values are present, missing ones are not."""

    missing: Flags
    spike: Flags
    stuck: Flags


class Faults:
    """State of the faults of all channels."""

    def __init__(self, channels: int, period_ms: int, rates: FaultRates) -> None:
        """`period_ms`: time between two draws of a channel. All channels start whole."""
        begin = (rates.dropout * period_ms / _DAY_MS, rates.stuck * period_ms / _DAY_MS)
        self._limits = np.cumsum((rates.lost, rates.spike, *begin))
        self._rates = rates
        self._out_until: Floats = np.zeros(channels)
        self._stuck_until: Floats = np.zeros(channels)

    def draw(self, due: Ints, tick_ms: Ints, rng: np.random.Generator) -> Fault:
        """Draws the faults of the channels `due` at their ticks. One number decides, so faults do not fall together."""
        chance = rng.random(len(due))
        case = np.searchsorted(self._limits, chance, side="right")
        if (case < 4).any():
            self._begin(due[case == 2], tick_ms[case == 2], self._out_until, self._rates.dropout_ms, rng)
            self._begin(due[case == 3], tick_ms[case == 3], self._stuck_until, self._rates.stuck_ms, rng)
        stuck = tick_ms < self._stuck_until[due]
        out = tick_ms < self._out_until[due]
        return Fault(missing=out | (case == 0), spike=(case == 1) & ~stuck, stuck=stuck)

    @staticmethod
    def _begin(channels: Ints, tick_ms: Ints, until: Floats, mean_ms: float, rng: np.random.Generator) -> None:
        until[channels] = tick_ms + rng.exponential(mean_ms, len(channels))
