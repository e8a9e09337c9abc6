"""`attune rooms`: the state of all rooms, or of one and why, once or live."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from attuned.cli import output
from attuned.cli.client import Daemon, connect, zone_of
from attuned.cli.options import Json, Socket, socket_path

if TYPE_CHECKING:
    from datetime import tzinfo

    from attune_proto.v1 import admin_pb2
    from rich.console import RenderableType

_Room = Annotated[
    str | None, typer.Argument(metavar="ROOM", help="One room: why, its day, its nodes.", show_default=False)
]
_Watch = Annotated[bool, typer.Option("--watch", help="Stay and show every change; Ctrl-C ends it.")]


def rooms(
    ctx: typer.Context, room: _Room = None, watch: _Watch = False, as_json: Json = False, socket: Socket = None
) -> None:
    """The rooms: in which state, how sure, since when and why."""
    names = [room] if room else []
    with connect(socket_path(ctx, socket)) as daemon:
        if watch:
            from attuned.cli.watch import watch_rooms

            watch_rooms(daemon, names, as_json)
            return
        zone = zone_of(daemon.status())
        reply = daemon.rooms(names)
        if as_json:
            output.show_json(_as_json(daemon, reply, bool(room), zone))
        else:
            output.show(screen(daemon, reply, bool(room), zone))


def screen(daemon: Daemon, reply: admin_pb2.ListRoomsReply, one: bool, zone: tzinfo) -> RenderableType:
    """All rooms as a table below a line that sums them up; or one room in full."""
    from attuned.cli import screens, tables

    if not one or not reply.rooms:
        table = tables.rooms_table(reply, zone)
        return tables.stacked([tables.rooms_summary(reply), table]) if reply.rooms else table
    room, now = reply.rooms[0], reply.now_utc_ms
    history = daemon.history(room.room, now - screens.DAY_MS, now).points
    # Asked for no node by name, the daemon would list all of them.
    nodes = daemon.nodes(room.nodes).nodes if room.nodes else []
    return screens.RoomScreen(room, history, nodes, now, zone)


def _as_json(daemon: Daemon, reply: admin_pb2.ListRoomsReply, one: bool, zone: tzinfo) -> dict[str, object]:
    from attuned.cli import json_form, screens

    if not one or not reply.rooms:
        return json_form.rooms(reply, zone)
    now = reply.now_utc_ms
    history = daemon.history(reply.rooms[0].room, now - screens.DAY_MS, now).points
    return json_form.room_with_history(reply, history, zone)
