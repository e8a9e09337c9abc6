"""Summaries of reports that nodes could not keep: a table of windows.db, which may be lost."""

import sqlite3
from dataclasses import astuple

from attuned.nodes.summary import NodeSummary
from attuned.store.database import Database

COLUMNS = "node, boot, number, from_utc_ms, to_utc_ms, schema, reports, class_reports, features"


class SummaryStore:
    """Reads and writes summaries."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, row: NodeSummary) -> bool:
        """Stores a summary; False for one that is there already, which changes nothing."""

        def work(connection: sqlite3.Connection) -> bool:
            values = "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
            text = f"INSERT OR IGNORE INTO summaries ({COLUMNS}) {values}"
            return connection.execute(text, astuple(row)).rowcount == 1

        return await self._database.run(work)

    async def reports(self) -> dict[str, int]:
        """How many reports of each node are left in summaries alone."""
        text = "SELECT node, sum(reports) FROM summaries GROUP BY node"
        return dict(await self._database.read(lambda connection: connection.execute(text).fetchall()))

    async def between(self, node: str, from_utc_ms: int, to_utc_ms: int) -> list[NodeSummary]:
        """A node's summaries that end after `from` and begin before `to`, by time."""
        rows = await self._database.read(
            lambda connection: connection.execute(
                f"SELECT {COLUMNS} FROM summaries WHERE node = ? AND to_utc_ms > ? AND from_utc_ms < ?"  # noqa: S608
                " ORDER BY to_utc_ms, boot, number",
                (node, from_utc_ms, to_utc_ms),
            ).fetchall()
        )
        return [NodeSummary(*row) for row in rows]
