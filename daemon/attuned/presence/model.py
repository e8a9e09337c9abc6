"""What a room's labels say about how its nodes' evidence is to be judged, and what holds until there are any."""

import math

from attune_core import DWELL_S
from pydantic import BaseModel, ConfigDict, Field

# Windows that follow each other repeat each other: a lamp that misleads now misleads in a minute, too. On the
# recordings that Attune is developed with, what a filter has summed up is worth a fifth to a half of its nats.
DEFAULT_SLOPE = 0.375


class _Facts(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class Calibration(_Facts):
    """Two numbers, each exact in float16, that make a filter's log-odds those of what happens (Platt 1999).

    calibrated = prior + slope (log_odds - prior) + offset, all in nats, with `prior` the log-odds that the filter has
    without evidence: what evidence has added counts `slope`-fold, and `offset` corrects what all nodes are wrong about.
    """

    slope: float = Field(DEFAULT_SLOPE, ge=0.01, le=4)
    offset: float = Field(0.0, ge=-8, le=8)

    def apply(self, log_odds: float, prior: float) -> float:
        """Calibrated log-odds of a filter's."""
        return self.slope * log_odds + self.constant(prior)

    def constant(self, prior: float) -> float:
        """What is added to the slope's share of the log-odds."""
        return (1 - self.slope) * prior + self.offset


class RoomModel(_Facts):
    """How a room is judged: mean stays (free, occupied) in seconds, the filter's calibration, and each node's trust.

    A node's trust multiplies the weight that it has from its sensor kinds; 1 for nodes that are not named. Each group
    of `copies` is nodes that say the same and count as one.
    """

    dwell_s: tuple[float, float] = DWELL_S
    calibration: Calibration = Calibration(slope=DEFAULT_SLOPE, offset=0.0)
    trust: dict[str, float] = {}
    copies: tuple[tuple[str, ...], ...] = ()


def threshold(cost_ratio: float) -> float:
    """Log-odds above which a room is occupied, if a wrongly free room costs `cost_ratio` > 0 wrongly occupied ones.

    The expected costs of both states are equal where p cost_ratio = 1 - p.
    """
    return -math.log(cost_ratio)
