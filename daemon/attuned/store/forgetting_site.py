"""What of attune.db is forgotten, in one transaction: releases, labels, rooms' models and figures, drift events."""

import json
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import astuple, dataclass, field, fields, replace

from attuned.store.audit import AuditEntry, Selection, write_entry
from attuned.store.database import Database
from attuned.store.forgetting_labels import forget_labels, keep_numbers
from attuned.store.releases import DEPLOYED, FORGOTTEN, ReleaseRow
from attuned.store.site import LabelRow
from attuned.updates.envelope import PAYLOAD_AT

DAY_MS = 86_400_000

# Takes out of a release what came from labels and windows; the row without it and the names of its blocks that went.
Strip = Callable[[ReleaseRow, Collection[int], Selection], tuple[ReleaseRow, Sequence[str]]]


@dataclass
class Task:
    """One forgetting under way. `labels` are those that lost windows, `rooms` those whose knowledge has changed.

    `events` the drift events that went. `nodes_of` gives the nodes of each room; a drift event rests on so many days
    before it, too.
    """

    entry: AuditEntry
    nodes_of: Mapping[str, Collection[str]]
    strip: Strip
    reference_days: int
    labels: Sequence[LabelRow] = ()
    events: Sequence[int] = ()
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def rooms(self) -> set[str]:
        told = {row.room for row in self.labels}
        return told | (set(self.entry.selection.rooms) if self.entry.selection.takes_windows else set())


class SiteForgetting:
    """Takes what is selected out of attune.db."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def counts(self, task: Task) -> dict[str, int]:
        """How many rows of each kind would go."""
        await self._database.rehearse(lambda connection: _steps(connection, task))
        return task.counts

    async def forget(self, task: Task) -> None:
        """Takes out all that is selected, and notes how much it was; the entry is done when all else is."""

        def work(connection: sqlite3.Connection) -> None:
            keep_numbers(connection, task.entry)
            _steps(connection, task)
            alerts = tuple(sorted({*task.entry.alerts, *task.events}))
            task.entry = replace(task.entry.with_counts(task.counts), alerts=alerts)
            write_entry(connection, task.entry)

        await self._database.erase(work)

    async def scrub(self) -> bool:
        """Frees every page that nothing needs; False while somebody reads: then again later."""
        return await self._database.scrub()


def _steps(connection: sqlite3.Connection, task: Task) -> None:
    for name, step in STEPS.items():
        task.counts[name] = step(connection, task)


def _labels(connection: sqlite3.Connection, task: Task) -> int:
    found = forget_labels(connection, task.entry)
    task.labels = found.labels
    return found.changed


def _unlearning(connection: sqlite3.Connection, task: Task) -> int:
    """Nodes are to take out of their logs what people said; weak labels never came to them."""
    one = task.entry.selection.node
    rows = [
        (node, row.number)
        for row in task.labels
        if not row.weak
        for node in ([one] if one else task.nodes_of.get(row.room, ()))
    ]
    connection.executemany("INSERT OR IGNORE INTO unlearning VALUES (?, ?)", rows)
    return len(rows)


def _releases(connection: sqlite3.Connection, task: Task) -> int:
    labels = {row.number for row in task.labels}
    columns = ", ".join(each.name for each in fields(ReleaseRow))
    marked = 0
    for values in connection.execute(f"SELECT {columns} FROM releases").fetchall():  # noqa: S608
        row, gone = task.strip(ReleaseRow(*values), labels, task.entry.selection)
        if gone:
            _replace(connection, row, [(name, task.entry.utc_ms) for name in gone])
            # What is before the payload still says what a node would run: it may be on trial.
            connection.execute(
                "UPDATE deliveries SET envelope = substr(envelope, 1, ?) WHERE target = ?", (PAYLOAD_AT, row.id)
            )
            marked += 1
    return marked


def _replace(connection: sqlite3.Connection, row: ReleaseRow, gone: Sequence[tuple[str, int]]) -> None:
    forgotten = json.dumps([*json.loads(row.forgotten), *gone])
    state = row.state if row.state == DEPLOYED else FORGOTTEN
    marks = ", ".join("?" * len(fields(ReleaseRow)))
    connection.execute(
        f"INSERT OR REPLACE INTO releases VALUES ({marks})",  # noqa: S608 (marks only)
        astuple(replace(row, forgotten=forgotten, state=state)),
    )


def _models(connection: sqlite3.Connection, task: Task) -> int:
    return _each(connection, "DELETE FROM room_models WHERE room = ?", [(room,) for room in task.rooms])


def _accuracy(connection: sqlite3.Connection, task: Task) -> int:
    selection = task.entry.selection
    days = selection.from_utc_ms // DAY_MS, (selection.to_utc_ms - 1) // DAY_MS
    rows = [(room, *days) for room in task.rooms]
    return _each(connection, "DELETE FROM accuracy_days WHERE room = ? AND day BETWEEN ? AND ?", rows)


def _events(connection: sqlite3.Connection, task: Task) -> int:
    """Those of the nodes, and of the site, that rest on days of the stretch."""
    selection = task.entry.selection
    if not selection.takes_windows:
        return 0
    rests_ms = task.reference_days * DAY_MS
    rows = connection.execute(
        "SELECT number, node FROM drift_events WHERE changed_utc_ms > ?"
        " AND CAST(strftime('%s', since) AS INTEGER) * 1000 - ? < ?",
        (selection.from_utc_ms, rests_ms, selection.to_utc_ms),
    ).fetchall()
    task.events = [number for number, node in rows if node in ("", *selection.nodes)]
    return _each(connection, "DELETE FROM drift_events WHERE number = ?", [(number,) for number in task.events])


def _mutes(connection: sqlite3.Connection, task: Task) -> int:
    selection = task.entry.selection
    span = selection.from_utc_ms, selection.to_utc_ms
    nodes = selection.nodes if selection.takes_windows else ()
    text = "DELETE FROM drift_mutes WHERE node = ? AND told_utc_ms > ? AND told_utc_ms <= ?"
    return _each(connection, text, [(node, *span) for node in nodes])


def _each(connection: sqlite3.Connection, text: str, rows: Sequence[tuple[str | int, ...]]) -> int:
    return sum(connection.execute(text, row).rowcount for row in rows)


# In this order: what follows from labels has to know which ones went.
STEPS: dict[str, Callable[[sqlite3.Connection, Task], int]] = {
    "labels": _labels,
    "labels on nodes": _unlearning,
    "releases": _releases,
    "models of rooms": _models,
    "days of accuracy": _accuracy,
    "drift events": _events,
    "muted nodes": _mutes,
}
