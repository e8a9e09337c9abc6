"""Files joined to splits: what each node measured and each room was labelled, in time order."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path

import numpy as np
import numpy.typing as npt
from attune_core import plain_kind

from attuned.learning.replay.data_folder import find_recording
from attuned.learning.replay.errors import SpecError
from attuned.learning.replay.recording import Recording, read_recording, recorded
from attuned.learning.replay.spec import TRAIN, FileEntry, NodeEntry, Spec
from attuned.learning.replay.windows import window_ends, window_labels, window_stretches

CLOCK = "clock"

Source = tuple[FileEntry, Recording]


@dataclass(frozen=True)
class NodeStream:
    """One node's rows in one split, by time: times_ms int64 [r] ascending, values float64 [r, sensors], NaN missing.

    `clock` is the time zone of a node that is told the local time, None for the others.
    """

    node: str
    sensors: tuple[str, ...]
    times_ms: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]
    clock: tzinfo | None = None

    @property
    def kinds(self) -> tuple[str, ...]:
        """The sensor kinds of its node type; the clock comes last."""
        return self.sensors if self.clock is None else (*self.sensors, CLOCK)


@dataclass(frozen=True)
class RoomStream:
    """One room in one split, one entry a window that has a row: ends_s [n] ascending, labels [n], stretch [n]."""

    room: str
    nodes: tuple[NodeStream, ...]
    ends_s: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int8]
    stretch: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    name: str
    rooms: tuple[RoomStream, ...]

    @property
    def start_s(self) -> int:
        """End of the split's first window."""
        return min(int(room.ends_s[0]) for room in self.rooms)


def load_splits(
    spec: Spec, path: Path, drop: Sequence[str] = (), progress: Callable[[str], None] = lambda _: None
) -> list[Split]:
    """Every split of a spec that was read from `path`, in the spec's order, without the sensors in `drop`."""
    nodes = remaining(spec.nodes, drop)
    # A file that feeds several splits is read once.
    files: dict[Path, list[FileEntry]] = {}
    for entry in spec.files:
        files.setdefault(find_recording(entry.path, path), []).append(entry)
    sources: dict[str, list[Source]] = {entry.split: [] for entry in spec.files}
    for file, entries in files.items():
        progress(f"reading {entries[0].path}")
        recording = read_recording(file, spec)
        for entry in entries:
            sources[entry.split].append((entry, recorded(recording, spec, entry)))
    splits = [Split(name, tuple(_rooms(spec, nodes, found))) for name, found in sources.items()]
    for split in splits:
        _require_labels(path, split)
    return splits


def remaining(nodes: Sequence[NodeEntry], drop: Sequence[str]) -> list[NodeEntry]:
    """The nodes without the sensors whose kind or column is in `drop`; SpecError where a room would keep none."""
    for name in drop:
        known = sorted(
            {word for node in nodes for kind, column in node.sensors.items() for word in (plain_kind(kind), column)}
        )
        if name not in known:
            raise SpecError(f"--drop {name} names no sensor; write one of {', '.join(known)}.")
    kept = [
        node.model_copy(
            update={"sensors": {k: c for k, c in node.sensors.items() if plain_kind(k) not in drop and c not in drop}}
        )
        for node in nodes
    ]
    kept = [node for node in kept if node.sensors]
    for room in {node.room: None for node in nodes}:
        if room not in {node.room for node in kept}:
            raise SpecError(f"--drop {' --drop '.join(drop)} leaves the room {room!r} without a sensor; drop fewer.")
    return kept


def _require_labels(path: Path, split: Split) -> None:
    if split.name != TRAIN and not any((room.labels >= 0).any() for room in split.rooms):
        remedy = "fill the label column of its files"
        raise SpecError(f"{path}: the split {split.name!r} has no label to judge by; {remedy}.")


def _rooms(spec: Spec, nodes: Sequence[NodeEntry], sources: Sequence[Source]) -> Iterable[RoomStream]:
    for room in {node.room: None for node in nodes}:
        # Files that feed only dropped nodes still say when there is a window and what its label is.
        everyone = [node for node in spec.nodes if node.room == room]
        feeding = [(entry, recording) for entry, recording in sources if _feeds(entry, everyone)]
        if feeding:
            yield _room(spec, room, [node for node in nodes if node.room == room], feeding)


def _feeds(entry: FileEntry, nodes: Iterable[NodeEntry]) -> bool:
    return entry.nodes is None or any(node.id in entry.nodes for node in nodes)


def _room(spec: Spec, room: str, members: Sequence[NodeEntry], sources: Sequence[Source]) -> RoomStream:
    times = np.concatenate([recording.times_ms for _, recording in sources])
    labels = np.concatenate([recording.labels for _, recording in sources])
    ends, said = window_labels(window_ends(times, spec.window_s), labels)
    nodes = [_node(node, [recording for entry, recording in sources if _feeds(entry, [node])]) for node in members]
    stretch = window_stretches(np.sort(times), spec.window_s)
    return RoomStream(room, tuple(node for node in nodes if node is not None), ends, said, stretch)


def _node(node: NodeEntry, recordings: Sequence[Recording]) -> NodeStream | None:
    """The rows in which the node measured anything; None where it never did."""
    if not recordings:
        return None
    times = np.concatenate([recording.times_ms for recording in recordings])
    values = np.column_stack(
        [np.concatenate([recording.columns[name] for recording in recordings]) for name in node.sensors.values()]
    )
    measured = ~np.isnan(values).all(axis=1)
    if not measured.any():
        return None
    times, values = times[measured], values[measured]
    # Rows of one time go in the order of their values: what comes out does not depend on the order in the file.
    order = np.lexsort((*values.T, times))
    return NodeStream(node.id, tuple(node.sensors), times[order], values[order])
