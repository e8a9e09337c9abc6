"""Rooms of recordings as the loop takes them, and parts of their days."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from attune_core import Schema
from attuned.learning.loop.room import Known, LoopRoom
from attuned.learning.record import UNLABELLED, RoomRecord
from attuned.learning.replay.core import CoreCode, new_head, schema
from attuned.learning.replay.judging import RoomJudge
from attuned.learning.replay.observed import NodeWindows, observe
from attuned.learning.replay.scores import balanced_accuracy
from attuned.learning.replay.spec import Spec, load_spec
from attuned.learning.replay.streams import RoomStream, load_splits
from attuned.presence.costs import DEFAULT_COST_RATIO
from attuned.presence.model import threshold

SPECS = Path(__file__).parents[1] / "specs"
DAY_S = 86_400

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Stretch:
    """A room over some days: its windows, and those of each of its nodes."""

    name: str
    spec: Spec
    stream: RoomStream
    windows: Mapping[str, NodeWindows]
    schemas: Mapping[str, Schema]

    @property
    def days(self) -> npt.NDArray[np.int64]:
        """The day of UTC of each of the room's windows [n]."""
        return np.asarray((self.stream.ends_s - 1) // DAY_S)

    def part(self, chosen: Flags) -> "Stretch":
        """Some of the room's windows [n]."""
        ends_s = self.stream.ends_s[chosen]
        windows = {}
        for node, seen in self.windows.items():
            inside = np.isin(seen.ends_s, ends_s)
            windows[node] = NodeWindows(seen.ends_s[inside], seen.features[inside])
        stream = replace(
            self.stream, ends_s=ends_s, labels=self.stream.labels[chosen], stretch=self.stream.stretch[chosen]
        )
        return replace(self, stream=stream, windows=windows)

    def known(self) -> Known:
        """The room before anything was learned."""
        sensors = {node: kind.kinds for node, kind in self.schemas.items()}
        judge = RoomJudge(CoreCode(), self.spec.window_s, sensors)
        return Known(judge, {node: new_head(kind) for node, kind in self.schemas.items()})

    def room(self, known: Known) -> LoopRoom:
        return LoopRoom(self.stream, dict(self.windows), dict(self.schemas), known)


def stretches(name: str, drop: tuple[str, ...] = ()) -> Iterator[tuple[str, Stretch]]:
    """Each split of a spec with each of its rooms."""
    path = SPECS / f"{name}.toml"
    spec = load_spec(path)
    for split in load_splits(spec, path, drop):
        for room in split.rooms:
            windows = {node.node: observe(CoreCode(), node, spec.window_s) for node in room.nodes}
            schemas = {node.node: schema(node.kinds, spec.window_s) for node in room.nodes}
            yield split.name, Stretch(f"{name} {room.room}", spec, room, windows, schemas)


def judged(stretch: Stretch, known: Known) -> float:
    """Balanced accuracy of what was learned over a stretch that teaches nothing."""
    room = stretch.room(known)
    room.serve(int(stretch.stream.ends_s[-1]))
    return accuracy(room.record(0, room.served), room.log_odds, stretch.stream.labels)


def accuracy(record: RoomRecord, log_odds: npt.NDArray[np.float64], labels: npt.NDArray[np.int8]) -> float:
    """Balanced accuracy of log-odds in labelled windows."""
    said = np.where(record.heard, log_odds > threshold(DEFAULT_COST_RATIO), 2).astype(np.int8)
    there = labels != UNLABELLED
    return balanced_accuracy(labels[there], said[there])
