"""What was said of rooms, and what is known of them: tables of windows.db."""

import sqlite3
from collections.abc import Sequence
from dataclasses import astuple, dataclass

from attuned.store.database import Database

HOUR_MS = 3_600_000

# Rows of `said`, the newest, in which the last thing of each room is looked for: it has no index. A room that has said
# nothing for so long says what it has to say once more.
LAST_SAID_ROWS = 400_000

# The newest checkpoint of each room before an hour, with a look or two into the table a room, which has years of hours.
_CHECKPOINTS = """
WITH RECURSIVE names(room) AS (
  SELECT min(room) FROM beliefs
  UNION ALL SELECT (SELECT min(room) FROM beliefs WHERE room > names.room) FROM names WHERE names.room IS NOT NULL
)
SELECT room, (SELECT checkpoint FROM beliefs WHERE room = names.room AND hour < :hour ORDER BY hour DESC LIMIT 1)
FROM names WHERE room IS NOT NULL
"""

# No number is given twice, even if the newest sayings were forgotten: by their numbers it is told which those were.
_NEXT = (
    "(SELECT 1 + max(coalesce((SELECT max(id) FROM said), 0),"
    " coalesce((SELECT max(json_extract(selection, '$.through_said')) FROM audit), 0)))"
)

_SAID = "room, utc_ms, state, probability, since_utc_ms, spoken_utc_ms"


@dataclass(frozen=True)
class SaidRow:
    """What was said of a room at an event time; `state` as in attune.v1.RoomState. Never rewritten.

    `spoken_utc_ms` is when it was said, by the daemon's clock; 0 in rows from before that was written down.
    """

    room: str
    utc_ms: int
    state: int
    probability: float
    since_utc_ms: int
    spoken_utc_ms: int = 0


@dataclass(frozen=True)
class BeliefHour:
    """What is known of a room for an hour: int16 log-odds in 1/256 nat a step, and the filter after the last step."""

    room: str
    hour: int
    known: bytes
    checkpoint: str


class BeliefStore:
    """Reads and corrects what is known; commits of what is said come with the windows that caused it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def write(self, hours: Sequence[BeliefHour]) -> None:
        """Writes or rewrites what is known of rooms."""
        rows = [astuple(hour) for hour in hours]
        await self._database.run(
            lambda connection: connection.executemany("INSERT OR REPLACE INTO beliefs VALUES (?, ?, ?, ?)", rows)
        )

    async def checkpoints(self, until_utc_ms: int) -> dict[str, str]:
        """The checkpoint at which each room's settled history ends, of hours that are over by then."""
        values = {"hour": until_utc_ms // HOUR_MS}
        rows = await self._database.read(lambda connection: connection.execute(_CHECKPOINTS, values).fetchall())
        return {room: checkpoint for room, checkpoint in rows if checkpoint is not None}

    async def checkpoint_before(self, room: str, hour: int) -> str | None:
        """The checkpoint after the newest stored hour before `hour`."""
        row = await self._database.read(
            lambda connection: connection.execute(
                "SELECT checkpoint FROM beliefs WHERE room = ? AND hour < ? ORDER BY hour DESC LIMIT 1", (room, hour)
            ).fetchone()
        )
        return str(row[0]) if row else None

    async def known(self, room: str, from_hour: int, to_hour: int) -> list[tuple[int, bytes]]:
        """(hour, log-odds as packed in BeliefHour) of a room, in order."""
        return await self._database.read(
            lambda connection: connection.execute(
                "SELECT hour, known FROM beliefs WHERE room = ? AND hour BETWEEN ? AND ? ORDER BY hour",
                (room, from_hour, to_hour),
            ).fetchall()
        )

    async def said(self, room: str, from_utc_ms: int, to_utc_ms: int) -> list[SaidRow]:
        """What was said of a room in a stretch of event time, and the last thing before it, in order of saying.

        Reads all that was said since, backwards and forwards: an index would cost each commit more than the windows do.
        """

        def work(connection: sqlite3.Connection) -> list[SaidRow]:
            earlier = connection.execute(
                "SELECT id FROM said WHERE room = ? AND utc_ms <= ? ORDER BY id DESC LIMIT 1", (room, from_utc_ms)
            ).fetchone()
            rows = connection.execute(
                f"SELECT {_SAID} FROM said"  # noqa: S608 (column names of this file)
                " WHERE room = ? AND id >= ? AND utc_ms <= ? ORDER BY id",
                (room, earlier[0] if earlier else 0, to_utc_ms),
            )
            return [SaidRow(*row) for row in rows]

        return await self._database.read(work)

    async def through_said(self) -> int:
        """The highest number that something said has had; 0: nothing was said."""
        return await self._database.read(
            lambda connection: int(connection.execute(f"SELECT {_NEXT} - 1").fetchone()[0])
        )

    async def last_said(self) -> dict[str, SaidRow]:
        """The last thing that was said of each room, among the newest LAST_SAID_ROWS."""
        rows = await self._database.read(
            lambda connection: connection.execute(
                f"SELECT {_SAID}, max(id) FROM said"  # noqa: S608
                " WHERE id > (SELECT max(id) FROM said) - ? GROUP BY room",
                (LAST_SAID_ROWS,),
            ).fetchall()
        )
        return {row[0]: SaidRow(*row[:-1]) for row in rows}


def write_said(connection: sqlite3.Connection, said: Sequence[SaidRow]) -> None:
    connection.executemany(
        f"INSERT INTO said (id, {_SAID}) VALUES ({_NEXT}, ?, ?, ?, ?, ?, ?)",  # noqa: S608
        [astuple(row) for row in said],
    )


def add_hours(connection: sqlite3.Connection, hours: Sequence[BeliefHour]) -> list[BeliefHour]:
    """Writes the hours of which nothing is known yet; the others."""
    add = "INSERT OR IGNORE INTO beliefs VALUES (?, ?, ?, ?)"
    return [hour for hour in hours if not connection.execute(add, astuple(hour)).rowcount]
