"""Options that the commands share."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from attuned.cli.client import DEFAULT_SOCKET

# What the contracts hold, in digits: no list is so long.
_DIGITS, _MOST = 10, 2**32 - 1

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Socket = Annotated[
    str | None,
    typer.Option("--socket", metavar="PATH", help=f"The daemon's socket. [default: ATTUNE_SOCKET or {DEFAULT_SOCKET}]"),
]


def socket_path(ctx: typer.Context, path: str | None) -> str:
    """The socket named with the command, else before it, else in the environment, else the usual one."""
    named = path or ctx.find_root().params.get("socket")
    return str(named or os.environ.get("ATTUNE_SOCKET") or DEFAULT_SOCKET)


def row_number(text: str) -> int:
    """A number by which a list names its rows, 1 to 2^32 - 1. BadParameter for anything else."""
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS and 1 <= int(text) <= _MOST):
        raise typer.BadParameter(f"`{text}` is none of the numbers that the list shows")
    return int(text)


def help_alone(ctx: typer.Context) -> None:
    """A group named without one of its commands prints its help; that is no error."""
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())
        raise typer.Exit
