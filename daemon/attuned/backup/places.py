"""What of a site is in a backup, and where it lies."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from attuned import gone
from attuned.config import load
from attuned.errors import StoreError

BACKUPS = Path("/var/backups/attune")
SIGNER = Path("/var/lib/attune-signer")

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
