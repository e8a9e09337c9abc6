"""How right rooms were, a row a day: sums of what was said against labels, and which releases spoke. In attune.db."""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from attuned.store.database import Database

_INSERT = "INSERT INTO accuracy_days VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True)
class AccuracyDay:
    """What a room said on a day of UTC (days since 1970) while its nodes ran a release, against its labels.

    `labels` is the fingerprint of the labels that speak of the day. `seconds` are labelled seconds: free ones that were
    said to be free, occupied, unknown, then occupied ones likewise. `gaps` are seconds that were right less those that
    should have been, by bins of the confidence.
    """

    room: str
    day: int
    release: str
    labels: str
    seconds: tuple[int, ...]
    gaps: tuple[float, ...]


@dataclass(frozen=True)
class RoomRelease:
    """The release that the nodes of a room run since then (UTC in ms); with several, all of them."""

    room: str
    since_utc_ms: int
    release: str


class AccuracyStore:
    """Days that were judged, and releases by time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def days(self) -> list[AccuracyDay]:
        """Every day that was judged, by room and day."""
        rows = await self._database.read(
            lambda connection: connection.execute("SELECT * FROM accuracy_days ORDER BY room, day, release").fetchall()
        )
        return [day_of_row(row) for row in rows]

    async def replace(self, room: str, days: Iterable[int], judged: Sequence[AccuracyDay]) -> None:
        """Writes days of a room anew; those that are not among `judged` are gone."""
        keys = [(room, day) for day in days]
        rows = [(d.room, d.day, d.release, d.labels, *d.seconds, json.dumps(d.gaps)) for d in judged]

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany("DELETE FROM accuracy_days WHERE room = ? AND day = ?", keys)
            connection.executemany(_INSERT, rows)

        await self._database.run(work)

    async def releases(self) -> list[RoomRelease]:
        """The releases of all rooms, in order of time."""
        rows = await self._database.read(
            lambda connection: connection.execute(
                "SELECT room, since_utc_ms, release FROM room_releases ORDER BY since_utc_ms"
            ).fetchall()
        )
        return [RoomRelease(*row) for row in rows]

    async def add_release(self, row: RoomRelease) -> None:
        await self._database.run(
            lambda connection: connection.execute(
                "INSERT OR REPLACE INTO room_releases VALUES (?, ?, ?)", (row.room, row.since_utc_ms, row.release)
            )
        )


def day_of_row(row: Sequence[Any]) -> AccuracyDay:
    room, day, release, labels, *seconds, gaps = row
    return AccuracyDay(room, day, release, labels, tuple(seconds), tuple(json.loads(gaps)))
