"""`attune label check`: a room's labels and windows to what speaks against each label, likely mistakes first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from attune_core import Schema

from attuned.labels.doubts import Lesson, doubts
from attuned.labels.teaching import CLASSES, thin
from attuned.nodes.window import Window
from attuned.store.site import LabelRow

# Windows of one label and node that are looked at: more of the same stretch say nothing new.
WINDOWS_A_LABEL = 12

# Labels of a room that are looked at, words before weak ones: a thousand take about a second.
CHECKED_LABELS = 1_000


@dataclass(frozen=True)
class Doubt:
    """A label, nats that speak against it (NaN where no node has windows of it), and labels that contradict it."""

    label: LabelRow
    nats: float
    contradicted_by: Sequence[int]


def chance_against(doubt: Doubt) -> float:
    """The probability that a label is wrong; one half where no node has windows of it."""
    return 0.5 if np.isnan(doubt.nats) else float(1 / (1 + np.exp(-np.clip(doubt.nats, -30, 30))))


def check(labels: Sequence[LabelRow], windows: Sequence[Window], schemas: Mapping[str, Schema]) -> list[Doubt]:
    """The room's labels that something speaks against, likely mistakes first; labels in order of their numbers.

    Takes time: to be called beside the event loop.
    """
    classes = np.array([CLASSES[row.class_name] for row in labels], np.int8)
    middles = np.array([(row.from_utc_ms + row.to_utc_ms) // 2 for row in labels], np.int64)
    lessons = [_lesson(node, schema, labels, windows) for node, schema in sorted(schemas.items())]
    words = np.array([not row.weak for row in labels], bool)
    against = doubts(classes, middles, lessons, words)
    found = [
        Doubt(row, float(nats), _contradictions(row, labels))
        for row, nats in zip(labels, against.tolist(), strict=True)
    ]
    likely = [doubt for doubt in found if doubt.nats > 0 or doubt.contradicted_by]
    return sorted(likely, key=lambda doubt: (-np.nan_to_num(doubt.nats, nan=0.0), -doubt.label.number))


def _lesson(node: str, schema: Schema, labels: Sequence[LabelRow], windows: Sequence[Window]) -> Lesson:
    own = [w for w in windows if w.node == node and len(w.features) == 2 * len(schema)]
    ends = np.array([w.end_utc_ms for w in own], np.int64)
    features: list[bytes] = []
    of: list[int] = []
    for index, row in enumerate(labels):
        first, last = np.searchsorted(ends, [row.from_utc_ms, row.to_utc_ms], side="right")
        chosen = thin(own[first:last], WINDOWS_A_LABEL)
        features += [window.features for window in chosen]
        of += [index] * len(chosen)
    values = np.frombuffer(b"".join(features), "<i2").astype(np.int16).reshape(len(of), len(schema))
    return Lesson(schema, values, np.array(of, np.int64))


def _contradictions(label: LabelRow, labels: Sequence[LabelRow]) -> list[int]:
    """Labels of no less weight that say something else of more than half of this one's time."""
    half = (label.to_utc_ms - label.from_utc_ms) / 2
    return [
        row.number
        for row in labels
        if row.class_name != label.class_name
        and row.weight >= label.weight
        and min(row.to_utc_ms, label.to_utc_ms) - max(row.from_utc_ms, label.from_utc_ms) > half
    ]
