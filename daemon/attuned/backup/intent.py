"""What a restore is about to put in place, written down before the first step: whoever comes after a power cut ends it.

Configuration and state are two folders, which two steps put in place. The file beside the configuration
(`/etc/attune.restoring.json`) is there from before the first of them until after the last; nothing of ours starts
meanwhile (`attune-restore.service` ends it before, and the daemon looks as well).
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from attuned.backup.swapping import Slot
from attuned.durable_files import sync_folder, write_durably
from attuned.errors import RequestError, StoreError
from attuned.half_restored import path_of


class Replacement(BaseModel):
    """A folder that is to be in the place of `live`, by its inode: names change when it takes that place."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    live: Path
    inode: int

    @property
    def slot(self) -> Slot:
        return Slot(self.live)

    @property
    def taken(self) -> bool:
        return self.live.exists() and self.live.stat().st_ino == self.inode


class Intent(BaseModel):
    """`name` is the time in the names of what is set aside."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[0-9TZ]{1,32}$")]
    folders: tuple[Replacement, ...]

    @classmethod
    def of(cls, name: str, slots: Sequence[Slot]) -> "Intent":
        """For folders that stand ready beside their places."""
        ready = [Replacement(live=slot.live, inode=slot.beside.stat().st_ino) for slot in slots]
        return cls(name=name, folders=tuple(ready))

    def carry_out(self) -> None:
        """Everything that is not in its place takes it. Raises OSError, StoreError."""
        for folder in self.folders:
            if not folder.taken:
                folder.slot.swap()

    def take_back(self) -> None:
        """Everything that has taken its place leaves it. Raises OSError, StoreError."""
        for folder in reversed(self.folders):
            if folder.taken:
                folder.slot.undo()

    def set_aside(self) -> tuple[Path, ...]:
        """Where the folders of before lie now. Raises OSError."""
        aside = [folder.slot.set_aside(self.name) for folder in self.folders]
        return tuple(path for path in aside if path is not None)


def write(etc: Path, intent: Intent) -> None:
    """On the disk when this returns: from now on it is carried out. Raises OSError."""
    write_durably(path_of(etc), intent.model_dump_json().encode(), 0o600)


def read(etc: Path) -> Intent | None:
    """None if nothing is under way. Raises OSError, StoreError."""
    path = path_of(etc)
    try:
        return Intent.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise StoreError(
            f"{path}, which says what a restore was about to do, is damaged: look which folders named .restoring there "
            "are, remove it, and restore once more."
        ) from error


def end(etc: Path) -> None:
    """Nothing is under way any more. Raises OSError."""
    path_of(etc).unlink(missing_ok=True)
    sync_folder(path_of(etc).parent)


@contextlib.contextmanager
def alone(folder: Path, *, sharing: bool = False) -> Iterator[None]:
    """Keeps restores and the setup away from a configuration's folder, and backups too unless `sharing`. Raises
    RequestError."""
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _lock(held, folder, fcntl.LOCK_SH if sharing else fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def _lock(held: int, folder: Path, how: int) -> None:
    try:
        fcntl.flock(held, how | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise RequestError(
            f"A backup, a restore or a setup of {folder} is under way: wait until it has ended."
        ) from error
