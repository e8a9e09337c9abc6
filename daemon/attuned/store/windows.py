"""windows.db: windows first in an inbox, in order of arrival, then packed, a row for what a node has in an hour.

An inbox row costs a few hundred bytes of disk writes in a commit of many; a table with a key for each window would cost
ten times that. Packing happens once an hour of the daemon's clock, a part at a time; the hours of a busy site come in
several parts, each with its own rows, since a row that is added to would be written again.
"""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from attuned.nodes.boot import BootRecord
from attuned.nodes.sequence import SeqTracker
from attuned.nodes.window import Window, pack, unpack_all
from attuned.store import migrations
from attuned.store.audit import AuditStore
from attuned.store.beliefs import HOUR_MS, BeliefHour, BeliefStore, SaidRow, add_hours, write_said
from attuned.store.database import Database
from attuned.store.days import DayStore
from attuned.store.dropping import HOUR_BITS, PART_BITS
from attuned.store.retention import RetentionStore
from attuned.store.summaries import SummaryStore

BootKey = tuple[str, int]  # node, boot

# Windows that are packed in one transaction: so many take less than a tenth of a second, and a commit may have to wait.
PACK_WINDOWS = 10_000


class WindowStore:
    """All that may be lost without losing the site: windows, ties, beliefs."""

    def __init__(self, folder: Path) -> None:
        self._database = Database(folder / "windows.db", migrations.windows, migrations.WINDOWS_VERSION)
        self.audit = AuditStore(self._database)
        self.beliefs = BeliefStore(self._database)
        self.days = DayStore(self._database)
        self.retention = RetentionStore(self._database)
        self.summaries = SummaryStore(self._database)

    @property
    def database(self) -> Database:
        """For what is done to several of its tables at once."""
        return self._database

    async def open(self) -> None:
        await self._database.open()

    async def close(self) -> None:
        await self._database.close()

    async def look(self) -> None:
        """Returns when the store's thread has read the file. Raises StoreError."""
        await self._database.look()

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
        return await self._database.read(_boots)

    async def pack_part(self) -> bool:
        """Packs the oldest windows of the inbox; whether there are more than a pack should find."""
        return await self._database.run(_pack_inbox) == PACK_WINDOWS

    async def pack(self, boots: Mapping[BootKey, BootRecord], hours: Sequence[BeliefHour]) -> list[BeliefHour]:
        """Packs the whole inbox, with the state of the boots, and hours that have settled.

        `boots` adds what they gave up to what the inbox says of them. No window may be committed meanwhile. Returns
        the hours that were known before: these stay as they were.
        """
        while await self._database.run(_pack_inbox):
            pass

        def work(connection: sqlite3.Connection) -> list[BeliefHour]:
            _write_boots(connection, boots)
            return add_hours(connection, hours)

        return await self._database.run(work)

    async def rooms(self) -> frozenset[str]:
        """Rooms that something was said or known of."""
        found = await self._database.read(
            lambda connection: connection.execute("SELECT room FROM beliefs UNION SELECT room FROM said").fetchall()
        )
        return frozenset(room for (room,) in found)

    async def nodes(self) -> frozenset[str]:
        """Nodes that have brought windows."""
        return frozenset(node for node, _ in await self.boots())

    async def earliest_unpacked(self, until_utc_ms: Mapping[str, int]) -> dict[str, int]:
        """The end of each node's first window in the inbox that ends by the node's time in `until_utc_ms`."""

        def work(connection: sqlite3.Connection) -> dict[str, int]:
            found: dict[str, int] = {}
            for window in _inbox(connection):
                if not window.refused and window.end_utc_ms <= until_utc_ms.get(window.node, -1):
                    found[window.node] = min(window.end_utc_ms, found.get(window.node, window.end_utc_ms))
            return found

        return await self._database.read(work)

    async def windows_between(self, nodes: Iterable[str], from_utc_ms: int, to_utc_ms: int) -> list[Window]:
        """Windows of these nodes that end in (from, to], in order of (end, node, boot, seq)."""
        return await self.windows_in(nodes, [(from_utc_ms, to_utc_ms)])

    async def windows_in(self, nodes: Iterable[str], spans: Sequence[tuple[int, int]]) -> list[Window]:
        """Windows of these nodes that end in one of the spans (from, to], which do not overlap; in the same order."""
        wanted = frozenset(nodes)

        def work(connection: sqlite3.Connection) -> list[Window]:
            inbox = [window for window in _inbox(connection) if window.node in wanted]
            found: list[Window] = []
            for first, last in spans:
                inside = (
                    w for w in [*_packed(connection, wanted, first, last), *inbox] if first < w.end_utc_ms <= last
                )
                found += [window for window in inside if not window.refused]
            return sorted(found, key=lambda w: (w.end_utc_ms, w.node, w.boot, w.seq))

        return await self._database.read(work)


def _boots(connection: sqlite3.Connection) -> dict[BootKey, BootRecord]:
    boots: dict[BootKey, BootRecord] = defaultdict(BootRecord)
    for row in connection.execute("SELECT * FROM boots"):
        boots[row[0], row[1]] = _boot_record(row)
    for node, boot, tick_ms, utc_ms in connection.execute("SELECT * FROM ties ORDER BY node, boot, tick_ms"):
        boots[node, boot].ties.append(tick_ms, utc_ms)
    for window in _inbox(connection):
        boots[window.node, window.boot].count(window)
    return dict(boots)


def count_in_boots(connection: sqlite3.Connection, windows: Iterable[Window]) -> None:
    """Writes down that windows have come, of which nothing else will be kept."""
    boots: dict[BootKey, BootRecord] = {}
    for window in windows:
        key = window.node, window.boot
        if key not in boots:
            boots[key] = _packed_boot(connection, key)
        boots[key].count(window)
    _write_boots(connection, boots)


def _packed_boot(connection: sqlite3.Connection, key: BootKey) -> BootRecord:
    row = connection.execute("SELECT * FROM boots WHERE node = ? AND boot = ?", key).fetchone()
    return _boot_record(row) if row else BootRecord()


def _boot_record(row: Sequence[Any]) -> BootRecord:
    _, _, through, beyond, windows, lost = row
    return BootRecord(SeqTracker(through, set(json.loads(beyond)), lost), windows=windows)


def _inbox(connection: sqlite3.Connection) -> Iterator[Window]:
    for (record,) in connection.execute("SELECT record FROM inbox ORDER BY id"):
        yield from unpack_all(record)


def inbox_records(connection: sqlite3.Connection, nodes: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """The records of these nodes' windows that have not been packed, those of a node as one."""
    found: dict[bytes, list[bytes]] = {bytes.fromhex(node): [] for node in nodes}
    for (record,) in connection.execute("SELECT record FROM inbox ORDER BY id"):
        if record[:8] in found:
            found[record[:8]].append(record)
    for node, records in found.items():
        if records:
            yield node.hex(), b"".join(records)


def _packed(connection: sqlite3.Connection, nodes: Iterable[str], from_utc_ms: int, to_utc_ms: int) -> Iterator[Window]:
    for _, records in packed_records(connection, nodes, from_utc_ms, to_utc_ms):
        yield from unpack_all(records)


def packed_records(
    connection: sqlite3.Connection, nodes: Iterable[str], from_utc_ms: int, to_utc_ms: int
) -> Iterator[tuple[str, bytes]]:
    """(node, records of an hour or a part of it) of these nodes, of all hours that the time (from, to] touches."""
    keys = dict(connection.execute("SELECT node, key FROM node_keys"))
    wanted = [(node, keys[node]) for node in nodes if node in keys]
    last = (to_utc_ms // HOUR_MS + 1) << HOUR_BITS
    part = _next_part(connection, from_utc_ms // HOUR_MS << HOUR_BITS, last)
    while part is not None:
        for node, key in wanted:
            for (records,) in connection.execute("SELECT records FROM packed WHERE id = ?", (part | key,)):
                yield node, records
        part = _next_part(connection, part + (1 << PART_BITS), last)


def _next_part(connection: sqlite3.Connection, first: int, last: int) -> int | None:
    """The first part of an hour from the id `first` on and before `last`, as the id that it begins with."""
    found = connection.execute("SELECT min(id) FROM packed WHERE id >= ? AND id < ?", (first, last)).fetchone()[0]
    return None if found is None else int(found) >> PART_BITS << PART_BITS


def _pack_inbox(connection: sqlite3.Connection) -> int:
    """Packs the oldest windows of the inbox, with what they say of their boots; returns their number."""
    rows = connection.execute("SELECT id, record FROM inbox ORDER BY id LIMIT ?", (PACK_WINDOWS,)).fetchall()
    if not rows:
        return 0
    hours: dict[int, dict[str, list[bytes]]] = defaultdict(lambda: defaultdict(list))
    windows = []
    for _, record in rows:
        (window,) = unpack_all(record)
        hours[window.end_utc_ms // HOUR_MS][window.node].append(record)
        windows.append(window)
    for hour, by_node in sorted(hours.items()):
        _add_part(connection, hour, by_node)
    count_in_boots(connection, windows)
    connection.execute("DELETE FROM inbox WHERE id <= ?", (rows[-1][0],))
    return len(rows)


def _add_part(connection: sqlite3.Connection, hour: int, by_node: Mapping[str, Sequence[bytes]]) -> None:
    """One more part of an hour, behind those that it has."""
    connection.executemany("INSERT OR IGNORE INTO node_keys (node) VALUES (?)", [(node,) for node in by_node])
    keys = dict(connection.execute("SELECT node, key FROM node_keys"))
    bounds = hour << HOUR_BITS, (hour + 1) << HOUR_BITS
    newest = connection.execute("SELECT max(id) FROM packed WHERE id >= ? AND id < ?", bounds).fetchone()[0]
    part = bounds[0] if newest is None else ((newest >> PART_BITS) + 1) << PART_BITS
    rows = sorted((part | keys[node], b"".join(records)) for node, records in by_node.items())
    connection.executemany("INSERT INTO packed VALUES (?, ?)", rows)


def _write_boots(connection: sqlite3.Connection, boots: Mapping[BootKey, BootRecord]) -> None:
    connection.executemany(
        "INSERT OR REPLACE INTO boots VALUES (?, ?, ?, ?, ?, ?)",
        [
            (node, boot, r.sequence.through, json.dumps(sorted(r.sequence.beyond)), r.windows, r.sequence.lost)
            for (node, boot), r in boots.items()
        ],
    )


def forget_all_windows(connection: sqlite3.Connection) -> None:
    """Empties the inbox of a copy in which no window stays; that they came is written down."""
    count_in_boots(connection, _inbox(connection))
    connection.execute("DELETE FROM inbox")
