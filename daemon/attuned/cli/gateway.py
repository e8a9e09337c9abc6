"""`attune gateway`: let gateways of other machines in, see how they are, shut them out."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from attuned.cli import output
from attuned.cli.client import connect, zone_of
from attuned.cli.errors import WrongUsageError
from attuned.cli.options import Json, Socket, help_alone, socket_path
from attuned.cli.plain import Commands

app = Commands()

_SECONDS = {"d": 86_400, "h": 3_600, "m": 60}

_Name = Annotated[str, typer.Argument(metavar="NAME", help="1 to 64 letters, digits, dots, dashes or underscores.")]
_Valid = Annotated[str, typer.Option("--valid", metavar="T", help="For how long, such as 20m, 1h or 2d.")]
_Host = Annotated[
    str, typer.Option("--host", metavar="H", help="Where the gateway finds this machine.", show_default=False)
]


@app.callback()
def gateway(ctx: typer.Context) -> None:
    """Let gateways of other machines in, see how they are, shut them out."""
    help_alone(ctx)


@app.command("invite")
def invite(
    ctx: typer.Context,
    name: _Name,
    *,
    valid: _Valid = "1h",
    host: _Host = "",
    as_json: Json = False,
    socket: Socket = None,
) -> None:
    """Make an invitation, good once, for a gateway on another machine."""
    valid_s = _seconds(valid)
    with connect(socket_path(ctx, socket)) as daemon:
        zone = zone_of(daemon.status())
        reply = daemon.invite_gateway(name, valid_s, host)
    from attuned.cli import clock

    until = reply.until_utc_ms
    if as_json:
        answer = {"name": name, "invitation": reply.invitation, "until": clock.iso(until, zone)}
        output.show_json(answer | {"enrolled_already": reply.enrolled_already})
        return
    output.show(f"On the gateway's machine, until {clock.full(until, zone)}, once:")
    # Whole on one line, however narrow the terminal is: it is copied.
    print(f"\n  sudo attune-gateway enroll {reply.invitation}\n", flush=True)
    if reply.enrolled_already:
        output.show(f"Gateway {name} is enrolled: once this is used, the certificate that it has counts no more.")


@app.command("list")
def list_gateways(ctx: typer.Context, *, as_json: Json = False, socket: Socket = None) -> None:
    """The gateways: since when, until when, and when they were heard."""
    with connect(socket_path(ctx, socket)) as daemon:
        zone = zone_of(daemon.status())
        reply = daemon.gateways()
    from attuned.cli import gateway_screens

    if as_json:
        output.show_json(gateway_screens.as_json(reply, zone))
    else:
        output.show(gateway_screens.table(reply, zone))


@app.command("revoke")
def revoke(ctx: typer.Context, name: _Name, *, as_json: Json = False, socket: Socket = None) -> None:
    """Shut a gateway out at once: no certificate and no invitation of its name counts any more."""
    with connect(socket_path(ctx, socket)) as daemon:
        connected = daemon.revoke_gateway(name).connected
    if as_json:
        output.show_json({"name": name, "connected": connected})
    else:
        output.show(f"Gateway {name} is revoked{', and its connection ended' if connected else ''}.")


@app.command("scan")
def scan(ctx: typer.Context, name: _Name, *, as_json: Json = False, socket: Socket = None) -> None:
    """What a gateway's Bluetooth radio hears: which nodes, how well, and who serves them."""
    with connect(socket_path(ctx, socket)) as daemon:
        zone = zone_of(daemon.status())
        reply = daemon.scan_gateway(name)
    from attuned.cli import gateway_screens

    if as_json:
        output.show_json(gateway_screens.scan_as_json(name, reply, zone))
    else:
        output.show(gateway_screens.scan_screen(name, reply, zone))


def _seconds(text: str) -> int:
    """WrongUsageError for what is no length of time."""
    match = re.fullmatch(r"([0-9]{1,5})([dhm])", text.strip())
    if match is None:
        raise WrongUsageError(f"{text!r} is no length of time; write one such as 20m, 1h or 2d.")
    return int(match[1]) * _SECONDS[match[2]]
