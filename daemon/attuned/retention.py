"""Retention: what is old is dropped, a small step at a time. Nothing is subtracted from any model.

Whoever wants it done at a quiet hour asks for it; if nobody has for a day, it is done all the same.

A clock that is wrong must not cost what was measured: what is old goes by hours in which the daemon ran, as many in a
row as make a long weekend. By a clock that runs ahead for an hour, at most an hour more is dropped, however far it is
ahead; only one that stays there for AWAKE_HOURS is believed. A clock that went back drops nothing.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from attune_service.turns import turn

from attuned.clock import Clock
from attuned.config import StoreSettings
from attuned.errors import StoreError
from attuned.nodes.ties import KEPT_MS
from attuned.presence.timeline import HORIZON_MS
from attuned.store.beliefs import HOUR_MS
from attuned.store.retention import RetentionStore, Spans
from attuned.store.site import LabelRow, SiteStore
from attuned.store.spans import merged

log = logging.getLogger(__name__)

DAY_MS = 86_400_000
YEAR_MS = 365 * DAY_MS + DAY_MS // 4

# Hours of the daemon's own running that have to agree on the time.
AWAKE_HOURS = 72

# How often it is looked whether it is time, in seconds of the daemon's clock.
LOOK_S = 600.0

# So long nobody has to ask for it: a timer, if there is one, comes each night, by a quarter of an hour more or less.
LATEST_MS = DAY_MS + 2 * 3_600_000

# Rest between two steps in real seconds, for what wants to be committed.
REST_S = 0.02


@dataclass(frozen=True)
class Kept:
    """What is left: windows (of earlier ones those of labels), and hours of rooms and what was said, from then on."""

    windows_from_utc_ms: int
    history_from_utc_ms: int


class Retention:
    """Drops windows, hours, days and what was said when their time has come. `room_of` gives a node's room.

    `drop_boots` lets go of each node's starts that ended before a time.
    """

    def __init__(
        self,
        clock: Clock,
        settings: StoreSettings,
        *,
        site: SiteStore,
        store: RetentionStore,
        room_of: Mapping[str, str],
        drop_boots: Callable[[int], Mapping[str, Sequence[int]]],
    ) -> None:
        self._clock = clock
        self._drop_boots = drop_boots
        self._settings = settings
        self._site = site
        self._store = store
        self._room_of = room_of
        self._swept_utc_ms: int | None = None
        self._sweeping = asyncio.Lock()

    @property
    def windows_from_utc_ms(self) -> int:
        """Windows that end later are all there; of earlier ones perhaps those of labels."""
        return self._clock.utc_ms() - self._settings.windows_days * DAY_MS

    async def run(self) -> None:
        """Drops what is old at the start, and whenever nobody has asked for it for a day, for ever."""
        while True:
            await (self._try() if self._due else self._note())
            await asyncio.sleep(LOOK_S / self._clock.rate)

    @property
    def _due(self) -> bool:
        """Also if the clock was set back since."""
        swept = self._swept_utc_ms
        return swept is None or not 0 <= self._clock.utc_ms() - swept < LATEST_MS

    async def _note(self) -> None:
        """Notes that the daemon runs in this hour, between two sweeps."""
        try:
            await self._believed()
        except StoreError as error:
            log.error("%s Retention looks at the clock again later.", error)

    async def _believed(self) -> int | None:
        """The time that so many hours of running agree on; None while there are not so many.

        Of hours on end the last one is now. Those in which the machine was off are missing, and it is so much earlier.
        """
        now = self._clock.utc_ms()
        hours = await self._store.awake(now, AWAKE_HOURS)
        return min(now, (hours[-1] + AWAKE_HOURS) * HOUR_MS) if len(hours) == AWAKE_HOURS else None

    async def _try(self) -> None:
        try:
            await self.sweep()
        except StoreError as error:
            log.error("%s What is old is dropped later.", error)

    async def sweep(self) -> Kept | None:
        """Drops all that is old now; what is left, or None if no time can be believed yet. Raises StoreError."""
        async with self._sweeping:
            with turn():
                return await self._swept()

    async def _swept(self) -> Kept | None:
        now = await self._believed()
        settings = self._settings
        kept = Kept(now - settings.windows_days * DAY_MS, now - settings.history_years * YEAR_MS) if now else None
        if now and kept:
            async for _ in self._steps(now, kept):
                await asyncio.sleep(REST_S)
        self._swept_utc_ms = self._clock.utc_ms()
        return kept

    async def _steps(self, now: int, kept: Kept) -> AsyncIterator[None]:
        """Goes on with the next step whenever it is asked to."""
        until, history_until = kept.windows_from_utc_ms, kept.history_from_utc_ms
        spans = self._spans(await self._site.words())
        row = await self._store.drop_windows(0, until, spans)
        while row is not None:
            yield
            row = await self._store.drop_windows(row, until, spans)
        store = self._store
        old = (
            (store.drop_sketches, until),
            (store.drop_ties, now - KEPT_MS),
            (store.drop_summaries, history_until),
            (store.drop_hours, history_until),
            (store.drop_days, history_until),
        )
        for drop, before in old:
            name = await drop("", before)
            while name is not None:
                yield
                name = await drop(name, before)
        for node, boots in self._drop_boots(now - KEPT_MS).items():
            await store.drop_boots(node, boots)
            yield
        while await self._store.drop_said(history_until):
            yield
        while await self._store.return_pages():
            yield

    def _spans(self, labels: Iterable[LabelRow]) -> dict[str, Spans]:
        """Of each node the stretches that people's labels are learned from, with the hour in which a filter settles."""
        by_room: dict[str, list[tuple[int, int]]] = {}
        for row in labels:
            if row.in_force:
                by_room.setdefault(row.room, []).append((row.from_utc_ms - HORIZON_MS, row.to_utc_ms))
        spans = {room: merged(found) for room, found in by_room.items()}
        return {node: spans[room] for node, room in self._room_of.items() if room in spans}
