"""The detector on recordings: every alarm, with what is known to have happened."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from attune_core import Schema
from attuned.drift.day import NodeDay, Windows, node_day
from attuned.drift.judge import FEWEST_DAYS, GUARD_DAYS
from attuned.drift.life import DriftEvent
from attuned.learning.replay.core import CoreCode
from attuned.learning.replay.observed import observe
from attuned.learning.replay.spec import Spec, load_spec
from attuned.learning.replay.streams import NodeStream, load_splits

from bench.drifting.trial import lived
from bench.ladder.days import local_days

SPECS = ("candanedo-stream", "robod-stream", "singh")
_FOLDER = Path(__file__).parents[1] / "specs"


@dataclass(frozen=True)
class Heard:
    """A recording: node-days there are, node-days that had enough days before them, and the events of these."""

    name: str
    days: int
    judged: int
    events: tuple[DriftEvent, ...]


def heard(name: str) -> Heard:
    """All splits of a recording, each node as it would report."""
    path = _FOLDER / f"{name}.toml"
    spec = load_spec(path)
    streams = [node for split in load_splits(spec, path) for room in split.rooms for node in room.nodes]
    schemas = {node.node: Schema(node.sensors, spec.window_s) for node in streams}
    days = [day for stream in streams for day in _days(spec, schemas[stream.node], stream)]
    every = sorted(day.day for day in days)
    outcome = lived(schemas, days, every[0] + timedelta(days=FEWEST_DAYS + GUARD_DAYS), every[-1] + timedelta(days=1))
    return Heard(name, len(days), outcome.judged, outcome.events)


def _days(spec: Spec, schema: Schema, stream: NodeStream) -> Iterator[NodeDay]:
    seen = observe(CoreCode(), stream, spec.window_s)
    found = Windows(seen.ends_s * 1000, seen.features, np.full(len(seen.ends_s), np.nan))
    for number in np.unique(local_days(seen.ends_s, spec.window_s, spec.zone)).tolist():
        day = node_day(stream.node, date.fromordinal(number), spec.zone, schema, found)
        if day is not None:
            yield day
