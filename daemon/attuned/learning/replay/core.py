"""The core of this build: the same C that runs on nodes, in float32, and the filter of the daemon's rooms."""

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt
from attune_core import Head, Schema, Windower

from attuned.learning.blocks import HEAD
from attuned.learning.record import run_filter
from attuned.learning.replay.errors import SpecError
from attuned.learning.replay.nodes import Evidence, Features, Samples


class CoreHead:
    """A head of the core behind the interface of a replay."""

    def __init__(self, head: Head) -> None:
        self._head = head

    def learn(self, features: Features, classes: npt.NDArray[np.uint8], weight: float = 1.0) -> None:
        self._head.learn(features, classes, np.full(len(classes), weight, np.float32))

    def predict(self, features: Features) -> Evidence:
        evidence, told = self._head.predict(features)
        return Evidence(evidence[:, 0].astype(np.float64), told)

    def run(self, features: Features, classes: npt.NDArray[np.int8]) -> Evidence:
        evidence, told = self._head.run(features, classes)
        return Evidence(evidence[:, 0].astype(np.float64), told)

    @property
    def size_bytes(self) -> int:
        return self._head.size_bytes


class CoreCode:
    """Windows, heads and filters of the core."""

    heads: tuple[str, ...] = tuple(Head.kinds)

    def windows(self, kinds: tuple[str, ...], window_s: int, samples: Samples, until_ms: int) -> Features:
        windower = Windower(schema(kinds, window_s))
        _, before = windower.samples(samples.sensor, samples.tick_ms, samples.value)
        _, last = windower.advance(until_ms)
        return np.concatenate([before, last])

    def head(self, name: str, kinds: tuple[str, ...], window_s: int) -> CoreHead:
        return new_head(schema(kinds, window_s), name)

    def filter(
        self,
        nats: npt.NDArray[np.float64],
        told: npt.NDArray[np.bool_],
        window_s: int,
        dwell_s: Sequence[float] | None = None,
    ) -> npt.NDArray[np.float64]:
        return run_filter(window_s, dwell_s)(nats, told)


def new_head(schema: Schema, name: str = HEAD) -> CoreHead:
    """A head on the factory release."""
    head, _ = Head.factory(schema, name)
    return CoreHead(head)


@cache
def schema(kinds: tuple[str, ...], window_s: int) -> Schema:
    """The schema of a node with these sensors; SpecError where the core refuses it."""
    try:
        return Schema(kinds, window_s)
    except ValueError as error:
        raise SpecError(f"A node with the sensors {', '.join(kinds)} cannot be built: {error}") from None
