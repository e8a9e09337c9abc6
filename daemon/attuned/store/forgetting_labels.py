"""Labels that are forgotten: those within a stretch go, of others what lies in it is cut out."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from attuned.store.audit import AuditEntry
from attuned.store.site import LabelRow, free_superseded
from attuned.store.spans import Span

_FIELDS = ", ".join(field.name for field in fields(LabelRow))


@dataclass(frozen=True)
class Forgotten:
    """Labels as they were before they lost windows, and how many of them were changed or went."""

    labels: Sequence[LabelRow]
    changed: int = 0


def selected_labels(connection: sqlite3.Connection, entry: AuditEntry) -> list[LabelRow]:
    """Labels of the selection that had been told by then and speak of its stretch, by number: clocks go back."""
    selection = entry.selection
    rows = connection.execute(
        "SELECT * FROM labels WHERE from_utc_ms < ? AND to_utc_ms > ? AND number <= ? ORDER BY number",
        (selection.to_utc_ms, selection.from_utc_ms, entry.through_label),
    )
    labels = (LabelRow(*row) for row in rows)
    return [row for row in labels if row.room in selection.rooms and selection.source in ("", row.source)]


def forget_labels(connection: sqlite3.Connection, entry: AuditEntry) -> Forgotten:
    """Takes labels out; of a node's windows the labels stay, and are only told again without them."""
    labels = selected_labels(connection, entry)
    if not entry.selection.takes_labels:
        return Forgotten(labels)
    for row in labels:
        _cut(connection, row, (entry.selection.from_utc_ms, entry.selection.to_utc_ms))
    free_superseded(connection, {row.number for row in labels})
    return Forgotten(labels, len(labels))


def keep_numbers(connection: sqlite3.Connection, entry: AuditEntry) -> None:
    """Numbers up to the highest that there has been are not given again."""
    newest = "coalesce((SELECT max(number) FROM labels), 0)"
    connection.execute(f"UPDATE label_numbers SET through = max(through, {newest}, ?)", (entry.through_label,))  # noqa: S608


def _cut(connection: sqlite3.Connection, row: LabelRow, span: Span) -> None:
    before, after = (row.from_utc_ms, span[0]), (span[1], row.to_utc_ms)
    pieces = [piece for piece in (before, after) if piece[0] < piece[1]]
    if not pieces:
        connection.execute("DELETE FROM labels WHERE number = ?", (row.number,))
        # The press of a button stays known: it makes no second label.
        connection.execute("UPDATE presses SET label = 0 WHERE label = ?", (row.number,))
        return
    connection.execute("UPDATE labels SET from_utc_ms = ?, to_utc_ms = ? WHERE number = ?", (*pieces[0], row.number))
    if len(pieces) > 1 and row.in_force:
        for piece in _left(pieces[1], _newer(connection, row)):
            _add(connection, replace(row, from_utc_ms=piece[0], to_utc_ms=piece[1]))


def _newer(connection: sqlite3.Connection, row: LabelRow) -> list[Span]:
    """Stretches of newer labels that weigh as much as this one or more."""
    return connection.execute(
        "SELECT from_utc_ms, to_utc_ms FROM labels WHERE room = ? AND number > ? AND superseded_by = 0"
        " AND withdrawn_utc_ms = 0 AND (weight >= 1) >= ? ORDER BY from_utc_ms",
        (row.room, row.number, not row.weak),
    ).fetchall()


def _left(piece: Span, newer: Sequence[Span]) -> list[Span]:
    """What of a piece no newer label speaks of: under a number of its own it would count before them."""
    found, first = [], piece[0]
    for start, end in newer:
        if first < min(start, piece[1]):
            found.append((first, min(start, piece[1])))
        first = max(first, end)
    return found + ([(first, piece[1])] if first < piece[1] else [])


def _add(connection: sqlite3.Connection, row: LabelRow) -> None:
    values = connection.execute("SELECT 1 + max(through, (SELECT max(number) FROM labels)) FROM label_numbers")
    copy = replace(row, number=values.fetchone()[0])
    marks = ", ".join("?" * len(fields(LabelRow)))
    connection.execute(
        f"INSERT INTO labels ({_FIELDS}) VALUES ({marks})",  # noqa: S608 (column names of this file)
        tuple(getattr(copy, field.name) for field in fields(LabelRow)),
    )
