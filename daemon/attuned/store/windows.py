"""windows.db: windows first in an inbox, in order of arrival, then packed, a row a node-hour.

An inbox row costs a few hundred bytes of disk writes in a commit of many; a table with a key for each window would cost
ten times that. Packing happens once an hour of the daemon's clock.
"""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from attuned.nodes.boot import BootRecord
from attuned.nodes.sequence import SeqTracker
from attuned.nodes.window import Window, pack, unpack_all
from attuned.store import migrations
from attuned.store.beliefs import HOUR_MS, BeliefHour, BeliefStore, SaidRow, write_hours, write_said
from attuned.store.database import Database

BootKey = tuple[str, int]  # node, boot

# Windows that are packed in one transaction: a second's work, a few megabytes.
PACK_WINDOWS = 50_000


class WindowStore:
    """All that may be lost without losing the site: windows, ties, beliefs."""

    def __init__(self, folder: Path) -> None:
        self._database = Database(folder / "windows.db", migrations.windows, migrations.WINDOWS_VERSION)
        self.beliefs = BeliefStore(self._database)

    async def open(self) -> None:
        await self._database.open()

    async def close(self) -> None:
        await self._database.close()

    async def commit(self, windows: Sequence[Window], said: Sequence[SaidRow]) -> None:
        """Puts windows, and what is about to be said because of them, on the disk."""
        records = [(pack(window),) for window in windows]

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany("INSERT INTO inbox (record) VALUES (?)", records)
            write_said(connection, said)

        await self._database.run(work)

    async def add_tie(self, node: str, boot: int, tick_ms: int, utc_ms: int) -> None:
        await self._database.run(
            lambda connection: connection.execute(
                "INSERT OR REPLACE INTO ties VALUES (?, ?, ?, ?)", (node, boot, tick_ms, utc_ms)
            )
        )

    async def boots(self) -> dict[BootKey, BootRecord]:
        """Every boot that is remembered, as of the last commit."""
        return await self._database.run(_boots)

    async def pack(self, boots: Mapping[BootKey, BootRecord], hours: Sequence[BeliefHour]) -> int:
        """Moves the inbox into node-hours, with the state of the boots; returns the number of windows moved.

        `boots` adds what they gave up to what the inbox says of them. No window may be committed meanwhile.
        """
        moved = 0
        while part := await self._database.run(_pack_inbox):
            moved += part

        def work(connection: sqlite3.Connection) -> None:
            _write_boots(connection, boots)
            write_hours(connection, hours)

        await self._database.run(work)
        return moved

    async def earliest_unpacked(self, until_utc_ms: Mapping[str, int]) -> dict[str, int]:
        """The end of each node's first window in the inbox that ends by the node's time in `until_utc_ms`."""

        def work(connection: sqlite3.Connection) -> dict[str, int]:
            found: dict[str, int] = {}
            for window in _inbox(connection):
                if not window.refused and window.end_utc_ms <= until_utc_ms.get(window.node, -1):
                    found[window.node] = min(window.end_utc_ms, found.get(window.node, window.end_utc_ms))
            return found

        return await self._database.run(work)

    async def windows_between(self, nodes: Iterable[str], from_utc_ms: int, to_utc_ms: int) -> list[Window]:
        """Windows of these nodes that end in (from, to], in order of (end, node, boot, seq)."""
        wanted = frozenset(nodes)

        def work(connection: sqlite3.Connection) -> list[Window]:
            found = [*_packed(connection, wanted, from_utc_ms, to_utc_ms), *_inbox(connection)]
            inside = (w for w in found if w.node in wanted and from_utc_ms < w.end_utc_ms <= to_utc_ms)
            return sorted((w for w in inside if not w.refused), key=lambda w: (w.end_utc_ms, w.node, w.boot, w.seq))

        return await self._database.run(work)


def _boots(connection: sqlite3.Connection) -> dict[BootKey, BootRecord]:
    boots = _packed_boots(connection)
    for node, boot, tick_ms, utc_ms in connection.execute("SELECT * FROM ties ORDER BY tick_ms"):
        boots[node, boot].ties.append(tick_ms, utc_ms)
    for window in _inbox(connection):
        boots[window.node, window.boot].count(window)
    return dict(boots)


def _packed_boots(connection: sqlite3.Connection) -> defaultdict[BootKey, BootRecord]:
    boots: defaultdict[BootKey, BootRecord] = defaultdict(BootRecord)
    for node, boot, through, beyond, windows, lost in connection.execute("SELECT * FROM boots"):
        boots[node, boot] = BootRecord(SeqTracker(through, set(json.loads(beyond)), lost), windows=windows)
    return boots


def _inbox(connection: sqlite3.Connection) -> Iterator[Window]:
    for (record,) in connection.execute("SELECT record FROM inbox ORDER BY id"):
        yield from unpack_all(record)


def _packed(connection: sqlite3.Connection, nodes: Iterable[str], from_utc_ms: int, to_utc_ms: int) -> Iterator[Window]:
    keys = dict(connection.execute("SELECT node, key FROM node_keys"))
    for node in nodes:
        if node in keys:
            first = keys[node] << 32 | from_utc_ms // HOUR_MS
            last = keys[node] << 32 | to_utc_ms // HOUR_MS
            rows = connection.execute("SELECT records FROM node_hours WHERE id BETWEEN ? AND ?", (first, last))
            for (records,) in rows:
                yield from unpack_all(records)


def _pack_inbox(connection: sqlite3.Connection) -> int:
    """Moves the oldest windows of the inbox, with what they say of their boots; returns their number."""
    rows = connection.execute("SELECT id, record FROM inbox ORDER BY id LIMIT ?", (PACK_WINDOWS,)).fetchall()
    if not rows:
        return 0
    hours: dict[tuple[str, int], list[bytes]] = defaultdict(list)
    boots = _packed_boots(connection)
    moved: set[BootKey] = set()
    for _, record in rows:
        for window in unpack_all(record):
            hours[window.node, window.end_utc_ms // HOUR_MS].append(pack(window))
            boots[window.node, window.boot].count(window)
            moved.add((window.node, window.boot))
    _append_hours(connection, hours)
    _write_boots(connection, {key: boots[key] for key in moved})
    connection.execute("DELETE FROM inbox WHERE id <= ?", (rows[-1][0],))
    return len(rows)


def _append_hours(connection: sqlite3.Connection, hours: Mapping[tuple[str, int], Sequence[bytes]]) -> None:
    connection.executemany(
        "INSERT OR IGNORE INTO node_keys (node) VALUES (?)", [(node,) for node in {node for node, _ in hours}]
    )
    keys = dict(connection.execute("SELECT node, key FROM node_keys"))
    connection.executemany(
        "INSERT INTO node_hours VALUES (?, ?) ON CONFLICT (id) DO UPDATE"
        " SET records = CAST(records || excluded.records AS BLOB)",
        [(keys[node] << 32 | hour, b"".join(records)) for (node, hour), records in sorted(hours.items())],
    )


def _write_boots(connection: sqlite3.Connection, boots: Mapping[BootKey, BootRecord]) -> None:
    connection.executemany(
        "INSERT OR REPLACE INTO boots VALUES (?, ?, ?, ?, ?, ?)",
        [
            (node, boot, r.sequence.through, json.dumps(sorted(r.sequence.beyond)), r.windows, r.sequence.lost)
            for (node, boot), r in boots.items()
        ],
    )
