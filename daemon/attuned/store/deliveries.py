"""Releases on their way to nodes, and the numbers of updates that were ever given: two tables of attune.db."""

import sqlite3

from attuned.store.database import Database
from attuned.updates.delivery import Course, Delivery, Signed, Stage

_COLUMNS = (
    "node, target, sequence, stage, reason, windows, differing, since_utc_ms, before,"
    " envelope, base, signing_key, signed_utc_ms"
)


class DeliveryStore:
    """The newest delivery of each node. Each call is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self) -> list[Course]:
        """Every delivery as it stands on the disk."""
        text = f"SELECT {_COLUMNS} FROM deliveries ORDER BY node"  # noqa: S608 (column names of this file)
        rows = await self._database.read(lambda connection: connection.execute(text).fetchall())
        return [_course(row) for row in rows]

    async def save(self, course: Course) -> None:
        """Keeps how a delivery stands, in the place of what was kept of its node."""
        delivery, signed = course.delivery, course.signed
        what = delivery.node, delivery.target, delivery.sequence, delivery.stage.value, delivery.reason
        counts = delivery.windows, delivery.differing, delivery.since_utc_ms, delivery.before
        sent = (signed.envelope, signed.base, signed.key, signed.utc_ms) if signed else (b"", "", 0, 0)
        text = f"INSERT OR REPLACE INTO deliveries ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
        await self._database.run(lambda connection: connection.execute(text, (*what, *counts, *sent)))

    async def number(self, node: str, above: int) -> int:
        """The next number for an update of a node: above that one, and above every one that was ever given for it."""

        def work(connection: sqlite3.Connection) -> int:
            row = connection.execute("SELECT highest FROM update_numbers WHERE node = ?", (node,)).fetchone()
            number = max(above, row[0] if row else 0) + 1
            connection.execute("INSERT OR REPLACE INTO update_numbers VALUES (?, ?)", (node, number))
            return number

        return await self._database.run(work)

    async def forget(self, node: str) -> None:
        """The node is gone. Its numbers stay: it may come back."""
        await self._database.run(
            lambda connection: connection.execute("DELETE FROM deliveries WHERE node = ?", (node,))
        )


def _course(row: tuple[str, str, int, str, str, int, int, int, str, bytes, str, int, int]) -> Course:
    node, target, sequence, stage, reason, windows, differing, since, before, envelope, base, key, signed_ms = row
    delivery = Delivery(node, target, sequence, Stage(stage), reason, windows, differing, since, before)
    return Course(delivery, Signed(sequence, envelope, base, key, signed_ms) if envelope else None)
