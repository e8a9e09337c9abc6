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
    known = {node: list(vectors) for node, vectors in answered.items()}
    left, chosen = list(range(len(candidates))), list[Candidate]()
    while left and len(chosen) < budget:
        best = max(left, key=lambda i: (worth(candidates[i], known), candidates[i].to_utc_ms))
        left.remove(best)
        chosen.append(candidates[best])
        for node, look in candidates[best].looks.items():
            known.setdefault(node, []).append(look)
    return chosen


def worth(candidate: Candidate, known: Mapping[str, Sequence[Vectors]]) -> float:
    """How much an answer would teach, 0 to 1: how unsure the room is, times how unlike it is to what was answered."""
    unsure = 1 - abs(2 * candidate.probability - 1)
    novelty = [_novelty(look, known.get(node, ())) for node, look in candidate.looks.items()]
    unlike = sum(novelty) / len(novelty) if novelty else 0.0
    return (FLOOR + (1 - FLOOR) * unsure) * (FLOOR + (1 - FLOOR) * unlike)


def _novelty(look: Vectors, known: Sequence[Vectors]) -> float:
    """Distance to the nearest known window, root mean square over the features that both have, as a share of 0 to 1."""
    alike = [vector for vector in known if len(vector) == len(look)]
    if not alike:
        return 1.0
    squares = (np.stack(alike) - look) ** 2
    both = np.isfinite(squares)
    means = np.where(both, squares, 0.0).sum(axis=1) / np.maximum(both.sum(axis=1), 1)
    nearest = float(np.sqrt(means[both.any(axis=1)].min(initial=np.inf)))
    return 1.0 if np.isinf(nearest) else nearest / (1 + nearest)


def vectors(features: Sequence[bytes]) -> Vectors:
    """Windows [n, d] of one node in units of its schema, NaN where nothing was measured."""
    raw = np.frombuffer(b"".join(features), "<i2").reshape(len(features), -1)
    return np.where(raw == MISSING, np.nan, raw / UNIT)
