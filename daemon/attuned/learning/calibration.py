"""Calibration learned from labels: the two numbers that make a filter's log-odds those of what happens.

Fitted on what the filter had summed up, not on single windows: one window's evidence may be right and the sum of sixty
alike far too sure of itself. A slope of the sum heals that and leaves the filter as quick as it was.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from attuned.presence.model import DEFAULT_SLOPE, Calibration

# Spreads of the prior: of the slope's logarithm around DEFAULT_SLOPE, and of the offset around 0, in nats.
SLOPE_SPREAD = 0.5
OFFSET_SPREAD = 0.25

# Beyond these, a fit says that evidence is useless, or that it is never wrong; labels cannot show either.
SLOPES = (0.02, 3.0)
OFFSETS = (-4.0, 4.0)

_ROUNDS, _SETTLED = 60, 1e-7

# The prior of (log slope, offset).
CENTRE = np.array([np.log(DEFAULT_SLOPE), 0.0])
PRECISION = np.array([SLOPE_SPREAD, OFFSET_SPREAD]) ** -2.0

Reals = npt.NDArray[np.float64]


def learn_calibration(
    log_odds: Reals,
    occupied: npt.NDArray[np.bool_],
    prior: float,
    effective: float,
) -> Calibration:
    """Maximum a posteriori of Platt's two numbers, rounded to float16; the default unless both classes are labelled.

    log_odds float64 [n] of a filter in labelled windows, from heads that had not learned them; occupied bool [n];
    `prior` the filter's log-odds without evidence. The labels together count as `effective` independent ones, and each
    class as much as the filter's prior holds it for frequent: labels may have been drawn in balance.
    """
    share = float(np.mean(occupied)) if len(occupied) else 0.0
    if not 0 < share < 1:
        return Calibration()
    stationary = 1 / (1 + np.exp(-prior))
    weights = np.where(occupied, stationary / share, (1 - stationary) / (1 - share)) * (effective / len(occupied))
    slope, offset = _fit(_Posterior(log_odds - prior, occupied, weights, prior))
    return Calibration(slope=_float16(slope, SLOPES), offset=_float16(offset, OFFSETS))


def _float16(value: float, bounds: tuple[float, float]) -> float:
    return float(np.float16(np.clip(value, *bounds)))


@dataclass(frozen=True)
class _Posterior:
    """-log posterior of x = (log slope, offset)."""

    evidence: Reals
    occupied: npt.NDArray[np.bool_]
    weights: Reals
    prior: float

    def log_odds(self, x: Reals) -> Reals:
        result: Reals = self.prior + np.exp(x[0]) * self.evidence + x[1]
        return result

    def cost(self, x: Reals) -> float:
        z = self.log_odds(x)
        misses = self.weights @ np.logaddexp(0, np.where(self.occupied, -z, z))
        return float(misses + PRECISION @ (x - CENTRE) ** 2 / 2)

    def step(self, x: Reals) -> Reals:
        """Towards the minimum, by Fisher scoring."""
        p = 1 / (1 + np.exp(-np.clip(self.log_odds(x), -700, 700)))
        jacobian = np.column_stack([np.exp(x[0]) * self.evidence, np.ones(len(p))])
        gradient = jacobian.T @ (self.weights * (p - self.occupied)) + PRECISION * (x - CENTRE)
        information = (jacobian.T * (self.weights * p * (1 - p))) @ jacobian + np.diag(PRECISION)
        result: Reals = -np.linalg.solve(information, gradient)
        return result


def _fit(posterior: _Posterior) -> tuple[float, float]:
    """Slope and offset; a step that does not help is halved until it does."""
    x, least = CENTRE, posterior.cost(CENTRE)
    for _ in range(_ROUNDS):
        step = posterior.step(x)
        while posterior.cost(x + step) > least and np.max(np.abs(step)) > _SETTLED:
            step = step / 2
        if np.max(np.abs(step)) <= _SETTLED:
            break
        x = x + step
        least = posterior.cost(x)
    return float(np.exp(x[0])), float(x[1])
