"""Retention: once a day what is old is dropped, a small step at a time. Nothing is subtracted from any model."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Mapping

from attune_service.turns import LONG_S, turn

from attuned.clock import Clock
from attuned.config import StoreSettings
from attuned.errors import StoreError
from attuned.presence.timeline import HORIZON_MS
from attuned.store.retention import RetentionStore, Spans
from attuned.store.site import LabelRow, SiteStore
from attuned.store.spans import merged

log = logging.getLogger(__name__)

DAY_MS = 86_400_000
YEAR_MS = 365 * DAY_MS + DAY_MS // 4

# How often it is looked whether a day has passed, in seconds of the daemon's clock.
LOOK_S = 600.0

# Rest between two steps in real seconds, for what wants to be committed.
REST_S = 0.02


class Retention:
    """Drops windows, hours, days and what was said when their time has come. `room_of` gives a node's room."""

    def __init__(
        self,
        clock: Clock,
        settings: StoreSettings,
        *,
        site: SiteStore,
        store: RetentionStore,
        room_of: Mapping[str, str],
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._site = site
        self._store = store
        self._room_of = room_of

    @property
    def windows_from_utc_ms(self) -> int:
        """Windows that end later are all there; of earlier ones perhaps those of labels."""
        return self._clock.utc_ms() - self._settings.windows_days * DAY_MS

    async def run(self) -> None:
        """Drops what is old at the start and once a day, for ever."""
        swept = -1
        while True:
            today = self._clock.utc_ms() // DAY_MS
            if today != swept and await self._tried():
                swept = today
            await asyncio.sleep(LOOK_S / self._clock.rate)

    async def _tried(self) -> bool:
        try:
            with turn(LONG_S):
                await self.sweep()
        except StoreError as error:
            log.error("%s What is old is dropped later.", error)
            return False
        return True

    async def sweep(self) -> None:
        """Drops all that is old now."""
        async for _ in self._steps():
            await asyncio.sleep(REST_S)

    async def _steps(self) -> AsyncIterator[None]:
        """Goes on with the next step whenever it is asked to."""
        until, history_until = self.windows_from_utc_ms, self._clock.utc_ms() - self._settings.history_years * YEAR_MS
        spans = self._spans(await self._site.words())
        row = await self._store.drop_windows(0, until, spans)
        while row is not None:
            yield
            row = await self._store.drop_windows(row, until, spans)
        store = self._store
        old = (
            (store.drop_sketches, until),
            (store.drop_summaries, history_until),
            (store.drop_hours, history_until),
            (store.drop_days, history_until),
        )
        for drop, before in old:
            name = await drop("", before)
            while name is not None:
                yield
                name = await drop(name, before)
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
