"""What the command line asks: one method a call of attune.v1.Admin, answered from the running site."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from functools import wraps
from typing import Any, TypeVar

import grpc
from attune_proto.v1 import admin_pb2, admin_pb2_grpc

from attuned import __version__
from attuned.api import messages
from attuned.errors import AttuneError, NotFoundError, RequestError
from attuned.labels.labels import PERSON
from attuned.nodes.link_service import LinkService
from attuned.presence.history import history
from attuned.presence.watcher import Watcher
from attuned.site import Site
from attuned.store.site import LabelRow

# Longest wait of a caller for nodes to answer, milliseconds.
WAIT_LIMIT_MS = 10_000

# Longest history in one answer: a month of minutes is 43,200 points.
HISTORY_LIMIT_MS = 31 * 24 * 3_600_000

LABELS_AT_ONCE = 100

Request = TypeVar("Request")
Reply = TypeVar("Reply")
Context = grpc.aio.ServicerContext[Any, Any]
Call = Callable[[Any, Request, Context], Awaitable[Reply]]


def answers(call: Call[Request, Reply]) -> Call[Request, Reply]:
    """Turns the daemon's errors into gRPC's, with their sentence."""

    @wraps(call)
    async def guarded(service: Any, request: Request, context: Context) -> Reply:
        try:
            return await call(service, request, context)
        except NotFoundError as error:
            await context.abort(grpc.StatusCode.NOT_FOUND, str(error))
        except RequestError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except AttuneError as error:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))

    return guarded


class AdminService(admin_pb2_grpc.AdminServicer):
    """Reads the site's state; only labels change it."""

    def __init__(self, site: Site, links: LinkService) -> None:
        self._site = site
        self._links = links

    @answers
    async def GetStatus(  # noqa: N802 (the names are the contract's)
        self, request: admin_pb2.GetStatusRequest, context: Context
    ) -> admin_pb2.SiteStatus:
        site = self._site
        conversations, now = site.hub.conversations.values(), site.clock.utc_ms()
        publisher = site.publisher
        published = publisher.delays_s if publisher else ()
        return admin_pb2.SiteStatus(
            site=site.settings.site.name,
            timezone=site.settings.site.timezone,
            version=__version__,
            now_utc_ms=now,
            started_utc_ms=site.started_utc_ms,
            rooms=len(site.rooms.rooms),
            rooms_with_state=sum(bool(room.outline(now).state) for room in site.rooms.rooms.values()),
            nodes=len(conversations),
            nodes_online=sum(site.hub.online(conversation) for conversation in conversations),
            gateways=sorted(self._links.gateways),
            broker=publisher.trouble if publisher else "No broker is configured: add a table [mqtt] to publish.",
            store=site.commits.trouble,
            windows=sum(conversation.windows for conversation in conversations),
            windows_lost=sum(conversation.windows_lost for conversation in conversations),
            refused=sum(conversation.refused for conversation in conversations),
            labels=site.labels.count,
            mqtt_messages=publisher.acknowledged if publisher else 0,
            commit_delay_ms=messages.percentile_ms(site.commits.delays_s),
            publish_delay_ms=messages.percentile_ms(published),
            commit_delay_worst_ms=1000 * max(site.commits.delays_s, default=0.0),
            publish_delay_worst_ms=1000 * max(published, default=0.0),
            accuracy=messages.accuracy(await site.accuracy.whole(site.room_settings)),
            rooms_judged=site.accuracy.labelled(site.room_settings),
        )

    @answers
    async def ListRooms(  # noqa: N802
        self, request: admin_pb2.ListRoomsRequest, context: Context
    ) -> admin_pb2.ListRoomsReply:
        return self._reply(request.rooms)

    async def WatchRooms(  # noqa: N802
        self, request: admin_pb2.ListRoomsRequest, context: Context
    ) -> AsyncIterator[admin_pb2.ListRoomsReply]:
        try:
            self._check_rooms(request.rooms)
        except NotFoundError as error:
            await context.abort(grpc.StatusCode.NOT_FOUND, str(error))
        wanted = frozenset(request.rooms or self._site.rooms.rooms)
        watcher = Watcher()
        self._site.watchers.add(watcher)
        try:
            yield self._reply(request.rooms)
            while True:
                changed = await watcher.changed() & wanted
                if changed:
                    yield self._reply(sorted(changed))
        finally:
            self._site.watchers.discard(watcher)

    @answers
    async def GetRoomHistory(  # noqa: N802
        self, request: admin_pb2.GetRoomHistoryRequest, context: Context
    ) -> admin_pb2.RoomHistory:
        self._check_rooms([request.room])
        if request.to_utc_ms - request.from_utc_ms > HISTORY_LIMIT_MS:
            raise RequestError("That is more than a month of history: ask for less at a time.")
        room = self._site.rooms.rooms[request.room]
        beliefs = self._site.window_store.beliefs
        points = await history(beliefs, room, request.from_utc_ms, request.to_utc_ms)
        return admin_pb2.RoomHistory(points=[messages.point(point) for point in points])

    @answers
    async def ListNodes(  # noqa: N802
        self, request: admin_pb2.ListNodesRequest, context: Context
    ) -> admin_pb2.ListNodesReply:
        site = self._site
        unknown = [node for node in request.nodes if node not in site.hub.conversations]
        if unknown:
            raise NotFoundError(f"There is no node {unknown[0]!r}: `attune nodes` lists the nodes.")
        wanted = request.nodes or sorted(site.hub.conversations)
        nodes = [messages.node(site.hub, site.hub.conversations[node]) for node in wanted]
        return admin_pb2.ListNodesReply(nodes=nodes, now_utc_ms=site.clock.utc_ms())

    @answers
    async def AddLabel(  # noqa: N802
        self, request: admin_pb2.AddLabelRequest, context: Context
    ) -> admin_pb2.AddLabelReply:
        site = self._site
        interval = (request.from_utc_ms, request.to_utc_ms)
        author, source = request.author, request.source or PERSON
        stored = await site.labels.add(LabelRow(0, request.room, request.class_name, *interval, 1.0, source, author, 0))
        await site.teaching.wait(stored.number, min(request.wait_ms, WAIT_LIMIT_MS) / 1000)
        learned = site.teaching.learned(stored.number)
        return admin_pb2.AddLabelReply(
            label=messages.label(stored, sum(learned.values())),
            windows_learned=sum(learned.values()),
            nodes_learned=sum(count > 0 for count in learned.values()),
            nodes_waiting=len(site.teaching.waiting(stored.number)),
        )

    @answers
    async def ListLabels(  # noqa: N802
        self, request: admin_pb2.ListLabelsRequest, context: Context
    ) -> admin_pb2.ListLabelsReply:
        if request.room:
            self._check_rooms([request.room])
        rows = await self._site.site_store.labels(request.room, request.limit or LABELS_AT_ONCE)
        teaching = self._site.teaching
        labels = [messages.label(row, sum(teaching.learned(row.number).values())) for row in rows]
        return admin_pb2.ListLabelsReply(labels=labels, now_utc_ms=self._site.clock.utc_ms())

    def _reply(self, rooms: Iterable[str]) -> admin_pb2.ListRoomsReply:
        self._check_rooms(rooms)
        return admin_pb2.ListRoomsReply(rooms=self._rooms(rooms), now_utc_ms=self._site.clock.utc_ms())

    def _rooms(self, rooms: Iterable[str]) -> list[admin_pb2.Room]:
        return [messages.room(self._site, room) for room in rooms or self._site.rooms.rooms]

    def _check_rooms(self, rooms: Iterable[str]) -> None:
        unknown = [room for room in rooms if room not in self._site.rooms.rooms]
        if unknown:
            raise NotFoundError(f"There is no room {unknown[0]!r}: `attune rooms` lists the rooms.")
