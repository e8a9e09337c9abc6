"""Which nodes drift on a day: every node against its own days, seen beside the site; and the site against its own.

Weather and holidays move all nodes of a site alike. Where enough of them share a statistic, a day counts by how it
differs from the site's median; what the median itself does is judged as the site's own drift.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import numpy as np
from attune_core import Schema

from attuned.drift.compare import Comparison, Statistic, compare, day_values, statistics
from attuned.drift.day import NodeDay, Values
from attuned.drift.sketches import kind_of_day

REFERENCE_DAYS = 21
FEWEST_DAYS = 10
"""Days that a day is compared with: of the last three weeks, at least what two weeks have of working days."""

GUARD_DAYS = 1
"""Days before it that a day is not compared with: a change at noon must not become what is usual overnight."""

PEERS = 5
"""Nodes that make a site's median: fewer would follow the one that drifts."""

ALARM = 1.8
"""Score from which a day is drift (`make bench BENCH=drift`)."""

NORMAL = 1.0
"""Score up to which a day is as the reference's days were."""

SITE = ""
"""The name of the site's own median among nodes."""

Key = tuple[str, str]


@dataclass(frozen=True)
class Finding:
    """A node (SITE: the site) that differs on a day. `statistics` says what `comparison.apart` counts."""

    node: str
    day: date
    comparison: Comparison
    statistics: tuple[Statistic, ...]
    kinds: tuple[str, ...]
    weather: float
    """The site's own score on this day; 0 where there is no site to compare with."""

    @property
    def score(self) -> float:
        return self.comparison.score


@dataclass
class History:
    """Days of all nodes, as far as they may serve as a reference, and what they are compared by."""

    schemas: Mapping[str, Schema]
    days: dict[str, dict[date, Values]] = field(default_factory=dict)
    _kinds: dict[str, str] = field(default_factory=dict)

    def add(self, day: NodeDay) -> None:
        """Takes a day, in order of time; one of another schema than the node has now is of no use.

        Days from sketches and days from windows are no reference for each other: a node begins anew with the first
        of the other kind.
        """
        schema = self.schemas.get(day.node)
        if schema is None or day.schema not in (schema.hash.hex(), kind_of_day(schema)):
            return
        if self._kinds.get(day.node) != day.schema:
            self._kinds[day.node] = day.schema
            self.days.pop(day.node, None)
        self.days.setdefault(day.node, {})[day.day] = day_values(day, schema)

    def keys(self, node: str) -> tuple[Statistic, ...]:
        schema = self.schemas[node]
        return statistics(schema.kinds, schema.window_s)


def medians(history: History, day: date) -> dict[Key, float]:
    """The site's median of each statistic on a day, by (feature, name), where at least PEERS nodes have it."""
    found: dict[Key, list[float]] = {}
    for node, days in history.days.items():
        if day in days:
            for statistic, value in zip(history.keys(node), days[day].tolist(), strict=True):
                found.setdefault((statistic.feature, statistic.name), []).append(value)
    known = {key: [v for v in values if not np.isnan(v)] for key, values in found.items()}
    return {key: float(np.median(values)) for key, values in known.items() if len(values) >= PEERS}


@dataclass(frozen=True)
class Span:
    """Days that may serve as a node's reference: from `since` on and before `until`."""

    since: date = date.min
    until: date = date.max


def judge(history: History, day: date, spans: Mapping[str, Span] | None = None) -> list[Finding]:
    """Every node that has the day and enough days before it, each with its comparison; the site first.

    `spans` bounds the references of nodes that drift already, or whose new days were said to be right.
    """
    site = _Medians(history)
    weather = _site(site, day)
    found = [weather] if weather else []
    for node in sorted(history.days):
        span = (spans or {}).get(node, Span())
        last = min(day, span.until)
        before = [one for one in _days_before(last) if one >= span.since]
        finding = _node(history, node, before, day, site)
        if finding is not None:
            found.append(replace(finding, weather=weather.score if weather else 0.0))
    return found


def _days_before(day: date) -> list[date]:
    return [day - timedelta(days=number) for number in range(REFERENCE_DAYS, GUARD_DAYS, -1)]


class _Medians:
    """The site's medians by day, each worked out once."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._found: dict[date, dict[Key, float]] = {}

    def __getitem__(self, day: date) -> dict[Key, float]:
        if day not in self._found:
            self._found[day] = medians(self._history, day)
        return self._found[day]


def _node(history: History, node: str, before: Sequence[date], day: date, site: _Medians) -> Finding | None:
    days, keys = history.days[node], history.keys(node)
    there = [one for one in before if one in days]
    if day not in days or len(there) < FEWEST_DAYS:
        return None
    beside = {one: days[one] - _of(site[one], keys) for one in (*there, day)}
    numbers = np.array([key.sensor for key in keys])
    comparison = compare(np.array([beside[one] for one in there]), beside[day], numbers)
    return Finding(node, day, comparison, keys, history.schemas[node].kinds, 0.0)


def _of(site: Mapping[Key, float], keys: Sequence[Statistic]) -> Values:
    return np.array([site.get((key.feature, key.name), 0.0) for key in keys])


def _site(site: _Medians, day: date) -> Finding | None:
    """The site's medians as if they were a node with a sensor of each kind."""
    there = [one for one in _days_before(day) if site[one]]
    if not site[day] or len(there) < FEWEST_DAYS:
        return None
    names = sorted(site[day])
    kinds = tuple(dict.fromkeys(feature.partition(".")[0] for feature, _ in names))
    keys = tuple(Statistic(kinds.index(feature.partition(".")[0]), feature, name) for feature, name in names)
    values = {one: np.array([site[one].get(name, np.nan) for name in names]) for one in (*there, day)}
    numbers = np.array([key.sensor for key in keys])
    comparison = compare(np.array([values[one] for one in there]), values[day], numbers)
    return Finding(SITE, day, comparison, keys, kinds, comparison.score)
