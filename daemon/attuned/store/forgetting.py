"""What of windows.db is forgotten: windows, what was said and known of rooms, statistics of nodes' days.

Each step may be done again: what is gone already changes nothing. Which reports have come stays, so that no node is
asked for them a second time.
"""

import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from attuned.nodes.window import unpack_all
from attuned.store.audit import DONE, AuditEntry, Selection, write_entry
from attuned.store.beliefs import HOUR_MS
from attuned.store.database import Database
from attuned.store.dropping import HOUR_BITS, Stays, drop_packed, drop_times
from attuned.store.windows import count_in_boots, inbox_records, packed_records

# Rows of packed windows that are looked at in one transaction.
STEP_ROWS = 500

# What follows from the stretch: steps of an hour through the room's filter, and what a quiet node said last holds for
# a little more than an hour.
HOURS_AFTER = 2

_DAYS = "FROM node_days WHERE node = ? AND from_utc_ms < ? AND to_utc_ms > ?"
# By number: a clock that ran ahead when it was said does not keep it. Entries from before that have the time alone.
_SAID = (
    "FROM said WHERE room = :room AND utc_ms > :first AND utc_ms <= :last"
    " AND iif(:through < 0, spoken_utc_ms <= :told, id <= :through)"
)


class WindowForgetting:
    """Takes what is selected out of windows.db."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def counts(self, entry: AuditEntry) -> dict[str, int]:
        """How many rows of each kind would go."""

        def work(connection: sqlite3.Connection) -> dict[str, int]:
            found = {"windows": _count_windows(connection, entry.selection)}
            return found | {name: step(connection, entry) for name, step in ROWS.items()}

        return await self._database.rehearse(work)

    async def forget(self, entry: AuditEntry) -> dict[str, int]:
        """Takes out all that is selected and notes that this was done; how many rows of each kind went."""
        counts = {"windows": await self._forget_windows(entry.selection)}

        def work(connection: sqlite3.Connection) -> dict[str, int]:
            found = {name: step(connection, entry) for name, step in ROWS.items()}
            write_entry(connection, replace(entry.with_counts(counts | found), state=DONE))
            return found

        return counts | await self._database.erase(work)

    async def scrub(self) -> bool:
        """Frees every page that nothing needs; False while somebody reads: then again later."""
        return await self._database.scrub()

    async def _forget_windows(self, selection: Selection) -> int:
        if not selection.takes_windows:
            return 0
        gone = await self._database.erase(lambda connection: forget_inbox(connection, selection))
        last: int | None = 0
        while last is not None:
            after = last
            last, dropped = await self._database.erase(partial(forget_packed, selection=selection, after=after))
            gone += dropped
        return gone


def forget_inbox(connection: sqlite3.Connection, selection: Selection) -> int:
    """Drops windows that have not been packed; that they came is written down."""
    nodes, gone = frozenset(selection.nodes), []
    for number, record in connection.execute("SELECT id, record FROM inbox"):
        (window,) = unpack_all(record)
        if window.node in nodes and selection.covers(window.end_utc_ms):
            gone.append((number, window))
    count_in_boots(connection, [window for _, window in gone])
    connection.executemany("DELETE FROM inbox WHERE id = ?", [(number,) for number, _ in gone])
    return len(gone)


def forget_packed(connection: sqlite3.Connection, selection: Selection, after: int) -> tuple[int | None, int]:
    """Drops packed windows of the next rows; the last one that was looked at, and how many went."""
    nodes = frozenset(selection.nodes)

    def stays(node: str) -> Stays:
        return (lambda window: not selection.covers(window.end_utc_ms)) if node in nodes else True

    first = selection.from_utc_ms // HOUR_MS << HOUR_BITS
    end = selection.to_utc_ms // HOUR_MS + 1 << HOUR_BITS
    return drop_packed(connection, (max(after, first - 1), end), stays, STEP_ROWS)


def _count_windows(connection: sqlite3.Connection, selection: Selection) -> int:
    if not selection.takes_windows:
        return 0
    span = selection.from_utc_ms, selection.to_utc_ms
    parts = [*packed_records(connection, selection.nodes, *span), *inbox_records(connection, selection.nodes)]
    return sum(selection.covers(window.end_utc_ms) for _, records in parts for window in unpack_all(records))


def forget_said(connection: sqlite3.Connection, entry: AuditEntry) -> int:
    """Drops what was said of the stretch; later sayings no longer tell when within it a state began."""
    selection = entry.selection
    if not selection.takes_windows:
        return 0
    span = selection.from_utc_ms, selection.to_utc_ms
    for room in selection.rooms:
        connection.execute(
            "UPDATE said SET since_utc_ms = ? WHERE room = ? AND since_utc_ms > ? AND since_utc_ms < ?",
            (span[1], room, *span),
        )
    when = {"first": span[0], "last": span[1], "through": selection.through_said, "told": entry.utc_ms}
    rows = [when | {"room": room} for room in selection.rooms]
    return sum(connection.execute(f"DELETE {_SAID}", row).rowcount for row in rows)


def forget_known(connection: sqlite3.Connection, entry: AuditEntry) -> int:
    """Drops the hours that the stretch touches or that follow from it; likewise."""
    selection = entry.selection
    if not selection.takes_windows:
        return 0
    hours = selection.from_utc_ms // HOUR_MS, (selection.to_utc_ms - 1) // HOUR_MS + HOURS_AFTER + 1
    gone = 0
    for room in selection.rooms:
        gone += drop_times(connection, ("beliefs", "room", "hour"), room, hours, -1)
        _hide_beginnings(connection, room, selection)
    return gone


def _hide_beginnings(connection: sqlite3.Connection, room: str, selection: Selection) -> None:
    since = "json_extract(checkpoint, '$.since_utc_ms')"
    rows = connection.execute(
        f"SELECT hour, checkpoint FROM beliefs WHERE room = ? AND {since} > ? AND {since} < ?",  # noqa: S608
        (room, selection.from_utc_ms, selection.to_utc_ms),
    ).fetchall()
    for hour, checkpoint in rows:
        text = json.dumps(json.loads(checkpoint) | {"since_utc_ms": selection.to_utc_ms})
        connection.execute("UPDATE beliefs SET checkpoint = ? WHERE room = ? AND hour = ?", (text, room, hour))


def forget_days(connection: sqlite3.Connection, entry: AuditEntry) -> int:
    """Drops statistics of days that the stretch touches."""
    selection = entry.selection
    if not selection.takes_windows:
        return 0
    return _deleted(connection, _DAYS, [(node, selection.to_utc_ms, selection.from_utc_ms) for node in selection.nodes])


def forget_sketches(connection: sqlite3.Connection, entry: AuditEntry) -> int:
    """Drops sketches of quiet nodes that the stretch touches: nothing can be taken out of them."""
    selection = entry.selection
    if not selection.takes_windows:
        return 0
    rows = [(node, selection.to_utc_ms, selection.from_utc_ms) for node in selection.nodes]
    return _deleted(connection, "FROM sketches WHERE node = ? AND from_utc_ms < ? AND to_utc_ms > ?", rows)


def forget_summaries(connection: sqlite3.Connection, entry: AuditEntry) -> int:
    """Drops summaries that the stretch touches: nothing can be taken out of means."""
    selection = entry.selection
    if not selection.takes_windows:
        return 0
    rows = [(node, selection.to_utc_ms, selection.from_utc_ms) for node in selection.nodes]
    return _deleted(connection, "FROM summaries WHERE node = ? AND from_utc_ms < ? AND to_utc_ms > ?", rows)


def _deleted(connection: sqlite3.Connection, rest: str, rows: Sequence[tuple[str | int, ...]]) -> int:
    return sum(connection.execute(f"DELETE {rest}", row).rowcount for row in rows)


# What is forgotten in one transaction, after the windows.
ROWS: dict[str, Callable[[sqlite3.Connection, AuditEntry], int]] = {
    "sayings": forget_said,
    "known hours": forget_known,
    "days of nodes": forget_days,
    "sketches": forget_sketches,
    "summaries": forget_summaries,
}
