"""The node's code as a replay uses it: windows, a head for each node, a filter for each room."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Features = npt.NDArray[np.int16]


@dataclass(frozen=True)
class Samples:
    """Readings of one boot in time order: sensor index uint8 [n], tick_ms int64 [n] since boot, value float32 [n]."""

    sensor: npt.NDArray[np.uint8]
    tick_ms: npt.NDArray[np.int64]
    value: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Evidence:
    """What windows say: nats float64 [n] for occupied against free, and told bool [n], false where they say nothing."""

    nats: npt.NDArray[np.float64]
    told: npt.NDArray[np.bool_]


class Head(Protocol):
    """A node's incremental learner."""

    def learn(self, features: Features, classes: npt.NDArray[np.uint8]) -> None:
        """Learn windows [n, d] with their classes [n], each with the weight of one person's word."""

    def predict(self, features: Features) -> Evidence:
        """Evidence of windows [n, d]."""

    def run(self, features: Features, classes: npt.NDArray[np.int8]) -> Evidence:
        """Test, then train: evidence of windows [n, d] in turn, each learned after it if its class [n] is not -1."""

    @property
    def size_bytes(self) -> int:
        """Bytes of its exported state."""


class NodeCode(Protocol):
    """Makes what one node type needs; kinds are sensor kinds in the order of the samples' sensor index."""

    heads: tuple[str, ...]

    def windows(self, kinds: tuple[str, ...], window_s: int, samples: Samples, until_ms: int) -> Features:
        """Features of every window of one boot from tick 0 to until_ms, from a cold start [until_ms / window, d]."""

    def head(self, name: str, kinds: tuple[str, ...], window_s: int) -> Head:
        """A head on the factory release."""

    def filter(
        self,
        nats: npt.NDArray[np.float64],
        told: npt.NDArray[np.bool_],
        window_s: int,
        dwell_s: Sequence[float] | None = None,
    ) -> npt.NDArray[np.float64]:
        """Log-odds of occupied after each window [n], from a cold start; nats [n] count where told [n].

        dwell_s: mean stay free and occupied in seconds, None for the core's own.
        """
