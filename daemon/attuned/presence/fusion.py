"""What the nodes of a room say together, and each node's share of it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class FusedEvidence:
    """Log-odds that one window adds to a room's prior, in nats, and each node's share; the shares add up to the total."""

    total: float
    shares: Mapping[str, float]


def fuse(evidence: Mapping[str, float], weights: Mapping[str, float]) -> FusedEvidence:
    """Weighted sum of the nodes' evidence (log-likelihood ratios against free, prior left out, nats).

    A node without a weight counts in full. The total does not depend on the order of the nodes.
    """
    shares = {node: weights.get(node, 1.0) * nats for node, nats in sorted(evidence.items())}
    return FusedEvidence(math.fsum(shares.values()), shares)
