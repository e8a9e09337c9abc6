"""Whose the store's folder is: what the daemon's user may not change it can neither keep private nor migrate."""

import grp
import os
import pwd
from pathlib import Path

from attuned.errors import UnusableStoreError

# The mode of the folder and of its files: presence is personal data.
PRIVATE_FOLDER, PRIVATE = 0o700, 0o600


def check_folder(folder: Path) -> None:
    """Makes the folder if there is none. Raises UnusableStoreError unless it and its files are this user's, OSError."""
    if folder.exists() and not folder.is_dir():
        raise UnusableStoreError(f"The store's folder {folder} is a file: move it away, or name another folder.")
    if not folder.exists():
        folder.mkdir(mode=PRIVATE_FOLDER, parents=True)
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
