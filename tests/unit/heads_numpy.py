"""The heads once more, from their papers, in float64 and without any trick: what the core is compared with.

Everything is in units of q / 1024; x is float64 [n, d] with NaN where a sensor is missing, and each feature is a sensor
of its own. Evidence is log-likelihood ratios [n, K - 1] against class 0, with no class further than the limit below the
best.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Classes = npt.NDArray[np.uint8]

LIMIT = 16.0
LEAST_VARIANCE = 1e-3


def bounded(scores: Floats) -> Floats:
    """Log-likelihoods [n, K] as evidence."""
    lifted = np.maximum(scores - scores.max(axis=1, keepdims=True), -LIMIT)
    evidence: Floats = lifted[:, 1:] - lifted[:, :1]
    return evidence


@dataclass
class Softmax:
    """Algorithm 1 and equations 6 to 8 of TinyOL with all K rows of weights and a bias; logits get log class shares
    while training."""

    d: int
    rate: float = 0.05
    weight: dict[int, Floats] = field(default_factory=dict)
    shares: dict[int, float] = field(default_factory=dict)
    rows: list[tuple[Floats, float]] = field(default_factory=list)

    def learn(self, x: Floats, classes: Classes, weights: Floats) -> None:
        for row, k, weight in zip(x, classes.tolist(), weights.tolist(), strict=True):
            self.rows.append((row, weight))
            self.weight.setdefault(k, np.zeros(self.d + 1))
            self.shares[k] = self.shares.get(k, 0.0) + weight
            self._step(self.scaled(row[None])[0], k, min(self.rate * weight, 1.0))

    def _step(self, inputs: Floats, label: int, rate: float) -> None:
        logits = {k: w @ inputs + np.log(self.shares[k]) for k, w in self.weight.items()}
        total = np.logaddexp.reduce(list(logits.values()))
        for k in self.weight:
            self.weight[k] -= rate * (np.exp(logits[k] - total) - (k == label)) * inputs

    def scaled(self, x: Floats) -> Floats:
        """Inputs and a 1 for the bias [n, d + 1], by mean and variance of all rows so far, computed anew."""
        rows, weights = (np.array(part) for part in zip(*self.rows, strict=True))
        inputs = np.ones((len(x), self.d + 1))
        for i in range(self.d):
            seen = ~np.isnan(rows[:, i])
            if not seen.any():
                inputs[:, i] = 0
                continue
            mean = np.average(rows[seen, i], weights=weights[seen])
            variance = np.average((rows[seen, i] - mean) ** 2, weights=weights[seen])
            inputs[:, i] = np.nan_to_num((x[:, i] - mean) / np.sqrt(variance + LEAST_VARIANCE))
        return inputs

    def evidence(self, x: Floats) -> Floats:
        rows = np.array([self.weight[k] for k in range(len(self.weight))])
        return bounded(self.scaled(x) @ rows.T)


def prototype_evidence(x: Floats, taught: Floats, classes: Classes, weights: Floats, *, correct: bool = True) -> Floats:
    """Nearest mean under one shrunk diagonal covariance, new classes corrected as in TEEN; all features present."""
    k = int(classes.max()) + 1
    n = np.array([weights[classes == c].sum() for c in range(k)])
    means = np.array([np.average(taught[classes == c], axis=0, weights=weights[classes == c]) for c in range(k)])
    squares = (weights[:, None] * (taught - means[classes]) ** 2).sum(axis=0)
    variance = (squares + 4) / (max(n.sum() - k, 0) + 4) + LEAST_VARIANCE
    if correct:
        means = np.array([calibrated(c, means / np.sqrt(variance), n) * np.sqrt(variance) for c in range(k)])
    wide = 1 + 1 / np.maximum(n, 0.5)
    distance = ((x[:, None] - means) ** 2 / variance).sum(axis=2) / wide
    return bounded(-0.5 * (distance + x.shape[1] * np.log(wide)))


def calibrated(c: int, means: Floats, n: Floats) -> Floats:
    """The mean of class c after the correction; means [K, d] in units of the shared deviation."""
    lacks = np.maximum(1 - n[c] / n, 0)
    if c == 0 or not lacks.any():
        mean: Floats = means[c]
        return mean
    centred = means - means.mean(axis=0)
    lengths = np.linalg.norm(centred, axis=1)
    cosines = centred @ centred[c] / (lengths * lengths[c])
    share = lacks * np.exp(4 * cosines)
    pull = lacks.max()
    fused: Floats = (n[c] * means[c] + pull * (share / share.sum()) @ means) / (n[c] + pull)
    return fused
