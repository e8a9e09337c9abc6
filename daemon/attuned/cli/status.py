"""`attune status`: the site at a glance."""

from __future__ import annotations

import typer

from attuned.cli import output
from attuned.cli.client import connect, zone_of
from attuned.cli.options import Json, Socket, socket_path


def status(ctx: typer.Context, as_json: Json = False, socket: Socket = None) -> None:
    """The site at a glance."""
    with connect(socket_path(ctx, socket)) as daemon:
        reply = daemon.status()
    zone = zone_of(reply)
    if as_json:
        from attuned.cli import json_form

        output.show_json(json_form.status(reply, zone))
        return
    from attuned.cli.screens import status_screen

    output.show(status_screen(reply, zone))
