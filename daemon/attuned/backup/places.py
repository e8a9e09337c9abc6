"""What of a site is in a backup, and where it lies."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from attuned import gone
from attuned.config import load
from attuned.errors import StoreError
from attuned.updates.signer import CHAIN_FILE
from attuned.updates.statements import KEY_SIZE

BACKUPS = Path("/var/backups/attune")
SIGNER = Path("/var/lib/attune-signer")

# Beside the configuration.
SIGNING = "signing"

SITE_DB, WINDOWS_DB = "attune.db", "windows.db"
KEYS = ("daemon-next.key", "daemon.key", "gateway-authority.key")
NUMBERS = "signed-numbers"

# Configuration, secrets and certificates: whatever is larger was not written by anybody.
SMALL = 1 << 20

# Hidden files, and copies of what is being edited or was: a backup of the night does without.
_EDITORS = re.compile(r"^[.#]|~$")

_PART = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}"
_NAMES = re.compile(
    rf"state/(?:{'|'.join(map(re.escape, (SITE_DB, WINDOWS_DB, *KEYS, gone.FILE)))})"
    rf"|signer/{NUMBERS}|etc/{_PART}(?:/{_PART}){{0,2}}"
)
_FOLDERS = re.compile(rf"state|signer|etc(?:/{_PART}){{0,2}}")


@dataclass(frozen=True)
class Places:
    """`config` is the daemon's configuration, beside which all else of /etc/attune lies; `signer` the signing process's
    folder."""

    config: Path
    state: Path
    signer: Path = SIGNER

    @classmethod
    def of(cls, config: Path, signer: Path) -> "Places":
        """Where a configuration says. Raises ConfigError."""
        return cls(config, load(config).store.path, signer)

    @property
    def etc(self) -> Path:
        return self.config.parent


def origin(etc: Path) -> bytes:
    """The first of the keys that sign updates, by which a site is known whatever its name is; empty if it has none."""
    path = etc / SIGNING / CHAIN_FILE
    return path.read_bytes()[:KEY_SIZE] if path.is_file() else b""


def gone_beside(folder: Path, etc: Path) -> Path:
    """The copy of `gone.FILE` in a folder of backups, where other sites may have theirs."""
    first = origin(etc).hex()[:12]
    return folder / (f"gone-{first}.json" if first else gone.FILE)


def is_file_name(name: str) -> bool:
    """Whether a file of a backup may have this name."""
    return _NAMES.fullmatch(name) is not None


def is_folder_name(name: str) -> bool:
    return _FOLDERS.fullmatch(name) is not None


def configuration(etc: Path) -> Iterator[tuple[str, Path]]:
    """Names and paths of the configuration's files and folders, folders before what is in them.

    What editors leave is left out. Raises StoreError for what cannot go into a backup: links, large files, odd names.
    """
    yield "etc", etc
    for path in sorted(etc.rglob("*")):
        if any(_EDITORS.search(part) for part in path.relative_to(etc).parts):
            continue
        name = f"etc/{path.relative_to(etc)}"
        whole = path.is_dir() and is_folder_name(name)
        whole |= path.is_file() and is_file_name(name) and path.stat().st_size <= SMALL
        if path.is_symlink() or not whole:
            raise StoreError(
                f"{path} cannot go into a backup, which takes plain files of at most 1 MiB, three folders deep: move "
                f"it out of {etc}."
            )
        yield name, path
