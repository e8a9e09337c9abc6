"""Small files that are there wholly or not at all, whenever the power goes."""

import os
from pathlib import Path


def write_durably(path: Path, data: bytes, mode: int, owner: os.stat_result | None = None) -> None:
    """Replaces a file wholly or not at all; it is on the disk when this returns, with this mode whatever the umask is,
    and with the owner and group of `owner`, if that is given. Raises OSError.
    """
    draft = path.with_name(f"{path.name}.draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode & 0o600), "wb") as file:
        if owner is not None:
            os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
        os.fchmod(file.fileno(), mode)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """The names in a folder are on the disk when this returns. Raises OSError."""
    held = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(held)
    finally:
        os.close(held)
