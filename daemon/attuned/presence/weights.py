"""How much each node of a room counts: by its sensor kinds, and by what the room's labels say of it."""

from collections import Counter
from collections.abc import Mapping, Sequence


def kind_weights(sensors: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """Weights of nodes from their sensor kinds, 0 to 1: each kind of sensor speaks once in a room.

    A sensor kind that m of the nodes have counts 1/m in each of them; a node's weight is the mean over its sensors.
    So two copies of one node count as one, and a motion sensor beside a CO2 sensor counts in full.
    """
    holders = Counter(kind for kinds in sensors.values() for kind in set(kinds))
    return {node: sum(1 / holders[kind] for kind in kinds) / len(kinds) for node, kinds in sensors.items() if kinds}


def room_weights(sensors: Mapping[str, Sequence[str]], trust: Mapping[str, float]) -> dict[str, float]:
    """Weights of the nodes that speak: each one's from its kinds, times the trust that it has earned (1 without)."""
    return {node: weight * trust.get(node, 1.0) for node, weight in kind_weights(sensors).items()}
