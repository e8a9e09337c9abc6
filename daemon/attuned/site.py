"""The site at work: from a window that arrives to what is said of its room, and back to the nodes with labels."""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Sequence

from attune_proto.v1 import node_pb2

from attuned.bms import topics
from attuned.bms.publisher import Publisher
from attuned.clock import Clock
from attuned.config import RoomSettings, Settings
from attuned.errors import StoreError
from attuned.labels.labels import Labels
from attuned.labels.teaching import Teaching
from attuned.nodes.commits import Commits
from attuned.nodes.conversation import Conversation, Tie
from attuned.nodes.facts import NodeFacts
from attuned.nodes.hub import Hub
from attuned.nodes.window import Window
from attuned.presence.belief import UNKNOWN_AFTER_STEPS, Belief, RoomState
from attuned.presence.correction import correct
from attuned.presence.rooms import Rooms, checkpoint_from_json
from attuned.store.beliefs import HOUR_MS, BeliefHour, SaidRow
from attuned.store.site import SiteStore
from attuned.store.windows import WindowStore

log = logging.getLogger(__name__)

# How often silent rooms and offline nodes are looked for, in seconds of the daemon's clock.
LOOK_ROUND_S = 10.0

# How often the inbox is packed, in seconds of the daemon's clock.
PACK_S = 3600.0

# Hours read again at start: more than the hour that is open and the one that is filling.
RESTORE_HOURS = 4

Errand = Callable[[], Awaitable[object]]


class Site:
    """Owns the state of the running daemon. Methods run in the event loop; whatever waits for a disk is awaited."""

    hub: Hub
    rooms: Rooms
    labels: Labels
    teaching: Teaching

    def __init__(self, settings: Settings, clock: Clock, publisher: Publisher | None) -> None:
        self.settings = settings
        self.clock = clock
        self.publisher = publisher
        self.started_utc_ms = clock.utc_ms()
        self.site_store = SiteStore(settings.store.path)
        self.window_store = WindowStore(settings.store.path)
        self.room_settings: dict[str, RoomSettings] = {room.id: room for room in settings.rooms}
        self.commits = Commits(clock, self)
        self.watchers: set[asyncio.Queue[frozenset[str]]] = set()
        self._errands: asyncio.Queue[Errand] = asyncio.Queue()
        self._arrived: dict[str, float] = {}
        self._unsaved: list[BeliefHour] = []
        self._packed_utc_ms = clock.utc_ms()

    async def open(self) -> None:
        """Opens the store and takes up where the last run stopped. Raises StoreError."""
        await self.site_store.open()
        await self.window_store.open()
        room_of = self.settings.room_of
        facts = {node: NodeFacts.from_json(text) for node, text in (await self.site_store.facts()).items()}
        self.hub = Hub(self.clock, room_of, facts, await self.window_store.boots(), self)
        self.rooms = Rooms(self.room_settings, self.settings.site.step_s * 1000, room_of, self._sensors_of)
        self.teaching = Teaching(self.clock, self.hub.send)
        nodes_of = {
            room.id: [self.hub.conversations[node] for node in room.nodes] for room in self.room_settings.values()
        }
        self.labels = Labels(
            self.clock,
            site=self.site_store,
            windows=self.window_store,
            teaching=self.teaching,
            nodes_of=nodes_of,
            flush=self.commits.flush,
        )
        await self.labels.load()
        await self._restore_rooms()

    async def close(self) -> None:
        await self.window_store.close()
        await self.site_store.close()

    async def run_errands(self) -> None:
        """What follows from messages but must not hold up the next one, in order, for ever."""
        while True:
            errand = await self._errands.get()
            try:
                await errand()
            except StoreError as error:
                log.error("%s", error)

    async def run_rounds(self) -> None:
        """Looks for rooms that have fallen silent and says how the nodes are, for ever."""
        while True:
            await asyncio.sleep(LOOK_ROUND_S / self.clock.rate)
            now = self.clock.utc_ms()
            if self.rooms.touch_silent(now) or now - self._packed_utc_ms >= PACK_S * 1000:
                self.commits.hurry()
            for conversation in self.hub.conversations.values():
                self.on_health(conversation)

    # What the hub hears.

    def on_window(self, conversation: Conversation, window: Window, *, eager: bool) -> None:
        changes = False
        if not window.refused:
            changes = self.rooms.take(window)
            if changes:
                self._arrived.setdefault(conversation.room, time.monotonic())
        self.commits.add(conversation, window, urgent=changes or eager)

    def on_repeat(self, conversation: Conversation) -> None:
        self.hub.send(conversation, conversation.acknowledgement())

    def on_hello(self, conversation: Conversation) -> None:
        if conversation.facts is None or not conversation.room:
            return
        facts = {conversation.node: conversation.facts.to_json()}
        self._errands.put_nowait(lambda: self.site_store.save_facts(facts))
        self._errands.put_nowait(lambda: self.labels.greet(conversation))

    def on_tie(self, conversation: Conversation, tie: Tie) -> None:
        node = conversation.node
        self._errands.put_nowait(lambda: self.window_store.add_tie(node, tie.boot, tie.tick_ms, tie.utc_ms))

    def on_label_ack(self, conversation: Conversation, ack: node_pb2.LabelAck) -> None:
        self.teaching.answer(conversation, ack)

    def on_health(self, conversation: Conversation) -> None:
        if self.publisher is None or conversation.facts is None or not conversation.room:
            return
        topic = topics.health_topic(self.settings.site.name, conversation.node)
        self.publisher.publish(topic, topics.health_payload(self._health(conversation)))

    # What commits ask for.

    async def write(self, windows: Sequence[Window]) -> None:
        """Packs when it is time, then commits windows and what is about to be said, and says it."""
        now = self.clock.utc_ms()
        if now - self._packed_utc_ms >= PACK_S * 1000:
            await self._pack(now)
        touched = frozenset(self.rooms.touched)
        saying = self.rooms.to_say(now)
        if windows or saying:
            try:
                await self.window_store.commit(windows, [_said_row(room, belief) for room, belief in saying])
            except StoreError:
                self.rooms.touched |= touched
                raise
        self._say(saying)
        for watcher in self.watchers:
            watcher.put_nowait(touched)
        self._correct_late()

    def acknowledge(self, conversations: Sequence[Conversation], windows: Sequence[Window]) -> None:
        for conversation in conversations:
            self.hub.send(conversation, conversation.acknowledgement())
        for window in windows:
            self.labels.on_committed(self.hub.conversations[window.node], window)

    def _say(self, saying: Sequence[tuple[str, Belief]]) -> None:
        for room, belief in saying:
            self.rooms.rooms[room].said = belief
            arrived = self._arrived.pop(room, None)
            if self.publisher is not None:
                payload = topics.room_payload(belief, self.releases(room), taught=self.labels.taught(room))
                self.publisher.publish(topics.room_topic(self.settings.site.name, room), payload, arrived)

    async def _pack(self, now_utc_ms: int) -> None:
        self._unsaved += self.rooms.settled_hours()
        boots = {
            (conversation.node, boot): record
            for conversation in self.hub.conversations.values()
            for boot, record in conversation.boots.items()
        }
        await self.window_store.pack(boots, self._unsaved)
        self._unsaved = []
        self._packed_utc_ms = now_utc_ms

    def _correct_late(self) -> None:
        late, self.rooms.late = self.rooms.late, {}
        for room, utc_ms in late.items():
            self._errands.put_nowait(lambda room=room, utc_ms=utc_ms: self._correct(room, utc_ms))  # type: ignore[misc]

    async def _correct(self, room: str, utc_ms: int) -> None:
        changed = await correct(
            self.window_store, room, self.room_settings[room].nodes, self.rooms.new_timeline, utc_ms
        )
        log.info("Windows of room %s came late: %d hours of its history were corrected.", room, changed)

    async def _restore_rooms(self) -> None:
        now = self.clock.utc_ms()
        checkpoints = {
            room: checkpoint_from_json(t) for room, t in (await self.window_store.beliefs.checkpoints()).items()
        }
        said = await self.window_store.beliefs.last_said()
        step_ms = self.settings.site.step_s * 1000
        for room in self.room_settings:
            row = said.get(room)
            self.rooms.restore(room, checkpoints.get(room), _belief(row, step_ms) if row else None)
        for hour in range(now // HOUR_MS - RESTORE_HOURS, now // HOUR_MS + 1):
            for window in await self.window_store.windows_between(
                self.settings.room_of, hour * HOUR_MS, (hour + 1) * HOUR_MS
            ):
                self.rooms.take(window)
        self.rooms.late.clear()
        self._say_again()

    def _say_again(self) -> None:
        """The broker may have lost what was retained."""
        self._say([(room.room, room.said) for room in self.rooms.rooms.values()])

    def releases(self, room: str) -> dict[str, str]:
        """The release that each node of a room runs."""
        conversations = (self.hub.conversations[node] for node in self.room_settings[room].nodes)
        return {c.node: c.facts.release for c in conversations if c.facts is not None}

    def _sensors_of(self, node: str) -> Sequence[str]:
        return self.hub.conversations[node].kinds

    def _health(self, conversation: Conversation) -> dict[str, object]:
        health, facts = conversation.health, conversation.facts
        return {
            "state": "online" if self.hub.online(conversation) else "offline",
            "room": conversation.room,
            "firmware": facts.firmware if facts else "",
            "release": facts.release if facts else "",
            "windows_lost": conversation.windows_lost,
            "refused": conversation.refused,
            "backlog": health.backlog,
            "battery_mv": health.battery_mv or None,
            "reset_reason": node_pb2.ResetReason.Name(health.reset_reason).removeprefix("RESET_REASON_").lower(),
        }


def _said_row(room: str, belief: Belief) -> SaidRow:
    return SaidRow(room, belief.as_of_utc_ms, int(belief.state), round(belief.probability, 4), belief.since_utc_ms)


def _belief(row: SaidRow, step_ms: int) -> Belief:
    """What was said, as far as the store remembers it."""
    p = min(max(row.probability, 1e-4), 1 - 1e-4)
    valid_until = row.utc_ms + UNKNOWN_AFTER_STEPS * step_ms if row.state else row.utc_ms
    return Belief(RoomState(row.state), math.log(p / (1 - p)), row.since_utc_ms, row.utc_ms, valid_until, ())
