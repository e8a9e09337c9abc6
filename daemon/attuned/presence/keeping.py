"""The rooms' settled history on the disk: written as it settles, corrected there, and taken up again at the start."""

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial

from attuned.clock import Clock
from attuned.config import RoomSettings
from attuned.errands import Errands
from attuned.nodes.boot import BootRecord
from attuned.nodes.dating import FUTURE_MS
from attuned.nodes.window import Window
from attuned.presence.belief import Belief, RoomState, unknown_after_steps
from attuned.presence.correction import correct
from attuned.presence.rooms import Late, Rooms, checkpoint_from_json
from attuned.store.beliefs import HOUR_MS, BeliefHour, SaidRow
from attuned.store.windows import WindowStore

# The inbox is packed this long after each full hour of the daemon's clock, when the windows of the hour are there: a
# node-hour that has to be added to later is written twice.
PACK_AFTER_MS = 60_000

# No window ends later, UTC in ms: the year 2248.
LAST_MS = 1 << 43

# Hours read again at start for a room of which nothing is settled: more than the one that is open and the one that
# is filling. Of other rooms, what is not settled is read again.
RESTORE_HOURS = 4


class Keeping:
    """`room_of` gives a node's room; `kept_from` the time from which on every window is still in the store."""

    def __init__(
        self,
        clock: Clock,
        rooms: Rooms,
        settings: Mapping[str, RoomSettings],
        *,
        room_of: Mapping[str, str],
        store: WindowStore,
        errands: Errands,
        kept_from: Callable[[], int],
    ) -> None:
        self._clock = clock
        self._rooms = rooms
        self._settings = settings
        self._room_of = room_of
        self._store = store
        self._errands = errands
        self._kept_from = kept_from
        self._unsaved: list[BeliefHour] = []
        self._half_corrected: dict[str, Late] = {}
        self._packed_utc_ms = clock.utc_ms()

    def due(self, now_utc_ms: int) -> bool:
        """Whether a full hour has passed since the last pack, and the windows of its end have come in."""
        # Also after a clock that went back, or nothing would be packed until it is where it was.
        return (now_utc_ms - PACK_AFTER_MS) // HOUR_MS != (self._packed_utc_ms - PACK_AFTER_MS) // HOUR_MS

    async def pack(self, now_utc_ms: int, boots: Mapping[tuple[str, int], BootRecord]) -> None:
        """Packs windows and what has settled; a part at a time, with commits between, until little is left to do."""
        if await self._store.pack_part():
            return
        self._unsaved += self._rooms.settled_hours()
        known = await self._store.pack(boots, self._unsaved)
        self._unsaved = []
        self._packed_utc_ms = now_utc_ms
        for room, late in self._half_corrected.items():
            self._rooms.note_late(room, late)
        self._half_corrected.clear()
        # The clock was behind: these settled without windows that had come before, which know better.
        for hour in known:
            self._rooms.note_late(hour.room, Late(hour.hour * HOUR_MS + 1, (hour.hour + 1) * HOUR_MS))

    def correct_late(self) -> None:
        """Has the history corrected by what has come in too late for the live state."""
        late, self._rooms.late = self._rooms.late, {}
        for room, stretch in late.items():
            self._errands.put(partial(self.correct, room, stretch))

    async def correct(self, room: str, late: Late) -> None:
        """Computes the stored hours of a stretch again, or notes that this has to wait for the next pack."""
        kept_from = self._kept_from()
        if late.until_utc_ms <= kept_from:
            return
        # Hours whose windows are gone stay as they are known: they could only be computed from what is left.
        late = Late(max(late.from_utc_ms, kept_from + HOUR_MS), late.until_utc_ms)
        whole = await correct(
            self._store,
            room,
            self._settings[room].nodes,
            self._rooms.new_timeline,
            late,
            quiet=self._rooms.rooms[room].quiet,
        )
        if not whole:
            known = self._half_corrected.get(room, late)
            first, last = min(known.from_utc_ms, late.from_utc_ms), max(known.until_utc_ms, late.until_utc_ms)
            self._half_corrected[room] = Late(first, last)

    async def forget(self, names: Collection[str], waiting: Callable[[], Iterable[Window]]) -> None:
        """Takes rooms up anew from what the store holds of them now, and from windows on their way to the disk.

        No window may be committed meanwhile.
        """
        now, beliefs = self._clock.utc_ms(), self._store.beliefs
        step_ms = self._rooms.step_ms
        stored, said = await beliefs.checkpoints(now), await self._last_said(now)
        await self._note_unheard(names, now)
        self._unsaved = [hour for hour in self._unsaved if hour.room not in names]
        for room in [room for room in self._settings if room in names]:
            checkpoint = checkpoint_from_json(stored[room]) if room in stored else None
            since = checkpoint.index * step_ms if checkpoint else now - RESTORE_HOURS * HOUR_MS
            windows = await self._store.windows_between(self._settings[room].nodes, since, now + FUTURE_MS)
            row = said.get(room)
            # From here on no window may come in between.
            self._rooms.restore(room, checkpoint, _belief(row, step_ms) if row else None)
            for window in [*windows, *(each for each in waiting() if self._room_of.get(each.node) == room)]:
                if not window.refused:
                    self._rooms.take(window)

    async def restore(self) -> None:
        """Takes the rooms up where the last run stopped."""
        now, beliefs = self._clock.utc_ms(), self._store.beliefs
        step_ms = self._rooms.step_ms
        checkpoints = {room: checkpoint_from_json(text) for room, text in (await beliefs.checkpoints(now)).items()}
        settled = {room: checkpoint.index * step_ms for room, checkpoint in checkpoints.items()}
        late = await self._late_before_the_end(settled)
        await self._store.pack({}, [])
        await self._note_unheard(self._settings, now)
        said = await self._last_said(now)
        for room, settings in self._settings.items():
            row = said.get(room)
            self._rooms.restore(room, checkpoints.get(room), _belief(row, step_ms) if row else None)
            since = settled.get(room, now - RESTORE_HOURS * HOUR_MS)
            for window in await self._store.windows_between(settings.nodes, since, now + FUTURE_MS):
                self._rooms.take(window)
        self._rooms.late.clear()
        for room, utc_ms in late.items():
            self._rooms.note_late(room, Late(utc_ms, settled[room]))
        self.correct_late()

    async def _note_unheard(self, rooms: Collection[str], now_utc_ms: int) -> None:
        """Windows of a time that a clock which is behind has yet to come to: once it is set, history has passed them.

        They stay noted until what follows them is known.
        """
        step_ms, stored = self._rooms.step_ms, await self._store.beliefs.checkpoints(LAST_MS)
        for room in rooms:
            settled_ms = checkpoint_from_json(stored[room]).index * step_ms if room in stored else 0
            since = max(settled_ms, now_utc_ms + FUTURE_MS)
            windows = await self._store.windows_between(self._settings[room].nodes, since, LAST_MS)
            if windows:
                self._half_corrected[room] = Late(windows[0].end_utc_ms, windows[-1].end_utc_ms)

    async def _last_said(self, now_utc_ms: int) -> dict[str, SaidRow]:
        """What still stands: not what was said of a time to come, by a clock that was wrong."""
        said = await self._store.beliefs.last_said()
        return {room: row for room, row in said.items() if row.utc_ms <= now_utc_ms + FUTURE_MS}

    async def _late_before_the_end(self, settled: Mapping[str, int]) -> dict[str, int]:
        """Windows that the last run may not have got round to correcting: not packed, and before what is settled."""
        until = {node: settled[room] for node, room in self._room_of.items() if room in settled}
        late: dict[str, int] = {}
        for node, utc_ms in (await self._store.earliest_unpacked(until)).items():
            room = self._room_of[node]
            late[room] = min(utc_ms, late.get(room, utc_ms))
        return late


def said_row(room: str, belief: Belief, now_utc_ms: int) -> SaidRow:
    """What is about to be said of a room, as it is stored."""
    # A room that fell silent became unknown after its newest step.
    utc_ms = max(belief.as_of_utc_ms, belief.since_utc_ms)
    return SaidRow(room, utc_ms, int(belief.state), round(belief.probability, 4), belief.since_utc_ms, now_utc_ms)


def _belief(row: SaidRow, step_ms: int) -> Belief:
    """What was said, as far as the store remembers it."""
    p = min(max(row.probability, 1e-4), 1 - 1e-4)
    valid_until = row.utc_ms + unknown_after_steps(step_ms) * step_ms if row.state else 0
    return Belief(RoomState(row.state), math.log(p / (1 - p)), row.since_utc_ms, row.utc_ms, valid_until, ())
