"""`attune label check`: labels that are likely mistakes, the likeliest first."""

from __future__ import annotations

from typing import Annotated

import typer

from attuned.cli import output
from attuned.cli.client import connect, zone_of
from attuned.cli.options import Json, Socket, socket_path

_Room = Annotated[str | None, typer.Option("--room", metavar="ROOM", help="Only this room's labels.")]
_Limit = Annotated[int, typer.Option("--limit", metavar="N", min=1, max=1000, help="At most so many.")]


def check_labels(
    ctx: typer.Context, *, room: _Room = None, limit: _Limit = 20, as_json: Json = False, socket: Socket = None
) -> None:
    """Name the labels that are likely mistakes."""
    with connect(socket_path(ctx, socket)) as daemon:
        zone = zone_of(daemon.status())
        reply = daemon.check_labels(room or "", limit)
    if as_json:
        from attuned.cli import json_form

        output.show_json(json_form.doubted(reply, zone))
        return
    from attuned.cli.label_screens import doubted_screen

    output.show(doubted_screen(reply, zone))
