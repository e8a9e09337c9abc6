"""What peers see of a room: the same windows as Attune's nodes, as raw values and as the nodes' own features."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from attune_core.schema import MISSING, UNIT, plain_kind
from attuned.learning.replay.core import CoreCode
from attuned.learning.replay.labels import draw, first_days
from attuned.learning.replay.local_time import with_clock
from attuned.learning.replay.observed import observe
from attuned.learning.replay.recording import UNLABELLED
from attuned.learning.replay.spec import EVENTS, TRAIN, Spec, load_spec
from attuned.learning.replay.streams import NodeStream, RoomStream, Split, load_splits
from attuned.learning.replay.windows import window_ends

from bench.ladder.days import local_days
from bench.ladder.rows import Row

Matrix = npt.NDArray[np.float64]
RULE_KINDS = ("light", "co2")


@dataclass(frozen=True)
class Seen:
    """One room in one split, an entry a window: its stream, local days [n], and inputs [n, columns], NaN missing.

    Inputs: `raw` (mean of a level's readings, sum of an event's, all nodes side by side), `features` (as heads see
    them), `schedule` (number of the hour, workdays and others apart), and `light`, `co2`, `pir` where there is one
    (mean over the room's nodes).
    """

    room: RoomStream
    days: npt.NDArray[np.int64]
    inputs: Mapping[str, Matrix]

    @property
    def labelled(self) -> npt.NDArray[np.bool_]:
        return np.asarray(self.room.labels != UNLABELLED)


@lru_cache(maxsize=4)
def splits(row: Row) -> tuple[Spec, dict[str, Split]]:
    """The spec of a row and its splits, the train split cut to the row's first days; labels are not drawn yet."""
    spec = load_spec(row.path)
    loaded = load_splits(spec, row.path, row.drop)
    found = {split.name: with_clock(split, spec.zone) if row.clock else split for split in loaded}
    if row.train_days is not None:
        cut = first_days(found[TRAIN], row.train_days, spec.window_s)
        assert cut is not None, "a row's train split has windows"
        found[TRAIN] = cut
    return spec, found


@lru_cache(maxsize=32)
def seen(row: Row, split: str, room: str) -> Seen:
    """A room in a split; its labels are all that the recording has."""
    spec, found = splits(row)
    stream = next(one for one in found[split].rooms if one.room == room)
    schedule = slots(stream.ends_s, spec.window_s, spec.zone)
    raw = np.hstack([raw_values(stream, node, spec.window_s) for node in stream.nodes])
    kinds = [plain_kind(kind) for node in stream.nodes for kind in node.sensors]
    features = np.hstack([_features(stream, node, spec) for node in stream.nodes])
    if row.clock:
        raw = np.hstack([raw, clock(stream.ends_s, spec.window_s, spec.zone)])
    inputs = {"raw": raw, "features": features, "schedule": schedule}
    for kind in (*RULE_KINDS, "pir"):
        columns = raw[:, [index for index, name in enumerate(kinds) if name == kind]]
        if columns.shape[1]:
            inputs[kind] = _row_means(columns)
    return Seen(stream, local_days(stream.ends_s, spec.window_s, spec.zone), inputs)


def drawn_labels(row: Row, room: str, seed: int) -> npt.NDArray[np.int8]:
    """The train split's labels that are learned in a room, as a replay with this seed draws them [n]."""
    train = splits(row)[1][TRAIN]
    if row.labels is not None:
        train = draw(train, row.labels, seed)
    return next(one.labels for one in train.rooms if one.room == room)


def raw_values(room: RoomStream, node: NodeStream, window_s: int) -> Matrix:
    """The node's readings in each of the room's windows [n, sensors]."""
    place = np.searchsorted(room.ends_s, window_ends(node.times_ms, window_s))
    columns = []
    for kind, values in zip(node.sensors, node.values.T, strict=True):
        there = ~np.isnan(values)
        count = np.bincount(place[there], minlength=len(room.ends_s))
        total = np.bincount(place[there], weights=values[there], minlength=len(room.ends_s))
        many = np.ones(len(count)) if kind in EVENTS else np.maximum(count, 1)
        columns.append(np.where(count > 0, total / many, np.nan))
    return np.column_stack(columns)


def _features(room: RoomStream, node: NodeStream, spec: Spec) -> Matrix:
    """What the node's head sees in each of the room's windows [n, d]."""
    windows = observe(CoreCode(), node, spec.window_s)
    values = np.full((len(room.ends_s), windows.features.shape[1]), np.nan)
    seen_here = np.where(windows.features == MISSING, np.nan, windows.features / UNIT)
    values[np.searchsorted(room.ends_s, windows.ends_s)] = seen_here
    return values


def _row_means(columns: Matrix) -> Matrix:
    there = ~np.isnan(columns)
    total = np.where(there, columns, 0).sum(axis=1)
    means = np.where(there.any(axis=1), total / np.maximum(there.sum(axis=1), 1), np.nan)
    return np.asarray(means[:, None])


def _hours(ends_s: npt.NDArray[np.int64], window_s: int, zone: tzinfo) -> tuple[Matrix, npt.NDArray[np.bool_]]:
    """Local hour of the day with its fraction, and whether it is a day from Monday to Friday."""
    moments = [datetime.fromtimestamp(middle, zone) for middle in (ends_s - window_s / 2).tolist()]
    hours = np.array([moment.hour + moment.minute / 60 for moment in moments])
    return hours, np.array([moment.weekday() < 5 for moment in moments])


def slots(ends_s: npt.NDArray[np.int64], window_s: int, zone: tzinfo) -> Matrix:
    """The hour of the day, 0 to 23, plus 24 from Monday to Friday [n, 1]."""
    hours, workday = _hours(ends_s, window_s, zone)
    return np.asarray((np.floor(hours) + 24 * workday)[:, None])


def clock(ends_s: npt.NDArray[np.int64], window_s: int, zone: tzinfo) -> Matrix:
    """Time of day on a circle, and whether it is a workday [n, 3]."""
    hours, workday = _hours(ends_s, window_s, zone)
    angle = hours * (2 * np.pi / 24)
    return np.column_stack([np.sin(angle), np.cos(angle), workday])
