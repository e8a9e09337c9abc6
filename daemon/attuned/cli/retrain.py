"""`attune retrain`: build new releases of rooms from their labels, and say whether they are any better."""

from __future__ import annotations

from typing import Annotated

import typer

from attuned.cli import output
from attuned.cli.client import connect
from attuned.cli.errors import WrongUsageError
from attuned.cli.options import Json, Socket, socket_path

_Room = Annotated[str | None, typer.Argument(metavar="ROOM", help="The room to retrain.", show_default=False)]
_All = Annotated[bool, typer.Option("--all", help="Every room.")]
_DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would come of it.")]


def retrain(
    ctx: typer.Context,
    room: _Room = None,
    *,
    every: _All = False,
    dry_run: _DryRun = False,
    as_json: Json = False,
    socket: Socket = None,
) -> None:
    """Build new releases from the labels and judge them; Ctrl-C keeps what is done."""
    if bool(room) == every:
        raise WrongUsageError("Name one room, or write --all for every room.")
    with connect(socket_path(ctx, socket)) as daemon:
        for reply in daemon.retrain([room] if room else [], dry_run):
            if as_json:
                from attuned.cli import release_json

                output.show_json_line(release_json.retrained(reply))
                continue
            from attuned.cli.release_screens import retrained_lines

            output.show(retrained_lines(reply))
