"""What the nodes of a room say together, and each node's share of it."""

import math
from collections.abc import Mapping
from typing import NamedTuple

# What all nodes of a room together may say in one step, in nats: twice what one node may.
EVIDENCE_LIMIT = 12.0


class FusedEvidence(NamedTuple):
    """What one step adds to a room's log-odds, in nats, and each node's share; the shares add up to the total."""

    total: float
    shares: Mapping[str, float]


def fuse(evidence: Mapping[str, float], weights: Mapping[str, float]) -> FusedEvidence:
    """Weighted sum of the nodes' evidence (log-likelihood ratios against free, prior left out, nats).

    A node without a weight counts in full. The total does not depend on the order of the nodes, and stays within
    +-EVIDENCE_LIMIT: beyond it all shares shrink alike.
    """
    shares = {node: weights.get(node, 1.0) * nats for node, nats in sorted(evidence.items())}
    total = math.fsum(shares.values())
    if abs(total) <= EVIDENCE_LIMIT:
        return FusedEvidence(total, shares)
    shrink = EVIDENCE_LIMIT / abs(total)
    return FusedEvidence(math.copysign(EVIDENCE_LIMIT, total), {node: shrink * nats for node, nats in shares.items()})
