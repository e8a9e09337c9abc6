"""`attune drift`: what has changed in rooms and sensors, and what was done about it."""

from __future__ import annotations

from typing import Annotated

import typer

from attuned.cli import output
from attuned.cli.client import connect, zone_of
from attuned.cli.label import author
from attuned.cli.options import Json, Socket, row_number, socket_path
from attuned.cli.plain import Commands

app = Commands()

# Resolved events of the last month are worth seeing; what is open always is.
_SHOWN = "-31d"

_Number = Annotated[
    int, typer.Argument(metavar="ID", parser=row_number, help="The event's number, as `attune drift` writes it.")
]
_Node = Annotated[str, typer.Option("--node", metavar="N", help="Only this node's events.", show_default=False)]
_Since = Annotated[
    str, typer.Option("--since", metavar="T", help="Also resolved ones raised since then: -7d, yesterday, 2026-11-01.")
]
_Note = Annotated[str, typer.Option("--note", metavar="TEXT", help="What you know of it.", show_default=False)]
_OneNode = Annotated[str, typer.Argument(metavar="NODE", help="16 hex digits.")]
_Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why.", show_default=False)]
_Off = Annotated[bool, typer.Option("--off", help="Let it raise events again.")]


@app.callback()
def drift(
    ctx: typer.Context, node: _Node = "", since: _Since = _SHOWN, as_json: Json = False, socket: Socket = None
) -> None:
    """What has changed: sensors, nodes, the season, the use of rooms."""
    if ctx.invoked_subcommand is not None:
        return
    from attuned.cli.times import parse_moment

    with connect(socket_path(ctx, socket)) as daemon:
        site = daemon.status()
        zone = zone_of(site)
        reply = daemon.drift(node=node, since_utc_ms=parse_moment(since, site.now_utc_ms, zone))
    from attuned.cli import drift_screens

    if as_json:
        output.show_json(drift_screens.as_json(reply, zone))
    else:
        output.show(drift_screens.table(reply, zone))


@app.command("show")
def show(ctx: typer.Context, number: _Number, *, as_json: Json = False, socket: Socket = None) -> None:
    """One event in plain words: what changed, since when, probably why, what to do."""
    with connect(socket_path(ctx, socket)) as daemon:
        zone = zone_of(daemon.status())
        reply = daemon.drift(number=number)
    from attuned.cli import drift_screens

    if as_json:
        output.show_json(drift_screens.as_json(reply, zone)["events"][0])
    else:
        output.show(drift_screens.screen(reply, zone))


@app.command("ack")
def ack(ctx: typer.Context, number: _Number, *, note: _Note = "", as_json: Json = False, socket: Socket = None) -> None:
    """Say that a change is known and stays: the days since then are what is normal."""
    with connect(socket_path(ctx, socket)) as daemon:
        zone = zone_of(daemon.status())
        event = daemon.ack_drift(number, author(), note)
    from attuned.cli import drift_screens

    if as_json:
        output.show_json(drift_screens.event_json(event, zone))
    else:
        output.show(f"Drift event {event.number} is {event.done}.")


@app.command("mute")
def mute(
    ctx: typer.Context,
    node: _OneNode,
    *,
    reason: _Reason = "",
    off: _Off = False,
    as_json: Json = False,
    socket: Socket = None,
) -> None:
    """Let a node raise no events for a reason, or with --off let it again."""
    from attuned.cli.errors import WrongUsageError

    if bool(reason) == off:
        raise WrongUsageError("Say why with --reason TEXT, or end it with --off.")
    with connect(socket_path(ctx, socket)) as daemon:
        daemon.mute_drift(node, reason, author())
    if as_json:
        output.show_json({"node": node, "muted": not off, "reason": reason or None})
    else:
        output.show(f"Node {node} raises {'events again' if off else 'no more events'}.")
