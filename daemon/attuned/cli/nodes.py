"""`attune nodes`: the sensor nodes, what they delivered and what was refused."""

from __future__ import annotations

from typing import Annotated

import typer

from attuned.cli import output
from attuned.cli.client import connect, zone_of
from attuned.cli.options import Json, Socket, socket_path

_Node = Annotated[str | None, typer.Argument(metavar="NODE", help="One node, 16 hex digits.", show_default=False)]


def nodes(ctx: typer.Context, node: _Node = None, as_json: Json = False, socket: Socket = None) -> None:
    """The nodes: what they delivered and what was refused."""
    with connect(socket_path(ctx, socket)) as daemon:
        zone = zone_of(daemon.status())
        reply = daemon.nodes([node] if node else [])
    if as_json:
        from attuned.cli import json_form

        output.show_json(json_form.nodes(reply, zone))
        return
    from attuned.cli import screens, tables

    if node and reply.nodes:
        output.show(screens.node_screen(reply.nodes[0], reply.now_utc_ms, zone))
    else:
        output.show(tables.nodes_table(reply, zone))
