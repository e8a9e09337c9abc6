"""The population stability index of a day's levels, by its textbook threshold and beside the spread between days.

PSI = sum over bins of (p - q) ln(p / q) (Siddiqi 2006, Credit Risk Scorecards, chapter 8: above 0.25 a population has
changed), p of the day and q of the reference together, over the bins of the drift sketch.
"""

from collections.abc import Callable, Sequence

import numpy as np
from attuned.demo.layout import Node
from attuned.drift.day import NodeDay
from attuned.drift.judge import ALARM, REFERENCE_DAYS

from bench.drifting.buildings import CHANGE, Recorded, Values
from bench.drifting.cases import days, schema_of
from bench.drifting.peers import Alarms, joined

TEXTBOOK = 0.25

# Share of a bin that nothing was seen in: without it the logarithm has no end.
LEAST = 1e-3


def index(reference: Values, day: Values) -> Values:
    """Largest index over the levels of days [..., levels, bins] against a reference [levels, bins]."""
    p, q = (np.maximum(x / np.maximum(x.sum(axis=-1, keepdims=True), 1), LEAST) for x in (day, reference))
    return np.asarray(((p - q) * np.log(p / q)).sum(axis=-1).max(axis=-1))


def textbook(reference: Values, day: Values) -> bool:
    return bool(index(reference.sum(axis=0), day) > TEXTBOOK)


def beside_days(reference: Values, day: Values) -> bool:
    """By the detector's threshold, in multiples of the strangest day of the reference."""
    whole = reference.sum(axis=0)
    strangest = max(float(index(whole - one, one)) for one in reference)
    return bool(index(whole, day) > ALARM * strangest)


INDICES: dict[str, Callable[[Values, Values], bool]] = {
    "PSI above 0.25": textbook,
    "PSI beside days": beside_days,
}


def counts(node: Node, found: Sequence[NodeDay]) -> Values:
    """Counts in bins of the levels' means [days, levels, bins]."""
    levels = [number for number, name in enumerate(schema_of(node).features) if name.endswith(".mean")]
    return np.array([day.bins[levels] for day in found], np.float64)


def quiet(name: str, building: Recorded, first: int) -> Alarms:
    """Alarms of a building without a change from day `first` on."""
    found = Alarms()
    for node in building.nodes:
        seen = counts(node, days(node, building.values[node.index], building.life.start_utc_ms))
        found.add([INDICES[name](seen[max(0, n - REFERENCE_DAYS) : n], seen[n]) for n in range(first, len(seen))])
    return found


def found_at_once(name: str, building: Recorded, node: Node, after: Values) -> bool:
    """Whether it alarms on day CHANGE, whose values `after` are, and did not in the three days before."""
    whole = joined(building, node, after)
    seen = counts(node, days(node, whole, building.life.start_utc_ms))
    alarms = [INDICES[name](seen[max(0, n - REFERENCE_DAYS) : n], seen[n]) for n in range(CHANGE - 3, CHANGE + 1)]
    return alarms == [False, False, False, True]
