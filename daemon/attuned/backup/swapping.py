"""Putting folders in the place of others in one step of the file system each, and finding out what was cut off."""

import ctypes
import errno
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from attuned.durable_files import sync_folder
from attuned.errors import StoreError

# In a folder that was prepared and not yet taken into use, and just after that.
MARK = ".attune-restoring"

_AT_FDCWD, _EXCHANGE = -100, 2


@dataclass(frozen=True)
class Slot:
    """A folder, and the one beside it in which its successor is prepared."""

    live: Path

    @property
    def beside(self) -> Path:
        return self.live.with_name(f"{self.live.name}.restoring")

    @property
    def prepared(self) -> bool:
        """Whether a successor stands ready, or half so."""
        return (self.beside / MARK).exists()

    @property
    def taken(self) -> bool:
        """Whether the live folder is one that was prepared, and its mark has not been taken off."""
        return (self.live / MARK).exists()

    def prepare(self) -> Path:
        """An empty folder for the successor. Raises OSError, StoreError where it could not be put in place."""
        if self.live.is_symlink() or os.path.ismount(self.live):
            raise StoreError(
                f"{self.live} is a link or a disk of its own, which cannot be changed in one step: name a folder on "
                "that disk in the configuration, and restore once more."
            )
        self.live.parent.mkdir(parents=True, exist_ok=True)
        self.beside.mkdir(mode=0o700)
        (self.beside / MARK).touch()
        sync_folder(self.beside)
        return self.beside

    def swap(self) -> None:
        """Live and beside change places; on the disk when this returns. Raises OSError."""
        if self.live.exists():
            exchange(self.live, self.beside)
        else:
            self.beside.rename(self.live)
        sync_folder(self.live.parent)

    def undo(self) -> None:
        """As `swap`, once more: there was perhaps no live folder before."""
        if self.beside.exists():
            exchange(self.live, self.beside)
        else:
            self.live.rename(self.beside)
        sync_folder(self.live.parent)

    def end(self, name: str) -> Path | None:
        """The live folder counts from now on; where the one before lies, if there was one."""
        if self.taken:
            (self.live / MARK).unlink()
            sync_folder(self.live)
        if not self.beside.exists():
            return None
        aside = self.live.with_name(f"{self.live.name}.before-{name}")
        while aside.exists():
            aside = aside.with_name(f"{aside.name}-again")
        self.beside.rename(aside)
        sync_folder(self.live.parent)
        return aside

    def drop(self) -> None:
        """What was prepared goes; its mark goes last, so that it is known for what it is until then."""
        if not self.prepared:
            return
        for path in self.beside.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != MARK:
                path.unlink()
        shutil.rmtree(self.beside)


def exchange(first: Path, second: Path) -> None:
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


def tidy(configuration: Slot, state: Slot, name: str) -> list[Path]:
    """Ends or undoes what an earlier restore has left: the state decides. Gives the folders that were set aside.

    Raises OSError.
    """
    if not state.taken and configuration.taken:
        configuration.undo()
    aside = []
    for slot in (configuration, state):
        slot.drop()
        found = slot.end(name)
        aside += [found] if found else []
    return aside
