"""What windows.db lets go of when it is old, in steps of a few milliseconds each: commits go on between them."""

import sqlite3
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from attuned.nodes.window import Window
from attuned.store.beliefs import HOUR_MS
from attuned.store.database import Database
from attuned.store.dropping import HOUR_BITS, Stays, drop_packed, drop_times

# Rows and pages that are looked at in one transaction.
STEP_ROWS = 500
STEP_PAGES = 200

# Free pages that stay for the next windows, 4 MB: a file that shrinks and grows again each day is written twice.
FREE_PAGES = 1000

Spans = Sequence[tuple[int, int]]  # (from, to] of UTC in ms, in order, without overlap


class RetentionStore:
    """One step of dropping what is old; each step is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def awake(self, now_utc_ms: int, count: int) -> list[int]:
        """Notes that the daemon runs in this hour; the newest `count` hours of which that is known, the latest first.

        Hours after this one were noted by a clock that was wrong, or is: they go when as many agree that it is right.
        """

        def work(connection: sqlite3.Connection) -> list[int]:
            hour = now_utc_ms // HOUR_MS
            connection.execute("INSERT OR IGNORE INTO awake VALUES (?)", (hour,))
            newest = connection.execute(
                "SELECT hour FROM awake WHERE hour <= ? ORDER BY hour DESC LIMIT ?", (hour, count)
            ).fetchall()
            if len(newest) == count:
                connection.execute("DELETE FROM awake WHERE hour < ? OR hour > ?", (newest[-1][0], hour))
            return [found for (found,) in newest]

        return await self._database.run(work)

    async def drop_ties(self, after: str, until_utc_ms: int) -> str | None:
        """Drops the ties before `until` of the first node after `after`, but for the last of each boot; likewise."""
        return await self._database.run(lambda connection: _drop_ties(connection, after, until_utc_ms))

    async def drop_boots(self, node: str, boots: Sequence[int]) -> None:
        """Drops what is known of a node's starts."""
        rows = [(node, boot) for boot in boots]

        def work(connection: sqlite3.Connection) -> None:
            for table in ("boots", "ties"):
                connection.executemany(f"DELETE FROM {table} WHERE node = ? AND boot = ?", rows)  # noqa: S608

        await self._database.run(work)

    async def drop_windows(self, after: int, until_utc_ms: int, spans: Mapping[str, Spans]) -> int | None:
        """Drops windows of whole hours before `until`, but for those that end in one of their node's spans.

        Goes on after the row `after` (0: from the first); the row to go on after, None where nothing is left.
        """
        before = until_utc_ms // HOUR_MS << HOUR_BITS
        return await self._database.run(lambda connection: _drop_windows(connection, (after, before), spans))

    async def drop_hours(self, after: str, until_utc_ms: int) -> str | None:
        """Drops what is known of the first room after the name `after` and of hours before `until`.

        The room to go on after, which is the same where it has more; None where there is no further room.
        """
        return await self._database.run(
            lambda connection: _drop_of_next(connection, ("beliefs", "room", "hour"), after, until_utc_ms // HOUR_MS)
        )

    async def drop_days(self, after: str, until_utc_ms: int) -> str | None:
        """Drops the statistics of days before `until` of the first node after `after`; likewise."""
        day = datetime.fromtimestamp(until_utc_ms / 1000, UTC).date().isoformat()
        return await self._database.run(
            lambda connection: _drop_of_next(connection, ("node_days", "node", "day"), after, day)
        )

    async def drop_sketches(self, after: str, until_utc_ms: int) -> str | None:
        """Drops the sketches before `until` of the first node after `after`; likewise."""
        return await self._database.run(
            lambda connection: _drop_of_next(connection, ("sketches", "node", "to_utc_ms"), after, until_utc_ms)
        )

    async def drop_summaries(self, after: str, until_utc_ms: int) -> str | None:
        """Drops the summaries before `until` of the first node after `after`; likewise."""
        return await self._database.run(
            lambda connection: _drop_of_next(connection, ("summaries", "node", "to_utc_ms"), after, until_utc_ms)
        )

    async def drop_said(self, until_utc_ms: int) -> bool:
        """Drops what was said before `until`, but for the last thing of each room; whether there may be more."""
        return await self._database.run(lambda connection: _drop_said(connection, until_utc_ms))

    async def return_pages(self) -> bool:
        """Gives free pages beyond FREE_PAGES back to the disk; whether there are more."""
        return await self._database.run(_return_pages)


def _drop_windows(connection: sqlite3.Connection, ids: tuple[int, int], spans: Mapping[str, Spans]) -> int | None:
    def stays(node: str) -> Stays:
        wanted = spans.get(node, ())
        return (lambda window: _wanted(window, wanted)) if wanted else False

    last, _ = drop_packed(connection, ids, stays, STEP_ROWS)
    return last


def _wanted(window: Window, spans: Spans) -> bool:
    place = bisect_left(spans, window.end_utc_ms, key=lambda span: span[1])
    return not window.refused and place < len(spans) and spans[place][0] < window.end_utc_ms


def _drop_of_next(
    connection: sqlite3.Connection, columns: tuple[str, str, str], after: str, until: int | str
) -> str | None:
    """A step in a table whose key is a name and a time: `columns` are the table, the name and the time."""
    table, name, _ = columns
    found = connection.execute(f"SELECT min({name}) FROM {table} WHERE {name} > ?", (after,)).fetchone()[0]  # noqa: S608
    if found is None:
        return None
    since = 0 if isinstance(until, int) else ""
    dropped = drop_times(connection, columns, str(found), (since, until), STEP_ROWS)
    return after if dropped == STEP_ROWS else str(found)


def _drop_ties(connection: sqlite3.Connection, after: str, until_utc_ms: int) -> str | None:
    found = connection.execute("SELECT min(node) FROM ties WHERE node > ?", (after,)).fetchone()[0]
    if found is None:
        return None
    connection.execute(
        "DELETE FROM ties WHERE node = ? AND EXISTS (SELECT 1 FROM ties AS later WHERE later.node = ties.node"
        " AND later.boot = ties.boot AND later.tick_ms > ties.tick_ms AND later.utc_ms < ?)",
        (found, until_utc_ms),
    )
    return str(found)


def _drop_said(connection: sqlite3.Connection, until_utc_ms: int) -> bool:
    newer = connection.execute("SELECT id FROM said WHERE utc_ms >= ? ORDER BY id LIMIT 1", (until_utc_ms,)).fetchone()
    if newer is None:
        newer = connection.execute("SELECT max(id) + 1 FROM said").fetchone()
    # The last row of a room still stands: what is said later of the time after it is compared with it.
    dropped = connection.execute(
        "DELETE FROM said WHERE id IN (SELECT id FROM said AS old WHERE id < ? AND EXISTS"
        " (SELECT 1 FROM said WHERE id > old.id AND id < ? AND room = old.room) ORDER BY id LIMIT ?)",
        (newer[0], newer[0], STEP_ROWS),
    ).rowcount
    return dropped == STEP_ROWS


def _return_pages(connection: sqlite3.Connection) -> bool:
    free = connection.execute("PRAGMA freelist_count").fetchone()[0] - FREE_PAGES
    for _ in range(min(free, STEP_PAGES)):
        # The module sqlite3 ends the statement after its first step, which gives back one page.
        connection.execute("PRAGMA incremental_vacuum(1)")
    return bool(free > STEP_PAGES)
