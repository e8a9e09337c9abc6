"""Commands that explain themselves as manual pages do: `[ROOM]` may be left out, and sentences stand there whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from collections.abc import Callable


class _Command(TyperCommand):
    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return _usage(self, ctx)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        _format_options(self, ctx, formatter)


class _Group(TyperGroup):
    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return [*_usage(self, ctx), self.subcommand_metavar]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        _format_options(self, ctx, formatter)
        with formatter.section("Commands"):
            formatter.write_dl([(name, _summary(command)) for name, command in self.commands.items()])


class Commands(typer.Typer):
    """Commands, each with plain help; named without one of them, a group prints its own."""

    def __init__(self, **more: Any) -> None:
        # Plain help needs no rich and comes up at once.
        super().__init__(
            cls=_Group, rich_markup_mode=None, add_completion=False, invoke_without_command=True, **more
        )  # fmt: skip

    def command(self, name: str | None = None, **more: Any) -> Callable[[Any], Any]:
        return super().command(name, cls=_Command, **more)


def usage_of(argument: Any) -> str:
    """How an argument stands in a line of usage."""
    name = argument.metavar or argument.name.upper()
    return name if argument.required else f"[{name}]"


def _usage(command: Any, ctx: Any) -> list[str]:
    arguments = [each for each in command.get_params(ctx) if each.param_type_name == "argument"]
    return [command.options_metavar, *map(usage_of, arguments)]


def _format_options(command: Any, ctx: Any, formatter: Any) -> None:
    options, arguments = [], []
    for each in command.get_params(ctx):
        if each.param_type_name == "argument":
            arguments.append((usage_of(each), each.help or ""))
        elif record := each.get_help_record(ctx):
            options.append(record)
    for title, rows in (("Arguments", arguments), ("Options", options)):
        if rows:
            with formatter.section(title):
                formatter.write_dl(rows)


def _summary(command: Any) -> str:
    """The first paragraph of what is said of a command."""
    return " ".join((command.help or "").strip().split("\n\n")[0].split())
