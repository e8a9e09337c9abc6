"""What a quiet node says between its reports: that its state stands."""

from collections.abc import Sequence

from attuned.presence.belief import HOUR_MS

# A quiet node reports hourly, and this much later its next report may still be on the way.
HOLD_MS = HOUR_MS + 300_000

# What a node says in each step at least, in nats, while it keeps quiet: had the windows spoken against its state, that
# would have changed and been reported. The reported window itself may have said hardly anything.
LEAST_NATS = 1.0

CLASS_BITS = 0x0F

Held = tuple[str, float, int]  # node, nats for `occupied` in each step, the last step that it holds in


def held_nats(evidence: float | None, state: int) -> float | None:
    """What each step after a report counts: its evidence as far as that speaks for the node's own state, a byte."""
    if evidence is None:
        return None
    sign = 1.0 if state & CLASS_BITS else -1.0
    return sign * max(sign * evidence, LEAST_NATS)


def still_held(held: Sequence[Held], index: int) -> tuple[Held, ...]:
    """What holds in a step, too."""
    return tuple(one for one in held if one[2] >= index)
