"""Trust in the nodes of a room, learned from its labels: who speaks and is right counts, who sees nothing fades out."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

# Spread of the prior of a weight of one, around the weight that a node has from its sensor kinds. The variance is in
# proportion to that weight, so that a node in two copies has the prior, and gets the weight, of one.
SPREAD = 1.0

# Where all nodes see little, the few nats that are left are not blown up more than this.
LARGEST_GAIN = 3.0

_ROUNDS, _SETTLED = 100, 1e-9

Reals = npt.NDArray[np.float64]


def learn_trust(
    evidence: Reals,
    occupied: npt.NDArray[np.bool_],
    weights: Sequence[float],
    effective: float,
) -> Reals:
    """Factor of each node's weight, at least 0; ones unless both classes are labelled and two nodes are there.

    evidence float64 [n, m]: what each node adds in a labelled window if it counts by its sensor kinds, in nats, from
    heads that had not learned the window; 0 where it is silent. occupied bool [n]. `weights` are those by sensor kinds
    of the m nodes, above 0. The labels together count as `effective` independent ones.

    Maximum a posteriori of logistic regression of the classes on the evidence, with factors that may not be negative, a
    Gaussian prior around 1 and an intercept, left out, that takes up how often each class was labelled. The factors are
    then scaled so that the weights sum to what they did: trust says whom to believe, and the calibration how much.
    """
    nodes = len(weights)
    if nodes < 2 or not 0 < np.sum(occupied) < len(occupied):
        return np.ones(nodes)
    inputs = np.column_stack([evidence, np.ones(len(evidence))])
    precision = np.append(np.asarray(weights) / SPREAD**2, 0.0)
    factors = _fit(inputs, occupied, precision, effective / len(occupied))[:nodes]
    total = float(np.dot(factors, weights))
    gain = min(float(np.sum(weights)) / total, LARGEST_GAIN) if total > 0 else 1.0
    result: Reals = gain * factors
    return result


def _fit(inputs: Reals, occupied: npt.NDArray[np.bool_], precision: Reals, weight: float) -> Reals:
    """Projected Newton (Bertsekas 1982) on a convex cost: factors at 0 that want to fall below it stay there."""
    bounded = np.append(np.ones(inputs.shape[1] - 1, dtype=bool), False)
    centre = bounded.astype(float)

    def cost(x: Reals) -> float:
        z = inputs @ x
        return float(weight * np.sum(np.logaddexp(0, np.where(occupied, -z, z))) + precision @ (x - centre) ** 2 / 2)

    x = centre
    for _ in range(_ROUNDS):
        p = 1 / (1 + np.exp(-np.clip(inputs @ x, -700, 700)))
        gradient = weight * (inputs.T @ (p - occupied)) + precision * (x - centre)
        free = ~(bounded & (x <= 0) & (gradient > 0))
        curvature = weight * ((inputs.T * (p * (1 - p))) @ inputs) + np.diag(precision + _SETTLED)
        step = np.zeros(len(x))
        step[free] = -np.linalg.solve(curvature[np.ix_(free, free)], gradient[free])
        moved = _downhill(cost, x, step, bounded)
        if np.max(np.abs(moved - x)) <= _SETTLED:
            break
        x = moved
    return x


def _downhill(cost: Callable[[Reals], float], x: Reals, step: Reals, bounded: npt.NDArray[np.bool_]) -> Reals:
    """The step, projected to the bounds and halved until it helps; x where none does."""
    least = cost(x)
    while np.max(np.abs(step)) > _SETTLED:
        moved = np.where(bounded, np.maximum(x + step, 0), x + step)
        if cost(moved) < least:
            return moved
        step = step / 2
    return x
