"""attune.db: small and precious. Labels, what rooms have learned from them, and what is known of nodes."""

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from attuned.errors import NotFoundError, RequestError
from attuned.store import migrations
from attuned.store.accuracy import AccuracyStore
from attuned.store.audit import AuditStore
from attuned.store.database import Database
from attuned.store.deliveries import DeliveryStore
from attuned.store.drift import DriftStore
from attuned.store.gateways import GatewayStore
from attuned.store.keys import KeyStore
from attuned.store.releases import ReleaseStore
from attuned.store.rollouts import RolloutStore

# The longest label that the store is ever given, milliseconds: what overlaps a moment began at most so long before it.
LONGEST_MS = 7 * 24 * 3_600_000

_COLUMNS = "room, class_name, from_utc_ms, to_utc_ms, weight, source, author, told_utc_ms"

# The highest number that a label has had.
NUMBERED = "SELECT max(through, coalesce((SELECT max(number) FROM labels), 0)) FROM label_numbers"
_NEXT = f"(1 + ({NUMBERED}))"


@dataclass(frozen=True, slots=True)
class LabelRow:
    """What was said of a room and an interval (from, to] of UTC in ms, by whom, and when.

    `weight` 1 is a person's word; below it a label is weak. `superseded_by` is the newer label that covers it wholly
    and weighs no less; 0: none. `withdrawn_utc_ms` is when it was taken back; 0: never.
    """

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
    withdrawn_utc_ms: int = 0
    withdrawn_by: str = ""

    @property
    def in_force(self) -> bool:
        return not self.superseded_by and not self.withdrawn_utc_ms

    @property
    def weak(self) -> bool:
        """Whether it is less than somebody's word: it is evidence, and teaches no node."""
        return self.weight < 1

    def covers(self, utc_ms: int) -> bool:
        """Whether a window that ends then belongs to the label."""
        return self.from_utc_ms < utc_ms <= self.to_utc_ms


@dataclass(frozen=True)
class Withdrawn:
    """A label that was taken back, and those that it had replaced and that count again."""

    label: LabelRow
    in_force_again: Sequence[LabelRow]


@dataclass(frozen=True)
class Names:
    """Rooms, nodes and sources of labels that the store has rows of."""

    rooms: Collection[str]
    nodes: Collection[str]
    sources: Collection[str]


class SiteStore:
    """Labels, rooms' models, nodes, and releases."""

    def __init__(self, folder: Path) -> None:
        self._database = Database(
            folder / "attune.db", migrations.attune, migrations.ATTUNE_VERSION, witness=folder / "daemon.key"
        )
        self.audit = AuditStore(self._database)
        self.drift = DriftStore(self._database)
        self.accuracy = AccuracyStore(self._database)
        self.releases = ReleaseStore(self._database)
        self.keys = KeyStore(self._database)
        self.deliveries = DeliveryStore(self._database)
        self.gateways = GatewayStore(self._database)
        self.rollouts = RolloutStore(self._database)

    @property
    def database(self) -> Database:
        """For what is done to several of its tables at once."""
        return self._database

    async def open(self) -> None:
        await self._database.open()

    async def close(self) -> None:
        await self._database.close()

    async def look(self) -> None:
        """Returns when the store's thread has read the file. Raises StoreError."""
        await self._database.look()

    async def add_label(self, label: LabelRow) -> LabelRow:
        """Stores a label under the next number, and marks those that it covers wholly as superseded.

        Raises RequestError if another label of the same second says something else of the time: neither is newer.
        """

        return await self._database.run(lambda connection: _add(connection, label))

    async def add_press(self, label: LabelRow, boot: int, number: int) -> LabelRow | None:
        """Stores the label of a press of its author's button, as `add_label`; None if that press made one before."""

        def work(connection: sqlite3.Connection) -> LabelRow | None:
            identity = label.author, boot, number
            known = "SELECT 1 FROM presses WHERE node = ? AND boot = ? AND press = ?"
            if connection.execute(known, identity).fetchone():
                return None
            stored = _add(connection, label)
            connection.execute("INSERT INTO presses VALUES (?, ?, ?, ?)", (*identity, stored.number))
            return stored

        return await self._database.run(work)

    async def add_labels(self, labels: Sequence[LabelRow], longest_ms: int) -> list[int]:
        """Stores labels told together in one transaction, in their order.

        For each the number of an earlier one that says something else of the time, in which case it is not stored; or
        0. No label told in that second is longer than `longest_ms`.
        """

        def work(connection: sqlite3.Connection) -> list[int]:
            against = []
            for label in labels:
                against.append(_contradiction(connection, label, longest_ms))
                if not against[-1]:
                    insert_label(connection, label)
            return against

        return await self._database.run(work)

    async def withdraw_label(self, number: int, author: str, now_utc_ms: int) -> Withdrawn:
        """Takes a label back; number 0 is the newest in force that a person of this name has given.

        Raises NotFoundError where there is no such label, RequestError where it has been taken back before.
        """

        def work(connection: sqlite3.Connection) -> Withdrawn:
            label = _label(connection, number) if number else _newest_of(connection, author)
            if label.withdrawn_utc_ms:
                raise RequestError(f"Label {label.number} was taken back before: `attune label list` shows by whom.")
            connection.execute(
                "UPDATE labels SET withdrawn_utc_ms = ?, withdrawn_by = ? WHERE number = ?",
                (now_utc_ms, author, label.number),
            )
            freed = free_superseded(connection, {label.number})
            return Withdrawn(_label(connection, label.number), [row for row in freed if row.in_force])

        return await self._database.run(work)

    async def labels(self, room: str = "", limit: int = 0, since_utc_ms: int = 0) -> list[LabelRow]:
        """Labels of a room, or of all, of stretches that end after `since`; newest first, at most `limit` (0: all)."""
        rows = await self._database.read(
            lambda connection: connection.execute(
                "SELECT * FROM labels WHERE (room = ? OR ? = '') AND to_utc_ms > ? ORDER BY number DESC LIMIT ?",
                (room, room, since_utc_ms, limit or -1),
            ).fetchall()
        )
        return [LabelRow(*row) for row in rows]

    async def checked_labels(self, room: str, limit: int, since_utc_ms: int) -> list[LabelRow]:
        """At most `limit` labels of a room that are in force, of stretches that end after `since`, by number.

        Words come before weak labels, or an import of bookings would leave no room for them, and the newest first.
        """
        rows = await self._database.read(
            lambda connection: connection.execute(
                "SELECT * FROM labels WHERE room = ? AND superseded_by = 0 AND withdrawn_utc_ms = 0 AND to_utc_ms > ?"
                " ORDER BY weight >= 1 DESC, number DESC LIMIT ?",
                (room, since_utc_ms, limit),
            ).fetchall()
        )
        return sorted((LabelRow(*row) for row in rows), key=lambda row: row.number)

    async def teaching_labels(self, room: str, limit: int) -> list[LabelRow]:
        """The newest `limit` labels of a room that are in force and not weak, in order of their numbers."""
        rows = await self._database.read(
            lambda connection: connection.execute(
                "SELECT * FROM labels WHERE room = ? AND superseded_by = 0 AND withdrawn_utc_ms = 0 AND weight >= 1"
                " ORDER BY number DESC LIMIT ?",
                (room, limit),
            ).fetchall()
        )
        return [LabelRow(*row) for row in reversed(rows)]

    async def withdrawn_labels(self, room: str, since_utc_ms: int) -> list[int]:
        """Numbers of a room's labels that were taken back after `since`."""
        rows = await self._database.read(
            lambda connection: connection.execute(
                "SELECT number FROM labels WHERE room = ? AND withdrawn_utc_ms > ? ORDER BY number",
                (room, since_utc_ms),
            ).fetchall()
        )
        return [number for (number,) in rows]

    async def names(self) -> Names:
        """All that rows are kept of."""

        def work(connection: sqlite3.Connection) -> Names:
            rooms = _column(
                connection,
                "SELECT room FROM labels UNION SELECT room FROM room_models UNION SELECT room FROM releases"
                " UNION SELECT room FROM accuracy_days",
            )
            nodes = _column(connection, "SELECT node FROM nodes UNION SELECT node FROM releases")
            return Names(rooms, nodes, _column(connection, "SELECT DISTINCT source FROM labels"))

        return await self._database.read(work)

    async def through_label(self) -> int:
        """The highest number that a label has had."""
        newest = "SELECT max(through, coalesce((SELECT max(number) FROM labels), 0)) FROM label_numbers"
        return await self._database.read(lambda connection: int(connection.execute(newest).fetchone()[0]))

    async def has_label(self, number: int) -> bool:
        """Whether a label is there: those that were forgotten are not."""
        return await self._database.read(
            lambda connection: bool(connection.execute("SELECT 1 FROM labels WHERE number = ?", (number,)).fetchone())
        )

    async def unlearning(self) -> dict[str, set[int]]:
        """The labels that each node still has to take out of its log, by number."""
        rows = await self._database.read(
            lambda connection: connection.execute("SELECT node, number FROM unlearning").fetchall()
        )
        found: dict[str, set[int]] = {}
        for node, number in rows:
            found.setdefault(node, set()).add(number)
        return found

    async def note_unlearned(self, node: str, numbers: Iterable[int]) -> None:
        """The node has taken these labels out of its log."""
        rows = [(node, number) for number in numbers]
        await self._database.run(
            lambda connection: connection.executemany("DELETE FROM unlearning WHERE node = ? AND number = ?", rows)
        )

    async def count_labels(self) -> int:
        """Every label that was ever told."""
        return await self._database.read(
            lambda connection: int(connection.execute("SELECT count(*) FROM labels").fetchone()[0])
        )

    async def words(self, room: str = "") -> list[LabelRow]:
        """Every label of a room, or of all, that is somebody's word, those that count no longer included, by number."""
        rows = await self._database.read(
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
        rows = await self._database.read(
            lambda connection: connection.execute("SELECT room, model FROM room_models").fetchall()
        )
        return dict(rows)

    async def save_facts(self, facts: Mapping[str, str]) -> None:
        """What nodes last said of themselves, as JSON by node."""
        await self._database.run(
            lambda connection: connection.executemany("INSERT OR REPLACE INTO nodes VALUES (?, ?)", list(facts.items()))
        )

    async def facts(self) -> dict[str, str]:
        rows = await self._database.read(
            lambda connection: connection.execute("SELECT node, facts FROM nodes").fetchall()
        )
        return dict(rows)


def _column(connection: sqlite3.Connection, text: str) -> frozenset[str]:
    return frozenset(value for (value,) in connection.execute(text))


def _add(connection: sqlite3.Connection, label: LabelRow) -> LabelRow:
    if other := _contradiction(connection, label, LONGEST_MS):
        raise RequestError(
            f"Label {other}, told in the same second, says otherwise of {label.room} in that time: "
            "find out which is right, and say that again."
        )
    return insert_label(connection, label)


def insert_label(connection: sqlite3.Connection, label: LabelRow) -> LabelRow:
    """Stores a label under the next number; those that it covers wholly are superseded."""
    values = (label.room, label.class_name, label.from_utc_ms, label.to_utc_ms, label.weight)
    # Nodes know labels by their numbers: none is given twice, even if the newest labels were forgotten.
    cursor = connection.execute(
        f"INSERT INTO labels (number, {_COLUMNS}) VALUES ({_NEXT}, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
        (*values, label.source, label.author, label.told_utc_ms),
    )
    stored = replace(label, number=cursor.lastrowid or 0)
    connection.execute(
        "UPDATE labels SET superseded_by = ? WHERE room = ? AND from_utc_ms BETWEEN ? AND ? AND to_utc_ms <= ?"
        " AND number < ? AND superseded_by = 0 AND withdrawn_utc_ms = 0 AND weight <= ?",
        (stored.number, label.room, label.from_utc_ms, label.to_utc_ms, label.to_utc_ms, stored.number, label.weight),
    )
    return stored


def _contradiction(connection: sqlite3.Connection, label: LabelRow, longest_ms: int) -> int:
    """The number of a label of the same second that says something else of a part of the time; 0 if there is none.

    None of those that are looked for is longer than `longest_ms`.
    """
    found = connection.execute(
        "SELECT number FROM labels WHERE room = ? AND from_utc_ms > ? AND from_utc_ms < ? AND to_utc_ms > ?"
        " AND told_utc_ms / 1000 = ? AND class_name <> ? AND withdrawn_utc_ms = 0 AND weight = ? LIMIT 1",
        (
            label.room,
            label.from_utc_ms - longest_ms - 1,
            label.to_utc_ms,
            label.from_utc_ms,
            label.told_utc_ms // 1000,
            label.class_name,
            label.weight,
        ),
    ).fetchone()
    return int(found[0]) if found else 0


def _label(connection: sqlite3.Connection, number: int) -> LabelRow:
    row = connection.execute("SELECT * FROM labels WHERE number = ?", (number,)).fetchone()
    if row is None:
        raise NotFoundError(f"There is no label {number}: `attune label list` shows their numbers.")
    return LabelRow(*row)


def _newest_of(connection: sqlite3.Connection, author: str) -> LabelRow:
    row = connection.execute(
        "SELECT * FROM labels WHERE author = ? AND source = 'person' AND withdrawn_utc_ms = 0"
        " ORDER BY number DESC LIMIT 1",
        (author,),
    ).fetchone()
    if row is None:
        raise NotFoundError(
            f"{author or 'You'} gave no label that could be taken back: name one by its number, "
            "as `attune label list` shows it."
        )
    return LabelRow(*row)


def free_superseded(connection: sqlite3.Connection, numbers: Collection[int]) -> list[LabelRow]:
    """Gives each label that those had replaced which no longer count to the next one that covers it, or to nobody.

    The table is read once, however many they are: they may be an import.
    """
    replaced = connection.execute(
        "SELECT * FROM labels WHERE superseded_by IN (SELECT value FROM json_each(?)) ORDER BY number",
        (json.dumps(sorted(numbers)),),
    ).fetchall()
    rows = [LabelRow(*values) for values in replaced]
    longest_ms = connection.execute("SELECT max(to_utc_ms - from_utc_ms) FROM labels").fetchone()[0] if rows else 0
    freed = []
    for row in rows:
        heir = connection.execute(
            "SELECT min(number) FROM labels WHERE room = ? AND from_utc_ms BETWEEN ? AND ? AND to_utc_ms >= ?"
            " AND number > ? AND withdrawn_utc_ms = 0 AND weight >= ?",
            (
                row.room,
                row.from_utc_ms - longest_ms,
                row.from_utc_ms,
                row.to_utc_ms,
                row.number,
                row.weight,
            ),
        ).fetchone()
        by = heir[0] or 0
        connection.execute("UPDATE labels SET superseded_by = ? WHERE number = ?", (by, row.number))
        freed.append(replace(row, superseded_by=by))
    return freed
