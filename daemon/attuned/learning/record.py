"""What the nodes of a room said, window by window, and what their evidence comes to: as the daemon's rooms weigh it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from attune_core import Filter

from attuned.presence.model import RoomModel
from attuned.presence.weights import room_weights

UNLABELLED = -1

Reals = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
# Log-odds of occupied after each step from a cold start [n], of evidence in nats [n] that counts where told [n].
RunFilter = Callable[[Reals, Flags], Reals]


@dataclass(frozen=True)
class RoomRecord:
    """A room's windows by time, n of them, and what its m nodes said in each.

    ends_s int64 [n] ascending; stretch int64 [n], changing where nothing was recorded for an hour; labels int8 [n],
    UNLABELLED where nobody said anything; nats float64 [n, m] for occupied against free; told bool [n, m], false where
    a node said nothing.
    """

    nodes: tuple[str, ...]
    ends_s: npt.NDArray[np.int64]
    stretch: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int8]
    nats: Reals
    told: Flags

    @property
    def heard(self) -> Flags:
        """Windows in which any node said something [n]."""
        return np.asarray(self.told.any(axis=1))

    def __getitem__(self, part: slice) -> "RoomRecord":
        values = (self.ends_s[part], self.stretch[part], self.labels[part], self.nats[part], self.told[part])
        return RoomRecord(self.nodes, *values)

    def labelled_where(self, known: Flags) -> "RoomRecord":
        """The same with the labels of some windows alone."""
        return replace(self, labels=np.where(known, self.labels, UNLABELLED).astype(np.int8))


def joined(records: Sequence[RoomRecord]) -> RoomRecord:
    """Records of one room as one, by time; a node that is in some of them alone is silent in the others."""
    nodes = tuple(sorted({node for record in records for node in record.nodes}))
    wide = [_widened(record, nodes) for record in records]
    ends_s = np.concatenate([record.ends_s for record in wide])
    order = np.argsort(ends_s, kind="stable")
    # Each record's stretches get numbers of their own.
    starts = np.cumsum([0, *(int(record.stretch[-1]) + 1 for record in wide[:-1])])
    stretch = np.concatenate([record.stretch + start for record, start in zip(wide, starts, strict=True)])
    return RoomRecord(
        nodes,
        ends_s[order],
        stretch[order],
        np.concatenate([record.labels for record in wide])[order],
        np.concatenate([record.nats for record in wide])[order],
        np.concatenate([record.told for record in wide])[order],
    )


def _widened(record: RoomRecord, nodes: tuple[str, ...]) -> RoomRecord:
    at = [nodes.index(node) for node in record.nodes]
    nats, told = np.zeros((len(record.ends_s), len(nodes))), np.zeros((len(record.ends_s), len(nodes)), dtype=bool)
    nats[:, at], told[:, at] = record.nats, record.told
    return replace(record, nodes=nodes, nats=nats, told=told)


def weighed(record: RoomRecord, sensors: Mapping[str, Sequence[str]], model: RoomModel, limit: float) -> Reals:
    """What each node adds in each window [n, m], in nats: fuse() before all together are bounded."""
    weights = np.ones(record.told.shape)
    for pattern, here in _patterns(record.told):
        present = {node: sensors[node] for node, told in zip(record.nodes, pattern, strict=True) if told}
        by_node = room_weights(present, model)
        weights[here] = [by_node.get(node, 1.0) for node in record.nodes]
    result: Reals = weights * np.where(record.told, np.clip(record.nats, -limit, limit), 0.0)
    return result


def _patterns(told: Flags) -> Iterator[tuple[list[bool], Flags]]:
    """Each set of nodes that speak together, and the windows in which they do."""
    if told.all():  # sorting rows takes longer than all the rest
        yield [True] * told.shape[1], np.ones(len(told), dtype=bool)
        return
    patterns, which = np.unique(told, axis=0, return_inverse=True)
    for index, pattern in enumerate(patterns):
        yield pattern.tolist(), which.reshape(-1) == index


def fused(record: RoomRecord, sensors: Mapping[str, Sequence[str]], model: RoomModel, limit: float) -> Reals:
    """The room's evidence in each window [n], in nats: fuse() for all windows at once."""
    result: Reals = np.clip(weighed(record, sensors, model, limit).sum(axis=1), -limit, limit)
    return result


def filtered(record: RoomRecord, nats: Reals, step_s: int, run: RunFilter) -> Reals:
    """Log-odds of occupied after each window [n]; time passes in windows that are not there, too."""
    log_odds = np.empty(len(nats))
    for stretch in np.unique(record.stretch):
        here = record.stretch == stretch
        steps = (record.ends_s[here] - record.ends_s[here][0]) // step_s
        every, told = np.zeros(int(steps[-1]) + 1), np.zeros(int(steps[-1]) + 1, dtype=bool)
        every[steps], told[steps] = nats[here], record.heard[here]
        log_odds[here] = run(every, told)[steps]
    return log_odds


def run_filter(step_s: int, dwell_s: Sequence[float] | None) -> RunFilter:
    """The core's filter in float64, as the daemon's rooms use it."""

    def run(nats: Reals, told: Flags) -> Reals:
        states = Filter(2, step_s, "float64", dwell_s).run(nats[:, None], told)
        result: Reals = np.log(states[:, 1].astype(np.float64)) - np.log(states[:, 0])
        return result

    return run
