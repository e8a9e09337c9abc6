"""What a retraining reads of the store, kept in memory: windows of a recording, and what was said of them so far."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from attune_core import Schema

from attuned.drift.life import DriftEvent
from attuned.drift.rows import event_row
from attuned.learning.replay.observed import NodeWindows
from attuned.nodes.facts import NodeFacts
from attuned.store.drift import DriftRow
from attuned.store.reading import Columns
from attuned.store.site import LabelRow
from attuned.store.spans import Span

# The recording is one boot of each node: numbers tell its windows apart.
BOOT = 1


@dataclass
class Recorded:
    """A Source of retrainings (learning/gathering.py). `released` is what runs on nodes, `events` are those of drift by
    their numbers. Windows that end in `hidden` are still to come."""

    columns: dict[str, Columns] = field(default_factory=dict)
    schemas: dict[str, Schema] = field(default_factory=dict)
    rows: list[LabelRow] = field(default_factory=list)
    released: dict[str, bytes] = field(default_factory=dict)
    events: list[DriftEvent] = field(default_factory=list)
    hidden: Span = (0, 0)

    def add(self, node: str, schema: Schema, windows: NodeWindows) -> None:
        """Takes more windows of a node; those of one end are taken once."""
        known = self.columns.get(node)
        ends_ms, features = windows.ends_s * 1000, windows.features
        if known is not None:
            ends_ms, features = np.concatenate([known.ends_ms, ends_ms]), np.concatenate([known.features, features])
        ends_ms, first = np.unique(ends_ms, return_index=True)
        boots = np.full(len(ends_ms), BOOT, np.int64)
        self.schemas[node] = schema
        # Numbered by time, so that a window's number never changes, whatever comes before it later.
        numbers = ends_ms // (1000 * schema.window_s)
        self.columns[node] = Columns(ends_ms, boots, numbers, np.ascontiguousarray(features[first]))

    def tell(self, room: str, class_name: str, from_utc_ms: int, to_utc_ms: int, told_utc_ms: int) -> LabelRow:
        """Keeps what a person said of a room."""
        number = len(self.rows) + 1
        row = LabelRow(number, room, class_name, from_utc_ms, to_utc_ms, 1.0, "person", "recording", told_utc_ms)
        self.rows.append(row)
        return row

    def facts(self) -> dict[str, str]:
        return {node: _facts(node, schema) for node, schema in self.schemas.items()}

    def labels_in_force(self) -> dict[str, list[LabelRow]]:
        found: dict[str, list[LabelRow]] = {}
        for row in self.rows:
            found.setdefault(row.room, []).append(row)
        return found

    def labels(self, numbers: Iterable[int]) -> dict[int, LabelRow]:
        return {number: self.rows[number - 1] for number in numbers if 0 < number <= len(self.rows)}

    def deployed(self) -> dict[str, bytes]:
        return self.released

    def drift(self) -> list[DriftRow]:
        return [event_row(event) for event in self.events]

    def windows(self, features: Mapping[str, int], spans: Sequence[Span]) -> dict[str, Columns]:
        return {node: _inside(self.columns[node], spans, self.hidden) for node in features}


def _inside(columns: Columns, spans: Sequence[Span], hidden: Span) -> Columns:
    inside = np.zeros(len(columns), dtype=bool)
    for span in spans:
        first, last = np.searchsorted(columns.ends_ms, span, side="right")
        inside[first:last] = True
    first, last = np.searchsorted(columns.ends_ms, hidden, side="right")
    inside[first:last] = False
    return Columns(columns.ends_ms[inside], columns.boot[inside], columns.seq[inside], columns.features[inside])


def _facts(node: str, schema: Schema) -> str:
    text = (schema.sensor_bytes.hex(), schema.hash.hex(), "")
    return NodeFacts(node, BOOT, schema.window_s, *text, classes=2, label_capacity=0, firmware="").to_json()
