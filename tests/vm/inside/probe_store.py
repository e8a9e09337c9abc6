"""Prints what a store holds as one line of JSON: how often each report is there, labels, and what SQLite's check says.

Its argument is the store's folder; with `version` after it, the version of attune.db is all. For the interpreter of
the installed package; the daemon may run.
"""

import json
import sqlite3
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

from attuned.nodes.window import unpack_all


def reports(store: Path) -> dict[str, dict[int, int]]:
    """{"NODE BOOT": {seq: times}}."""
    found: dict[str, Counter[int]] = {}
    with closing(sqlite3.connect(store / "windows.db", timeout=30)) as connection:
        connection.execute("BEGIN")
        rows = [
            *connection.execute("SELECT records FROM packed"),
            *connection.execute("SELECT record FROM inbox"),
        ]
    for (records,) in rows:
        for window in unpack_all(records):
            found.setdefault(f"{window.node} {window.boot}", Counter())[window.seq] += 1
    return {key: dict(numbers) for key, numbers in found.items()}


def labels(store: Path) -> list[int]:
    with closing(sqlite3.connect(store / "attune.db", timeout=30)) as connection:
        return [number for (number,) in connection.execute("SELECT number FROM labels ORDER BY number")]


def checks(store: Path) -> list[str]:
    found = []
    for name in ("attune.db", "windows.db"):
        with closing(sqlite3.connect(store / name, timeout=30)) as connection:
            found.append(str(connection.execute("PRAGMA integrity_check").fetchone()[0]))
    return found


def version(store: Path) -> int:
    with closing(sqlite3.connect(store / "attune.db", timeout=30)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


if __name__ == "__main__":
    store = Path(sys.argv[1])
    if sys.argv[2:] == ["version"]:
        print(version(store))
        sys.exit()
    print(json.dumps({"reports": reports(store), "labels": labels(store), "checks": checks(store)}))
