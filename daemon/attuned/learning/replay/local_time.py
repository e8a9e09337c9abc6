"""The local time that a node is told where its type has a clock."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, tzinfo

import numpy as np
import numpy.typing as npt

from attuned.learning.replay.nodes import Samples
from attuned.learning.replay.streams import Split


def with_clock(split: Split, zone: tzinfo) -> Split:
    """The split with nodes that are told the local time of a zone."""
    rooms = (replace(room, nodes=tuple(replace(node, clock=zone) for node in room.nodes)) for room in split.rooms)
    return Split(split.name, tuple(rooms))


def clock_samples(ends_s: npt.NDArray[np.int64], booted_ms: int, sensor: int, zone: tzinfo) -> Samples:
    """What a node's clock, sensor number `sensor`, says at each window's end: the local seconds since Monday 00:00."""
    values = np.fromiter(_week_seconds(ends_s.tolist(), zone), np.float32, len(ends_s))
    return Samples(np.full(len(ends_s), sensor, np.uint8), ends_s * 1000 - booted_ms, values)


def _week_seconds(ends_s: list[int], zone: tzinfo) -> Iterator[int]:
    for end_s in ends_s:
        local = datetime.fromtimestamp(end_s, zone)
        yield (local.weekday() * 24 + local.hour) * 3600 + local.minute * 60 + local.second


def merged(samples: Samples, more: Samples) -> Samples:
    """Both in order of time, those of `samples` first where times are equal."""
    ticks = np.concatenate([samples.tick_ms, more.tick_ms])
    order = np.argsort(ticks, kind="stable")
    sensor = np.concatenate([samples.sensor, more.sensor])
    return Samples(sensor[order], ticks[order], np.concatenate([samples.value, more.value])[order])
