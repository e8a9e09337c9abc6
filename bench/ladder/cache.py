"""What peers said, kept in build/ by their inputs: a change of Attune's heads computes none of it anew."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

FOLDER = Path(__file__).parents[2] / "build" / "bench" / "learners"

Arrays = dict[str, npt.NDArray[np.float64]]


def cached(key: str, compute: Callable[[], Arrays]) -> Arrays:
    """The arrays kept under this key, computed and kept where there are none."""
    path = FOLDER / f"{key}.npz"
    if path.exists():
        with np.load(path) as kept:
            return {name: kept[name] for name in kept.files}
    arrays = compute()
    FOLDER.mkdir(parents=True, exist_ok=True)
    # Two processes may compute the same: a file appears whole or not at all.
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    with draft.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    draft.replace(path)
    return arrays
