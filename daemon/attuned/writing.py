"""What commits ask for: windows and what is about to be said go to the disk, and are answered and said after that."""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence

from attune_service.turns import turn

from attuned.bms.announcing import Announcing
from attuned.clock import Clock
from attuned.errors import StoreError
from attuned.labels.labels import Labels
from attuned.nodes.boot import BootRecord
from attuned.nodes.conversation import Conversation
from attuned.nodes.hub import Hub
from attuned.nodes.window import Window
from attuned.presence.belief import Belief
from attuned.presence.keeping import Keeping, said_row
from attuned.presence.rooms import Rooms
from attuned.presence.watcher import Watcher
from attuned.store.windows import WindowStore


class Writing:
    """Says of rooms what is on the disk, to the broker and to `watchers`. Who holds `lock` keeps it from writing.

    `releases` gives the release that each node of a room runs.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        store: WindowStore,
        hub: Hub,
        rooms: Rooms,
        keeping: Keeping,
        labels: Labels,
        announcing: Announcing,
        releases: Callable[[str], Mapping[str, str]],
    ) -> None:
        self.watchers: set[Watcher] = set()
        self.lock = asyncio.Lock()
        self._clock = clock
        self._store = store
        self._hub = hub
        self._rooms = rooms
        self._keeping = keeping
        self._labels = labels
        self._announcing = announcing
        self._releases = releases
        self._arrived: dict[str, float] = {}

    def changed(self, room: str) -> None:
        """A window has changed a room: from now on it is measured how long it takes until that is said."""
        self._arrived.setdefault(room, time.monotonic())

    async def write(self, windows: Sequence[Window]) -> None:
        """Packs when it is time, then commits windows and what is about to be said, and says it."""
        async with self.lock:
            with turn():
                await self._write(windows)

    async def _write(self, windows: Sequence[Window]) -> None:
        now = self._clock.utc_ms()
        if self._keeping.due(now):
            await self._keeping.pack(now, self._boots())
        touched = frozenset(self._rooms.touched)
        saying = self._rooms.to_say(now)
        if windows or saying:
            try:
                await self._store.commit(windows, [said_row(room, belief, now) for room, belief in saying])
            except StoreError:
                self._rooms.touched |= touched
                raise
        self._say(saying)
        for room in touched:  # a room that changed its mind before it was said has nothing to be measured
            self._arrived.pop(room, None)
        for watcher in self.watchers:
            watcher.note(touched)
        self._keeping.correct_late()

    def acknowledge(self, conversations: Sequence[Conversation], windows: Sequence[Window]) -> None:
        boots: dict[str, set[int]] = {}
        for window in windows:
            boots.setdefault(window.node, set()).add(window.boot)
        for conversation in conversations:
            for boot in sorted(boots[conversation.node]):
                self._hub.send(conversation, conversation.acknowledgement(boot))
        for window in windows:
            if window.node in self._hub.conversations:
                self._labels.on_committed(self._hub.conversations[window.node], window)

    def _say(self, saying: Sequence[tuple[str, Belief]]) -> None:
        for room, belief in saying:
            self._rooms.rooms[room].said = belief
            arrived = self._arrived.pop(room, None)
            taught = self._labels.taught(room)
            self._announcing.room(room, belief, self._releases(room), taught=taught, arrived=arrived)

    def _boots(self) -> dict[tuple[str, int], BootRecord]:
        conversations = self._hub.conversations.values()
        return {(c.node, boot): record for c in conversations for boot, record in c.boots.items()}

    def say_again(self, rooms: Collection[str] | None = None) -> None:
        """The broker may have lost what was retained. With reasons, where the windows lead to the same state again."""
        now = self._clock.utc_ms()
        saying = []
        for room in (self._rooms.rooms[name] for name in (self._rooms.rooms if rooms is None else rooms)):
            current = room.current(now)
            saying.append((room.room, current if current.state is room.said.state else room.said))
        self._say(saying)
