"""How long rooms stay free and occupied, learned from labels: the dwell times of the filter.

Stays of a Markov chain are exponential, so the rate of leaving a class has a conjugate gamma prior (Gelman et al.,
Bayesian Data Analysis, section 2.6): as if each class had been watched for some stays of the core's own dwell time.
"""

import numpy as np
import numpy.typing as npt
from attune_core import DWELL_BOUNDS_S, DWELL_S

# Stays that the prior counts for.
PRIOR_STAYS = 2.0

# What happened in a longer pause between two labels nobody knows.
PAUSE_S = 3600


def learn_dwell(ends_s: npt.NDArray[np.int64], classes: npt.NDArray[np.int8]) -> tuple[float, float]:
    """Mean stay free and occupied, in seconds, within the core's bounds.

    ends_s int64 [n] ascending and classes int8 [n] (0 or 1) of the labelled windows. Each stay is (time in the class +
    prior) / (exits from it + prior), over neighbouring labels at most an hour apart; where they differ, half of the
    time between them counts for each class. Where labels lie further apart, the core's own dwell times.
    """
    seconds = np.diff(ends_s).astype(np.float64)
    close = seconds <= PAUSE_S
    before, after, seconds = classes[:-1][close], classes[1:][close], seconds[close]
    time_s = [float(np.sum(seconds * ((before == k).astype(float) + (after == k))) / 2) for k in (0, 1)]
    exits = [int(np.sum((before == k) & (after != k))) for k in (0, 1)]
    least, most = DWELL_BOUNDS_S
    free_s, occupied_s = (
        min(max((PRIOR_STAYS * DWELL_S[k] + time_s[k]) / (PRIOR_STAYS + exits[k]), least), most) for k in (0, 1)
    )
    return free_s, occupied_s
