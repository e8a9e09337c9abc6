"""Drift over a recording: each day is judged when it is over, and events live, as in the daemon's detector."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta, tzinfo

from attuned.drift.day import NodeDay
from attuned.drift.judge import History, judge
from attuned.drift.life import DriftEvent, next_events, spans


@dataclass
class Watch:
    """The days of a recording's nodes so far, and their events in order of their numbers."""

    history: History
    zone: tzinfo
    events: list[DriftEvent] = field(default_factory=list)
    looked: date = date.min

    def complete(self, utc_ms: int, grace_ms: int) -> list[date]:
        """The days that are over, and were not looked at yet."""
        today = datetime.fromtimestamp((utc_ms - grace_ms) / 1000, UTC).astimezone(self.zone).date()
        first = (
            max(self.looked + timedelta(days=1), today - timedelta(days=1))
            if self.looked == date.min
            else (self.looked + timedelta(days=1))
        )
        found = [first + timedelta(days=number) for number in range((today - first).days)]
        self.looked = max([self.looked, *found])
        return found

    def look(self, day: date, today: Iterable[NodeDay]) -> list[DriftEvent]:
        """Judges a day; the events that it raises."""
        for one in today:
            self.history.add(one)
        raised = []
        for event in next_events(self.events, judge(self.history, day, spans(self.events)), ()):
            if event.number:
                self.events[event.number - 1] = event
            else:
                raised.append(replace(event, number=len(self.events) + 1))
                self.events.append(raised[-1])
        return raised
