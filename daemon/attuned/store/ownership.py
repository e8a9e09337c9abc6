"""Whose the store's folder is: what the daemon's user may not change it can neither keep private nor migrate."""

import grp
import os
import pwd
from pathlib import Path

from attuned.durable_files import sync_folder
from attuned.errors import UnusableStoreError

# The mode of the folder and of its files: presence is personal data.
PRIVATE_FOLDER, PRIVATE = 0o700, 0o600


def check_folder(folder: Path) -> None:
    """Makes the folder if there is none. Raises UnusableStoreError unless it and its files are this user's, OSError."""
    if folder.exists() and not folder.is_dir():
        raise UnusableStoreError(f"The store's folder {folder} is a file: move it away, or name another folder.")
    if not folder.exists():
        new = [path for path in (folder, *folder.parents) if not path.exists()]
        folder.mkdir(mode=PRIVATE_FOLDER, parents=True)
        for path in new:  # a power cut would take the folder with all that is synced in it
            sync_folder(path.parent)
    _check_mode(folder, PRIVATE_FOLDER)
    # A folder is none of the store's: on a disk of its own there is lost+found.
    for path in (folder, *sorted(path for path in folder.iterdir() if path.is_symlink() or not path.is_dir())):
        owner = path.lstat().st_uid
        if owner != os.geteuid():
            raise UnusableStoreError(_foreign(folder, path, owner))


def check_file(path: Path) -> None:
    """Raises UnusableStoreError if there is something else than a file."""
    if path.is_symlink():
        raise UnusableStoreError(
            f"The store {path} is a link to {path.readlink()}, where nothing keeps a second daemon from opening it: "
            "put the file itself there, or name its folder in [store] path."
        )
    if path.exists() and not path.is_file():
        raise UnusableStoreError(f"The store {path} is no file: move it away, and restore a backup.")
    if path.exists():
        _check_mode(path, PRIVATE)


def _check_mode(path: Path, needed: int) -> None:
    """Raises UnusableStoreError where the mode alone keeps the owner out; root is kept out by none."""
    mode = path.stat().st_mode & 0o777
    if mode & needed != needed and path.stat().st_uid == os.geteuid() != 0:
        raise UnusableStoreError(
            f"{path} has the mode {mode:04o}, and the daemon writes there: `chmod {needed:04o} {path}`."
        )


def _foreign(folder: Path, path: Path, owner: int) -> str:
    runs = os.geteuid()
    group = _group_name(os.getegid())
    advice = f"`chown -R {_user_name(runs)}:{group} {folder}`"
    if runs == 0:
        # What root writes there the service could not change afterwards.
        advice = f"start it as that user (`systemctl start attuned`), or, if root is to keep it, {advice}"
    return f"{path} belongs to {_user_name(owner)}, and the daemon runs as {_user_name(runs)}: {advice}."


def _user_name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _group_name(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
