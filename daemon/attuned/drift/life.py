"""The life of a drift event: raised once, then open or acknowledged until it is resolved. Pure.

While an event is open its node is compared with the days before it. The event is resolved when the node has measured as
before on two days running. A person who acknowledges an event says that things stay so: the days from its beginning on
become the node's reference, and the event is resolved when there are enough of them.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import date, tzinfo
from enum import StrEnum

from attuned.drift.cause import likely_cause, moved_sensors
from attuned.drift.day import stretch_of
from attuned.drift.judge import ALARM, NORMAL, Finding, Span

NORMAL_DAYS = 2
"""Days as before that resolve an event: one might be a weekend."""


class State(StrEnum):
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


@dataclass(frozen=True)
class Moved:
    """A statistic that moved (as in compare.Statistic), up or down by so many spreads between days."""

    feature: str
    name: str
    spreads: float


@dataclass(frozen=True)
class DriftEvent:
    """One event. number 0: not stored yet. node `""`: the site. score: of the day on which it was raised."""

    number: int
    node: str
    since: date
    cause: str
    sensors: tuple[str, ...]
    moved: tuple[Moved, ...]
    score: float
    state: State = State.OPEN
    normal_days: int = 0
    accepted: bool = False
    """A person said that things stay so."""
    done: str = ""
    raised_utc_ms: int = 0
    changed_utc_ms: int = 0


def raised(finding: Finding) -> DriftEvent:
    """The event of a finding that is drift."""
    sensors = tuple(finding.kinds[s].partition("+")[0] for s in moved_sensors(finding))
    chosen = set(moved_sensors(finding))
    apart = zip(finding.statistics, finding.comparison.apart.tolist(), strict=True)
    moved = [Moved(s.feature, s.name, round(a, 2)) for s, a in apart if s.sensor in chosen and abs(a) >= 1]
    moved.sort(key=lambda one: -abs(one.spreads))
    cause = str(likely_cause(finding))
    return DriftEvent(0, finding.node, finding.day, cause, sensors, tuple(moved), round(finding.score, 2))


def next_events(known: Iterable[DriftEvent], findings: Iterable[Finding], muted: Collection[str]) -> list[DriftEvent]:
    """What a day changes: events that are new (number 0) or no longer what they were."""
    living = {event.node: event for event in known if event.state is not State.RESOLVED}
    changed = []
    for finding in findings:
        event = living.get(finding.node)
        if event is not None:
            later = _later(event, finding)
            changed += [later] if later != event else []
        elif finding.score >= ALARM and finding.node not in muted:
            changed.append(raised(finding))
    return changed


def _later(event: DriftEvent, finding: Finding) -> DriftEvent:
    if event.accepted:
        # It is judged again, so its own days are enough by now.
        return replace(event, state=State.RESOLVED, done=f"{event.done}; this is normal now")
    days = event.normal_days + 1 if finding.score <= NORMAL else 0
    if days >= NORMAL_DAYS:
        return replace(event, state=State.RESOLVED, normal_days=days, done="measures as before again")
    return replace(event, normal_days=days)


def acknowledged(event: DriftEvent, author: str, note: str) -> DriftEvent:
    """The event after a person said that things stay so."""
    done = f"acknowledged by {author}" + (f": {note}" if note else "")
    return replace(event, state=State.ACKNOWLEDGED, accepted=True, done=done)


def spans(events: Iterable[DriftEvent]) -> dict[str, Span]:
    """What may serve as each node's reference, after all its events in order of their numbers."""
    found: dict[str, Span] = {}
    for event in events:
        if event.state is State.OPEN:
            found[event.node] = Span(found.get(event.node, Span()).since, event.since)
        elif event.accepted:
            found[event.node] = Span(event.since)
    return found


def breaks(events: Iterable[DriftEvent], zone: tzinfo) -> dict[str, int]:
    """Since when, in UTC ms, each node measures otherwise: events, in order of their numbers, that did not pass."""
    stand = [event for event in events if event.node and (event.accepted or event.state is not State.RESOLVED)]
    return {event.node: stretch_of(event.since, zone)[0] for event in stand}
