"""Calls of attune.v1.Admin that concern labels."""

import asyncio
from collections.abc import AsyncIterator, Iterable

import grpc
from attune_proto.v1 import admin_pb2, admin_pb2_grpc

from attuned.api import messages
from attuned.api.answers import Context, answers
from attuned.errors import AttuneError
from attuned.labels.checking import Doubt, chance_against
from attuned.labels.importing import IMPORT
from attuned.labels.labels import PERSON
from attuned.labels.names import no_room
from attuned.labels.questions import AROUND_MS, RoomNow, questions, signals
from attuned.presence.history import history
from attuned.site import Site
from attuned.store.site import LabelRow
from attuned.store.spans import merged

# Longest wait of a caller for nodes to answer, milliseconds.
WAIT_LIMIT_MS = 10_000

LABELS_AT_ONCE = 100
DOUBTS_AT_ONCE = 20
QUESTIONS_AT_ONCE = 5

# Questions in one answer: nobody answers more in one go, and choosing each looks at all that are left.
QUESTIONS_LIMIT = 50

# Nobody knows how a room was longer ago than this.
ASK_LIMIT_MS = 24 * 3_600_000


class LabelCalls(admin_pb2_grpc.AdminServicer):
    """Labels are told, taken back and listed."""

    def __init__(self, site: Site) -> None:
        self._site = site

    @answers
    async def AddLabel(  # noqa: N802 (the names are the contract's)
        self, request: admin_pb2.AddLabelRequest, context: Context
    ) -> admin_pb2.AddLabelReply:
        site = self._site
        interval, weight = (request.from_utc_ms, request.to_utc_ms), request.weight or 1.0
        source, author = request.source or PERSON, request.author
        label = LabelRow(0, request.room, request.class_name, *interval, weight, source, author, 0)
        stored = await site.labels.add(label, force=request.force)
        await site.teaching.wait(stored.number, min(request.wait_ms, WAIT_LIMIT_MS) / 1000)
        learned = site.teaching.learned(stored.number)
        return admin_pb2.AddLabelReply(
            label=messages.label(stored, sum(learned.values())),
            windows_learned=sum(learned.values()),
            nodes_learned=sum(count > 0 for count in learned.values()),
            nodes_waiting=len(site.teaching.waiting(stored.number)),
        )

    @answers
    async def WithdrawLabel(  # noqa: N802
        self, request: admin_pb2.WithdrawLabelRequest, context: Context
    ) -> admin_pb2.WithdrawLabelReply:
        site = self._site
        withdrawn = await site.labels.withdraw(request.number, request.author)
        row = withdrawn.label
        await site.teaching.wait(row.number, min(request.wait_ms, WAIT_LIMIT_MS) / 1000)
        nodes = set() if row.weak else site.roster.nodes_of(row.room)
        unlearned = nodes & site.teaching.unlearned(row.number)
        return admin_pb2.WithdrawLabelReply(
            label=messages.label(row, 0),
            in_force_again=[again.number for again in withdrawn.in_force_again],
            nodes_unlearned=len(unlearned),
            nodes_waiting=len(nodes - unlearned),
        )

    async def ImportLabels(  # noqa: N802
        self, request_iterator: AsyncIterator[admin_pb2.ImportLabelsRequest], context: Context
    ) -> AsyncIterator[admin_pb2.ImportLabelsReply]:
        try:
            async with self._site.labels.importing() as importing:
                async for part in request_iterator:
                    refused = await importing.add(part.labels, part.source or IMPORT, part.author)
                    lines = [admin_pb2.RefusedLabel(line=line, reason=reason) for line, reason in refused]
                    yield admin_pb2.ImportLabelsReply(stored=len(part.labels) - len(lines), refused=lines)
        except AttuneError as error:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))

    @answers
    async def CheckLabels(  # noqa: N802
        self, request: admin_pb2.CheckLabelsRequest, context: Context
    ) -> admin_pb2.CheckLabelsReply:
        found: list[Doubt] = []
        checked = 0
        for room in self._chosen(request.room):
            count, doubts = await self._site.labels.doubted(room)
            checked, found = checked + count, found + doubts
        found.sort(key=lambda doubt: -chance_against(doubt))
        labels = [
            admin_pb2.DoubtedLabel(
                label=messages.label(doubt.label, 0),
                chance=1 - chance_against(doubt),
                contradicted_by=doubt.contradicted_by,
            )
            for doubt in found[: request.limit or DOUBTS_AT_ONCE]
        ]
        return admin_pb2.CheckLabelsReply(labels=labels, checked=checked, now_utc_ms=self._site.clock.utc_ms())

    @answers
    async def AskLabels(  # noqa: N802
        self, request: admin_pb2.AskLabelsRequest, context: Context
    ) -> admin_pb2.AskLabelsReply:
        site, now = self._site, self._site.clock.utc_ms()
        since = min(max(request.from_utc_ms, now - ASK_LIMIT_MS), now)
        rooms = {room: await room_now(site, room, since, now) for room in self._chosen(request.room)}
        budget = min(request.budget or QUESTIONS_AT_ONCE, QUESTIONS_LIMIT)
        chosen = await asyncio.to_thread(questions, list(rooms.values()), since, now, budget)
        asked = [messages.question(one, signals(rooms[one.room], one)) for one in chosen]
        return admin_pb2.AskLabelsReply(questions=asked, now_utc_ms=now)

    @answers
    async def ListLabels(  # noqa: N802
        self, request: admin_pb2.ListLabelsRequest, context: Context
    ) -> admin_pb2.ListLabelsReply:
        if request.room:
            self._check_rooms([request.room])
        limit = request.limit or LABELS_AT_ONCE
        rows = await self._site.site_store.labels(request.room, limit, request.since_utc_ms)
        teaching = self._site.teaching
        labels = [messages.label(row, sum(teaching.learned(row.number).values())) for row in rows]
        return admin_pb2.ListLabelsReply(labels=labels, now_utc_ms=self._site.clock.utc_ms())

    def _chosen(self, room: str) -> list[str]:
        """One room, or all of them."""
        self._check_rooms([room] if room else [])
        return [room] if room else list(self._site.rooms.rooms)

    def _check_rooms(self, rooms: Iterable[str]) -> None:
        for room in rooms:
            if room not in self._site.rooms.rooms:
                raise no_room(room, {known.id: known.name for known in self._site.settings.rooms})


async def room_now(site: Site, room: str, from_utc_ms: int, to_utc_ms: int) -> RoomNow:
    """What questions about a stretch of a room's time are chosen from."""
    nodes, labels = site.room_settings[room].nodes, site.labels.in_force(room)
    around = (from_utc_ms - AROUND_MS, to_utc_ms)
    return RoomNow(
        room,
        windows=await site.window_store.windows_between(nodes, *around),
        history=await history(site.window_store.beliefs, site.rooms.rooms[room], *around),
        labels=labels,
        labelled=await site.window_store.windows_in(nodes, merged((r.from_utc_ms, r.to_utc_ms) for r in labels)),
        schemas=site.labels.schemas(room),
    )
