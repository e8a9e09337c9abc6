"""What the command line asks: one method a call of attune.v1.Admin, answered from the running site."""

from collections.abc import AsyncIterator, Iterable

import grpc
from attune_proto.v1 import admin_pb2

from attuned.api import messages
from attuned.api.answers import Context, answers
from attuned.api.forgetting import ForgettingCalls
from attuned.api.labels import LabelCalls
from attuned.api.releases import ReleaseCalls
from attuned.errors import NotFoundError, RequestError
from attuned.nodes.link_service import LinkService
from attuned.presence.history import history
from attuned.presence.watcher import Watcher
from attuned.site import Site
from attuned.version import VERSION

# Longest history in one answer: a month of minutes is 43,200 points.
HISTORY_LIMIT_MS = 31 * 24 * 3_600_000


class AdminService(LabelCalls, ReleaseCalls, ForgettingCalls):
    """Reads the site's state; only labels, retraining and forgetting change it."""

    def __init__(self, site: Site, links: LinkService) -> None:
        super().__init__(site)
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
            version=VERSION,
            now_utc_ms=now,
            started_utc_ms=site.started_utc_ms,
            rooms=len(site.rooms.rooms),
            rooms_with_state=sum(bool(room.outline(now).state) for room in site.rooms.rooms.values()),
            nodes=len(conversations),
            nodes_online=sum(site.hub.online(conversation) for conversation in conversations),
            gateways=sorted(self._links.gateways),
            broker=publisher.trouble
            if publisher
            else "No broker is configured: `sudo attune setup` asks for one, or add a table [mqtt] to publish.",
            store=site.commits.trouble,
            updates=site.updating.trouble,
            windows=sum(conversation.windows for conversation in conversations),
            windows_lost=sum(conversation.windows_lost for conversation in conversations),
            windows_summarised=sum(conversation.summarised for conversation in conversations),
            refused=sum(conversation.refused for conversation in conversations),
            labels=site.labels.count,
            mqtt_messages=publisher.acknowledged if publisher else 0,
            commit_delay_ms=messages.percentile_ms(site.commits.delays_s),
            publish_delay_ms=messages.percentile_ms(published),
            commit_delay_worst_ms=1000 * max(site.commits.delays_s, default=0.0),
            publish_delay_worst_ms=1000 * max(published, default=0.0),
            accuracy=messages.accuracy(await site.accuracy.whole(site.room_settings)),
            rooms_judged=site.accuracy.labelled(site.room_settings),
            windows_check=site.bulk_check.trouble,
            windows_checked_utc_ms=site.bulk_check.checked_utc_ms,
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
        self._site.writing.watchers.add(watcher)
        try:
            yield self._reply(request.rooms)
            while True:
                changed = await watcher.changed() & wanted
                if changed:
                    yield self._reply(sorted(changed))
        finally:
            self._site.writing.watchers.discard(watcher)

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
        conversations, trusted = site.hub.conversations, site.trust.nodes
        nodes = [messages.node(site.hub, trusted.get(node), conversations[node], site.clock) for node in wanted]
        return admin_pb2.ListNodesReply(nodes=nodes, now_utc_ms=site.clock.utc_ms())

    def _reply(self, rooms: Iterable[str]) -> admin_pb2.ListRoomsReply:
        self._check_rooms(rooms)
        return admin_pb2.ListRoomsReply(rooms=self._rooms(rooms), now_utc_ms=self._site.clock.utc_ms())

    def _rooms(self, rooms: Iterable[str]) -> list[admin_pb2.Room]:
        return [messages.room(self._site, room) for room in rooms or self._site.rooms.rooms]
