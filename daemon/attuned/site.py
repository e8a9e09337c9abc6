"""The site at work: from a window that arrives to what is said of its room, and back to the nodes with labels."""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

from attune_core import Schema
from attune_proto.v1 import node_pb2

from attuned.bms import topics
from attuned.bms.label_commands import LabelCommands
from attuned.bms.label_topic import set_topics
from attuned.bms.publisher import Publisher
from attuned.clock import Clock
from attuned.config import RoomSettings, Settings
from attuned.drift.detector import Detector
from attuned.drift.life import DriftEvent, State
from attuned.drift.words import alert
from attuned.errors import StoreError
from attuned.labels.labels import Labels, merged
from attuned.labels.questions import AROUND_MS, RoomNow
from attuned.labels.teaching import Teaching
from attuned.learning.accuracy import AccuracyBook
from attuned.learning.from_labels import room_record, spans
from attuned.learning.retraining import Retraining
from attuned.learning.rooms import learn_room
from attuned.nodes.commits import Commits
from attuned.nodes.conversation import FUTURE_MS, Conversation, Tie
from attuned.nodes.facts import NodeFacts
from attuned.nodes.hub import Hub
from attuned.nodes.window import Window
from attuned.presence.belief import Belief, RoomState, unknown_after_steps
from attuned.presence.correction import correct
from attuned.presence.history import history
from attuned.presence.model import RoomModel, threshold
from attuned.presence.rooms import Late, Rooms, checkpoint_from_json
from attuned.presence.watcher import Watcher
from attuned.retention import Retention
from attuned.store.beliefs import HOUR_MS, BeliefHour, SaidRow
from attuned.store.site import SiteStore
from attuned.store.windows import WindowStore

log = logging.getLogger(__name__)

# How often silent rooms and offline nodes are looked for, in seconds of the daemon's clock.
LOOK_ROUND_S = 10.0

# The inbox is packed this long after each full hour of the daemon's clock, when the windows of the hour are there: a
# node-hour that has to be added to later is written twice.
PACK_AFTER_MS = 60_000

# Hours read again at start for a room of which nothing is settled: more than the one that is open and the one that
# is filling. Of other rooms, what is not settled is read again.
RESTORE_HOURS = 4

# Wait before an errand is tried again when the disk refuses it, in real seconds.
TROUBLE_S = 1.0

Errand = Callable[[], Awaitable[None]]


class Site:
    """Owns the state of the running daemon. Methods run in the event loop; whatever waits for a disk is awaited."""

    hub: Hub
    rooms: Rooms
    labels: Labels
    retraining: Retraining
    teaching: Teaching
    detector: Detector

    def __init__(self, settings: Settings, clock: Clock, publisher: Publisher | None) -> None:
        self.settings = settings
        self.clock = clock
        self.publisher = publisher
        self.started_utc_ms = clock.utc_ms()
        self.site_store = SiteStore(settings.store.path)
        self.window_store = WindowStore(settings.store.path)
        self.accuracy = AccuracyBook(
            clock, site=self.site_store, beliefs=self.window_store.beliefs, step_ms=settings.site.step_s * 1000
        )
        self.retention = Retention(
            clock,
            settings.store,
            site=self.site_store,
            store=self.window_store.retention,
            room_of=settings.room_of,
        )
        self.room_settings: dict[str, RoomSettings] = {room.id: room for room in settings.rooms}
        self.commits = Commits(clock, self)
        self.watchers: set[Watcher] = set()
        self._errands: asyncio.Queue[Errand] = asyncio.Queue()
        self._to_greet: set[str] = set()
        self._to_learn: set[str] = set()
        self._arrived: dict[str, float] = {}
        self._unsaved: list[BeliefHour] = []
        self._half_corrected: dict[str, Late] = {}
        self._packed_utc_ms = clock.utc_ms()
        self._looks: dict[str, tuple[bool, int, int]] = {}

    async def open(self) -> None:
        """Opens the store and takes up where the last run stopped. Raises StoreError."""
        await self.site_store.open()
        await self.window_store.open()
        room_of = self.settings.room_of
        facts = {node: NodeFacts.from_json(text) for node, text in (await self.site_store.facts()).items()}
        self.hub = Hub(self.clock, room_of, facts, await self.window_store.boots(), self)
        models = {room: RoomModel.model_validate_json(text) for room, text in (await self.site_store.models()).items()}
        self.rooms = Rooms(
            self.room_settings,
            self.settings.site.step_s * 1000,
            room_of,
            self._sensors_of,
            threshold=threshold(self.settings.site.cost_ratio),
            models=models,
        )
        self.teaching = Teaching(self.clock, self.hub.send)
        nodes_of = {
            room.id: {node: self.hub.conversations[node] for node in room.nodes} for room in self.room_settings.values()
        }
        self.labels = Labels(
            self.clock,
            site=self.site_store,
            windows=self.window_store,
            teaching=self.teaching,
            names={room.id: room.name for room in self.room_settings.values()},
            nodes_of=nodes_of,
            flush=self.commits.flush,
            changed=self._on_labels,
        )
        self.retraining = Retraining(self.settings, self.clock, self.site_store.releases, self.commits.flush)
        self.detector = Detector(
            self.clock,
            self.settings.site.zone,
            windows=self.window_store,
            store=self.site_store.drift,
            schemas=self._schemas,
            changed=self._on_drift,
        )
        await self.detector.open()
        await self.labels.load()
        if self.publisher is not None:
            commands = LabelCommands(self.settings.site.name, self.clock, self.labels)
            self.publisher.listen(set_topics(self.settings.site.name), commands.answer)
        for room in self.room_settings:
            if self.labels.taught(room) and room not in models:
                self._on_labels(room)
        for room in await self.accuracy.load():
            self._errands.put_nowait(partial(self.accuracy.refresh, room))
        await self._restore_rooms()

    async def close(self) -> None:
        await self.window_store.close()
        await self.site_store.close()

    async def run_errands(self) -> None:
        """What follows from messages but must not hold up the next one, in order, for ever."""
        while True:
            errand = await self._errands.get()
            await self._carry_out(errand)

    async def _carry_out(self, errand: Errand) -> None:
        trouble = ""
        while True:
            try:
                return await errand()
            except StoreError as error:
                if not trouble:
                    log.error("%s It is tried again.", error)
                trouble = str(error)
            await asyncio.sleep(TROUBLE_S)

    async def run_rounds(self) -> None:
        """Looks for rooms that have fallen silent and says how the nodes are, for ever."""
        while True:
            await asyncio.sleep(LOOK_ROUND_S / self.clock.rate)
            now = self.clock.utc_ms()
            if self.rooms.touch_silent(now) or self._time_to_pack(now):
                self.commits.hurry()
            self._look_at_nodes()

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
        # One errand serves every hello that comes before it is done: a node may say hello as often as it likes.
        if conversation.node not in self._to_greet:
            self._to_greet.add(conversation.node)
            self._errands.put_nowait(partial(self._greet, conversation))

    def _on_drift(self, event: DriftEvent) -> None:
        """Events are retained with the broker until they are resolved; an empty message takes one back.

        A new one has its room retrained.
        """
        if event.node in self.settings.room_of and event.changed_utc_ms == event.raised_utc_ms:
            self.retraining.ask(self.settings.room_of[event.node], f"drift event {event.number}")
        if self.publisher is not None:
            topic = topics.alert_topic(self.settings.site.name, event.number)
            room = self.settings.room_of.get(event.node, "")
            resolved = event.state is State.RESOLVED
            self.publisher.publish(topic, "" if resolved else topics.alert_payload(alert(event, room)))

    def _on_labels(self, room: str) -> None:
        # One errand serves every label that comes before it is done.
        if room not in self._to_learn:
            self._to_learn.add(room)
            self._errands.put_nowait(partial(self._learn_room, room))

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

    def _look_at_nodes(self) -> None:
        """Says again how a node is if that has changed by itself; a health message says so at once."""
        for conversation in self.hub.conversations.values():
            looks = (self.hub.online(conversation), conversation.refused, conversation.windows_lost)
            if self._looks.get(conversation.node) != looks:
                self._looks[conversation.node] = looks
                self.on_health(conversation)

    # What commits ask for.

    async def write(self, windows: Sequence[Window]) -> None:
        """Packs when it is time, then commits windows and what is about to be said, and says it."""
        now = self.clock.utc_ms()
        # A part at a time, with commits between, until a pack has little left to do.
        if self._time_to_pack(now) and not await self.window_store.pack_part():
            await self._pack(now)
        touched = frozenset(self.rooms.touched)
        saying = self.rooms.to_say(now)
        if windows or saying:
            try:
                await self.window_store.commit(windows, [_said_row(room, belief, now) for room, belief in saying])
            except StoreError:
                self.rooms.touched |= touched
                raise
        self._say(saying)
        for room in touched:  # a room that changed its mind before it was said has nothing to be measured
            self._arrived.pop(room, None)
        for watcher in self.watchers:
            watcher.note(touched)
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

    def _time_to_pack(self, now_utc_ms: int) -> bool:
        """Whether a full hour has passed since the last time, and the windows of its end have come in."""
        return (now_utc_ms - PACK_AFTER_MS) // HOUR_MS > (self._packed_utc_ms - PACK_AFTER_MS) // HOUR_MS

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
        for room, late in self._half_corrected.items():
            self.rooms.note_late(room, late)
        self._half_corrected.clear()

    def _correct_late(self) -> None:
        late, self.rooms.late = self.rooms.late, {}
        for room, stretch in late.items():
            self._errands.put_nowait(partial(self._correct, room, stretch))

    async def _correct(self, room: str, late: Late) -> None:
        nodes, kept_from = self.room_settings[room].nodes, self.retention.windows_from_utc_ms
        if late.until_utc_ms <= kept_from:
            return
        # Hours whose windows are gone stay as they are known: they could only be computed from what is left.
        late = Late(max(late.from_utc_ms, kept_from + HOUR_MS), late.until_utc_ms)
        whole = await correct(self.window_store, room, nodes, self.rooms.new_timeline, late)
        if not whole:
            known = self._half_corrected.get(room, late)
            first, last = min(known.from_utc_ms, late.from_utc_ms), max(known.until_utc_ms, late.until_utc_ms)
            self._half_corrected[room] = Late(first, last)

    async def _learn_room(self, room: str) -> None:
        """Judges a room by its labels, and learns from them how to judge it, beside the event loop."""
        self._to_learn.discard(room)
        await self.accuracy.refresh(room)
        labels, nodes, step_ms = self.labels.in_force(room), self.room_settings[room].nodes, self.rooms.step_ms
        windows = await self.window_store.windows_in(nodes, spans(labels, self.clock.utc_ms()))
        sensors = {node: self._sensors_of(node) for node in nodes}

        def learned() -> RoomModel:
            return learn_room(room_record(labels, windows, nodes, step_ms), sensors, step_ms // 1000)

        model = await asyncio.to_thread(learned)
        if model != self.rooms.model(room):
            await self.site_store.save_model(room, model.model_dump_json())
            self.rooms.adopt(room, model)
            self.commits.hurry()

    async def _greet(self, conversation: Conversation) -> None:
        self._to_greet.discard(conversation.node)
        if conversation.facts is not None:
            await self.site_store.save_facts({conversation.node: conversation.facts.to_json()})
            await self.accuracy.note_release(conversation.room, self.releases(conversation.room).values())
            await self.site_store.releases.note_running(conversation.node, conversation.facts.release)
            await self.labels.greet(conversation)

    async def _restore_rooms(self) -> None:
        now, beliefs = self.clock.utc_ms(), self.window_store.beliefs
        step_ms = self.settings.site.step_s * 1000
        checkpoints = {room: checkpoint_from_json(text) for room, text in (await beliefs.checkpoints()).items()}
        settled = {room: checkpoint.index * step_ms for room, checkpoint in checkpoints.items()}
        late = await self._late_before_the_end(settled)
        await self.window_store.pack({}, [])
        said = await beliefs.last_said()
        for room, settings in self.room_settings.items():
            row = said.get(room)
            self.rooms.restore(room, checkpoints.get(room), _belief(row, step_ms) if row else None)
            since = settled.get(room, now - RESTORE_HOURS * HOUR_MS)
            for window in await self.window_store.windows_between(settings.nodes, since, now + FUTURE_MS):
                self.rooms.take(window)
        self.rooms.late.clear()
        for room, utc_ms in late.items():
            self.rooms.note_late(room, Late(utc_ms, settled[room]))
        self._correct_late()
        self._say_again()
        self.commits.hurry()

    async def _late_before_the_end(self, settled: Mapping[str, int]) -> dict[str, int]:
        """Windows that the last run may not have got round to correcting: not packed, and before what is settled."""
        room_of = self.settings.room_of
        until = {node: settled[room] for node, room in room_of.items() if room in settled}
        late: dict[str, int] = {}
        for node, utc_ms in (await self.window_store.earliest_unpacked(until)).items():
            late[room_of[node]] = min(utc_ms, late.get(room_of[node], utc_ms))
        return late

    def _say_again(self) -> None:
        """The broker may have lost what was retained. With reasons, where the windows lead to the same state again."""
        now = self.clock.utc_ms()
        saying = []
        for room in self.rooms.rooms.values():
            current = room.current(now)
            saying.append((room.room, current if current.state is room.said.state else room.said))
        self._say(saying)

    async def room_now(self, room: str, from_utc_ms: int, to_utc_ms: int) -> RoomNow:
        """What questions about a stretch of a room's time are chosen from."""
        nodes, labels = self.room_settings[room].nodes, self.labels.in_force(room)
        around = (from_utc_ms - AROUND_MS, to_utc_ms)
        return RoomNow(
            room,
            windows=await self.window_store.windows_between(nodes, *around),
            history=await history(self.window_store.beliefs, self.rooms.rooms[room], *around),
            labels=labels,
            labelled=await self.window_store.windows_in(nodes, merged((r.from_utc_ms, r.to_utc_ms) for r in labels)),
            schemas=self.labels.schemas(room),
        )

    def nodes_of(self, room: str) -> frozenset[str]:
        """The nodes of a room; none where it is not in the configuration any more."""
        return frozenset(self.room_settings[room].nodes if room in self.room_settings else ())

    def releases(self, room: str) -> dict[str, str]:
        """The release that each node of a room runs."""
        conversations = (self.hub.conversations[node] for node in self.room_settings[room].nodes)
        return {c.node: c.facts.release for c in conversations if c.facts is not None}

    def _sensors_of(self, node: str) -> Sequence[str]:
        return self.hub.conversations[node].kinds

    def _schemas(self) -> dict[str, Schema]:
        """Of the nodes that measure in rooms."""
        known = [c for c in self.hub.conversations.values() if c.facts is not None and c.room]
        return {c.node: c.facts.make_schema() for c in known if c.facts is not None}

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
            "reset_reason": conversation.reset_reason or None,
        }


def _said_row(room: str, belief: Belief, now_utc_ms: int) -> SaidRow:
    # A room that fell silent became unknown after its newest step.
    utc_ms = max(belief.as_of_utc_ms, belief.since_utc_ms)
    return SaidRow(room, utc_ms, int(belief.state), round(belief.probability, 4), belief.since_utc_ms, now_utc_ms)


def _belief(row: SaidRow, step_ms: int) -> Belief:
    """What was said, as far as the store remembers it."""
    p = min(max(row.probability, 1e-4), 1 - 1e-4)
    valid_until = row.utc_ms + unknown_after_steps(step_ms) * step_ms if row.state else 0
    return Belief(RoomState(row.state), math.log(p / (1 - p)), row.since_utc_ms, row.utc_ms, valid_until, ())
