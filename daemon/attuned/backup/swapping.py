"""Putting a folder in the place of another in one step of the file system."""

import ctypes
import errno
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from attuned.durable_files import sync_folder
from attuned.errors import StoreError

_AT_FDCWD, _EXCHANGE = -100, 2


@dataclass(frozen=True)
class Slot:
    """A folder, and the one beside it in which its successor is prepared."""

    live: Path

    @property
    def beside(self) -> Path:
        return self.live.with_name(f"{self.live.name}.restoring")

    def prepare(self) -> Path:
        """An empty folder for the successor. Raises OSError, StoreError where it could not be put in place."""
        if self.live.is_symlink() or os.path.ismount(self.live):
            raise StoreError(
                f"{self.live} is a link or a disk of its own, which cannot be changed in one step: take the link away "
                "or unmount the disk, restore once more, and move what is there then onto the disk."
            )
        self.drop()
        self.live.parent.mkdir(parents=True, exist_ok=True)
        self.beside.mkdir(mode=0o700)
        return self.beside

    def swap(self) -> None:
        """Live and beside change places; on the disk when this returns. Raises OSError, StoreError."""
        if self.live.exists():
            _exchange(self.live, self.beside)
        else:
            self.beside.rename(self.live)
        sync_folder(self.live.parent)

    def undo(self) -> None:
        """As `swap`, once more: there was perhaps no live folder before."""
        if self.beside.exists():
            _exchange(self.live, self.beside)
        else:
            self.live.rename(self.beside)
        sync_folder(self.live.parent)

    def set_aside(self, name: str) -> Path | None:
        """Where the folder that was live before lies from now on, if there was one. Raises OSError."""
        if not self.beside.exists():
            return None
        aside = self.live.with_name(f"{self.live.name}.before-{name}")
        while aside.exists():
            aside = aside.with_name(f"{aside.name}-again")
        self.beside.rename(aside)
        sync_folder(self.live.parent)
        return aside

    def drop(self) -> None:
        """What was prepared goes. Raises OSError."""
        if self.beside.exists():
            shutil.rmtree(self.beside)


def _exchange(first: Path, second: Path) -> None:
    """Two names change places at once (renameat2). Raises OSError, StoreError where the file system cannot."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.renameat2(_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), _EXCHANGE) == 0:
        return
    number = ctypes.get_errno()
    if number in (errno.EINVAL, errno.ENOSYS, errno.EXDEV, errno.EBUSY):
        raise StoreError(
            f"The file system of {first} cannot put one folder in the place of another in one step: restore to another."
        )
    raise OSError(number, os.strerror(number), str(first))
