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
FURTHEST = 9.0
"""Squared deviations that a feature of naive Bayes may be off."""
RIDGE = 10.0
"""Windows that ridge holds to have seen before the first, and their summed squares."""
DRIFT, DRIFT_SPAN = 0.09, 1500.0
SHARE = 0.3
"""Of naive Bayes in the mixture, whose parts say no more than PART nats each."""
PART = 12.0


def bounded(scores: Floats, limit: float = LIMIT) -> Floats:
    """Log-likelihoods [n, K] as evidence."""
    lifted = np.maximum(scores - scores.max(axis=1, keepdims=True), -limit)
    evidence: Floats = lifted[:, 1:] - lifted[:, :1]
    return evidence


def gnb_scores(x: Floats, means: Floats, variances: Floats) -> Floats:
    """Log-likelihoods [n, K] but for a constant, of what is present, under means and variances [K, d]."""
    squares = np.minimum((x[:, None] - means) ** 2 / variances, FURTHEST)
    each = np.where(np.isnan(squares), 0, squares + np.log(variances))
    scores: Floats = -0.5 * each.sum(axis=2)
    return scores


def gnb_moments(x: Floats, classes: Classes, weights: Floats) -> tuple[Floats, Floats]:
    """Weighted means and variances [K, d] of what is present; NaN where a class has nothing of a feature."""
    ks, seen = range(int(classes.max()) + 1), ~np.isnan(x)
    n = np.array([(weights[:, None] * seen)[classes == k].sum(axis=0) for k in ks])
    sums = np.array([(weights[:, None] * np.nan_to_num(x))[classes == k].sum(axis=0) for k in ks])
    with np.errstate(invalid="ignore"):
        means: Floats = sums / n
        apart = weights[:, None] * np.nan_to_num(x - means[classes]) ** 2
        squares = np.array([apart[classes == k].sum(axis=0) for k in ks])
        variances: Floats = squares / n + LEAST_VARIANCE
        return means, variances


def regularisation(d: int, total: float) -> Floats:
    """P of ridge with drift [d]: step t goes to feature t % d, and the sum of weights has passed t + 0.7071."""
    steps = np.arange(int(np.ceil(total)) + 1)
    passed = steps[steps + 0.7071 <= min(total, DRIFT_SPAN)]
    p: Floats = RIDGE + DRIFT * d * np.bincount(passed % d, minlength=d).astype(np.float64)
    return p


def filled(x: Floats, weights: Floats) -> Floats:
    """What is missing as the mean of all rows before, and what comes late as what it is first."""
    rows = x.copy()
    for column in rows.T:
        first = np.flatnonzero(~np.isnan(column))[0]
        column[:first] = column[first]
        for row in np.flatnonzero(np.isnan(column)):
            column[row] = np.average(column[:row], weights=weights[:row])
    return rows


def drifting_discriminant(x: Floats, taught: Floats, classes: Classes, weights: Floats) -> Floats:
    """Log-likelihoods [n, K] but for a constant under the pooled covariance (within + P) / (n + 10)."""
    rows, total = filled(taught, weights), float(weights.sum())
    means = np.array(
        [np.average(rows[classes == k], axis=0, weights=weights[classes == k]) for k in np.unique(classes)]
    )
    apart = rows - means[classes]
    covariance = ((weights * apart.T) @ apart + np.diag(regularisation(x.shape[1], total))) / (total + RIDGE)
    seen = np.where(np.isnan(x), np.average(rows, axis=0, weights=weights), x)
    solved = np.linalg.solve(covariance, means.T)
    scores: Floats = seen @ solved - 0.5 * (means.T * solved).sum(axis=0)
    return scores


def mixture_evidence(ridge: Floats, gnb: Floats) -> Floats:
    """Of the two parts' log-likelihoods [n, K]: each bounded by itself, then their sum."""
    parts = bounded(ridge, PART) + SHARE * bounded(gnb, PART)
    return bounded(np.column_stack([np.zeros(len(parts)), parts]))


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
