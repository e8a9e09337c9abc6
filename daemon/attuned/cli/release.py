"""`attune release`: what was built for the nodes, how it was judged, and what it consists of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from attuned.cli import output
from attuned.cli.client import connect, zone_of
from attuned.cli.label import author
from attuned.cli.options import Json, Socket, help_alone, socket_path
from attuned.cli.plain import Commands

if TYPE_CHECKING:
    from datetime import tzinfo

    from attune_proto.v1 import admin_pb2

app = Commands()

_Id = Annotated[str, typer.Argument(metavar="ID", help="The first digits of a release's id, at least 4.")]
_Other = Annotated[str, typer.Argument(metavar="OTHER", help="The release that is judged against it.")]
_Room = Annotated[str | None, typer.Option("--room", metavar="ROOM", help="Only this room's.", show_default=False)]
_Limit = Annotated[int, typer.Option("--limit", metavar="N", min=1, max=100_000, help="At most so many, the newest.")]


@app.callback()
def release(ctx: typer.Context) -> None:
    """New versions of what nodes run, and why they may or may not go out."""
    help_alone(ctx)


@app.command("list")
def list_releases(
    ctx: typer.Context, room: _Room = None, limit: _Limit = 100, as_json: Json = False, socket: Socket = None
) -> None:
    """The releases, the newest first."""
    with connect(socket_path(ctx, socket)) as daemon:
        zone = zone_of(daemon.status())
        reply = daemon.releases(room or "", limit)
    if as_json:
        from attuned.cli import release_json

        output.show_json(release_json.releases(reply, zone))
        return
    from attuned.cli.release_screens import releases_table

    output.show(releases_table(reply, zone))


@app.command("show")
def show(ctx: typer.Context, number: _Id, as_json: Json = False, socket: Socket = None) -> None:
    """One release: what it is made of, how it was judged, and whether it should go out."""
    with connect(socket_path(ctx, socket)) as daemon:
        zone = zone_of(daemon.status())
        page = daemon.release(number)
    _show(page, zone, as_json=as_json)


@app.command("approve")
def approve(ctx: typer.Context, number: _Id, as_json: Json = False, socket: Socket = None) -> None:
    """Give your word for a release of which labels cannot tell whether it is better."""
    with connect(socket_path(ctx, socket)) as daemon:
        zone = zone_of(daemon.status())
        page = daemon.approve(number, author())
    if as_json:
        _show(page, zone, as_json=True)
    else:
        one = page.release
        output.show(f"Release {one.id[:8]} of room {one.room} is ready to be signed, on the word of {one.approved_by}.")


@app.command("compare")
def compare(ctx: typer.Context, number: _Id, other: _Other, as_json: Json = False, socket: Socket = None) -> None:
    """Judge OTHER against ID, two releases of one room, on its labels of today."""
    with connect(socket_path(ctx, socket)) as daemon:
        zone = zone_of(daemon.status())
        page = daemon.compare(number, other)
    _show(page, zone, as_json=as_json)


def _show(page: admin_pb2.ReleasePage, zone: tzinfo, *, as_json: bool) -> None:
    if as_json:
        from attuned.cli import release_json

        output.show_json(release_json.page(page, zone))
        return
    from attuned.cli.release_screens import release_screen

    output.show(release_screen(page, zone))


@app.command("rebuild")
def rebuild(ctx: typer.Context, number: _Id, as_json: Json = False, socket: Socket = None) -> None:
    """Build a release again and see whether the same bytes come out."""
    with connect(socket_path(ctx, socket)) as daemon:
        zone = zone_of(daemon.status())
        reply = daemon.rebuild(number)
    if as_json:
        from attuned.cli import release_json

        output.show_json(release_json.rebuilt(reply, zone))
    else:
        from attuned.cli.release_screens import rebuilt_lines

        output.show(rebuilt_lines(reply, zone))
    if not reply.same:
        raise typer.Exit(1)
