"""Files that hold a secret: for this user alone, and whole or not at all."""

import os
from pathlib import Path

from attuned.durable_files import write_durably
from attuned.errors import StoreError, UnusableStoreError


def write_key(path: Path, secret: bytes) -> None:
    """Replaces the file; it is on the disk when this returns. Raises StoreError."""
    try:
        write_durably(path, secret, 0o600)
    except OSError as error:
        raise StoreError(f"The key {path} cannot be written ({error.strerror}): check its folder.") from error


def read_key(path: Path) -> bytes:
    """Raises UnusableStoreError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnusableStoreError(f"The key {path} cannot be read ({error.strerror}): check its owner.") from error


def credential(path: Path) -> Path:
    """Where a service finds a file that root alone may read: systemd copies a folder of such files, and names each
    FOLDER_FILE (LoadCredential= of systemd.exec(5)). Outside of a service it is the path itself."""
    copy = Path(os.environ.get("CREDENTIALS_DIRECTORY", "/nowhere")) / f"{path.parent.name}_{path.name}"
    return copy if copy.exists() else path
