"""`attune forget`: take data out of everything that holds it or learned from it, for good."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from attuned.cli import output
from attuned.cli.client import Daemon, connect, zone_of
from attuned.cli.errors import CliError, WrongUsageError
from attuned.cli.label import author
from attuned.cli.options import Json, Socket, socket_path

if TYPE_CHECKING:
    from attune_proto.v1 import admin_pb2

_Room = Annotated[str, typer.Option("--room", metavar="R", help="Of this room.")]
_Node = Annotated[str, typer.Option("--node", metavar="N", help="What this node measured.")]
_Source = Annotated[
    str, typer.Option("--source", metavar="S", help="Labels of this source: person, button, import, booking.")
]
_From = Annotated[
    str,
    typer.Option("--from", metavar="TIME", help="Of the time since then: -2d, yesterday, 14:00, '2026-11-21 14:00'."),
]
_To = Annotated[str, typer.Option("--to", metavar="TIME", help="Of the time until then. [default: now]")]
_Yes = Annotated[bool, typer.Option("--yes", help="Do not ask again.")]
_Prove = Annotated[
    bool, typer.Option("--prove", help="Show that nothing was learned from it; alone: from all that was forgotten.")
]
_Log = Annotated[bool, typer.Option("--log", help="What was forgotten so far.")]


def forget(
    ctx: typer.Context,
    *,
    room: _Room = "",
    node: _Node = "",
    source: _Source = "",
    since: _From = "",
    until: _To = "",
    yes: _Yes = False,
    prove: _Prove = False,
    log: _Log = False,
    as_json: Json = False,
    socket: Socket = None,
) -> None:
    """Forget what you select, for good: it also goes out of everything that was learned from it."""
    selected = any((room, node, source, since, until))
    if (log and (selected or prove)) or not (log or prove or selected):
        raise WrongUsageError(
            "Say what is to be forgotten with --room, --node, --source, --from and --to, or --log alone."
        )
    with connect(socket_path(ctx, socket)) as daemon:
        site = daemon.status()
        zone = zone_of(site)
        if log:
            _show_log(daemon.forgotten(), zone, as_json=as_json)
            return
        entry = None
        if selected:
            request = _request((room, node, source), (since, until), site.now_utc_ms, zone)
            entry = _forgotten(daemon, request, zone, yes=yes, as_json=as_json)
        proof = daemon.prove_forgotten([entry.id] if entry else []) if prove else None
    _show(entry, proof, zone, as_json=as_json)
    if proof is not None and not all(check.same for check in proof.checks):
        raise typer.Exit(1)


def _request(
    what: tuple[str, str, str], times: tuple[str, str], now_utc_ms: int, zone: ZoneInfo
) -> admin_pb2.ForgetRequest:
    from attune_proto.v1 import admin_pb2

    from attuned.cli.times import parse_moment

    room, node, source = what
    since, until = (parse_moment(words, now_utc_ms, zone) if words else 0 for words in times)
    return admin_pb2.ForgetRequest(
        room=room, node=node, source=source, from_utc_ms=since, to_utc_ms=until, author=author()
    )


def _forgotten(
    daemon: Daemon, request: admin_pb2.ForgetRequest, zone: ZoneInfo, *, yes: bool, as_json: bool
) -> admin_pb2.ForgetEntry:
    """Shows what would go, asks, and forgets exactly that."""
    from attuned.cli import forget_screens

    request.dry_run = True
    preview = daemon.forget(request).entry
    if not yes:
        if as_json:
            output.show_json({"would_go": forget_screens.entry_json(preview, zone)})
        else:
            output.show(forget_screens.preview(preview, zone))
        if as_json or not sys.stdin.isatty():
            raise CliError("Nothing was forgotten; the same with --yes forgets it.")
        typer.confirm("Forget this for good?", abort=True)
    request.dry_run = False
    request.to_utc_ms = preview.to_utc_ms
    return daemon.forget(request).entry


def _show_log(reply: admin_pb2.ListForgottenReply, zone: ZoneInfo, *, as_json: bool) -> None:
    from attuned.cli import forget_screens

    if as_json:
        output.show_json({"entries": [forget_screens.entry_json(entry, zone) for entry in reply.entries]})
    else:
        output.show(forget_screens.log(reply, zone))


def _show(
    entry: admin_pb2.ForgetEntry | None, proof: admin_pb2.ProveForgottenReply | None, zone: ZoneInfo, *, as_json: bool
) -> None:
    from attuned.cli import forget_screens

    if as_json:
        forgotten = forget_screens.entry_json(entry, zone) if entry else None
        checks = forget_screens.proof_json(proof) if proof else None
        output.show_json({"forgotten": forgotten, "proof": checks})
        return
    if entry:
        output.show(forget_screens.done(entry, zone))
    if proof:
        output.show(forget_screens.proof(proof))
