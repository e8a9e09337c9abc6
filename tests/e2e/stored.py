"""What is on the disk, read beside the daemon that writes it."""

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

from attuned.nodes.window import Window, unpack_all

BootKey = tuple[str, int]  # node, boot


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)


def windows(store: Path) -> list[Window]:
    """Every window of the store, packed or not, as often as it is there."""
    with closing(_open(store / "windows.db")) as connection:
        connection.execute("BEGIN")
        rows = [
            *connection.execute("SELECT records FROM packed ORDER BY id"),
            *connection.execute("SELECT record FROM inbox ORDER BY id"),
        ]
    return [window for (records,) in rows for window in unpack_all(records)]


def sequences(store: Path) -> dict[BootKey, Counter[int]]:
    """How often each report number of each boot is in the store."""
    found: dict[BootKey, Counter[int]] = {}
    for window in windows(store):
        found.setdefault((window.node, window.boot), Counter())[window.seq] += 1
    return found


def sketches(store: Path) -> list[tuple[str, int, int]]:
    """(node, windows, UTC in ms of the last one's end) of the sketches of quiet nodes, by time."""
    with closing(_open(store / "windows.db")) as connection:
        return connection.execute("SELECT node, windows, to_utc_ms FROM sketches ORDER BY to_utc_ms").fetchall()


def labels(store: Path) -> list[tuple[int, str, str]]:
    """(number, room, author) of every label."""
    with closing(_open(store / "attune.db")) as connection:
        return list(connection.execute("SELECT number, room, author FROM labels ORDER BY number"))
