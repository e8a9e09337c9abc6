"""The daemon's detector: when a day of event time is complete, its statistics, their judgement, and the events."""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, tzinfo

import numpy as np
from attune_core import Schema
from attune_service import turns

from attuned.clock import Clock
from attuned.drift.day import NodeDay, Windows, node_day, stretch_of
from attuned.drift.judge import REFERENCE_DAYS, History, judge
from attuned.drift.life import DriftEvent, State, acknowledged, next_events, spans
from attuned.drift.rows import day_of, day_row, event_of, event_row
from attuned.drift.sketches import sketched_day
from attuned.errors import NotFoundError, RequestError, StoreError
from attuned.gate import Gate
from attuned.nodes.window import EVIDENCE_STEPS, Window
from attuned.store.days import DayRow
from attuned.store.drift import DriftStore, MuteRow
from attuned.store.windows import WindowStore

log = logging.getLogger(__name__)

# How often the detector looks whether a day is over, in seconds of the daemon's clock.
LOOK_S = 300.0

# A day is complete an hour after its end: by then what came in any order is there.
GRACE_MS = 3_600_000

# Days that are read again: those of the longest reference before an event that nobody has looked at for a month.
KEPT_DAYS = REFERENCE_DAYS + 31

Changed = Callable[[DriftEvent], None]


class Detector:
    """Owns the drift events. Numpy works on a thread, a node at a time."""

    def __init__(
        self,
        clock: Clock,
        zone: tzinfo,
        *,
        windows: WindowStore,
        store: DriftStore,
        schemas: Callable[[], Mapping[str, Schema]],
        changed: Changed,
        gate: Gate,
    ) -> None:
        """`schemas` gives the nodes that are in rooms and said hello; `changed` hears of every event that changes.

        A look is never under way while somebody is alone behind the `gate`.
        """
        self._clock = clock
        self._zone = zone
        self._windows = windows
        self._store = store
        self._schemas = schemas
        self._changed = changed
        self._gate = gate
        self.events: dict[int, DriftEvent] = {}
        self.mutes: dict[str, MuteRow] = {}

    async def open(self) -> None:
        """Reads events and mutes, and tells of all that are not resolved, and of the resolved to take them back."""
        self.events = {row.number: event_of(row) for row in await self._store.events()}
        self.mutes = {row.node: row for row in await self._store.mutes()}
        for event in self.events.values():
            self._changed(event)

    async def run(self) -> None:
        """Looks at each day once it is complete, for ever."""
        while True:
            try:
                async with self._gate.shared(turns.LONG_S):
                    await self.look()
            except StoreError as error:
                log.error("%s The day is looked at again.", error)
            await asyncio.sleep(LOOK_S / self._clock.rate)

    async def look(self) -> None:
        """Judges every complete day that was not looked at yet; at the very first time, the last one only."""
        complete = self._today(self._clock.utc_ms() - GRACE_MS) - timedelta(days=1)
        await self._windows.days.doubt_after(complete.isoformat())
        last = await self._windows.days.last()
        first = complete - timedelta(days=KEPT_DAYS) if last is None else date.fromisoformat(last) + timedelta(days=1)
        first = max(first, complete - timedelta(days=KEPT_DAYS))
        for number in range((complete - first).days + 1):
            day = first + timedelta(days=number)
            rows = [day_row(one) for one in await self._statistics(day)]
            if last is not None or day == complete:
                await self._judge(day, [day_of(row) for row in rows])
            await self._windows.days.add(day.isoformat(), rows)

    def _today(self, utc_ms: int) -> date:
        return datetime.fromtimestamp(utc_ms / 1000, UTC).astimezone(self._zone).date()

    async def forget(self, nodes: Collection[str], from_utc_ms: int, to_utc_ms: int) -> list[DriftEvent]:
        """The store has lost a stretch: takes up what is left of events, and of the days at its two ends.

        Returns the events that went.
        """
        left = {row.number for row in await self._store.events()}
        gone = [event for number, event in self.events.items() if number not in left]
        self.events = {number: event for number, event in self.events.items() if number in left}
        self.mutes = {row.node: row for row in await self._store.mutes()}
        await self.count_again(nodes, from_utc_ms, to_utc_ms)
        return gone

    async def count_again(self, nodes: Collection[str], from_utc_ms: int, to_utc_ms: int) -> None:
        """Makes the statistics of the days that a stretch only touches anew from the windows that are left."""
        last = await self._windows.days.last()
        for day in sorted({self._today(from_utc_ms), self._today(to_utc_ms)}):
            first, end = stretch_of(day, self._zone)
            if last is not None and day.isoformat() <= last and not from_utc_ms <= first < end <= to_utc_ms:
                await self._windows.days.write([day_row(one) for one in await self._statistics(day, nodes)])

    async def _statistics(self, day: date, nodes: Collection[str] = ()) -> list[NodeDay]:
        """The day of these nodes, or of all."""
        found = []
        for node, schema in self._schemas().items():
            if nodes and node not in nodes:
                continue
            stretch = stretch_of(day, self._zone)
            windows = await self._windows.windows_between([node], *stretch)
            sketches = await self._windows.days.sketches(node, *stretch)
            # A quiet node's sketches hold every window of which it reported a few.
            made = await asyncio.to_thread(sketched_day, node, day, self._zone, schema, sketches) if sketches else None
            if made is None and windows:
                made = await asyncio.to_thread(day_of_windows, node, day, self._zone, schema, windows)
            found += [made] if made else []
        return found

    async def _judge(self, day: date, today: Sequence[NodeDay]) -> None:
        """Raises, keeps and resolves events by what a day was like."""
        history = await self.history(day - timedelta(days=KEPT_DAYS), self._schemas())
        for one in today:
            history.add(one)
        bounds = spans(self.events.values())
        findings = await asyncio.to_thread(judge, history, day, bounds)
        await self._keep(next_events(self.events.values(), findings, self.mutes))

    async def history(self, first: date, nodes: Iterable[str]) -> History:
        """The days since `first` that are stored, of these nodes as they are now."""
        history = History(dict(self._schemas()))
        for node in nodes:
            # A node at a time: the rows of all of them are far larger than what is kept of them.
            rows = await self._windows.days.since(node, first.isoformat())
            await asyncio.to_thread(_fill, history, rows)
        return history

    async def _keep(self, events: Sequence[DriftEvent]) -> None:
        now = self._clock.utc_ms()
        dated = [replace(event, raised_utc_ms=event.raised_utc_ms or now, changed_utc_ms=now) for event in events]
        for row in await self._store.save([event_row(event) for event in dated]):
            self.events[row.number] = event_of(row)
            self._changed(self.events[row.number])

    async def acknowledge(self, number: int, author: str, note: str) -> DriftEvent:
        """A person says that things stay so. NotFoundError without such an event, RequestError for one that is over."""
        event = self.events.get(number)
        if event is None:
            raise NotFoundError(f"There is no drift event {number}: `attune drift` lists them.")
        if event.state is State.RESOLVED:
            raise RequestError(f"Drift event {number} is resolved already ({event.done}): nothing is left to be done.")
        await self._keep([acknowledged(event, author, note)])
        return self.events[number]

    async def mute(self, node: str, reason: str, author: str) -> None:
        """Lets a node raise no more events, for a reason; without one it may again. NotFoundError for other nodes."""
        if node not in self._schemas() and node not in self.mutes:
            raise NotFoundError(f"There is no node {node!r} that measures in a room: `attune nodes` lists the nodes.")
        if reason:
            row = MuteRow(node, reason, author, self._clock.utc_ms())
            await self._store.mute(row)
            self.mutes[node] = row
        else:
            await self._store.unmute(node)
            self.mutes.pop(node, None)


def _fill(history: History, rows: Sequence[DayRow]) -> None:
    for row in rows:
        history.add(day_of(row))


def day_of_windows(node: str, day: date, zone: tzinfo, schema: Schema, windows: Sequence[Window]) -> NodeDay | None:
    """The statistics of a node's windows, leaving out those that an earlier schema of the node wrote."""
    width = 2 * len(schema)
    fitting = [window for window in windows if len(window.features) == width]
    if not fitting:
        return None
    features = np.frombuffer(b"".join(window.features for window in fitting), "<i2").reshape(-1, len(schema))
    said = [_nats(window.evidence) for window in fitting]
    ends = np.array([window.end_utc_ms for window in fitting], np.int64)
    return node_day(node, day, zone, schema, Windows(ends, features.astype(np.int16), np.array(said)))


def _nats(evidence: bytes) -> float:
    """What a window says for the first class above free, NaN where it says nothing."""
    return int.from_bytes(evidence[:2], "little", signed=True) / EVIDENCE_STEPS if evidence else np.nan
