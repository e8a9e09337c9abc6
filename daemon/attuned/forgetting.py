"""Forgetting beside the running daemon: alone with the stores while rows go, then memory, nodes and broker follow."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from attuned.bms.announcing import Announcing
from attuned.drift.detector import Detector
from attuned.gate import Gate
from attuned.labels.labels import Labels
from attuned.learning.accuracy import AccuracyBook
from attuned.learning.forgetting import Forgetting
from attuned.learning.jobs import Check
from attuned.learning.lessons import Lessons
from attuned.learning.retraining import Retraining
from attuned.nodes.commits import Commits
from attuned.nodes.conversation import Conversation
from attuned.presence.keeping import Keeping
from attuned.presence.rooms import Late, Rooms
from attuned.store.audit import AuditEntry, Selection
from attuned.updates.updating import Updating


@dataclass(frozen=True)
class Knowers:
    """All parts of the daemon that hold in memory what they read from the store."""

    conversations: Mapping[str, Conversation]
    labels: Labels
    rooms: Rooms
    keeping: Keeping
    lessons: Lessons
    accuracy: AccuracyBook
    detector: Detector
    announcing: Announcing
    updating: Updating


class Oblivion:
    """Carries out what is to be forgotten. `writing` is held by commits of windows, `say_again` tells the broker.

    `stop_readers` ends what reads the files by itself, and would keep them from being written anew.
    """

    def __init__(
        self,
        forgetting: Forgetting,
        knowers: Knowers,
        *,
        gate: Gate,
        writing: asyncio.Lock,
        commits: Commits,
        retraining: Retraining,
        say_again: Callable[[Collection[str]], None],
        stop_readers: Callable[[], None],
    ) -> None:
        self._forgetting = forgetting
        self._knowers = knowers
        self._gate = gate
        self._writing = writing
        self._commits = commits
        self._retraining = retraining
        self._say_again = say_again
        self._stop_readers = stop_readers

    async def forget(self, selection: Selection, author: str) -> AuditEntry:
        """Forgets all that is selected; returns when nothing of it is left on the disk or in memory.

        Nodes have been told by then what to unlearn. Raises RequestError while a retraining is under way.
        """
        with self._retraining.paused():
            async with self._gate.alone():
                entry = await self._forgetting.begin(selection, author)
                self._refuse(entry)
                await self._commits.flush()
                async with self._writing:
                    entry = await self._forgetting.close_sayings(entry)
                    entry, rooms = await self._forgetting.carry_out(entry)
                    await self._lose(entry, rooms)
                await self._learn(entry, rooms)
                self._stop_readers()
                return await self._forgetting.finish(entry)

    def refuse(self, entries: Collection[AuditEntry]) -> None:
        """At the start: windows of what was forgotten are not taken any more."""
        for entry in entries:
            self._refuse(entry)

    def _refuse(self, entry: AuditEntry) -> None:
        """Nodes may still hold reports of the time."""
        selection = entry.selection
        for node in selection.nodes:
            if node in self._knowers.conversations:
                span = selection.from_utc_ms, selection.to_utc_ms
                self._knowers.conversations[node].forgotten.append(span)

    async def _lose(self, entry: AuditEntry, rooms: set[str]) -> None:
        """What was in memory goes, too; nodes are told what to unlearn."""
        knowers, selection = self._knowers, entry.selection
        here = sorted(rooms & knowers.rooms.rooms.keys())
        for room in here:
            knowers.rooms.forget_model(room)
            knowers.lessons.forget(room)
        if selection.takes_windows:
            await knowers.keeping.forget(here, lambda: self._commits.waiting)
            gone = await knowers.detector.forget(selection.nodes, selection.from_utc_ms, selection.to_utc_ms)
            knowers.announcing.forget([], [], [event.number for event in gone])
        await knowers.labels.forget(here)
        await knowers.updating.forget()

    async def _learn(self, entry: AuditEntry, rooms: set[str]) -> None:
        """Everything that is no sum over rows is made anew from what is left."""
        knowers = self._knowers
        here = sorted(rooms & knowers.rooms.rooms.keys())
        await knowers.accuracy.forget(rooms)
        for room in here:
            await knowers.lessons.learn_now(room)
            if entry.counts.get("releases") and knowers.labels.taught(room):
                self._retraining.ask(room, "inputs of its release were forgotten")
        self._announce(entry, here)

    def _announce(self, entry: AuditEntry, rooms: Collection[str]) -> None:
        selection = entry.selection
        if selection.takes_windows:
            for room in rooms:
                # Hours that were only touched are computed again from what is left.
                self._knowers.rooms.note_late(room, Late(selection.from_utc_ms, selection.to_utc_ms))
            self._knowers.announcing.forget(selection.rooms, selection.nodes, entry.alerts)
        self._say_again(rooms)
        self._commits.hurry()

    async def prove(self, ids: Collection[str], wait_s: float) -> Sequence[Check]:
        """Compares what is in force with what never saw what these entries (none: all) forgot.

        Waits so long for nodes that have yet to unlearn. Raises NotFoundError for entries that there are not.
        """
        entries = await self._forgetting.found(ids)
        labels, conversations = self._knowers.labels, self._knowers.conversations
        await labels.wait_unlearned(wait_s)
        async with self._gate.alone():
            here = {room for entry in entries for room in entry.selection.rooms} & self._knowers.rooms.rooms.keys()
            lessons = self._knowers.lessons
            # Labels that came since may not have been learned yet.
            for room in sorted(room for room in here if not ids or room in lessons.errands):
                await lessons.learn_now(room)
            held = {node: labels.held(node) for node in conversations}
            return await self._retraining.prove([entry.id for entry in entries], held, labels.to_unlearn)

    async def complete(self, entry: AuditEntry) -> None:
        """After a start that took up an entry: what the rows do not show, then its end."""
        selection = entry.selection
        if selection.takes_windows:
            await self._knowers.detector.count_again(selection.nodes, selection.from_utc_ms, selection.to_utc_ms)
        self._announce(entry, sorted({*selection.rooms} & self._knowers.rooms.rooms.keys()))
        self._stop_readers()
        await self._forgetting.finish(entry)
