"""What was forgotten, when and by whom: a table of both files, which says in each what was carried out in it.

An entry has the selection alone and counts, nothing of what was forgotten. A file that is restored from an older copy
gets the entries from the other one, and what they say is carried out in it again.
"""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace

from pydantic import TypeAdapter

from attuned.store.database import Database

RUNNING, DONE = "running", "done"


@dataclass(frozen=True)
class Selection:
    """What is to be forgotten, of the stretch (from, to] of UTC in ms.

    `room`, `node`, `source` are what was asked for; all empty: everything of the time. `rooms` and `nodes` are those
    that this comes to: labels and history of the rooms, windows of the nodes. With a source its labels alone go, with a
    node the labels of its room stay. `through_said` is the highest number that a saying had by then; -1 in entries from
    before that was written down.
    """

    from_utc_ms: int
    to_utc_ms: int
    room: str = ""
    node: str = ""
    source: str = ""
    rooms: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    through_said: int = -1

    @property
    def takes_labels(self) -> bool:
        return not self.node

    @property
    def takes_windows(self) -> bool:
        return not self.source

    def covers(self, utc_ms: int) -> bool:
        """Whether a window that ends then is selected, or something that was said of that moment."""
        return self.from_utc_ms < utc_ms <= self.to_utc_ms

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Selection":
        """Raises ValueError."""
        return _SELECTION.validate_json(text)


_SELECTION = TypeAdapter(Selection)


@dataclass(frozen=True)
class AuditEntry:
    """A selection, who asked for it and when, and how many rows of each kind went.

    `through_label` is the highest number that a label had by then, `alerts` are the drift events that went, `state` is
    `running` or `done`.
    """

    id: str
    utc_ms: int
    author: str
    selection: Selection
    through_label: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    alerts: tuple[int, ...] = ()
    state: str = RUNNING

    def with_counts(self, counts: Mapping[str, int]) -> "AuditEntry":
        """The entry with what one more run has counted."""
        names = dict.fromkeys([*self.counts, *counts])
        return replace(self, counts={name: self.counts.get(name, 0) + counts.get(name, 0) for name in names})


class AuditStore:
    """The table in one of the files."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def entries(self) -> dict[str, AuditEntry]:
        """All entries by id, in order of time."""
        return {entry.id: entry for entry in await self._database.read(read_entries)}

    async def write(self, entry: AuditEntry) -> None:
        """Adds an entry, or writes one anew."""
        await self._database.run(lambda connection: write_entry(connection, entry))


def read_entries(connection: sqlite3.Connection) -> list[AuditEntry]:
    """All entries in order of time."""
    return [_entry(row) for row in connection.execute("SELECT * FROM audit ORDER BY utc_ms, id")]


def write_entry(connection: sqlite3.Connection, entry: AuditEntry) -> None:
    """Adds an entry, or writes one anew."""
    connection.execute(
        "INSERT OR REPLACE INTO audit (id, utc_ms, author, selection, counts, through_label, alerts, state)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            entry.id,
            entry.utc_ms,
            entry.author,
            entry.selection.to_json(),
            json.dumps(dict(entry.counts)),
            entry.through_label,
            json.dumps(entry.alerts),
            entry.state,
        ),
    )


def _entry(row: tuple[str, int, str, str, str, int, str, str]) -> AuditEntry:
    number, utc_ms, author, selection, counts, through, alerts, state = row
    return AuditEntry(
        number,
        utc_ms,
        author,
        Selection.from_json(selection),
        through,
        json.loads(counts),
        tuple(json.loads(alerts)),
        state,
    )
