"""What a restored site must not go back to: numbers that were signed, numbers of labels, keys before those in use."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from attuned.backup.places import SITE_DB
from attuned.durable_files import write_durably
from attuned.errors import StoreError
from attuned.nodes import noise
from attuned.updates.numbers import merged
from attuned.updates.signer import CHAIN_FILE, KEY_FILE, NEXT_FILE

# Nodes know labels by their numbers, and what was taught since the backup is in their logs: more than any site teaches
# in the life of a backup, and little of the 2^32 that there are.
LABELS_ON = 1_000_000

# Beside the configuration.
SIGNING = "signing"

_CURRENT, _NEXT = "daemon.key", "daemon-next.key"


def add_numbers(path: Path, restored: bytes) -> None:
    """The signing process's file: of each audience the higher number stays. It is as its folder. Raises OSError."""
    present = path.read_bytes() if path.exists() else b""
    both = merged(present, restored)
    if both != present:
        write_durably(path, both, 0o600)
        owner = path.parent.stat()
        os.chown(path, owner.st_uid, owner.st_gid)


def prepare_site(path: Path) -> None:
    """In a store that is about to be put back: labels are numbered on, and invitations of gateways count no more.

    An invitation that was used after the backup would be good a second time. Raises sqlite3.Error.
    """
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA secure_delete=ON")
        newest = "coalesce((SELECT max(number) FROM labels), 0)"
        database.execute(f"UPDATE label_numbers SET through = max(through, {newest}) + {LABELS_ON}")  # noqa: S608
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
    used = _used_since(present / SITE_DB, staged / SITE_DB)
    others = [secret for secret in _secrets(present) if len(secret) == noise.KEY_SIZE and secret not in secrets]
    news = [secret for secret in others if noise.public_key(secret) in used]
    if not news:
        return
    current, announced = (secrets + news)[-2:]
    write_durably(staged / _CURRENT, current, 0o600)
    write_durably(staged / _NEXT, announced, 0o600)


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


def _used_since(present: Path, staged: Path) -> set[bytes]:
    """Public keys of ours that nodes of both stores use in the present one; none where that cannot be read."""
    text = "SELECT node, public_key, daemon_key FROM trusted_nodes"
    try:
        rows = [_rows(path, text) for path in (present, staged)]
    except sqlite3.Error:
        return set()
    known = {(node, key) for node, key, _ in rows[1]}
    return {daemon_key for node, key, daemon_key in rows[0] if (node, key) in known}


def _rows(path: Path, text: str) -> list[tuple[str, bytes, bytes]]:
    # Nobody writes there now; without a log of SQLite's nothing has to be written to read it either.
    still = "" if path.with_name(f"{path.name}-wal").exists() else "&immutable=1"
    with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro{still}", uri=True)) as database:
        return database.execute(text).fetchall()
