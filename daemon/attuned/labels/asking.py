"""Which stretches to ask about: those that the room is unsure of and that look like nothing that was answered before.

Uncertainty alone asks the same question again and again; so what is chosen counts as answered for the next choice: the
farthest first (Sener and Savarese, ICLR 2018), weighted by uncertainty.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from attune_core import MISSING, UNIT

# One question's stretch: what a person can still say of it as a whole.
STRETCH_MS = 10 * 60_000

# Share of a question's worth that neither certainty nor likeness takes away: an unsure room still learns a little from
# what it has seen, and a sure one from what is new.
FLOOR = 0.05

Vectors = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Candidate:
    """A stretch of a room's time (from, to] that could be asked about.

    `probability` is that of its having been occupied; `looks` are the mean windows of the room's nodes, float64 [d] in
    units of the schema, NaN where nothing was measured.
    """

    room: str
    from_utc_ms: int
    to_utc_ms: int
    probability: float
    looks: Mapping[str, Vectors]


def choose(candidates: Sequence[Candidate], answered: Mapping[str, Vectors], budget: int) -> list[Candidate]:
    """At most `budget` of the candidates, what teaches most first; `answered` are labelled windows [n, d] by node."""
    return [candidate for _, candidate in rank(candidates, answered, budget)]


def rank(
    candidates: Sequence[Candidate], answered: Mapping[str, Vectors], budget: int
) -> list[tuple[float, Candidate]]:
    """As `choose`, each candidate with what it is worth once those before it are answered."""
    near = [{node: _nearest(look, answered.get(node, ())) for node, look in one.looks.items()} for one in candidates]
    left, chosen = list(range(len(candidates))), list[tuple[float, Candidate]]()
    while left and len(chosen) < budget:
        worths = {i: _worth(candidates[i], near[i]) for i in left}
        best = max(left, key=lambda i: (worths[i], candidates[i].to_utc_ms))
        left.remove(best)
        chosen.append((worths[best], candidates[best]))
        for i in left:
            for node in near[i].keys() & candidates[best].looks.keys():
                apart = _nearest(candidates[i].looks[node], [candidates[best].looks[node]])
                near[i][node] = min(near[i][node], apart)
    return chosen


def worth(candidate: Candidate, known: Mapping[str, Sequence[Vectors]]) -> float:
    """How much an answer would teach, 0 to 1: how unsure the room is, times how unlike it is to what was answered."""
    return _worth(candidate, {node: _nearest(look, known.get(node, ())) for node, look in candidate.looks.items()})


def _worth(candidate: Candidate, near: Mapping[str, float]) -> float:
    unsure = 1 - abs(2 * candidate.probability - 1)
    novelty = [1.0 if np.isinf(apart) else apart / (1 + apart) for apart in near.values()]
    unlike = sum(novelty) / len(novelty) if novelty else 0.0
    return (FLOOR + (1 - FLOOR) * unsure) * (FLOOR + (1 - FLOOR) * unlike)


def _nearest(look: Vectors, known: Sequence[Vectors] | Vectors) -> float:
    """Distance to the nearest known window, root mean square over the features that both have; infinite without one."""
    alike = np.array([vector for vector in known if len(vector) == len(look)])
    if not len(alike):
        return np.inf
    squares = (alike - look) ** 2
    both = np.isfinite(squares)
    means = np.where(both, squares, 0.0).sum(axis=1) / np.maximum(both.sum(axis=1), 1)
    return float(np.sqrt(means[both.any(axis=1)].min(initial=np.inf)))


def vectors(features: Sequence[bytes]) -> Vectors:
    """Windows [n, d] of one node in units of its schema, NaN where nothing was measured."""
    raw = np.frombuffer(b"".join(features), "<i2").reshape(len(features), -1)
    return np.where(raw == MISSING, np.nan, raw / UNIT)
