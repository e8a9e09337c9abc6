"""Simulated measurements, kept in build/: they are computed once for many benches of detectors."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

FOLDER = Path(__file__).parents[2] / "build" / "bench" / "drift"

Arrays = dict[str, npt.NDArray[np.float32]]


def cached(key: str, compute: Callable[[], Mapping[str, Arrays]]) -> Arrays:
    """The arrays kept under `key`; `compute` makes them, and others by their keys, all of which are kept."""
    path = FOLDER / f"{key}.npz"
    if not path.exists():
        for name, arrays in compute().items():
            _keep(FOLDER / f"{name}.npz", arrays)
    with np.load(path) as kept:
        return {name: kept[name] for name in kept.files}


def _keep(path: Path, arrays: Arrays) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Two processes may compute the same: a file appears whole or not at all.
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    with draft.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    draft.replace(path)
