"""The store as it would be had nothing of what was forgotten ever come: for proofs, and read by a process of its own.

Nothing here shares code with what deletes: whatever that leaves behind is missing here, and shows.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from attuned.nodes.sketch import NodeSketch
from attuned.nodes.window import Window, unpack_all
from attuned.store.accuracy import AccuracyDay, RoomRelease, day_of_row
from attuned.store.audit import AuditEntry
from attuned.store.beliefs import SaidRow
from attuned.store.days import DayRow
from attuned.store.drift import DriftRow, MuteRow
from attuned.store.reading import Columns, Reader, opened
from attuned.store.releases import ReleaseRow
from attuned.store.site import LabelRow
from attuned.store.spans import Span
from attuned.store.windows import inbox_records, packed_records


class Remaining(Reader):
    """Reads of a store what is outside all of the entries."""

    def __init__(self, folder: Path, entries: Sequence[AuditEntry]) -> None:
        super().__init__(folder)
        self._entries = entries

    def labels_in_force(self) -> dict[str, list[LabelRow]]:
        found = {room: self._unseen(rows) for room, rows in super().labels_in_force().items()}
        return {room: rows for room, rows in found.items() if rows}

    def labels(self, numbers: Iterable[int]) -> dict[int, LabelRow]:
        return {row.number: row for row in self._unseen(super().labels(numbers).values())}

    def words(self, room: str) -> list[LabelRow]:
        """A room's labels that are somebody's word, whether they count or not, by number."""
        with opened(self.attune) as connection:
            rows = connection.execute("SELECT * FROM labels WHERE room = ? AND weight >= 1 ORDER BY number", (room,))
            return self._unseen(LabelRow(*row) for row in rows)

    def windows(self, features: Mapping[str, int], spans: Sequence[Span]) -> dict[str, Columns]:
        return {node: self._left(node, found) for node, found in super().windows(features, spans).items()}

    def whole_windows(self, nodes: Sequence[str], spans: Sequence[Span]) -> list[Window]:
        """Windows with their evidence that end in one of the spans, in order of (end, node, boot, seq)."""
        records = []
        with opened(self.bulk) as connection:
            records += [part for _, part in inbox_records(connection, nodes)]
            for first, last in spans:
                records += [part for _, part in packed_records(connection, nodes, first, last)]
        every = {(w.end_utc_ms, w.node, w.boot, w.seq): w for part in records for w in unpack_all(part)}
        inside = (w for _, w in sorted(every.items()) if any(a < w.end_utc_ms <= b for a, b in spans))
        return [w for w in inside if not w.refused and not self._saw(w.node, w.end_utc_ms)]

    def sketches(self, node: str, span: Span) -> list[NodeSketch]:
        """A quiet node's sketches that a stretch touches, by time."""
        text = (
            "SELECT node, boot, number, from_utc_ms, to_utc_ms, schema, windows, counts FROM sketches"
            " WHERE node = ? AND to_utc_ms > ? AND from_utc_ms < ? ORDER BY to_utc_ms, boot, number"
        )
        with opened(self.bulk) as connection:
            found = [NodeSketch(*row) for row in connection.execute(text, (node, *span))]
        return [row for row in found if not any(counted_in(row, entry) for entry in self._entries)]

    def summaries(self, node: str, span: Span) -> int:
        """How many summaries of a node's reports a stretch touches."""
        text = "SELECT count(*) FROM summaries WHERE node = ? AND to_utc_ms > ? AND from_utc_ms < ?"
        with opened(self.bulk) as connection:
            return int(connection.execute(text, (node, *span)).fetchone()[0])

    def said(self, room: str, span: Span) -> list[SaidRow]:
        """All that was said of a room by then, in order of saying."""
        with opened(self.bulk) as connection:
            rows = [(number, row) for number, row in _sayings(connection).items() if row.room == room]
        left = [row for number, row in rows if not any(was_said_of(number, row, entry) for entry in self._entries)]
        return [row for row in left if row.utc_ms <= span[1]]

    def room_releases(self, room: str) -> list[RoomRelease]:
        """Which releases the room's nodes ran since when."""
        text = "SELECT room, since_utc_ms, release FROM room_releases WHERE room = ? ORDER BY since_utc_ms"
        with opened(self.attune) as connection:
            return [RoomRelease(*row) for row in connection.execute(text, (room,))]

    def _unseen(self, rows: Iterable[LabelRow]) -> list[LabelRow]:
        return [row for row in rows if not any(speaks_of(row, entry) for entry in self._entries)]

    def _saw(self, node: str, utc_ms: int) -> bool:
        selections = (entry.selection for entry in self._entries)
        return any(node in selection.nodes and selection.covers(utc_ms) for selection in selections)

    def _left(self, node: str, found: Columns) -> Columns:
        kept: npt.NDArray[np.bool_] = np.ones(len(found), dtype=bool)
        for selection in (entry.selection for entry in self._entries if node in entry.selection.nodes):
            kept &= (found.ends_ms <= selection.from_utc_ms) | (found.ends_ms > selection.to_utc_ms)
        return Columns(found.ends_ms[kept], found.boot[kept], found.seq[kept], found.features[kept])


@dataclass(frozen=True)
class InForce:
    """What the store holds of what was learned, as it is; `said` by number."""

    models: Mapping[str, str]
    accuracy: Sequence[AccuracyDay]
    days: Sequence[DayRow]
    releases: Sequence[ReleaseRow]
    labels: Sequence[LabelRow]
    events: Sequence[DriftRow]
    mutes: Sequence[MuteRow]
    said: Mapping[int, SaidRow]
    known: Sequence[tuple[str, int, bytes]]

    @classmethod
    def of(cls, reader: Reader) -> "InForce":
        with opened(reader.attune) as site, opened(reader.bulk) as bulk:
            return cls(
                dict(site.execute("SELECT room, model FROM room_models")),
                [day_of_row(row) for row in site.execute("SELECT * FROM accuracy_days ORDER BY room, day, release")],
                [DayRow(*row) for row in bulk.execute("SELECT * FROM node_days ORDER BY node, day")],
                [ReleaseRow(*row) for row in site.execute("SELECT * FROM releases ORDER BY id")],
                [LabelRow(*row) for row in site.execute("SELECT * FROM labels ORDER BY number")],
                [DriftRow(*row) for row in site.execute("SELECT * FROM drift_events ORDER BY number")],
                [MuteRow(*row) for row in site.execute("SELECT * FROM drift_mutes ORDER BY node")],
                _sayings(bulk),
                bulk.execute("SELECT room, hour, known FROM beliefs ORDER BY room, hour").fetchall(),
            )


def speaks_of(row: LabelRow, entry: AuditEntry) -> bool:
    """Whether a label says something of what an entry forgot."""
    selection = entry.selection
    return (
        not selection.node
        and row.room in selection.rooms
        and selection.source in ("", row.source)
        and row.from_utc_ms < selection.to_utc_ms
        and row.to_utc_ms > selection.from_utc_ms
        and row.number <= entry.through_label
    )


def counted_in(row: NodeSketch, entry: AuditEntry) -> bool:
    """Whether a sketch counts windows of what an entry forgot."""
    selection = entry.selection
    met = row.from_utc_ms < selection.to_utc_ms and selection.from_utc_ms < row.to_utc_ms
    return row.node in selection.nodes and met


def _sayings(connection: sqlite3.Connection) -> dict[int, SaidRow]:
    text = "SELECT id, room, utc_ms, state, probability, since_utc_ms, spoken_utc_ms FROM said ORDER BY id"
    return {number: SaidRow(*row) for number, *row in connection.execute(text)}


def was_said_of(number: int, row: SaidRow, entry: AuditEntry) -> bool:
    """Whether something that was said, under that number, is of what an entry forgot."""
    selection, through = entry.selection, entry.selection.through_said
    by_then = number <= through if through >= 0 else row.spoken_utc_ms <= entry.utc_ms
    return not selection.source and row.room in selection.rooms and by_then and selection.covers(row.utc_ms)
