"""attune.db: small and precious. Labels, what rooms have learned from them, and what is known of nodes."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from attuned.store import migrations
from attuned.store.accuracy import AccuracyStore
from attuned.store.database import Database


@dataclass(frozen=True)
class LabelRow:
    """Ground truth for a room and an interval (from, to] of UTC in ms. `superseded_by` 0: in force."""

    number: int
    room: str
    class_name: str
    from_utc_ms: int
    to_utc_ms: int
    weight: float
    source: str
    author: str
    told_utc_ms: int
    superseded_by: int = 0

    def covers(self, utc_ms: int) -> bool:
        """Whether a window that ends then belongs to the label."""
        return self.from_utc_ms < utc_ms <= self.to_utc_ms


class SiteStore:
    """Labels, rooms' models, and nodes."""

    def __init__(self, folder: Path) -> None:
        self._database = Database(folder / "attune.db", migrations.attune, migrations.ATTUNE_VERSION)
        self.accuracy = AccuracyStore(self._database)

    async def open(self) -> None:
        await self._database.open()

    async def close(self) -> None:
        await self._database.close()

    async def add_label(self, label: LabelRow) -> LabelRow:
        """Stores a label under the next number, and marks those that it covers wholly as superseded."""

        def work(connection: sqlite3.Connection) -> int:
            values = (label.room, label.class_name, label.from_utc_ms, label.to_utc_ms, label.weight)
            cursor = connection.execute(
                "INSERT INTO labels (room, class_name, from_utc_ms, to_utc_ms, weight, source, author, told_utc_ms)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*values, label.source, label.author, label.told_utc_ms),
            )
            number = cursor.lastrowid or 0
            connection.execute(
                "UPDATE labels SET superseded_by = ? WHERE room = ? AND number < ? AND superseded_by = 0"
                " AND from_utc_ms >= ? AND to_utc_ms <= ?",
                (number, label.room, number, label.from_utc_ms, label.to_utc_ms),
            )
            return number

        number = await self._database.run(work)
        return replace(label, number=number)

    async def labels(self, room: str = "", limit: int = 0) -> list[LabelRow]:
        """Labels of a room, or of all; newest first, at most `limit` (0: all)."""
        rows = await self._database.run(
            lambda connection: connection.execute(
                "SELECT * FROM labels WHERE room = ? OR ? = '' ORDER BY number DESC LIMIT ?",
                (room, room, limit or -1),
            ).fetchall()
        )
        return [LabelRow(*row) for row in rows]

    async def words(self, room: str = "") -> list[LabelRow]:
        """Every label of a room, or of all, that is somebody's word, those that count no longer included, by number."""
        rows = await self._database.run(
            lambda connection: connection.execute(
                "SELECT * FROM labels WHERE (room = ? OR ? = '') AND weight >= 1 ORDER BY number", (room, room)
            ).fetchall()
        )
        return [LabelRow(*row) for row in rows]

    async def save_model(self, room: str, model: str) -> None:
        """What a room has learned from its labels, as JSON."""
        await self._database.run(
            lambda connection: connection.execute("INSERT OR REPLACE INTO room_models VALUES (?, ?)", (room, model))
        )

    async def models(self) -> dict[str, str]:
        """What was saved last of each room."""
        rows = await self._database.run(
            lambda connection: connection.execute("SELECT room, model FROM room_models").fetchall()
        )
        return dict(rows)

    async def save_facts(self, facts: Mapping[str, str]) -> None:
        """What nodes last said of themselves, as JSON by node."""
        await self._database.run(
            lambda connection: connection.executemany("INSERT OR REPLACE INTO nodes VALUES (?, ?)", list(facts.items()))
        )

    async def facts(self) -> dict[str, str]:
        rows = await self._database.run(
            lambda connection: connection.execute("SELECT node, facts FROM nodes").fetchall()
        )
        return dict(rows)
