"""The site at work: from a window that arrives to what is said of its room, and back to the nodes with labels."""

import asyncio
import logging
from collections.abc import Collection, Sequence
from functools import partial

from attuned import gone
from attuned.bms.announcing import Announcing
from attuned.bms.label_commands import LabelCommands
from attuned.bms.label_topic import set_topics
from attuned.bms.publisher import Publisher
from attuned.bulk_check import BulkCheck
from attuned.clock import Clock
from attuned.config import RoomSettings, Settings
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
from attuned.labels.teaching import Teaching
from attuned.learning.accuracy import AccuracyBook
from attuned.learning.forgetting import Forgetting
from attuned.learning.lessons import Lessons
from attuned.learning.retraining import Retraining
from attuned.nodes.assignments import Assignments
from attuned.nodes.commissioning import Commissioning
from attuned.nodes.commits import Commits
from attuned.nodes.conversation import Conversation
from attuned.nodes.counted import Counted
from attuned.nodes.facts import NodeFacts
from attuned.nodes.hub import Hub
from attuned.nodes.needs import Needs
from attuned.nodes.own_keys import OwnKeys
from attuned.nodes.roster import Roster
from attuned.nodes.trust import Trust
from attuned.nodes.window import Window
from attuned.presence.keeping import Keeping
from attuned.presence.model import RoomModel, threshold
from attuned.presence.rooms import Rooms
from attuned.reactions import Reactions
from attuned.retention import Retention
from attuned.store.audit import AuditEntry
from attuned.store.site import LabelRow, SiteStore
from attuned.store.windows import WindowStore
from attuned.updates.updating import Around, Updating
from attuned.updates.wishes import Place
from attuned.writing import Writing

log = logging.getLogger(__name__)

# How often silent rooms and offline nodes are looked for, in seconds of the daemon's clock.
LOOK_ROUND_S = 10.0

# How often it is looked at which nodes are wanted for what, and which gateway is to serve them.
LOOK_RADIOS_S = 1.0


class Site:
    """Owns the state of the running daemon. Methods run in the event loop; whatever waits for a disk is awaited."""

    hub: Hub
    roster: Roster
    trust: Trust
    commissioning: Commissioning
    updating: Updating
    rooms: Rooms
    labels: Labels
    teaching: Teaching
    detector: Detector
    retraining: Retraining
    lessons: Lessons
    oblivion: Oblivion
    keeping: Keeping
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
            drop_boots=lambda before_utc_ms: self.hub.drop_boots(before_utc_ms),  # noqa: PLW0108 (the hub comes later)
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

    async def open(self) -> None:
        """Opens the store and takes up where the last run stopped. Raises StoreError."""
        await self.site_store.open()
        await self.window_store.open()
        await self.gone.open(self.site_store.database)
        unfinished = await self.forgetting.resume()
        await self._open_trust()
        await self.gateways.open()
        await self._open_nodes()
        await self._open_updates()
        modelled = await self._open_rooms()
        await self._open_drift()
        self._open_labels()
        self._open_lessons()
        await self.labels.load()
        self._open_writing()
        for room in self.room_settings:
            if self.labels.taught(room) and room not in modelled:
                self.lessons.learn(room)
        await self.lessons.load()
        await self.keeping.restore()
        self.writing.say_again()
        self._open_oblivion(await self.forgetting.entries(), unfinished)
        self._open_air()
        self.commits.hurry()

    async def _open_trust(self) -> None:
        own, keys = OwnKeys(self.settings.store.path), self.site_store.keys
        nodes = await keys.nodes()
        own.open(used=bool(nodes))
        self.trust = Trust(own, nodes, await keys.codes(), test_nodes=self.settings.site.test_nodes)
        self.assignments.take(nodes)

    async def _open_nodes(self) -> None:
        room_of, quiet = self.assignments.room_of, self.settings.quiet_nodes
        facts = {node: NodeFacts.from_json(text) for node, text in (await self.site_store.facts()).items()}
        boots = await self.window_store.boots()
        self.hub = Hub(self.clock, room_of, facts, boots, trust=self.trust, quiet=quiet)
        self.roster = Roster(self.assignments, self.hub.conversations)
        for node, reports in (await self.window_store.summaries.reports()).items():
            if node in self.hub.conversations:
                self.hub.conversations[node].summarised = reports
        self.commissioning = Commissioning(
            self.clock,
            assignments=self.assignments,
            trust=self.trust,
            hub=self.hub,
            store=self.site_store.keys,
            gone=self.gone,
            placed=self._on_placed,
        )

    async def _open_updates(self) -> None:
        self.updating = Updating(
            self.clock,
            self.settings.updates,
            hub=self.hub,
            store=self.site_store,
            gate=self.gate,
            around=Around(self.window_store, self._labels_of, self._place_of),
        )
        await self.updating.open()

    async def _open_rooms(self) -> Collection[str]:
        """The rooms that have learned something, or run releases that did."""
        texts = await self.site_store.models() | await self.site_store.releases.room_models()
        self.rooms = Rooms(
            self.room_settings,
            self.settings.site.step_s * 1000,
            self.assignments.room_of,
            self.roster.sensors_of,
            threshold=threshold(self.settings.site.cost_ratio),
            models={room: RoomModel.model_validate_json(text) for room, text in texts.items()},
            quiet=self.settings.quiet_nodes,
        )
        self.keeping = Keeping(
            self.clock,
            self.rooms,
            self.room_settings,
            room_of=self.assignments.room_of,
            store=self.window_store,
            errands=self.errands,
            kept_from=lambda: self.retention.windows_from_utc_ms,
        )
        return texts.keys()

    async def _open_drift(self) -> None:
        """What finds drift, and what it has rooms retrained by."""
        self.retraining = Retraining(self.settings, self.clock, self.site_store.releases, self.commits.flush)
        self.detector = Detector(
            self.clock,
            self.settings.site.zone,
            windows=self.window_store,
            store=self.site_store.drift,
            schemas=self.roster.schemas,
            changed=self._on_drift,
            gate=self.gate,
        )
        await self.detector.open()

    def _open_labels(self) -> None:
        self.teaching = Teaching(self.clock, self.hub.send)
        self.labels = Labels(
            self.clock,
            site=self.site_store,
            windows=self.window_store,
            teaching=self.teaching,
            names={room.id: room.name for room in self.room_settings.values()},
            nodes_of={room: self.roster.conversations(room) for room in self.room_settings},
            flush=self.commits.flush,
            changed=self._on_labels,
        )
        if self.publisher is not None:
            commands = LabelCommands(self.settings.site.name, self.clock, self.labels)
            self.publisher.listen(set_topics(self.settings.site.name), commands.answer)

    def _open_lessons(self) -> None:
        self.lessons = Lessons(
            self.clock,
            self.rooms,
            self.room_settings,
            labels=self.labels,
            accuracy=self.accuracy,
            site=self.site_store,
            windows=self.window_store,
            sensors_of=self.roster.sensors_of,
            adopted=self.commits.hurry,
            gate=self.gate,
        )

    def _open_writing(self) -> None:
        self.writing = Writing(
            self.clock,
            store=self.window_store,
            hub=self.hub,
            rooms=self.rooms,
            keeping=self.keeping,
            labels=self.labels,
            announcing=self.announcing,
            releases=self.roster.releases,
        )
        self.hub.dispatch.listener = Reactions(
            hub=self.hub,
            roster=self.roster,
            errands=self.errands,
            commissioning=self.commissioning,
            rooms=self.rooms,
            writing=self.writing,
            commits=self.commits,
            counted=Counted(self.window_store, self.hub, self.errands),
            labels=self.labels,
            teaching=self.teaching,
            presses=Presses(self.labels, self.hub.send),
            updating=self.updating,
            lessons=self.lessons,
            accuracy=self.accuracy,
            announcing=self.announcing,
            site_store=self.site_store,
            window_store=self.window_store,
        )

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
            waits=[self.commissioning.waits_for, self.updating.deliveries.waits_for, self.teaching.waits_for],
            greeted=lambda node: node in self.labels.to_unlearn,
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

    def break_off(self) -> None:
        """The daemon is to end: what would keep commits waiting for minutes is done after the next start."""
        for database in (self.site_store.database, self.window_store.database):
            database.break_off()

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
            self.labels.place(name, self.roster.conversations(name))
        if conversation is not None:
            self.errands.put(partial(self.labels.moved, conversation, before))
            self.hub.greet_again(conversation)

    def _on_drift(self, event: DriftEvent) -> None:
        """A new event has its room retrained."""
        room = self.assignments.room_of.get(event.node, "")
        if room and event.changed_utc_ms == event.raised_utc_ms:
            self.retraining.ask(room, f"drift event {event.number}")
        self.announcing.alert(event, room)

    def _on_labels(self, room: str) -> None:
        self.lessons.learn(room)

    # What commits ask for.

    async def write(self, windows: Sequence[Window]) -> None:
        await self.writing.write(windows)

    def acknowledge(self, conversations: Sequence[Conversation], windows: Sequence[Window]) -> None:
        self.writing.acknowledge(conversations, windows)

    def drifting_rooms(self) -> frozenset[str]:
        """The rooms of which a node has an open event."""
        room_of = self.settings.room_of
        nodes = {event.node for event in self.detector.events.values() if event.state is State.OPEN}
        return frozenset(room_of[node] for node in nodes if node in room_of)

    def _labels_of(self, room: str) -> Sequence[LabelRow]:
        return self.labels.in_force(room)

    def _place_of(self, node: str) -> Place | None:
        room = self.room_settings.get(self.assignments.room_of.get(node, ""))
        return Place(room.id, room.floor, room.building) if room else None
