"""Where recorded data lies: beside the spec, else in the data folder."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from attuned.learning.replay.errors import SpecError

VARIABLE = "ATTUNE_DATA"


def data_folder(near: Path, environment: Mapping[str, str] = os.environ) -> Path | None:
    """The folder that ATTUNE_DATA names, else `shared/data` beside a folder that holds `near` or the current folder."""
    named = environment.get(VARIABLE)
    if named:
        return Path(named)
    places = (folder / "shared" / "data" for folder in _upwards(near))
    return next((place for place in places if place.is_dir()), None)


def _upwards(near: Path) -> Iterator[Path]:
    for start in (near.resolve(), Path.cwd()):
        yield start
        yield from start.parents


def find_recording(path: str, spec: Path, environment: Mapping[str, str] = os.environ) -> Path:
    """The file that a spec means; SpecError naming the places where it is not."""
    folders = [spec.parent]
    shared = data_folder(spec.parent, environment)
    if shared is not None:
        folders.append(shared)
    for folder in folders:
        if (folder / path).is_file():
            return folder / path
    looked = " nor in ".join(str(folder) for folder in folders)
    remedy = f"put it there, or set {VARIABLE} to the data folder"
    raise SpecError(f"{spec}: the file {path!r} is not in {looked}; {remedy}.")
