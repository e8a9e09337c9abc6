"""Completion for shells: commands and options of the command line itself, rooms and nodes as the daemon knows them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import typer
from typer.completion import completion_init, shell_complete  # type: ignore[attr-defined]

from attuned.cli import app
from attuned.cli.options import socket_path

# What a shell's function asks by; how it does stands in the function (packaging/manual.py).
VARIABLE = "_ATTUNE_COMPLETE"

# Somebody waits with a finger on the key. A daemon that is there answers within milliseconds.
WAIT_S = 0.5

# Shells give other characters meanings of their own, and each its own ones; such names are typed.
_PLAIN = re.compile(r"[\w.,:@%=-]+")


def complete(instruction: str) -> int:
    """Answers a shell on standard output: `complete_SHELL`, or `source_SHELL` for its function. The exit code."""
    completion_init()
    return shell_complete(_with_names(app.whole()), {}, "attune", VARIABLE, instruction)


def _with_names(command: Any) -> Any:
    """Has parameters completed by what the daemon knows, wherever they are called room or node."""
    for parameter in command.params:
        names = (parameter.name, *(option.lstrip("-") for option in parameter.opts))
        if known := next((_KNOWN[name] for name in names if name in _KNOWN), None):
            parameter._custom_shell_complete = _offered(known)  # noqa: SLF001 (what `autocompletion` of one would set)
        elif re.fullmatch(r"[a-z]+(\|[a-z]+)+", parameter.metavar or ""):
            parameter._custom_shell_complete = _offered(partial(_words, parameter.metavar))  # noqa: SLF001
    for inner in getattr(command, "commands", {}).values():
        _with_names(inner)
    return command


def _words(metavar: str, _: typer.Context) -> list[str]:
    return metavar.split("|")


def _offered(known: Callable[[typer.Context], list[str]]) -> Callable[..., list[str]]:
    def offer(context: typer.Context, parameter: object, incomplete: str) -> list[str]:
        return [name for name in known(context) if name.startswith(incomplete) and _PLAIN.fullmatch(name)]

    return offer


def _ask(context: typer.Context, ask: Callable[[Any], list[str]]) -> list[str]:
    """What the daemon answers; nothing without one."""
    import grpc
    from attune_proto.v1 import admin_pb2_grpc

    path = socket_path(context, context.params.get("socket"))
    if not os.path.exists(path):  # noqa: PTH110 (a path that is none at all is no file either)
        return []
    try:
        with grpc.insecure_channel(f"unix:{path}") as channel:
            return ask(admin_pb2_grpc.AdminStub(channel))
    except grpc.RpcError:
        return []


def _rooms(context: typer.Context) -> list[str]:
    from attune_proto.v1 import admin_pb2

    request = admin_pb2.ListRoomsRequest()
    return _ask(context, lambda stub: [room.room for room in stub.ListRooms(request, timeout=WAIT_S).rooms])


def _nodes(context: typer.Context) -> list[str]:
    from attune_proto.v1 import admin_pb2

    request = admin_pb2.ListNodesRequest()
    return _ask(context, lambda stub: [node.node for node in stub.ListNodes(request, timeout=WAIT_S).nodes])


_KNOWN = {"room": _rooms, "node": _nodes, "new": _nodes}
