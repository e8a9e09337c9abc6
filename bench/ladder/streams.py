"""Peers that learn while they are judged: River's models and rules, with labels as late as Attune's."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.ladder.cache import cached
from bench.ladder.inputs import Matrix, Seen, seen
from bench.ladder.peers import INPUTS, RULES, Peer, digest, fitted, occupied
from bench.ladder.rows import Row

# River brings all of scipy's statistics with it: two seconds for whoever only wants the names.


def _logistic_regression() -> Any:
    from river import linear_model, preprocessing

    return preprocessing.StandardScaler() | linear_model.LogisticRegression()


def _naive_bayes() -> Any:
    from river import naive_bayes

    return naive_bayes.GaussianNB()  # type: ignore[no-untyped-call]


def _adaptive_tree() -> Any:
    from river import tree

    return tree.HoeffdingAdaptiveTreeClassifier(seed=0)


def _adaptive_forest() -> Any:
    from river import forest

    return forest.ARFClassifier(n_models=10, seed=0)


RIVER: Mapping[str, Callable[[], Any]] = {
    "River logistic regression": _logistic_regression,
    "River Gaussian NB": _naive_bayes,
    "River Hoeffding adaptive tree": _adaptive_tree,
    "River adaptive random forest": _adaptive_forest,
}
QUICK_RIVER = ("River logistic regression",)
YESTERDAY = "as a day before"
# How often rules are learned anew from all labels that have arrived.
REFIT_S = 3600
# The share of a stream's days by which its peer is chosen.
CHOSEN_BY = 0.25


@dataclass(frozen=True)
class Late:
    """A room's stream: labels int8 [n], and how many windows' labels had arrived before the end of each [n]."""

    labels: npt.NDArray[np.int8]
    arrived: npt.NDArray[np.int64]


def late(room: Seen, late_h: float) -> Late:
    """A label arrives late_h hours after the end of its window, and too late for a window that ends just then."""
    ends_s = room.room.ends_s
    return Late(room.room.labels, np.searchsorted(ends_s, ends_s - late_h * 3600, side="left").astype(np.int64))


def stream_peers(row: Row, quick: bool) -> tuple[Peer, ...]:
    """The peers of a row that is learned while it is judged, rules first."""
    line = row.lines[0]
    there = seen(row, line.split, line.rooms[0]).inputs
    names = [name for name in RIVER if not quick or name in QUICK_RIVER]
    learned = (Peer(name, inputs, RIVER[name]) for name in names for inputs in INPUTS)
    return (*(rule for rule in RULES if rule.inputs in there), Peer(YESTERDAY, "schedule", str), *learned)


def streamed(row: Row, peer: Peer, split: str, room: str) -> Matrix:
    """Probability of occupied in each window of a stream, from the labels that had arrived before it [n]."""
    assert row.late_h is not None
    whole = seen(row, split, room)
    order, x = late(whole, row.late_h), whole.inputs[peer.inputs]
    key = digest(peer, x, order.labels, order.arrived, whole.room.ends_s)

    def compute() -> dict[str, Matrix]:
        if peer.name in RIVER:
            return {"said": river(peer.build(), x, order)}
        if peer.name == YESTERDAY:
            return {"said": yesterday(order)}
        return {"said": refitted(peer, x, order, whole.room.ends_s)}

    return cached(key, compute)["said"]


def river(model: Any, x: Matrix, order: Late) -> Matrix:
    """A River model, one window at a time; before its first label it cannot tell."""
    said, learned = np.full(len(x), 0.5), 0
    rows = list(as_dicts(x))
    for window, row in enumerate(rows):
        for label in range(learned, int(order.arrived[window])):
            if order.labels[label] >= 0:
                model.learn_one(rows[label], bool(order.labels[label]))
        learned = int(order.arrived[window])
        said[window] = model.predict_proba_one(row).get(True, 0.5 if not learned else 0.0)
    return said


def as_dicts(x: Matrix) -> Iterator[dict[int, float]]:
    """Windows as River takes them; a missing value is the mean of those before it, 0 if there were none."""
    there = ~np.isnan(x)
    count = np.cumsum(there, axis=0)
    means = np.cumsum(np.where(there, x, 0), axis=0) / np.maximum(count, 1)
    return (dict(enumerate(row)) for row in np.where(there, x, means).tolist())


def yesterday(order: Late) -> Matrix:
    """The newest label that has arrived: with labels a day late, the state at this time of the day before."""
    newest = order.labels[np.maximum(order.arrived - 1, 0)]
    return np.where((order.arrived > 0) & (newest >= 0), newest, 0.5).astype(float)


def refitted(peer: Peer, x: Matrix, order: Late, ends_s: npt.NDArray[np.int64]) -> Matrix:
    """A rule that is learned anew every hour from all labels that have arrived."""
    said, hour = np.full(len(x), 0.5), ends_s // REFIT_S
    for number in np.unique(hour):
        here = np.flatnonzero(hour == number)
        known = np.flatnonzero(order.labels[: order.arrived[here[0]]] >= 0)
        said[here] = occupied(fitted(peer, x[known], order.labels[known]), x[here])
    return said


def first_days(room: Seen) -> npt.NDArray[np.bool_]:
    """The labelled windows of the first quarter of a stream's days: those by which its peer is chosen [l]."""
    days = room.days[room.labelled]
    every = np.unique(days)
    return np.asarray(days < every[max(1, round(len(every) * CHOSEN_BY))])
