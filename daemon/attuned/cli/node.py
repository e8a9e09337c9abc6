"""`attune node`: bring nodes, move them, find them, let them go."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from attuned.cli import output
from attuned.cli.client import Daemon, connect
from attuned.cli.errors import CliError
from attuned.cli.options import Json, Socket, help_alone, socket_path
from attuned.cli.plain import Commands

if TYPE_CHECKING:
    from attune_proto.v1 import nodes_pb2

app = Commands()

# Between two looks whether the node has come, in seconds.
LOOK_S = 0.3

# What is said of a command for a node that has no turn on a radio now.
_LATER = " once a gateway's radio has connected to it, if that is within ten minutes"

_Code = Annotated[
    list[str], typer.Argument(metavar="CODE", help="What the node shows, typed or scanned from its QR code.")
]
_Node = Annotated[str, typer.Argument(metavar="NODE", help="16 hex digits.")]
_Room = Annotated[str, typer.Option("--room", metavar="R", help="The room it stands in.", show_default=False)]
_Name = Annotated[str, typer.Option("--name", metavar="N", help="A name for people.", show_default=False)]
_TakeOver = Annotated[bool, typer.Option("--take-over", help="Even if another daemon owns it.")]
_NoWait = Annotated[bool, typer.Option("--no-wait", help="Do not wait until it has come.")]
_Look = Annotated[bool, typer.Option("--status", help="Only tell how far it is.")]
_Seconds = Annotated[int, typer.Option("--seconds", metavar="S", min=1, max=3600, help="How long.")]


@app.callback()
def node(ctx: typer.Context) -> None:
    """Bring nodes, move them, find them, let them go."""
    help_alone(ctx)


@app.command("add")
def add(
    ctx: typer.Context,
    code: _Code,
    *,
    room: _Room = "",
    name: _Name = "",
    take_over: _TakeOver = False,
    no_wait: _NoWait = False,
    as_json: Json = False,
    socket: Socket = None,
) -> None:
    """Commission a node by the code that it shows, and wait until it has come."""
    from attune_proto.v1 import nodes_pb2

    request = nodes_pb2.AddNodeRequest(code=" ".join(code), room=room, name=name, take_over=take_over)
    with connect(socket_path(ctx, socket)) as daemon:
        reply = daemon.add_node(request)
        hint, left = reply.hint, reply.moves_from
        come = _await_first(daemon, hint) if not no_wait else _state(daemon, hint)
    if as_json:
        output.show_json({"hint": hint, "node": come.node or None, "moved_from": left or None})
    elif come.node:
        moved = f" It stood in {left}, and stands in {room} now." if left else ""
        output.show(f"Node {come.node} is commissioned.{moved}")
    else:
        moves = f" Once it has come, it moves from {left} to {room}." if left else ""
        output.show(f"The daemon waits for node {hint}…; `attune node waiting` shows how it stands.{moves}")


def _await_first(daemon: Daemon, hint: str) -> nodes_pb2.Coming:
    """Waits for the node and tells what keeps it. CliError for what only a person can mend."""
    from rich.console import Console

    with Console(stderr=True, highlight=False).status(f"Waiting for node {hint}… (Ctrl-C leaves the daemon waiting)"):
        while True:
            come = _state(daemon, hint)
            if come.node:
                return come
            if come.what.startswith("It "):
                daemon.change_node(_change(hint, remove=True))
                raise CliError(f"Node {hint}… cannot be added. {come.what}")
            time.sleep(LOOK_S)


def _state(daemon: Daemon, hint: str) -> nodes_pb2.Coming:
    found = daemon.coming(hint)
    if not found:
        raise CliError(f"Somebody has stopped waiting for node {hint}…: add it again.")
    return found[0]


@app.command("code")
def show_code(code: _Code, *, as_json: Json = False) -> None:
    """Check a node's code, and show it as a QR code for a label or a scanner."""
    from attuned.errors import RequestError
    from attuned.nodes.codes import grouped, letters_of

    try:
        letters = letters_of(" ".join(code))
    except RequestError as error:
        raise CliError(str(error)) from None
    if as_json:
        output.show_json({"code": grouped(letters), "scanned": letters})
        return
    from attuned.cli.qr import WHICH, drawn, drawn_plainly

    screen = output.console()
    if screen.no_color or screen.color_system is None:
        output.show(drawn_plainly(letters, screen.width))
        output.show(WHICH)
    else:
        output.show(drawn(letters))
    output.show(grouped(letters))


@app.command("waiting")
def waiting_nodes(ctx: typer.Context, *, as_json: Json = False, socket: Socket = None) -> None:
    """Nodes that are waited for, and nodes that were heard of and that nobody has added."""
    with connect(socket_path(ctx, socket)) as daemon:
        reply = daemon.waiting()
    coming, unknown = reply.coming, reply.unknown_heard
    if as_json:
        nodes = [{"hint": each.hint, "waits": each.waits, "what": each.what} for each in coming]
        output.show_json({"nodes": nodes, "unknown_heard": unknown})
        return
    lines = [f"{each.hint}…  {each.what}" for each in coming]
    if unknown:
        more = "more " if lines else ""
        lines.append(f"Radios hear {unknown} {more}over Bluetooth that cannot be named without a code.")
    output.show("\n".join(lines) or "No node is waited for, and none has been heard of that is not commissioned.")


@app.command("remove")
def remove(ctx: typer.Context, node: _Node, *, as_json: Json = False, socket: Socket = None) -> None:
    """Trust a node no more; or, by the first 8 digits of its id, wait for it no more."""
    with connect(socket_path(ctx, socket)) as daemon:
        told = daemon.change_node(_change(node, remove=True)).told
    if len(node) < 16:
        said = f"Node {node}… is waited for no more."
    elif told:
        said = f"Node {node} is removed, and knows it."
    else:
        said = f"Node {node} is removed. It could not be told: whoever adds it again needs --take-over."
    _say(said, {"node": node, "told": told}, as_json=as_json)


@app.command("move")
def move(ctx: typer.Context, node: _Node, *, room: _Room = "", as_json: Json = False, socket: Socket = None) -> None:
    """Put a node into another room."""
    with connect(socket_path(ctx, socket)) as daemon:
        daemon.change_node(_change(node, room=room))
    _say(f"Node {node} stands in {room}.", {"node": node, "room": room}, as_json=as_json)


@app.command("rename")
def rename(ctx: typer.Context, node: _Node, *, name: _Name = "", as_json: Json = False, socket: Socket = None) -> None:
    """Give a node another name, or with an empty one none."""
    with connect(socket_path(ctx, socket)) as daemon:
        daemon.change_node(_change(node, name=name))
    said = f"Node {node} is called {name}." if name else f"Node {node} has no name."
    _say(said, {"node": node, "name": name or None}, as_json=as_json)


@app.command("rekey")
def rekey(ctx: typer.Context, node: _Node, *, as_json: Json = False, socket: Socket = None) -> None:
    """Have a node and the daemon agree on new keys now."""
    with connect(socket_path(ctx, socket)) as daemon:
        told = daemon.change_node(_change(node, rekey=True)).told
    said = f"Node {node} makes new keys{'' if told else _LATER}."
    _say(said, {"node": node, "told": told}, as_json=as_json)


@app.command("identify")
def identify(
    ctx: typer.Context, node: _Node, *, seconds: _Seconds = 20, as_json: Json = False, socket: Socket = None
) -> None:
    """Have a node blink, so that somebody finds it."""
    with connect(socket_path(ctx, socket)) as daemon:
        told = daemon.change_node(_change(node, identify_s=seconds)).told
    said = f"Node {node} blinks for {seconds} s{'' if told else _LATER}."
    _say(said, {"node": node, "seconds": seconds, "told": told}, as_json=as_json)


@app.command("replace")
def replace(
    ctx: typer.Context,
    node: _Node,
    new: Annotated[str, typer.Argument(metavar="NEW", help="The node that takes its place, commissioned before.")],
    *,
    as_json: Json = False,
    socket: Socket = None,
) -> None:
    """Let another node take the place of a broken one: its room, its name, and what it was taught."""
    with connect(socket_path(ctx, socket)) as daemon:
        daemon.change_node(_change(node, replace_with=new))
    _say(f"Node {new} takes the place of {node}.", {"node": new, "replaced": node}, as_json=as_json)


@app.command("rotate-key")
def rotate_key(ctx: typer.Context, *, look: _Look = False, as_json: Json = False, socket: Socket = None) -> None:
    """Give the daemon a new key pair; both count until every node uses the new one."""
    with connect(socket_path(ctx, socket)) as daemon:
        left = list(daemon.rotate_key(begin=not look))
    if as_json:
        output.show_json({"waiting_for": left})
    elif left:
        output.show(f"The daemon has a new key; {len(left)} nodes have not used it yet: {', '.join(sorted(left))}.")
    else:
        output.show("Every node uses the daemon's key.")


def _change(node: str, **change: str | bool | int) -> nodes_pb2.ChangeNodeRequest:
    from attune_proto.v1 import nodes_pb2

    return nodes_pb2.ChangeNodeRequest(node=node.lower(), **change)  # type: ignore[arg-type]


def _say(sentence: str, values: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        output.show_json(values)
    else:
        output.show(sentence)
