"""`attune rollout`: bring releases to nodes, a few first, and back again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from attuned.cli import output
from attuned.cli.client import Daemon, connect, zone_of
from attuned.cli.errors import CliError, WrongUsageError
from attuned.cli.label import author
from attuned.cli.options import Json, Socket, help_alone, row_number, socket_path
from attuned.cli.plain import Commands

if TYPE_CHECKING:
    from datetime import tzinfo

    from attune_proto.v1 import rollouts_pb2

app = Commands()

_Number = Annotated[int, typer.Argument(metavar="ID", parser=row_number, help="The rollout's number.")]
_OneNumber = Annotated[
    int | None, typer.Argument(metavar="ID", parser=row_number, help="Its number; else the list.", show_default=False)
]
_Releases = Annotated[
    list[str] | None,
    typer.Option("--release", metavar="ID", help="This release; may be given several times.", show_default=False),
]
_Rooms = Annotated[
    list[str] | None,
    typer.Option("--room", metavar="ROOM", help="The ready releases of this room; likewise.", show_default=False),
]
_All = Annotated[bool, typer.Option("--all", help="Every release that is ready.")]
_Canary = Annotated[str, typer.Option("--canary", metavar="N|P%", help="So many nodes, or such a share, try it first.")]
_Success = Annotated[str, typer.Option("--success", metavar="P%", help="Go on when so much of a stage runs it.")]
_Errors = Annotated[str, typer.Option("--errors", metavar="P%", help="Go back when so much of a stage went wrong.")]
_Wait = Annotated[
    float, typer.Option("--wait", metavar="HOURS", help="How long a stage waits for who is out of reach.")
]
_Deadline = Annotated[float, typer.Option("--deadline", metavar="DAYS", help="After so long nobody is waited for.")]
_Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for the record.", show_default=False)]
_Watch = Annotated[bool, typer.Option("--watch", help="Stay and show every change until its end.")]
_Limit = Annotated[int, typer.Option("--limit", metavar="N", min=1, max=1000, help="At most so many, the newest.")]

# States in which nothing more happens.
_ENDED = {"done", "stopped", "aborted"}


@app.callback()
def rollout(ctx: typer.Context) -> None:
    """Bring releases to nodes: a few first, then ever more, and back if they do not do well."""
    help_alone(ctx)


@app.command("start")
def start(
    ctx: typer.Context,
    *,
    release: _Releases = None,
    room: _Rooms = None,
    everything: _All = False,
    canary: _Canary = "1",
    success: _Success = "80%",
    errors: _Errors = "20%",
    wait: _Wait = 4.0,
    deadline: _Deadline = 14.0,
    as_json: Json = False,
    socket: Socket = None,
) -> None:
    """Begin to bring releases to their nodes; it goes on by itself."""
    from attune_proto.v1 import rollouts_pb2

    if sum(map(bool, (release, room, everything))) != 1:
        raise WrongUsageError("Say which releases: --release ID, --room ROOM or --all, one of them.")
    if wait <= 0 or deadline <= 0:
        raise WrongUsageError("--wait and --deadline are more than 0.")
    number, share = _canary(canary)
    request = rollouts_pb2.StartRolloutRequest(
        releases=release or [], rooms=room or [], canary=number, canary_share=share, success_share=_share(success),
        error_share=_share(errors), wait_hours=wait, deadline_hours=24 * deadline, author=author(),
    )  # fmt: skip
    with connect(socket_path(ctx, socket)) as daemon:
        zone = zone_of(daemon.status())
        made = daemon.start_rollout(request)
    if as_json:
        _show(made, zone, as_json=True)
        return
    nodes = "1 node" if made.size == 1 else f"{made.size} nodes"
    output.show(f"Rollout {made.number} has begun: {nodes}; `attune rollout status {made.number} --watch` shows it.")


@app.command("status")
def status(
    ctx: typer.Context,
    number: _OneNumber = None,
    *,
    watch: _Watch = False,
    limit: _Limit = 20,
    as_json: Json = False,
    socket: Socket = None,
) -> None:
    """All rollouts, or one in full: how far it is, and what each node does."""
    with connect(socket_path(ctx, socket)) as daemon:
        zone = zone_of(daemon.status())
        if watch:
            _watch(daemon, number or 0, zone, as_json=as_json)
        elif number:
            _show(daemon.rollout(number), zone, as_json=as_json)
        else:
            _list(daemon.rollouts(limit), zone, as_json=as_json)


@app.command("pause")
def pause(
    ctx: typer.Context, number: _Number, *, reason: _Reason = "", as_json: Json = False, socket: Socket = None
) -> None:
    """Begin with no further node; those that try it are seen through."""
    _change(ctx, number, "pause", reason, as_json=as_json, socket=socket)


@app.command("resume")
def resume(ctx: typer.Context, number: _Number, *, as_json: Json = False, socket: Socket = None) -> None:
    """Go on after a pause."""
    _change(ctx, number, "resume", "", as_json=as_json, socket=socket)


@app.command("abort")
def abort(
    ctx: typer.Context, number: _Number, *, reason: _Reason = "", as_json: Json = False, socket: Socket = None
) -> None:
    """End a rollout: trials end, and nodes that have taken it keep it."""
    _change(ctx, number, "abort", reason, as_json=as_json, socket=socket)


@app.command("rollback")
def rollback(
    ctx: typer.Context, number: _Number, *, reason: _Reason = "", as_json: Json = False, socket: Socket = None
) -> None:
    """Give every node of a rollout what it ran before."""
    _change(ctx, number, "rollback", reason, as_json=as_json, socket=socket)


def _change(ctx: typer.Context, number: int, word: str, reason: str, *, as_json: bool, socket: str | None) -> None:
    from attune_proto.v1 import rollouts_pb2

    request = rollouts_pb2.ChangeRolloutRequest(number=number, word=word, author=author(), reason=reason)
    with connect(socket_path(ctx, socket)) as daemon:
        zone = zone_of(daemon.status())
        changed = daemon.change_rollout(request)
    if as_json:
        _show(changed, zone, as_json=True)
        return
    more = f"; `attune rollout status {number} --watch` shows it." if changed.state not in _ENDED else "."
    output.show(f"Rollout {number} is {changed.state}{more}")


def _watch(daemon: Daemon, number: int, zone: tzinfo, *, as_json: bool) -> None:
    """Until its end, or Ctrl-C, which ends the command and not the rollout."""
    from attuned.cli import rollout_watch

    last = rollout_watch.watch(daemon, number, zone, as_json=as_json)
    if last is not None and last.state == "stopped":
        raise CliError(f"Rollout {last.number} was stopped: {last.reason}.")


def _show(one: rollouts_pb2.Rollout, zone: tzinfo, *, as_json: bool) -> None:
    if as_json:
        from attuned.cli import rollout_json

        output.show_json(rollout_json.rollout(one, zone))
        return
    from attuned.cli.rollout_screens import rollout_screen

    output.show(rollout_screen(one, zone))


def _list(reply: rollouts_pb2.ListRolloutsReply, zone: tzinfo, *, as_json: bool) -> None:
    if as_json:
        from attuned.cli import rollout_json

        output.show_json(rollout_json.rollouts(reply, zone))
        return
    from attuned.cli.rollout_screens import rollouts_table

    output.show(rollouts_table(reply, zone))


def _canary(text: str) -> tuple[int, float]:
    """(number, 0) of `3`, (0, share) of `10%`."""
    if re.fullmatch(r"[0-9]{1,6}", text) and int(text):
        return int(text), 0.0
    return 0, _share(text)


def _share(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3})?%", text) or not 0 < float(text[:-1]) <= 100:
        raise WrongUsageError(f"`{text}` is no share: write one such as 10%.")
    return float(text[:-1]) / 100
