"""What a restored site must not go back to: numbers that were signed, numbers of labels, keys before those in use."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from attuned.backup.places import SIGNING, SITE_DB
from attuned.durable_files import write_durably
from attuned.errors import StoreError
from attuned.nodes import noise
from attuned.store.site import NUMBERED
from attuned.updates.numbers import merged
from attuned.updates.signer import CHAIN_FILE, KEY_FILE, NEXT_FILE

# Nodes know labels by their numbers, and what was taught since the backup is in their logs: more than any site teaches
# in the life of a backup, and little of the 2^32 that there are.
LABELS_ON = 1_000_000

_CURRENT, _NEXT = "daemon.key", "daemon-next.key"


def add_numbers(path: Path, restored: bytes) -> None:
    """The signing process's file: of each audience the higher number stays. It is as its folder. Raises OSError."""
    present = path.read_bytes() if path.exists() else b""
    both = merged(present, restored)
    if both != present:
        write_durably(path, both, 0o600, path.parent.stat())


def prepare_site(path: Path, present: Path) -> None:
    """In a store that is about to be put back: labels are numbered on, and invitations of gateways count no more.

    `present` is the store whose place it takes, where there is one: nodes know the labels of an earlier restore by its
    numbers. An invitation that was used after the backup would be good a second time. Raises sqlite3.Error.
    """
    known = _numbered(present)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA secure_delete=ON")
        database.execute(f"UPDATE label_numbers SET through = max(({NUMBERED}), ?) + {LABELS_ON}", (known,))  # noqa: S608
        database.execute("DELETE FROM gateway_invitations")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.execute("PRAGMA journal_mode=DELETE")


def keep_used_keys(present: Path, staged: Path) -> None:
    """Keys that nodes of the backup were told after it stay beside its own, as the announced key does.

    They are known where the restore is on the machine that told them. Raises StoreError, OSError.
    """
    secrets = _secrets(staged)
    if not secrets or any(len(secret) != noise.KEY_SIZE for secret in secrets):
        raise StoreError("This backup holds no key of a daemon: take another one.")
    here = [secret for secret in _secrets(present) if len(secret) == noise.KEY_SIZE]
    others = [secret for secret in here if secret not in secrets]
    used = _used_since(present / SITE_DB, staged / SITE_DB)
    if used is not None:
        news = [secret for secret in others if noise.public_key(secret) in used]
    else:
        # Of a machine that told nodes nothing there is one key, which does no harm beside one of the backup.
        news = others if len(others) < len(here) or len(secrets) == 1 else []
    if not news:
        return
    current, announced = (secrets + news)[-2:]
    write_durably(staged / _CURRENT, current, 0o600)
    write_durably(staged / _NEXT, announced, 0o600)


def shares_key(present: Path, staged: Path) -> bool:
    """Whether the daemons of two stores have had a key in common, as only those of one site have."""
    return not set(_secrets(present)).isdisjoint(_secrets(staged))


def keep_newer_signing_key(present: Path, staged: Path) -> None:
    """Nodes that were told a newer key that signs updates take nothing from the one before: it stays, with its chain.

    It is known where the restore is on the machine that changed it. Raises OSError.
    """
    chains = [folder / SIGNING / CHAIN_FILE for folder in (present, staged)]
    if not all(path.exists() for path in chains):
        return
    now, then = (path.read_bytes() for path in chains)
    if now == then or not now.startswith(then):
        return
    for name in (KEY_FILE, CHAIN_FILE, NEXT_FILE):
        if (present / SIGNING / name).exists():
            write_durably(staged / SIGNING / name, (present / SIGNING / name).read_bytes(), 0o600)


def _secrets(folder: Path) -> list[bytes]:
    paths = [folder / name for name in (_CURRENT, _NEXT)]
    return [path.read_bytes() for path in paths if path.exists()]


def _used_since(present: Path, staged: Path) -> set[bytes] | None:
    """Public keys of ours that nodes of both stores use in the present one; None where that cannot be read."""
    text = "SELECT node, public_key, daemon_key FROM trusted_nodes"
    try:
        rows = [_rows(path, text) for path in (present, staged)]
    except sqlite3.Error:
        return None
    known = {(node, key) for node, key, _ in rows[1]}
    return {daemon_key for node, key, daemon_key in rows[0] if (node, key) in known}


def _numbered(path: Path) -> int:
    """The highest number that a label of a store has had; 0 where that cannot be read."""
    try:
        found = _rows(path, NUMBERED)
    except sqlite3.Error:
        return 0
    return next((number for (number,) in found if isinstance(number, int)), 0)


def _rows(path: Path, text: str) -> list[Any]:
    # Nobody writes there now; without a log of SQLite's nothing has to be written to read it either.
    still = "" if path.with_name(f"{path.name}-wal").exists() else "&immutable=1"
    with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro{still}", uri=True)) as database:
        return database.execute(text).fetchall()
