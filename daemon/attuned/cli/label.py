"""`attune label`: tell the site what was so in a room, and see what it was told."""

from __future__ import annotations

from typing import Annotated

import typer

from attuned.cli import output
from attuned.cli.client import connect, zone_of
from attuned.cli.errors import WrongUsageError
from attuned.cli.options import Json, Socket, help_alone, row_number, socket_path
from attuned.cli.plain import Commands

app = Commands()

_CLASSES = ("free", "occupied")

_Room = Annotated[str, typer.Argument(metavar="ROOM", help="The room, as `attune rooms` writes it.")]
_Said = Annotated[str, typer.Argument(metavar="free|occupied", help="How it was.")]
_When = Annotated[
    list[str],
    typer.Argument(
        metavar="FROM [TO]",
        help="14:00 14:20, or -20m now, or yesterday 9-11, or 2026-11-21 14:00 14:20; `now` alone is the last "
        "ten minutes, -20m alone is until now.",
    ),
]
_OneRoom = Annotated[str | None, typer.Argument(metavar="ROOM", help="Only this room's.", show_default=False)]
_RoomOption = Annotated[str | None, typer.Option("--room", metavar="ROOM", help="The same as ROOM.")]
_Since = Annotated[
    str | None,
    typer.Option("--since", metavar="TIME", help="Of the time since then: -2d, yesterday, 14:00, '2026-11-21 14:00'."),
]
_Force = Annotated[bool, typer.Option("--force", help="A label of more than a day is meant.")]
_Number = Annotated[
    int | None,
    typer.Argument(
        metavar="NUMBER", parser=row_number, help="Its number; else the newest that you gave.", show_default=False
    ),
]
_Limit = Annotated[int, typer.Option("--limit", metavar="N", min=1, max=100_000, help="At most so many, the newest.")]


@app.callback()
def label(ctx: typer.Context) -> None:
    """Teach the rooms, and see what they were taught."""
    help_alone(ctx)


# Without this, a beginning such as -20m would be taken for an option.
@app.command("add", context_settings={"ignore_unknown_options": True})
def add(
    ctx: typer.Context,
    room: _Room,
    said: _Said,
    when: _When,
    *,
    force: _Force = False,
    as_json: Json = False,
    socket: Socket = None,
) -> None:
    """Say how a room was for a while; its nodes learn it at once."""
    from attune_proto.v1 import admin_pb2

    from attuned.cli.times import parse_interval

    if said not in _CLASSES:
        raise WrongUsageError(f"`{said}` cannot be said of a room; write {' or '.join(_CLASSES)}.")
    with connect(socket_path(ctx, socket)) as daemon:
        site = daemon.status()
        zone = zone_of(site)
        time = parse_interval(when, site.now_utc_ms, zone)
        request = admin_pb2.AddLabelRequest(
            room=room,
            class_name=said,
            from_utc_ms=time.from_utc_ms,
            to_utc_ms=time.to_utc_ms,
            source="person",
            author=author(),
            force=force,
        )
        reply = daemon.add_label(request)
    if as_json:
        from attuned.cli import json_form

        output.show_json(json_form.added(reply, zone))
        return
    from attuned.cli.screens import label_screen

    output.show(label_screen(reply, site.now_utc_ms, zone))


@app.command("undo")
def undo(ctx: typer.Context, number: _Number = None, as_json: Json = False, socket: Socket = None) -> None:
    """Take a label back; the nodes forget what it taught them."""
    from attune_proto.v1 import admin_pb2

    with connect(socket_path(ctx, socket)) as daemon:
        site = daemon.status()
        zone = zone_of(site)
        reply = daemon.withdraw_label(admin_pb2.WithdrawLabelRequest(number=number or 0, author=author()))
    if as_json:
        from attuned.cli import json_form

        output.show_json(json_form.withdrawn(reply, zone))
        return
    from attuned.cli.screens import withdrawn_screen

    output.show(withdrawn_screen(reply, site.now_utc_ms, zone))


@app.command("list")
def list_labels(
    ctx: typer.Context,
    room: _OneRoom = None,
    *,
    only: _RoomOption = None,
    since: _Since = None,
    limit: _Limit = 100,
    as_json: Json = False,
    socket: Socket = None,
) -> None:
    """What the rooms were taught, the newest first."""
    from attuned.cli.times import parse_moment

    if room and only and room != only:
        raise WrongUsageError(f"{room} and --room {only} are two rooms; name one.")
    with connect(socket_path(ctx, socket)) as daemon:
        site = daemon.status()
        zone = zone_of(site)
        since_utc_ms = parse_moment(since, site.now_utc_ms, zone) if since else 0
        reply = daemon.labels(room or only or "", limit, since_utc_ms)
    if as_json:
        from attuned.cli import json_form

        output.show_json(json_form.labels(reply, zone))
        return
    from attuned.cli.tables import labels_table

    output.show(labels_table(reply, zone))


def author() -> str:
    """The login name; a user without one signs with a number."""
    import getpass
    import os

    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return f"uid {os.getuid()}"
