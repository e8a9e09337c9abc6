"""`attune retention`: drop what is old now, at an hour that suits."""

from __future__ import annotations

import typer

from attuned.cli import output
from attuned.cli.client import connect, zone_of
from attuned.cli.options import Json, Socket, socket_path


def retention(ctx: typer.Context, *, as_json: Json = False, socket: Socket = None) -> None:
    """Drop what is older than the configuration allows; the daemon does so by itself if nobody asks for a day."""
    with connect(socket_path(ctx, socket)) as daemon:
        zone = zone_of(daemon.status())
        reply = daemon.run_retention()
    if not reply.windows_from_utc_ms:
        if as_json:
            output.show_json({"windows_from": None, "history_from": None})
        else:
            output.show("Nothing was dropped: the daemon believes its clock once it has run for three days.")
        return
    from attuned.cli import clock

    windows, history = (clock.iso(utc_ms, zone) for utc_ms in (reply.windows_from_utc_ms, reply.history_from_utc_ms))
    if as_json:
        output.show_json({"windows_from": windows, "history_from": history})
        return
    output.show(
        f"What nodes measured before {clock.full(reply.windows_from_utc_ms, zone)} is gone, but for what labels are "
        f"learned from, and what rooms were before {clock.full(reply.history_from_utc_ms, zone)}."
    )
