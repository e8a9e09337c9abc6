"""The two builds of the core, and memory for its structures."""

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Precision = Literal["float32", "float64"]
RealArray = npt.NDArray[np.float32] | npt.NDArray[np.float64]

MODULES = {"float32": "attune_core._f32", "float64": "attune_core._f64"}


@dataclass(frozen=True)
class Library:
    """One build: cffi's ffi and lib, the numpy type of attune_real, and the limits that the core was built with."""

    precision: Precision
    ffi: Any
    lib: Any
    real: np.dtype[Any]
    max_sensors: int
    max_features: int
    max_classes: int
    node_frame: int
    key_record: int

    def new(self, name: str) -> "Memory":
        """Zeroed memory for `struct attune_<name>`."""
        size = int(getattr(self.lib.core_sizes_of_build(), name))
        words = self.ffi.new("uint64_t[]", (size + 7) // 8)
        return Memory(words, self.ffi.cast(f"struct attune_{name} *", words), size)

    def array(self, c_type: str, values: npt.NDArray[Any]) -> Any:
        """The buffer of a C-contiguous array as a C pointer; valid for as long as the array lives."""
        return self.ffi.from_buffer(f"{c_type}[]", values)


@dataclass(frozen=True)
class Memory:
    """A C structure owned by Python: `words` keeps it alive, `pointer` is what C functions take."""

    words: Any
    pointer: Any
    size: int


@cache
def library(precision: str = "float32") -> Library:
    """The build for a precision. ValueError for a name other than float32 and float64."""
    if precision not in MODULES:
        raise ValueError(f"There is no precision {precision!r}; use 'float32' or 'float64'.")
    module = import_module(MODULES[precision])
    limits = module.lib.core_limits_of_build()
    return Library(
        precision="float64" if precision == "float64" else "float32",
        ffi=module.ffi,
        lib=module.lib,
        real=np.dtype(precision),
        max_sensors=limits.sensors,
        max_features=limits.features,
        max_classes=limits.classes,
        node_frame=limits.node_frame,
        key_record=limits.key_record,
    )


def rows(features: npt.NDArray[np.int16], width: int) -> npt.NDArray[np.int16]:
    """A C-contiguous int16[n, width]; no copy if the array is one already. One row may come as int16[width]."""
    array = np.ascontiguousarray(features)
    if array.dtype != np.int16:
        raise ValueError(f"Features are int16 coordinates, not {array.dtype}.")
    array = array.reshape(1, -1) if array.ndim == 1 else array
    if array.ndim != 2 or array.shape[1] != width:
        raise ValueError(f"Features have to be rows of {width} values, not an array of shape {features.shape}.")
    return array
