"""Which nodes of a room say the same: two that hang side by side tell the room once, not twice."""

import numpy as np
import numpy.typing as npt

from attuned.learning.record import RoomRecord

# Agreement (Lin 1989: 1 for equal numbers) from which a node is a copy of another. Nodes of one type in different
# places of a room reach .9 by seeing the same people.
ALIKE = 0.98

# Fewer windows show no agreement.
LEAST_WINDOWS = 20


def find_copies(record: RoomRecord) -> tuple[tuple[str, ...], ...]:
    """Groups of two and more nodes that say the same in the windows in which both speak; a node is in one group."""
    group = list(range(len(record.nodes)))
    for i in range(len(group)):
        for j in range(i):
            if group[i] != group[j] and _agreement(record, i, j) >= ALIKE:
                group = [group[j] if number == group[i] else number for number in group]
    members = [tuple(np.array(record.nodes)[np.array(group) == number].tolist()) for number in dict.fromkeys(group)]
    return tuple(found for found in members if len(found) > 1)


def _agreement(record: RoomRecord, i: int, j: int) -> float:
    """Lin's concordance: 2 cov / (var + var + (difference of means)^2); 0 where nothing varies."""
    both = record.told[:, i] & record.told[:, j]
    if np.sum(both) < LEAST_WINDOWS:
        return 0.0
    a: npt.NDArray[np.float64] = record.nats[both, i]
    b: npt.NDArray[np.float64] = record.nats[both, j]
    spread = float(np.var(a) + np.var(b) + (np.mean(a) - np.mean(b)) ** 2)
    return float(2 * np.mean((a - np.mean(a)) * (b - np.mean(b)))) / spread if spread > 0 else 0.0
