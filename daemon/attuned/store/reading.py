"""Both files for a process of its own that only reads, beside the daemon that writes.

Each call is a transaction of its own, so that the daemon's log never has to wait for a reader for long.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from attuned.errors import StoreError
from attuned.nodes.window import unpack_all
from attuned.store.audit import AuditEntry, read_entries
from attuned.store.drift import DriftRow
from attuned.store.releases import DEPLOYED
from attuned.store.site import LabelRow
from attuned.store.spans import Span
from attuned.store.windows import inbox_records, packed_records

Table = npt.NDArray[np.void]

# Where a record says how many bytes of evidence it has.
_EVIDENCES_AT = 29

_KEPT = ["utc_ms", "boot", "seq", "x"]


@dataclass(frozen=True)
class Columns:
    """Windows of one node by time: ends_ms int64 [n] of UTC, boot and seq int64 [n], features int16 [n, d]."""

    ends_ms: npt.NDArray[np.int64]
    boot: npt.NDArray[np.int64]
    seq: npt.NDArray[np.int64]
    features: npt.NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.ends_ms)


class Reader:
    """What a retraining reads of the store in a folder. Raises StoreError."""

    def __init__(self, folder: Path) -> None:
        self.attune = folder / "attune.db"
        self.bulk = folder / "windows.db"

    def entries(self) -> list[AuditEntry]:
        """What was forgotten, by time."""
        with opened(self.attune) as connection:
            return read_entries(connection)

    def facts(self) -> dict[str, str]:
        """What nodes last said of themselves, as JSON by node."""
        with opened(self.attune) as connection:
            return dict(connection.execute("SELECT node, facts FROM nodes"))

    def labels_in_force(self) -> dict[str, list[LabelRow]]:
        """The labels of each room that count, by number."""
        found: dict[str, list[LabelRow]] = {}
        with opened(self.attune) as connection:
            for values in connection.execute("SELECT * FROM labels ORDER BY number"):
                row = LabelRow(*values)
                if row.in_force:
                    found.setdefault(row.room, []).append(row)
        return found

    def labels(self, numbers: Iterable[int]) -> dict[int, LabelRow]:
        """Labels by number, in force or not; those that were forgotten are not there."""
        wanted = frozenset(numbers)
        with opened(self.attune) as connection:
            rows = (LabelRow(*values) for values in connection.execute("SELECT * FROM labels"))
            return {row.number: row for row in rows if row.number in wanted}

    def deployed(self) -> dict[str, bytes]:
        """The canonical bytes of the release that each node runs; nodes on the factory release are not there."""
        with opened(self.attune) as connection:
            return dict(connection.execute("SELECT node, body FROM releases WHERE state = ?", (DEPLOYED,)))

    def drift(self) -> list[DriftRow]:
        """All drift events in order of their numbers."""
        with opened(self.attune) as connection:
            return [DriftRow(*values) for values in connection.execute("SELECT * FROM drift_events ORDER BY number")]

    def windows(self, features: Mapping[str, int], spans: Sequence[Span]) -> dict[str, Columns]:
        """Each node's windows of so many features that end in one of the spans, which do not overlap; by time."""
        parts: dict[str, list[Table]] = {node: [] for node in features}
        if spans and features:
            # Windows only ever move from the inbox to what is packed: read in this order none is missed, and one that
            # moved meanwhile is found twice.
            with opened(self.bulk) as connection:
                for node, records in inbox_records(connection, features):
                    parts[node].append(_table(records, features[node]))
            with opened(self.bulk) as connection:
                for first, last in spans:
                    for node, records in packed_records(connection, features, first, last):
                        parts[node].append(_table(records, features[node]))
        return {node: _chosen(found, features[node], spans) for node, found in parts.items()}


def _table(records: bytes, features: int) -> Table:
    """The windows of records that stand one after the other, without those of another number of features."""
    evidences = records[_EVIDENCES_AT]
    kind = record_type(evidences, features)
    if len(records) % kind.itemsize == 0:
        table = np.frombuffer(records, kind)
        if (table["evidences"] == evidences).all() and (table["features"] == 2 * features).all():
            return np.asarray(table[_KEPT], dtype=_row(features))
    # Windows of which the head knew nothing are shorter than the others.
    rows = [
        (w.end_utc_ms, w.boot, w.seq, np.frombuffer(w.features, "<i2"))
        for w in unpack_all(records)
        if len(w.features) == 2 * features
    ]
    return np.array(rows, _row(features))


def record_type(evidences: int, features: int) -> np.dtype[np.void]:
    """A window's record in the store (nodes/window.py)."""
    head = [("node", "S8"), ("boot", "<u4"), ("utc_ms", "<i8"), ("seq", "<u4"), ("end_s", "<u4"), ("state", "u1")]
    lengths = [("evidences", "u1"), ("features", "u1"), ("evidence", "u1", (evidences,)), ("x", "<i2", (features,))]
    return np.dtype([*head, *lengths])


def _row(features: int) -> np.dtype[np.void]:
    return np.dtype([("utc_ms", "<i8"), ("boot", "<u4"), ("seq", "<u4"), ("x", "<i2", (features,))])


def _chosen(parts: Sequence[Table], features: int, spans: Sequence[Span]) -> Columns:
    """Those that end in the spans, each once, in order of (end, boot, seq)."""
    table = np.concatenate([np.zeros(0, _row(features)), *parts])
    inside = np.zeros(len(table), dtype=bool)
    for first, last in spans:
        inside |= (first < table["utc_ms"]) & (table["utc_ms"] <= last)
    table = table[inside]
    table = table[np.lexsort((table["seq"], table["boot"], table["utc_ms"]))]
    again = np.zeros(len(table), dtype=bool)
    again[1:] = (np.diff(table["utc_ms"]) == 0) & (np.diff(table["boot"]) == 0) & (np.diff(table["seq"]) == 0)
    table = table[~again]
    ends_ms, boot, seq = (table[name].astype(np.int64) for name in ("utc_ms", "boot", "seq"))
    return Columns(ends_ms, boot, seq, np.ascontiguousarray(table["x"].reshape(len(table), features), np.int16))


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that only reads. Raises StoreError."""
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            yield connection
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise StoreError(f"The store {path} cannot be read ({error}): see that the daemon has started once.") from error
