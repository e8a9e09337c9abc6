"""How much each node of a room counts: by its sensor kinds, and by what the room's labels say of it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from attuned.presence.model import RoomModel

Groups = Sequence[Sequence[str]]


def kind_weights(sensors: Mapping[str, Sequence[str]], copies: Groups = ()) -> dict[str, float]:
    """Weights of nodes from their sensor kinds, 0 to 1: each kind of sensor speaks once in a room.

    A sensor kind that m of the nodes have counts 1/m in each of them; a node's weight is the mean over its sensors.
    So two nodes of one type count as one, and a motion sensor beside a CO2 sensor counts in full. Nodes of a group in
    `copies` are one of the m together, and share its weight.
    """
    of_group = {node: sum(member in sensors for member in group) for group in copies for node in group}
    share = {node: 1 / of_group.get(node, 1) for node in sensors}
    holders: dict[str, float] = defaultdict(float)
    for node, kinds in sensors.items():
        for kind in set(kinds):
            holders[kind] += share[node]
    return {
        node: share[node] * sum(1 / holders[kind] for kind in kinds) / len(kinds)
        for node, kinds in sensors.items()
        if kinds
    }


def room_weights(sensors: Mapping[str, Sequence[str]], model: RoomModel) -> dict[str, float]:
    """Weights of the nodes that speak: each one's from its kinds, times the trust that it has earned (1 without)."""
    weights = kind_weights(sensors, model.copies)
    return {node: weight * model.trust.get(node, 1.0) for node, weight in weights.items()}
