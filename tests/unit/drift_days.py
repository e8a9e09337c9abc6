"""Days of nodes for tests of drift: a CO2 sensor and a motion sensor whose days differ by a known spread."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
from attune_core import Schema
from attuned.drift.day import LEVELS, NodeDay
from attuned.drift.judge import History

KINDS = ("co2", "pir")
SCHEMA = Schema(KINDS, 60)
MONDAY = date(2026, 9, 7)


def a_day(node: str, number: int, seed: int = 0, co2: float = 0.0, windows: int = 1440) -> NodeDay:
    """Levels that spread by 0.2 units between days, those of CO2 raised by `co2`."""
    rng = np.random.default_rng([seed, number, *node.encode()])
    levels = rng.normal(0, 0.2, (len(SCHEMA), len(LEVELS)))
    levels[0] += co2
    counts = {name: np.zeros(len(KINDS), np.int64) for name in ("missing", "stuck", "far")}
    bins = np.zeros((len(SCHEMA), 10), np.int64)
    day = MONDAY + timedelta(days=number)
    return NodeDay(node, day, 1, 2, SCHEMA.hash.hex(), windows, bins, **counts, levels=levels, evidence=0.5)


def a_history(nodes: int = 1, days: int = 21, *, raised: float = 0.0) -> History:
    """So many nodes over so many days; on the last one the CO2 of node 0 is raised."""
    names = [f"{number:016x}" for number in range(nodes)]
    history = History(dict.fromkeys(names, SCHEMA))
    for name in names:
        for number in range(days):
            last = number == days - 1 and name == names[0]
            history.add(a_day(name, number, co2=raised if last else 0.0))
    return history
