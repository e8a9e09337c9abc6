"""Forgetting: what somebody selects goes out of both stores, out of all that was learned from it, and off the nodes.

An entry in the audit table comes first. Every step may be done again, so whatever interrupts them, they are taken up at
the next start and end whole; and a store that is restored from before gets the entries carried out in it once more.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from attuned.clock import Clock
from attuned.drift.judge import REFERENCE_DAYS
from attuned.errors import NotFoundError, RequestError, StoreError
from attuned.gone import GoneBook
from attuned.labels.names import no_room
from attuned.learning.stripping import strip
from attuned.store.audit import DONE, RUNNING, AuditEntry, Selection
from attuned.store.copies import drop_old_states
from attuned.store.forgetting import WindowForgetting
from attuned.store.forgetting_site import SiteForgetting, Task
from attuned.store.site import SiteStore
from attuned.store.windows import WindowStore

log = logging.getLogger(__name__)

# How often a file's log is tried to be emptied while others read it, and the rest between, in real seconds: a reader of
# the retraining process is done within a second, a backup of a large store in ten minutes.
SCRUBS, SCRUB_REST_S = 1200, 0.5

NAME_LIMIT = 64


@dataclass(frozen=True)
class Request:
    """What somebody wants forgotten. Empty: no matter which; `to_utc_ms` 0: until now."""

    room: str = ""
    node: str = ""
    source: str = ""
    from_utc_ms: int = 0
    to_utc_ms: int = 0


class Forgetting:
    """Selects, previews, carries out, and takes up what was interrupted.

    `nodes_of` gives the nodes of each room, `names` the rooms' names.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        site: SiteStore,
        windows: WindowStore,
        nodes_of: Mapping[str, Sequence[str]],
        names: Mapping[str, str],
        gone: GoneBook,
    ) -> None:
        self._clock = clock
        self._site = site
        self._windows = windows
        self._nodes_of = nodes_of
        self._names = names
        self._gone = gone
        self._rows = WindowForgetting(windows.database)
        self._knowledge = SiteForgetting(site.database)

    async def entries(self) -> list[AuditEntry]:
        """What was forgotten so far, by time."""
        return list((await self._site.audit.entries()).values())

    async def found(self, ids: Collection[str]) -> list[AuditEntry]:
        """The entries of these ids, or all. Raises NotFoundError."""
        entries = await self.entries()
        for number in ids:
            _check(number, [entry.id for entry in entries], "entry", "`attune forget --log` lists them")
        return [entry for entry in entries if not ids or entry.id in ids]

    async def select(self, request: Request) -> Selection:
        """What a request comes to. Raises NotFoundError for what there is not, RequestError for what cannot be."""
        now = self._clock.utc_ms()
        first, last = request.from_utc_ms, min(request.to_utc_ms or now, now)
        if not (request.room or request.node or request.source or request.from_utc_ms or request.to_utc_ms):
            raise RequestError("Say what is to be forgotten: a room, a node, a source of labels, or a stretch of time.")
        if first >= last:
            raise RequestError("The stretch ends before it begins: give the earlier time first.")
        if request.node and (request.room or request.source):
            raise RequestError("A node is named alone: the labels of its room are not the node's, and stay.")
        known = await self._site.names()
        rooms = sorted({*self._nodes_of, *known.rooms, *await self._windows.rooms()})
        nodes = sorted({*self._room_of, *known.nodes, *await self._windows.nodes()})
        if request.room and request.room not in rooms:
            raise no_room(request.room, {room: self._names.get(room, "") for room in rooms})
        _check(request.node, nodes, "node", "`attune nodes` lists them")
        _check(request.source, known.sources, "source of labels", "`attune label list` shows them")
        asked = Selection(first, last, request.room, request.node, request.source)
        return replace(asked, rooms=self._rooms(asked, rooms), nodes=self._nodes(asked, nodes))

    def _rooms(self, asked: Selection, rooms: Sequence[str]) -> tuple[str, ...]:
        if asked.node:
            return tuple(room for room in rooms if asked.node in self._nodes_of.get(room, ()))
        return (asked.room,) if asked.room else tuple(rooms)

    def _nodes(self, asked: Selection, nodes: Sequence[str]) -> tuple[str, ...]:
        if asked.source:
            return ()
        if asked.node:
            return (asked.node,)
        return tuple(self._nodes_of.get(asked.room, ())) if asked.room else tuple(nodes)

    @property
    def _room_of(self) -> dict[str, str]:
        return {node: room for room, nodes in self._nodes_of.items() for node in nodes}

    async def preview(self, selection: Selection) -> dict[str, int]:
        """How many rows of each kind would go; changes nothing."""
        entry = await self._entry("", selection, "")
        return await self._knowledge.counts(self._task(entry)) | await self._rows.counts(entry)

    async def begin(self, selection: Selection, author: str) -> AuditEntry:
        """Writes down in both files, and beside them, what is about to be forgotten."""
        entry = await self._entry(secrets.token_hex(8), selection, author[:NAME_LIMIT])
        await self._write(entry)
        return entry

    async def close_sayings(self, entry: AuditEntry) -> AuditEntry:
        """With what was said while the last windows came to the disk; no window may be committed meanwhile."""
        entry = replace(entry, selection=await self._upto_now(entry.selection))
        await self._write(entry)
        return entry

    async def _write(self, entry: AuditEntry) -> None:
        await self._gone.add(forgotten=[entry])
        with self._gone.committing("what was selected"):
            await self._site.audit.write(entry)
            await self._windows.audit.write(entry)

    async def _entry(self, number: str, selection: Selection, author: str) -> AuditEntry:
        """Of what was told and said by now, whatever the clock says."""
        upto, through = await self._upto_now(selection), await self._site.through_label()
        return AuditEntry(number, self._clock.utc_ms(), author, upto, through)

    async def _upto_now(self, selection: Selection) -> Selection:
        return replace(selection, through_said=await self._windows.beliefs.through_said())

    async def carry_out(self, entry: AuditEntry) -> tuple[AuditEntry, set[str]]:
        """Takes the selection out of both files; the entry as it stands then, and the rooms that it concerns."""
        task = self._task(entry)
        await self._knowledge.forget(task)
        counts = await self._rows.forget(task.entry)
        return task.entry.with_counts(counts), task.rooms

    async def finish(self, entry: AuditEntry) -> AuditEntry:
        """Frees the pages of both files, removes older copies of them, and closes the entry.

        Raises StoreError if somebody reads the files all the time, or if a copy cannot be removed.
        """
        for scrub in (self._rows.scrub, self._knowledge.scrub):
            await _until_done(scrub)
        for name in await asyncio.to_thread(drop_old_states, self._windows.database.path.parent):
            log.info("%s is removed, which may have held what was forgotten.", name)
        done = replace(entry, state=DONE)
        await self._site.audit.write(done)
        return done

    async def resume(self) -> list[AuditEntry]:
        """At the start, before anything is read: carries out what either file has not seen; what is to be finished."""
        here, there = await self._site.audit.entries(), await self._windows.audit.entries()
        found = []
        for number, entry in sorted((there | here).items(), key=lambda item: item[1].utc_ms):
            states = [table[number].state if number in table else RUNNING for table in (here, there)]
            if states != [DONE, DONE]:
                log.info("What was forgotten by entry %s is taken out of the store again.", number)
                again = replace(entry, state=RUNNING)
                await self._write(again)
                found.append((await self.carry_out(again))[0])
        return found

    def _task(self, entry: AuditEntry) -> Task:
        return Task(entry, self._nodes_of, strip, REFERENCE_DAYS)


async def _until_done(scrub: Callable[[], Awaitable[bool]]) -> None:
    for _ in range(SCRUBS):
        if await scrub():
            return
        await asyncio.sleep(SCRUB_REST_S)
    raise StoreError("What was forgotten is still in the store's log, which somebody reads: stop them and restart.")


def _check(name: str, names: Collection[str], what: str, advice: str) -> None:
    if name and name not in names:
        raise NotFoundError(f"There is no {what} {name[:NAME_LIMIT]!r}: {advice}.")
