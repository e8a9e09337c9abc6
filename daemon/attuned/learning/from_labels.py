"""A room's record from the daemon's store: its labels, and what its nodes had said before anybody told them."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from attuned.labels.teaching import CLASSES
from attuned.learning.record import UNLABELLED, RoomRecord
from attuned.nodes.window import Window
from attuned.presence.rooms import occupied_nats
from attuned.presence.timeline import HORIZON_MS
from attuned.store.site import LabelRow
from attuned.store.spans import Span, merged

# Rooms change: how they are judged is learned from what people said of the last weeks.
MEMORY_MS = 28 * 24 * 3_600_000


def spans(labels: Iterable[LabelRow], now_utc_ms: int) -> list[Span]:
    """The stretches of time whose windows have to be read: each label of the last weeks, and the hour before it, in
    which the room's filter settles."""
    wanted = [(row.from_utc_ms - HORIZON_MS, min(row.to_utc_ms, row.told_utc_ms)) for row in labels]
    return merged(span for span in wanted if span[0] < span[1] and span[1] > now_utc_ms - MEMORY_MS)


def room_record(
    labels: Sequence[LabelRow], windows: Iterable[Window], nodes: Sequence[str], step_ms: int
) -> RoomRecord:
    """The steps in which the room's nodes had windows, on the grid of its timeline.

    `labels` are in order of their numbers; of those that speak of a step the last counts, if it was told after the
    step: a window that was closed later may have come from a head that had learned the label.
    """
    told: dict[int, dict[str, list[float]]] = {}
    for window in windows:
        said = told.setdefault(-(-window.end_utc_ms // step_ms), {})
        nats = occupied_nats(window.evidence)
        if nats is not None:
            said.setdefault(window.node, []).append(nats)
    steps = np.array(sorted(told), dtype=np.int64)
    gaps = np.diff(steps) * step_ms > HORIZON_MS
    said_by = np.array([[node in told[step] for node in nodes] for step in steps.tolist()], dtype=bool)
    return RoomRecord(
        nodes=tuple(nodes),
        ends_s=steps * step_ms // 1000,
        stretch=np.concatenate([np.zeros(min(len(steps), 1), np.int64), np.cumsum(gaps)]),
        labels=label_classes(labels, steps * step_ms),
        nats=np.array([_means(told[step], nodes) for step in steps.tolist()]).reshape(len(steps), len(nodes)),
        told=said_by.reshape(len(steps), len(nodes)),
    )


def _means(said: Mapping[str, Sequence[float]], nodes: Iterable[str]) -> list[float]:
    """Each node's evidence in a step: the mean over its windows that end there."""
    return [sum(said[node]) / len(said[node]) if node in said else 0.0 for node in nodes]


def label_classes(labels: Iterable[LabelRow], ends_ms: npt.NDArray[np.int64]) -> npt.NDArray[np.int8]:
    """What labels, in order of their numbers, say of steps that end then, ascending; nothing after they were told."""
    classes = np.full(len(ends_ms), UNLABELLED, np.int8)
    for row in labels:
        first, last, told = np.searchsorted(ends_ms, [row.from_utc_ms, row.to_utc_ms, row.told_utc_ms], side="right")
        classes[first:last] = UNLABELLED
        classes[first : min(last, told)] = CLASSES[row.class_name]
    return classes
