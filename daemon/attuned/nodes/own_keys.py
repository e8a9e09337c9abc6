"""The daemon's own key pairs, in a folder that only it may read: the one in use, and one that is announced to nodes."""

import os
from collections.abc import Callable
from pathlib import Path

from attuned.durable_files import sync_folder
from attuned.errors import StoreError, UnusableStoreError
from attuned.key_files import read_key, write_key
from attuned.nodes import noise


class OwnKeys:
    """`secrets` are 32 bytes each: the key in use, then the announced one if there is one."""

    def __init__(self, folder: Path, entropy: Callable[[int], bytes] = os.urandom) -> None:
        self._current, self._next = folder / "daemon.key", folder / "daemon-next.key"
        self._entropy = entropy
        self.secrets: list[bytes] = []

    def open(self, *, used: bool = False) -> None:
        """Reads the keys, and makes the first one, unless nodes have `used` one before. Raises StoreError."""
        if not self._current.exists():
            if used:
                raise UnusableStoreError(
                    f"The key {self._current} is missing, and the site's nodes talk to nobody without it: put a "
                    "backup in its place with `attune restore FILE`."
                )
            self._write(self._current)
        self.secrets = [self._read(path) for path in (self._current, self._next) if path.exists()]

    @property
    def public(self) -> list[bytes]:
        """The public keys in the order of `secrets`."""
        return [noise.public_key(secret) for secret in self.secrets]

    @property
    def announced(self) -> bytes:
        """The public key that nodes are to take up; empty if there is none."""
        return noise.public_key(self.secrets[1]) if len(self.secrets) > 1 else b""

    def announce(self) -> None:
        """Makes the next key, unless there is one on its way. Raises StoreError."""
        if len(self.secrets) < 2:
            self._write(self._next)
            self.secrets.append(self._read(self._next))

    def retire(self) -> None:
        """Every node uses the announced key: the old one is gone. Raises StoreError."""
        try:
            self._next.replace(self._current)
            sync_folder(self._current.parent)
        except OSError as error:
            raise StoreError(f"{self._current} cannot be replaced ({error.strerror}): check its folder.") from error
        self.secrets = self.secrets[1:]

    def _read(self, path: Path) -> bytes:
        secret = read_key(path)
        if len(secret) != noise.KEY_SIZE:
            raise UnusableStoreError(
                f"The key {path} has {len(secret)} bytes instead of 32: restore a backup with `attune restore FILE`."
            )
        return secret

    def _write(self, path: Path) -> None:
        # Nodes that know a half key know nobody.
        write_key(path, self._entropy(noise.KEY_SIZE))
