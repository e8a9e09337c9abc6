"""Samples in, one row of int16 features a window out."""

import numpy as np
import numpy.typing as npt

from attune_core.library import library
from attune_core.schema import Schema

Windows = tuple[npt.NDArray[np.uint32], npt.NDArray[np.int16]]

LARGEST_JUMP = 1_000_000
"""Windows that one call may close: two years of 60 s. More is a tick of another clock."""


class Windower:
    """The open window of one node, with the slow averages of its event sensors.

    Windows end at whole multiples of the schema's window length; the one that ends at e holds ticks (e - window, e].
    """

    refused: int
    """Samples that were not finite, negative for an event, or too late for the open window."""

    def __init__(self, schema: Schema, start_tick_ms: int = 0) -> None:
        self.schema = schema
        self.refused = 0
        self._core = library()
        self._memory = self._core.new("window")
        self._refused = self._core.ffi.new("uint64_t *")
        self.reset(start_tick_ms)

    def reset(self, tick_ms: int) -> None:
        """Starts cold with the window that holds tick_ms; what the open window held is gone."""
        self._core.lib.core_window_init(self._memory.pointer, self.schema.memory.pointer, _tick(tick_ms))

    def samples(
        self, sensor: npt.ArrayLike, tick_ms: npt.NDArray[np.int_ | np.uint64], value: npt.NDArray[np.floating]
    ) -> Windows:
        """Takes samples in order of time: sensor uint8[n] (or one number for all), tick_ms uint64[n], value real[n].

        Returns (end_s uint32[w], features int16[w, d]) of the windows that closed on the way.
        """
        ticks = _ticks(tick_ms)
        sensors = np.ascontiguousarray(np.broadcast_to(self._sensors(sensor), ticks.shape))
        values = np.ascontiguousarray(value, np.float32)
        if values.shape != ticks.shape:
            raise ValueError(f"There are {values.size} values for {ticks.size} ticks; give each tick one value.")
        if not ticks.size:
            return self._room(0, advance=False)
        end_s, features = self._room(int(ticks[-1]), advance=False)
        core = self._core
        core.lib.core_window_samples(
            self._memory.pointer,
            core.array("uint8_t", sensors),
            core.array("uint64_t", ticks),
            core.array("attune_real", values),
            ticks.size,
            core.array("uint32_t", end_s),
            core.array("int16_t", features),
            self._refused,
        )
        self.refused = int(self._refused[0])
        return end_s, features

    def advance(self, tick_ms: int) -> Windows:
        """Closes every window that ends at tick_ms or before; returns them as `samples` does."""
        end_s, features = self._room(_tick(tick_ms), advance=True)
        core = self._core
        out = core.array("uint32_t", end_s), core.array("int16_t", features)
        core.lib.core_window_advance(self._memory.pointer, _tick(tick_ms), *out)
        return end_s, features

    def _room(self, tick_ms: int, *, advance: bool) -> Windows:
        due = int(self._core.lib.core_window_due(self._memory.pointer, tick_ms, advance))
        if due > LARGEST_JUMP:
            raise ValueError(f"Tick {tick_ms} lies {due} windows ahead; start a new stretch with reset().")
        return np.zeros(due, np.uint32), np.zeros((due, len(self.schema)), np.int16)

    def _sensors(self, sensor: npt.ArrayLike) -> npt.NDArray[np.uint8]:
        numbers = np.asarray(sensor)
        count = len(self.schema.kinds)
        if numbers.size and (numbers.min() < 0 or numbers.max() >= count):
            raise ValueError(f"Sensors are numbered 0 to {count - 1}, in the order of the schema.")
        return numbers.astype(np.uint8)


def _tick(tick_ms: int) -> int:
    if not 0 <= tick_ms < 1 << 63:
        raise ValueError(f"A tick is milliseconds since the node's start and not {tick_ms}.")
    return tick_ms


def _ticks(tick_ms: npt.NDArray[np.int_ | np.uint64]) -> npt.NDArray[np.uint64]:
    ticks = np.ascontiguousarray(tick_ms)
    if ticks.ndim != 1 or ticks.dtype.kind not in "iu":
        raise ValueError("Ticks are a one-dimensional array of whole milliseconds.")
    if ticks.size and (_tick(int(ticks[0])) > int(ticks[-1]) or (ticks[1:] < ticks[:-1]).any()):
        raise ValueError("Samples have to be in order of time; sort them by tick.")
    return ticks.astype(np.uint64, copy=False)
