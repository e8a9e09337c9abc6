"""A building's drift events, day by day, with the daemon's own modules."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

from attune_core import Schema
from attuned.drift.day import NodeDay
from attuned.drift.judge import History, judge
from attuned.drift.life import DriftEvent, next_events, spans


@dataclass(frozen=True)
class Outcome:
    """Events by (node, day of their beginning), and the node-days that were judged."""

    events: tuple[DriftEvent, ...]
    judged: int


def lived(schemas: Mapping[str, Schema], days: Iterable[NodeDay], first: date, until: date) -> Outcome:
    """Judges every day from `first` up to and without `until`."""
    history = History(schemas)
    for day in days:
        history.add(day)
    return judged(history, first, until)


def judged(history: History, first: date, until: date) -> Outcome:
    """As `lived`, over a history that is there already."""
    events: list[DriftEvent] = []
    count = 0
    for number in range((until - first).days):
        findings = judge(history, first + timedelta(days=number), spans(events))
        count += sum(finding.node != "" for finding in findings)
        for event in next_events(events, findings, ()):
            _put(events, event)
    return Outcome(tuple(events), count)


def _put(events: list[DriftEvent], event: DriftEvent) -> None:
    if event.number == 0:
        events.append(replace(event, number=len(events) + 1))
    else:
        events[event.number - 1] = event


def with_days(history: History, days: Iterable[NodeDay]) -> History:
    """A copy of a history with some days in place of others."""
    copy = History(history.schemas, {node: dict(found) for node, found in history.days.items()})
    for day in days:
        copy.add(day)
    return copy
