"""The site at work: from a window that arrives to what is said of its room, and back to the nodes with labels."""

import asyncio
import logging
from collections.abc import Collection, Sequence
from functools import partial

from attune_core import Schema
from attune_proto.v1 import node_pb2

from attuned import gone
from attuned.assignments import Assignments
from attuned.bms.announcing import Announcing
from attuned.bms.label_commands import LabelCommands
from attuned.bms.label_topic import set_topics
from attuned.bms.publisher import Publisher
from attuned.bulk_check import BulkCheck
from attuned.clock import Clock
from attuned.commissioning import Commissioning
from attuned.config import RoomSettings, Settings
from attuned.counted import Counted
from attuned.drift.detector import Detector
from attuned.drift.life import DriftEvent, State
from attuned.errands import Errands
from attuned.errors import StoreError
from attuned.forgetting import Knowers, Oblivion
from attuned.gate import Gate
from attuned.gateways.enrolled import EnrolledGateways
from attuned.gone import GoneBook
from attuned.labels.labels import Labels
from attuned.labels.presses import Presses
from attuned.labels.questions import AROUND_MS, RoomNow
from attuned.labels.teaching import Teaching
from attuned.learning.accuracy import AccuracyBook
from attuned.learning.forgetting import Forgetting
from attuned.learning.lessons import Lessons
from attuned.learning.retraining import Retraining
from attuned.needs import Needs
from attuned.nodes.commits import Commits
from attuned.nodes.conversation import Conversation, Tie
from attuned.nodes.facts import NodeFacts
from attuned.nodes.hub import Hub
from attuned.nodes.own_keys import OwnKeys
from attuned.nodes.press import Press
from attuned.nodes.sketch import NodeSketch
from attuned.nodes.summary import NodeSummary
from attuned.nodes.trust import Newcomer, Trust
from attuned.nodes.window import Window
from attuned.presence.history import history
from attuned.presence.keeping import Keeping
from attuned.presence.model import RoomModel, threshold
from attuned.presence.rooms import Rooms
from attuned.retention import Retention
from attuned.store.audit import AuditEntry
from attuned.store.site import LabelRow, SiteStore
from attuned.store.spans import merged
from attuned.store.windows import WindowStore
from attuned.updates.wishes import Place
from attuned.updating import Around, Updating
from attuned.writing import Writing

log = logging.getLogger(__name__)

# How often silent rooms and offline nodes are looked for, in seconds of the daemon's clock.
LOOK_ROUND_S = 10.0

# How often it is looked at which nodes are wanted for what, and which gateway is to serve them.
LOOK_RADIOS_S = 1.0


class Site:
    """Owns the state of the running daemon. Methods run in the event loop; whatever waits for a disk is awaited."""

    hub: Hub
    trust: Trust
    commissioning: Commissioning
    updating: Updating
    rooms: Rooms
    labels: Labels
    retraining: Retraining
    teaching: Teaching
    presses: Presses
    detector: Detector
    lessons: Lessons
    oblivion: Oblivion
    keeping: Keeping
    counted: Counted
    writing: Writing

    def __init__(self, settings: Settings, clock: Clock, publisher: Publisher | None) -> None:
        self.assignments = Assignments(settings)
        self.settings = settings = self.assignments.settings
        self.clock = clock
        self.publisher = publisher
        self.started_utc_ms = clock.utc_ms()
        self.site_store = SiteStore(settings.store.path)
        self.window_store = WindowStore(settings.store.path)
        self.bulk_check = BulkCheck(self.window_store.database.path, clock)
        self.accuracy = AccuracyBook(
            clock, site=self.site_store, beliefs=self.window_store.beliefs, step_ms=settings.site.step_s * 1000
        )
        self.retention = Retention(
            clock,
            settings.store,
            site=self.site_store,
            store=self.window_store.retention,
            room_of=self.assignments.room_of,
        )
        self.room_settings: dict[str, RoomSettings] = self.assignments.rooms
        self.commits = Commits(clock, self)
        self.gate = Gate()
        self.errands = Errands(self.gate)
        self.gone = GoneBook(settings.store.path / gone.FILE)
        self.gateways = EnrolledGateways.of(settings, self.site_store.gateways, self.errands, self.gone)
        self.forgetting = Forgetting(
            clock,
            site=self.site_store,
            windows=self.window_store,
            nodes_of={room.id: room.nodes for room in settings.rooms},
            names={room.id: room.name for room in settings.rooms},
            gone=self.gone,
        )
        self.announcing = Announcing(settings.site.name, publisher)
        self._noted: dict[str, str] = {}

    async def open(self) -> None:
        """Opens the store and takes up where the last run stopped. Raises StoreError."""
        await self.site_store.open()
        await self.window_store.open()
        await self.gone.open(self.site_store.database)
        unfinished = await self.forgetting.resume()
        await self._open_trust()
        await self.gateways.open()
        room_of = self.assignments.room_of
        facts = {node: NodeFacts.from_json(text) for node, text in (await self.site_store.facts()).items()}
        boots = await self.window_store.boots()
        self.hub = Hub(self.clock, room_of, facts, boots, self, trust=self.trust, quiet=self.settings.quiet_nodes)
        self.counted = Counted(self.window_store, self.hub, self.errands)
        self.commissioning = Commissioning(
            self.clock,
            assignments=self.assignments,
            trust=self.trust,
            hub=self.hub,
            store=self.site_store.keys,
            gone=self.gone,
            placed=self._on_placed,
        )
        for node, reports in (await self.window_store.summaries.reports()).items():
            if node in self.hub.conversations:
                self.hub.conversations[node].summarised = reports
        self.updating = Updating(
            self.clock,
            self.settings.updates,
            hub=self.hub,
            store=self.site_store,
            gate=self.gate,
            around=Around(self.window_store, self._labels_of, self._place_of),
        )
        await self.updating.open()
        texts = await self.site_store.models() | await self.site_store.releases.room_models()
        models = {room: RoomModel.model_validate_json(text) for room, text in texts.items()}
        self.rooms = Rooms(
            self.room_settings,
            self.settings.site.step_s * 1000,
            room_of,
            self._sensors_of,
            threshold=threshold(self.settings.site.cost_ratio),
            models=models,
            quiet=self.settings.quiet_nodes,
        )
        self.keeping = Keeping(
            self.clock,
            self.rooms,
            self.room_settings,
            room_of=room_of,
            store=self.window_store,
            errands=self.errands,
            kept_from=lambda: self.retention.windows_from_utc_ms,
        )
        self.retraining = Retraining(self.settings, self.clock, self.site_store.releases, self.commits.flush)
        self.detector = Detector(
            self.clock,
            self.settings.site.zone,
            windows=self.window_store,
            store=self.site_store.drift,
            schemas=self._schemas,
            changed=self._on_drift,
            gate=self.gate,
        )
        await self.detector.open()
        await self._open_labels()
        self.writing = Writing(
            self.clock,
            store=self.window_store,
            hub=self.hub,
            rooms=self.rooms,
            keeping=self.keeping,
            labels=self.labels,
            announcing=self.announcing,
            releases=self.releases,
        )
        for room in self.room_settings:
            if self.labels.taught(room) and room not in models:
                self.lessons.learn(room)
        await self.lessons.load()
        await self.keeping.restore()
        self.writing.say_again()
        self._open_oblivion(await self.forgetting.entries(), unfinished)
        self._open_air()
        self.commits.hurry()

    async def _open_trust(self) -> None:
        own, keys = OwnKeys(self.settings.store.path), self.site_store.keys
        own.open()
        nodes = await keys.nodes()
        self.trust = Trust(own, nodes, await keys.codes(), test_nodes=self.settings.site.test_nodes)
        self.assignments.take(nodes)

    async def _open_labels(self) -> None:
        self.teaching = Teaching(self.clock, self.hub.send)
        self.labels = Labels(
            self.clock,
            site=self.site_store,
            windows=self.window_store,
            teaching=self.teaching,
            names={room.id: room.name for room in self.room_settings.values()},
            nodes_of={room: self._conversations(room) for room in self.room_settings},
            flush=self.commits.flush,
            changed=self._on_labels,
        )
        self.presses = Presses(self.labels, self.hub.send)
        self.lessons = Lessons(
            self.clock,
            self.rooms,
            self.room_settings,
            labels=self.labels,
            accuracy=self.accuracy,
            site=self.site_store,
            windows=self.window_store,
            sensors_of=self._sensors_of,
            adopted=self.commits.hurry,
            gate=self.gate,
        )
        await self.labels.load()
        if self.publisher is not None:
            commands = LabelCommands(self.settings.site.name, self.clock, self.labels)
            self.publisher.listen(set_topics(self.settings.site.name), commands.answer)

    def _open_oblivion(self, entries: Sequence[AuditEntry], unfinished: Sequence[AuditEntry]) -> None:
        knowers = Knowers(
            self.hub.conversations,
            self.labels,
            self.rooms,
            self.keeping,
            self.lessons,
            self.accuracy,
            self.detector,
            self.announcing,
            self.updating,
        )
        self.oblivion = Oblivion(
            self.forgetting,
            knowers,
            gate=self.gate,
            writing=self.writing.lock,
            commits=self.commits,
            retraining=self.retraining,
            say_again=self.writing.say_again,
            stop_readers=self.bulk_check.stop,
        )
        self.oblivion.refuse(entries)
        for entry in unfinished:
            self.errands.put(partial(self.oblivion.complete, entry))

    def _open_air(self) -> None:
        needs = Needs(
            self.clock,
            self.hub.conversations,
            commissioning=self.commissioning,
            deliveries=self.updating.deliveries,
            labels=self.labels,
            teaching=self.teaching,
        )
        self.hub.air.need_of, self.hub.air.busy = needs.of, self.updating.deliveries.is_sending
        self.hub.look()

    async def run_radios(self) -> None:
        """Looks for what has changed in reach of radios, for ever: in real time, whatever the clock does."""
        while True:
            await asyncio.sleep(LOOK_RADIOS_S)
            self.hub.look()

    async def look(self) -> None:
        """Returns when both files of the store have been read, each on its own thread. Raises StoreError."""
        await asyncio.gather(self.site_store.look(), self.window_store.look())

    async def close(self) -> None:
        await self.window_store.close()
        await self.site_store.close()

    async def run_rounds(self) -> None:
        """Looks for rooms that have fallen silent and says how the nodes are, for ever."""
        while True:
            await asyncio.sleep(LOOK_ROUND_S / self.clock.rate)
            now = self.clock.utc_ms()
            if ahead := self.rooms.ahead(now):
                await self._take_up_again(ahead)
            if self.rooms.touch_silent(now) or self.keeping.due(now):
                self.commits.hurry()
            self.announcing.changes(self.hub)
            self.updating.look()

    async def _take_up_again(self, rooms: Collection[str]) -> None:
        """Rooms that were judged by a clock that ran ahead: as the store knew them by now."""
        log.warning("The clock went back: %d rooms are taken up where they were by then.", len(rooms))
        try:
            async with self.gate.shared(), self.writing.lock:
                await self.keeping.forget(rooms, lambda: self.commits.waiting)
        except StoreError as error:
            log.error("%s They are taken up later.", error)
        self.writing.say_again(rooms)

    # What the hub hears.

    def on_window(self, conversation: Conversation, window: Window, *, eager: bool) -> None:
        changes = False
        if not window.refused:
            changes = self.rooms.take(window)
            if changes:
                self.writing.changed(conversation.room)
        self.commits.add(conversation, window, urgent=changes or eager)

    def on_repeat(self, conversation: Conversation, boot: int) -> None:
        self.hub.send(conversation, conversation.acknowledgement(boot))

    def on_hello(self, conversation: Conversation) -> None:
        if conversation.facts is None or not conversation.room:
            return
        self.commissioning.tell_key(conversation.node)
        self.commissioning.tell_commands(conversation.node)
        # A node may say hello as often as it likes.
        self.errands.put(partial(self._greet, conversation), once=conversation.node)

    def on_running(self, conversation: Conversation, *, fresh: bool) -> None:
        self.updating.on_running(conversation, fresh=fresh)
        facts = conversation.facts
        if not fresh and facts is not None and facts.release != self._noted.get(conversation.node):
            self.errands.put(partial(self._note_release, conversation), once=f"release {conversation.node}")

    def on_newcomer(self, newcomer: Newcomer) -> None:
        if not self.commissioning.takes_again(newcomer):
            self.errands.put(partial(self.commissioning.take, newcomer))

    def on_confirmed(self, node: str) -> None:
        if self.commissioning.needs_confirming(node):
            self.errands.put(partial(self.commissioning.confirm, node), once=f"confirm {node}")

    def _on_placed(self, node: str) -> None:
        """A node stands in another room than before, or is new, or gone."""
        room = self.assignments.room_of.get(node, "")
        conversation = self.hub.conversations.get(node)
        before = conversation.room if conversation else ""
        if conversation is not None:
            conversation.room = room
            known = self.trust.nodes.get(node)
            conversation.stands_for = tuple(known.stands_for.split()) if known else ()
        if node not in self.trust.nodes:
            self.updating.deliveries.gone(node)
        self.rooms.place(node, room)
        for name in self.room_settings:
            self.labels.place(name, self._conversations(name))
        if conversation is not None:
            self.errands.put(partial(self.labels.moved, conversation, before))
            self.hub.greet_again(conversation)

    def _conversations(self, room: str) -> dict[str, Conversation]:
        nodes = self.room_settings[room].nodes
        return {node: self.hub.conversations[node] for node in nodes if node in self.hub.conversations}

    def _on_drift(self, event: DriftEvent) -> None:
        """A new event has its room retrained."""
        room = self.assignments.room_of.get(event.node, "")
        if room and event.changed_utc_ms == event.raised_utc_ms:
            self.retraining.ask(room, f"drift event {event.number}")
        self.announcing.alert(event, room)

    def _on_labels(self, room: str) -> None:
        self.lessons.learn(room)

    def on_tie(self, conversation: Conversation, tie: Tie) -> None:
        node = conversation.node
        self.errands.put(lambda: self.window_store.add_tie(node, tie.boot, tie.tick_ms, tie.utc_ms))

    def on_label_ack(self, conversation: Conversation, ack: node_pb2.LabelAck) -> None:
        self.teaching.answer(conversation, ack)
        if self.labels.has_unlearned(conversation.node):
            self.errands.put(
                partial(self.labels.note_unlearned, conversation.node), once=f"unlearned {conversation.node}"
            )

    def on_press(self, conversation: Conversation, press: Press) -> None:
        # The node sends it until it is answered.
        once = f"press {press.node} {press.boot} {press.number}"
        self.errands.put(partial(self.presses.take, conversation, press), once=once)

    def on_sketch(self, conversation: Conversation, sketch: NodeSketch) -> None:
        self.counted.take_sketch(conversation, sketch)

    def on_summary(self, conversation: Conversation, summary: NodeSummary) -> None:
        self.counted.take_summary(conversation, summary)

    def on_health(self, conversation: Conversation) -> None:
        self.announcing.health(conversation, online=self.hub.online(conversation))

    # What commits ask for.

    async def write(self, windows: Sequence[Window]) -> None:
        await self.writing.write(windows)

    def acknowledge(self, conversations: Sequence[Conversation], windows: Sequence[Window]) -> None:
        self.writing.acknowledge(conversations, windows)

    async def _greet(self, conversation: Conversation) -> None:
        await self._note_release(conversation)
        # Meanwhile the node may have said something that makes no sense.
        if conversation.facts is not None:
            await self.labels.greet(conversation)

    async def _note_release(self, conversation: Conversation) -> None:
        """Writes down what a node has said of itself, and what it runs."""
        facts, room = conversation.facts, conversation.room
        if facts is None or not room:
            return
        await self.site_store.save_facts({conversation.node: facts.to_json()})
        await self.accuracy.note_release(room, self.releases(room).values())
        if await self.site_store.releases.note_running(conversation.node, facts.release):
            self.lessons.learn(room)
        self._noted[conversation.node] = facts.release

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

    def drifting_rooms(self) -> frozenset[str]:
        """The rooms of which a node has an open event."""
        room_of = self.settings.room_of
        nodes = {event.node for event in self.detector.events.values() if event.state is State.OPEN}
        return frozenset(room_of[node] for node in nodes if node in room_of)

    def nodes_of(self, room: str) -> frozenset[str]:
        """The nodes of a room; none where it is not in the configuration any more."""
        return frozenset(self.room_settings[room].nodes if room in self.room_settings else ())

    def releases(self, room: str) -> dict[str, str]:
        """The release that each node of a room runs."""
        conversations = self._conversations(room).values()
        return {c.node: c.facts.release for c in conversations if c.facts is not None}

    def _labels_of(self, room: str) -> Sequence[LabelRow]:
        return self.labels.in_force(room)

    def _place_of(self, node: str) -> Place | None:
        room = self.room_settings.get(self.assignments.room_of.get(node, ""))
        return Place(room.id, room.floor, room.building) if room else None

    def _sensors_of(self, node: str) -> Sequence[str]:
        conversation = self.hub.conversations.get(node)
        return conversation.kinds if conversation else ()

    def _schemas(self) -> dict[str, Schema]:
        """Of the nodes that measure in rooms."""
        known = [c for c in self.hub.conversations.values() if c.facts is not None and c.room]
        return {c.node: c.facts.make_schema() for c in known if c.facts is not None}
