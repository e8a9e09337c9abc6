"""What the bench of drift measures in one building, in figures that can be summed over buildings."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np
from attuned.drift.day import NodeDay
from attuned.drift.judge import FEWEST_DAYS, GUARD_DAYS, SITE, History, judge
from attuned.drift.life import DriftEvent, next_events

from bench.drifting.buildings import AFTER, CHANGE, DAY_S, DAYS, Life, Recorded, recorded
from bench.drifting.cases import CHANGES, changed, days, first_day, rehomed, schema_of, unchanged
from bench.drifting.trial import Outcome, judged, with_days

FIRST = FEWEST_DAYS + GUARD_DAYS
"""The first day that has a reference."""

NOON_S = DAY_S // 2

PROMISED = ("light covered", "CO2 +300 ppm", "node moved")
"""Changes that are to be found within 24 h of event time."""


@dataclass
class Found:
    """Of changes of a kind: how many there were, and on which day, 1 being that of the change, each was found."""

    tried: int = 0
    after: Counter[int] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)

    def share(self, within: int) -> float:
        return sum(count for day, count in self.after.items() if day <= within) / max(self.tried, 1)

    def note(self, event: DriftEvent | None, day: int) -> None:
        self.tried += 1
        if event is not None:
            self.after[day] += 1
            self.causes[event.cause] += 1


@dataclass(frozen=True)
class Measured:
    """One building: events without a change, and what was found of changes (by name) at midnight and at noon."""

    quiet: Outcome
    midnight: Mapping[str, Found]
    noon: Mapping[str, Found]


def measure(life: Life) -> Measured:
    """All figures of a building."""
    building = recorded(life)
    history = History({node.node_id: schema_of(node) for node in building.nodes})
    for day in unchanged(building):
        history.add(day)
    begin = first_day(life)
    quiet = judged(history, begin + timedelta(days=FIRST), begin + timedelta(days=DAYS))
    # What has an event without a change already tells nothing of the change.
    alarmed = {event.node for event in quiet.events if event.since <= begin + timedelta(days=CHANGE - 1)}
    midnight = {name: _tried(building, history, name, 0, alarmed) for name in CHANGES}
    midnight["season"] = _season(building, history)
    noon = {name: _tried(building, history, name, NOON_S, alarmed) for name in PROMISED}
    return Measured(quiet, midnight, noon)


def _tried(building: Recorded, history: History, name: str, later_s: int, alarmed: set[str]) -> Found:
    found, rng = Found(), np.random.default_rng(building.life.seed)
    rooms = rehomed(building) if name == "use of room" else None
    for node in building.nodes:
        if node.node_id in alarmed or (rooms is not None and node.room not in rooms):
            continue
        after = changed(building, node, CHANGES[name], rng, later_s)
        if after:
            found.note(*_first_event(history, after, node.node_id))
    return found


def _first_event(history: History, after: list[NodeDay], node: str) -> tuple[DriftEvent | None, int]:
    """The node's first event from the change on, and on which day it was raised."""
    copy = with_days(history, after)
    for number, day in enumerate(after, start=1):
        findings = [finding for finding in judge(copy, day.day) if finding.node == node]
        events = next_events((), findings, ())
        if events:
            return events[0], number
    return None, 0


def _season(building: Recorded, history: History) -> Found:
    """The site's event three months later; all nodes of a building are one trial."""
    found, change = Found(), first_day(building.life) + timedelta(days=CHANGE)
    later = recorded(building.life, "season")
    start = building.life.start_utc_ms + CHANGE * DAY_S * 1000
    after = [day for node in later.nodes for day in days(node, later.values[node.index], start)]
    before = {n: {day: v for day, v in of.items() if day < change} for n, of in history.days.items()}
    cut = History(history.schemas, before)
    outcome = judged(with_days(cut, after), change, change + timedelta(days=AFTER))
    site = next((event for event in outcome.events if event.node == SITE), None)
    found.note(site, (site.since - change).days + 1 if site else 0)
    return found
