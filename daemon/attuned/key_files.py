"""Files that hold a secret: for this user alone, and whole or not at all."""

import os
from pathlib import Path

from attuned.errors import StoreError, UnusableStoreError


def write_key(path: Path, secret: bytes) -> None:
    """Replaces the file; it is on the disk when this returns. Raises StoreError."""
    half = path.with_suffix(".new")
    try:
        descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secret)
            file.flush()
            os.fsync(file.fileno())
        half.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise StoreError(f"The key {path} cannot be written ({error.strerror}): check its folder.") from error


def read_key(path: Path) -> bytes:
    """Raises UnusableStoreError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnusableStoreError(f"The key {path} cannot be read ({error.strerror}): check its owner.") from error


def sync_folder(folder: Path) -> None:
    """What was renamed in the folder is on the disk when this returns. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
