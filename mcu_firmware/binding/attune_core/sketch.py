"""The drift sketch: where the features of many windows lay, and how often sensors were missing, stuck or far out."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from attune_core.library import library, rows

_LIMITS = library().lib.core_limits_of_build()

SKETCH_BINS = int(_LIMITS.sketch_bins)
"""Bins of a feature: half a unit wide from -2 to 2, and what lies below and above (core/drift/sketch.h)."""

FAR = int(_LIMITS.sketch_far)
"""Coordinates from here on, of either sign, are no reading of a room."""


class SketchCounts(NamedTuple):
    """Counts of windows, uint16: bins [d, SKETCH_BINS]; missing, stuck and far [sensors]."""

    bins: npt.NDArray[np.uint16]
    missing: npt.NDArray[np.uint16]
    stuck: npt.NDArray[np.uint16]
    far: npt.NDArray[np.uint16]


class Sketch:
    """Saturating counts over windows of int16 coordinates, as a node keeps them."""

    def __init__(self, features: int, sensors: Sequence[int] | None = None) -> None:
        """`sensors[features]` numbers each feature's sensor, as `Schema.sensors` does; without it each is its own.

        ValueError for more features or sensors than a node has, and for other numbers.
        """
        self.features = features
        numbers = list(range(features)) if sensors is None else [int(sensor) for sensor in sensors]
        self._core = library()
        self._memory = self._core.new("sketch")
        known = len(numbers) == features and all(0 <= number < 256 for number in numbers) and 0 < features < 256
        if not known or not self._core.lib.core_sketch_init(self._memory.pointer, features, bytes(numbers)):
            raise ValueError(
                f"A sketch has 1 to {self._core.max_features} features of at most {self._core.max_sensors} sensors, "
                f"numbered from 0 in order, not {features} features of the sensors {numbers}."
            )
        self.sensors = max(numbers) + 1

    def add(self, windows: npt.NDArray[np.int16]) -> int:
        """Counts windows int16[n, d] until a count is full; returns how many it took. The others wait for clear()."""
        array = rows(windows, self.features)
        return int(self._core.lib.core_sketch_add(self._memory.pointer, self._core.array("int16_t", array), len(array)))

    @property
    def full(self) -> bool:
        """Whether a count has reached its end."""
        return bool(self._core.lib.core_sketch_full(self._memory.pointer))

    @property
    def counts(self) -> SketchCounts:
        """A copy of all counts."""
        counts = SketchCounts(
            np.zeros((self.features, SKETCH_BINS), np.uint16),
            *(np.zeros(self.sensors, np.uint16) for _ in range(3)),
        )
        out = [self._core.array("uint16_t", array) for array in counts]
        self._core.lib.core_sketch_counts(self._memory.pointer, *out)
        return counts

    def clear(self) -> None:
        """Sets all counts to 0; what sensors said last is kept."""
        self._core.lib.core_sketch_clear(self._memory.pointer)

    def export(self) -> bytes:
        """The counts as a node sends them; at most 383 bytes."""
        buffer = self._core.ffi.new("uint8_t[]", int(self._core.lib.core_sketch_size(self._memory.pointer)))
        self._core.lib.core_sketch_export(self._memory.pointer, buffer)
        return bytes(buffer)

    def load(self, exported: bytes) -> None:
        """Takes the counts of an export. ValueError for bytes of another shape, which change nothing."""
        if not self._core.lib.core_sketch_import(self._memory.pointer, exported, len(exported)):
            raise ValueError(
                f"These {len(exported)} bytes are no sketch of {self.features} features and {self.sensors} sensors; "
                "see whether the node's sensors have changed."
            )
