"""Drift events and muted nodes: a table family of attune.db."""

import sqlite3
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace

from attuned.store.database import Database


@dataclass(frozen=True)
class DriftRow:
    """An event as it is stored: number 0 is not stored yet; `since` is an ISO date; sensors and moved are JSON."""

    number: int
    node: str
    since: str
    cause: str
    sensors: str
    moved: str
    score: float
    state: str
    normal_days: int
    accepted: int
    done: str
    raised_utc_ms: int
    changed_utc_ms: int


@dataclass(frozen=True)
class MuteRow:
    """A node that raises no events, why, and who said so."""

    node: str
    reason: str
    author: str
    told_utc_ms: int


class DriftStore:
    """Reads and writes events and mutes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(self, rows: Sequence[DriftRow]) -> list[DriftRow]:
        """Stores events, new ones under the next numbers; returns them as they are stored."""

        def work(connection: sqlite3.Connection) -> list[DriftRow]:
            return [_save(connection, row) for row in rows]

        return await self._database.run(work)

    async def events(self) -> list[DriftRow]:
        """All events in order of their numbers."""
        rows = await self._database.read(
            lambda connection: connection.execute("SELECT * FROM drift_events ORDER BY number").fetchall()
        )
        return [DriftRow(*row) for row in rows]

    async def mute(self, row: MuteRow) -> None:
        await self._database.run(
            lambda connection: connection.execute(
                "INSERT OR REPLACE INTO drift_mutes VALUES (?, ?, ?, ?)", astuple(row)
            )
        )

    async def unmute(self, node: str) -> None:
        await self._database.run(
            lambda connection: connection.execute("DELETE FROM drift_mutes WHERE node = ?", (node,))
        )

    async def mutes(self) -> list[MuteRow]:
        rows = await self._database.read(
            lambda connection: connection.execute("SELECT * FROM drift_mutes ORDER BY node").fetchall()
        )
        return [MuteRow(*row) for row in rows]


def _save(connection: sqlite3.Connection, row: DriftRow) -> DriftRow:
    values = (row.number or None, *astuple(row)[1:])
    marks = ", ".join("?" * len(values))
    cursor = connection.execute(f"INSERT OR REPLACE INTO drift_events VALUES ({marks})", values)  # noqa: S608 (marks only)
    return replace(row, number=row.number or cursor.lastrowid or 0)
