"""What the nodes of a room say together, and each node's share of it."""

import math
from collections.abc import Mapping
from typing import NamedTuple


class FusedEvidence(NamedTuple):
    """What one step adds to a room's log-odds, in nats, and each node's share; the shares add up to the total."""

    total: float
    shares: Mapping[str, float]


def fuse(evidence: Mapping[str, float], weights: Mapping[str, float], limit: float) -> FusedEvidence:
    """Weighted sum of the nodes' evidence (log-likelihood ratios against free, prior left out, nats).

    A node without a weight counts in full. One node alone says at most `limit` nats before it is weighed, and so do all
    together: beyond it all shares shrink alike. The total does not depend on the order of the nodes.
    """
    shares = {node: weights.get(node, 1.0) * min(max(nats, -limit), limit) for node, nats in sorted(evidence.items())}
    total = math.fsum(shares.values())
    if abs(total) <= limit:
        return FusedEvidence(total, shares)
    shrink = limit / abs(total)
    return FusedEvidence(math.copysign(limit, total), {node: shrink * nats for node, nats in shares.items()})
