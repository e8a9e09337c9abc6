"""A node's recorded rows through the node's windowing, stretch by stretch."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from attuned.learning.replay.local_time import clock_samples, merged
from attuned.learning.replay.nodes import Features, NodeCode, Samples
from attuned.learning.replay.streams import NodeStream
from attuned.learning.replay.windows import stretches, window_ends


@dataclass(frozen=True)
class NodeWindows:
    """The windows in which a node measured anything: ends_s int64 [n] ascending, features int16 [n, d]."""

    ends_s: npt.NDArray[np.int64]
    features: Features


def observe(code: NodeCode, stream: NodeStream, window_s: int) -> NodeWindows:
    """The node's windows; it boots anew at the beginning and after each gap of more than an hour."""
    parts = [_boot(code, stream, rows, window_s) for rows in _boots(stretches(stream.times_ms))]
    return NodeWindows(np.concatenate([ends for ends, _ in parts]), np.concatenate([rows for _, rows in parts]))


def _boots(stretch: npt.NDArray[np.int64]) -> Iterator[slice]:
    edges = [0, *(int(row) + 1 for row in np.flatnonzero(np.diff(stretch))), len(stretch)]
    return (slice(start, end) for start, end in pairwise(edges))


def _boot(code: NodeCode, stream: NodeStream, rows: slice, window_s: int) -> tuple[npt.NDArray[np.int64], Features]:
    times, values = stream.times_ms[rows], stream.values[rows]
    ends = np.unique(window_ends(times, window_s))
    booted_ms = (int(ends[0]) - window_s) * 1000
    row, sensor = np.nonzero(~np.isnan(values))
    # A node's window that ends at e holds (e - window, e]; a row's is the one whose end is nearest. Half a window less
    # one millisecond turns the one into the other and leaves all distances in time as they are.
    ticks = times[row] - booted_ms - window_s * 500 + 1
    samples = Samples(sensor.astype(np.uint8), ticks, values[row, sensor].astype(np.float32))
    if stream.clock is not None:
        every_end = np.arange(ends[0], ends[-1] + 1, window_s)
        samples = merged(samples, clock_samples(every_end, booted_ms, len(stream.sensors), stream.clock))
    until_ms = int(ends[-1]) * 1000 - booted_ms
    features = code.windows(stream.kinds, window_s, samples, until_ms)
    return ends, features[(ends - ends[0]) // window_s]
