"""`attune label ask`: from a site's rooms to the questions that would teach most, with what the sensors showed."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from attune_core import Schema

from attuned.labels.asking import STRETCH_MS, Candidate, Vectors, rank, vectors
from attuned.nodes.window import Window
from attuned.presence.belief import RoomState
from attuned.presence.history import HistoryPoint
from attuned.store.site import LabelRow

# Time before and after a stretch that its signals show.
AROUND_MS = 30 * 60_000

# Signals of one question: what fits below it on a screen.
SIGNALS = 4

# Labelled windows of a node that a question is compared with, the newest.
COMPARED = 500


@dataclass(frozen=True)
class Signal:
    """A sensor's readings around a stretch, a value a window, in units of the schema; NaN where it had none."""

    name: str
    values: Sequence[float]
    from_utc_ms: int
    step_ms: int


@dataclass(frozen=True)
class RoomNow:
    """What is known of a room's last hours: windows, history by step, labels in force, and its nodes' schemas."""

    room: str
    windows: Sequence[Window]
    history: Sequence[HistoryPoint]
    labels: Sequence[LabelRow]
    labelled: Sequence[Window]
    schemas: Mapping[str, Schema]


def questions(rooms: Sequence[RoomNow], from_utc_ms: int, to_utc_ms: int, budget: int) -> list[Candidate]:
    """The stretches of (from, to] whose answer would teach most; none that a label speaks of already."""
    return [candidate for _, candidate in rank_questions(rooms, from_utc_ms, to_utc_ms, budget)]


def rank_questions(
    rooms: Sequence[RoomNow], from_utc_ms: int, to_utc_ms: int, budget: int, stretch_ms: int = STRETCH_MS
) -> list[tuple[float, Candidate]]:
    """The same, each with what its answer is worth; `stretch_ms` is the length of what one question is about."""
    candidates = [one for room in rooms for one in _candidates(room, from_utc_ms, to_utc_ms, stretch_ms)]
    labelled = [pair for room in rooms for pair in _by_node(room.labelled).items()]
    answered = {node: vectors(features[-COMPARED:]) for node, features in labelled}
    return rank(candidates, answered, budget)


def signals(room: RoomNow, asked: Candidate) -> list[Signal]:
    """The first sensors' readings around a stretch, node by node."""
    found: list[Signal] = []
    first, last = asked.from_utc_ms - AROUND_MS, asked.to_utc_ms + AROUND_MS
    for node, schema in sorted(room.schemas.items()):
        size = 2 * len(schema)
        near = [w for w in room.windows if w.node == node and first < w.end_utc_ms <= last and len(w.features) == size]
        if near:
            found += _signals(node, schema, near)
    return found[:SIGNALS]


def _signals(node: str, schema: Schema, near: Sequence[Window]) -> Iterator[Signal]:
    """The first feature of each sensor: a level's mean, an event's count."""
    step_ms, start = schema.window_s * 1000, near[0].end_utc_ms
    values = vectors([w.features for w in near])
    at = [(w.end_utc_ms - start + step_ms // 2) // step_ms for w in near]
    for sensor, kind in enumerate(schema.kinds):
        index = list(schema.sensors).index(sensor)
        series = np.full(at[-1] + 1, np.nan)
        series[at] = values[:, index]
        yield Signal(f"{kind} ({node[-4:]})", series.tolist(), start, step_ms)


def _candidates(room: RoomNow, from_utc_ms: int, to_utc_ms: int, stretch_ms: int) -> Iterator[Candidate]:
    """Stretches back from the end, each of which has windows and no label."""
    end = to_utc_ms
    while end - stretch_ms >= from_utc_ms:
        start = end - stretch_ms
        inside = [w for w in room.windows if start < w.end_utc_ms <= end]
        told = any(row.from_utc_ms < end and start < row.to_utc_ms for row in room.labels)
        if inside and not told:
            looks = {node: _mean(vectors(features)) for node, features in _by_node(inside).items()}
            yield Candidate(room.room, start, end, _probability(room.history, start, end), looks)
        end = start


def _probability(history: Sequence[HistoryPoint], start: int, end: int) -> float:
    """The mean of what is known of the steps; one half where nothing is."""
    known = [p.known_probability for p in history if start < p.utc_ms <= end and p.known is not RoomState.UNKNOWN]
    return sum(known) / len(known) if known else 0.5


def _by_node(windows: Sequence[Window]) -> dict[str, list[bytes]]:
    """Features of each node's windows that are of the size of its newest one: its sensors may have changed."""
    by_node: dict[str, list[bytes]] = defaultdict(list)
    for window in reversed(windows):
        kept = by_node[window.node]
        if not kept or len(kept[0]) == len(window.features):
            kept.append(window.features)
    return {node: features[::-1] for node, features in by_node.items()}


def _mean(values: Vectors) -> Vectors:
    measured = np.isfinite(values)
    total, count = np.where(measured, values, 0.0).sum(axis=0), measured.sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
