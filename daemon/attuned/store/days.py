"""Statistics of nodes' days: a table family of windows.db, which may be lost."""

import sqlite3
from collections.abc import Sequence
from dataclasses import astuple, dataclass

from attuned.nodes.sketch import NodeSketch
from attuned.store.database import Database


@dataclass(frozen=True)
class DayRow:
    """A node's local day (an ISO date) with its stretch (from, to] of UTC in ms; `statistics` is JSON."""

    node: str
    day: str
    from_utc_ms: int
    to_utc_ms: int
    schema: str
    statistics: str


class DayStore:
    """Reads and writes node-days, and the sketches that those of quiet nodes are made from."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, day: str, rows: Sequence[DayRow]) -> None:
        """Stores what there is of a local day; the day counts as looked at from now on."""

        def work(connection: sqlite3.Connection) -> None:
            _write(connection, rows)
            connection.execute("INSERT OR REPLACE INTO judged_days VALUES (?)", (day,))

        await self._database.run(work)

    async def write(self, rows: Sequence[DayRow]) -> None:
        """Stores statistics of days anew."""
        await self._database.run(lambda connection: _write(connection, rows))

    async def last(self) -> str | None:
        """The last day that was looked at."""
        row = await self._database.read(
            lambda connection: connection.execute("SELECT max(day) FROM judged_days").fetchone()
        )
        return None if row[0] is None else str(row[0])

    async def doubt_after(self, day: str) -> None:
        """Days after this one, which is over, were looked at by a clock that was wrong: they are looked at again."""
        await self._database.run(lambda connection: connection.execute("DELETE FROM judged_days WHERE day > ?", (day,)))

    async def since(self, node: str, day: str) -> list[DayRow]:
        """A node's days from a day on, in order."""
        rows = await self._database.read(
            lambda connection: connection.execute(
                "SELECT node, day, from_utc_ms, to_utc_ms, schema, statistics FROM node_days"
                " WHERE node = ? AND day >= ? ORDER BY day",
                (node, day),
            ).fetchall()
        )
        return [DayRow(*row) for row in rows]

    async def add_sketch(self, row: NodeSketch) -> None:
        """Stores a sketch; one that is there already changes nothing."""
        values = (row.node, row.to_utc_ms, row.boot, row.number, row.from_utc_ms, row.schema, row.windows, row.counts)
        await self._database.run(
            lambda connection: connection.execute(
                "INSERT OR IGNORE INTO sketches VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values
            )
        )

    async def sketches(self, node: str, from_utc_ms: int, to_utc_ms: int) -> list[NodeSketch]:
        """A node's sketches that end after `from` and begin before `to`, by time."""
        rows = await self._database.read(
            lambda connection: connection.execute(
                "SELECT node, boot, number, from_utc_ms, to_utc_ms, schema, windows, counts FROM sketches"
                " WHERE node = ? AND to_utc_ms > ? AND from_utc_ms < ? ORDER BY to_utc_ms, boot, number",
                (node, from_utc_ms, to_utc_ms),
            ).fetchall()
        )
        return [NodeSketch(*row) for row in rows]


def _write(connection: sqlite3.Connection, rows: Sequence[DayRow]) -> None:
    connection.executemany("INSERT OR REPLACE INTO node_days VALUES (?, ?, ?, ?, ?, ?)", [astuple(row) for row in rows])
