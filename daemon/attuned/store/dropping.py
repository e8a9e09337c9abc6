"""Rows that go, for retention and for forgetting alike: windows out of packed hours, names' times out of tables."""

import sqlite3
from collections.abc import Callable

from attuned.nodes.window import Window, pack, unpack_all

# An id of the table `packed` holds hour, part and node key, from high to low.
HOUR_BITS = 40
PART_BITS = 24
KEY_MASK = (1 << PART_BITS) - 1

# Which windows of a node stay; True or False where none of them has to be looked at.
Stays = Callable[[Window], bool] | bool


def drop_packed(
    connection: sqlite3.Connection, ids: tuple[int, int], stays: Callable[[str], Stays], limit: int
) -> tuple[int | None, int]:
    """Drops windows of at most `limit` rows between two ids, as `stays` says of each node.

    Returns the last row, None if there was none, and how many of the windows that were looked at went.
    """
    rows = connection.execute(
        "SELECT id, records FROM packed WHERE id > ? AND id < ? ORDER BY id LIMIT ?", (*ids, limit)
    ).fetchall()
    nodes = dict(connection.execute("SELECT key, node FROM node_keys"))
    gone = sum(_drop_of_row(connection, row, records, stays(nodes[row & KEY_MASK])) for row, records in rows)
    return (rows[-1][0] if rows else None), gone


def _drop_of_row(connection: sqlite3.Connection, row: int, records: bytes, stays: Stays) -> int:
    if stays is True:
        return 0
    windows = [] if stays is False else list(unpack_all(records))
    kept = [window for window in windows if callable(stays) and stays(window)]
    if not kept:
        connection.execute("DELETE FROM packed WHERE id = ?", (row,))
    elif len(kept) < len(windows):
        connection.execute("UPDATE packed SET records = ? WHERE id = ?", (b"".join(map(pack, kept)), row))
    return len(windows) - len(kept)


def drop_times(
    connection: sqlite3.Connection,
    columns: tuple[str, str, str],
    of: str,
    span: tuple[int | str, int | str],
    limit: int,
) -> int:
    """Drops the first rows of a name from a time on and before another, at most `limit`; how many went.

    `columns` are the table, the name and the time.
    """
    table, name, time = columns
    return connection.execute(
        f"DELETE FROM {table} WHERE {name} = ? AND {time} IN (SELECT {time} FROM {table}"  # noqa: S608 (the store's names)
        f" WHERE {name} = ? AND {time} >= ? AND {time} < ? ORDER BY {time} LIMIT ?)",
        (of, of, *span, limit),
    ).rowcount
