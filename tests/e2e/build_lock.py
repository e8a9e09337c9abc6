"""Folders of build/ that several test processes may want to build in at once."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def building_in(folder: Path) -> Iterator[None]:
    """Waits until no other process builds in the folder; those after this one wait until it is done."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
