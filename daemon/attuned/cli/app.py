"""The command line's root: which commands there are, and how every run of it ends."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Annotated, Any

import typer
from attune_service import usage

from attuned.cli import (
    backup,
    doctor,
    drift,
    forget,
    gateway,
    label,
    label_ask,
    label_check,
    label_import,
    node,
    nodes,
    output,
    release,
    restore,
    retention,
    retrain,
    rollout,
    rooms,
    setup,
    status,
)
from attuned.cli.errors import CliError
from attuned.cli.options import Socket, help_alone
from attuned.cli.plain import Commands

app = Commands(name="attune")
app.command("status")(status.status)
app.command("rooms")(rooms.rooms)
app.command("nodes")(nodes.nodes)
app.command("setup")(setup.setup)
app.command("doctor")(doctor.doctor)
app.add_typer(node.app, name="node")
app.add_typer(gateway.app, name="gateway")
label.app.command("import")(label_import.import_labels)
label.app.command("check")(label_check.check_labels)
label.app.command("ask")(label_ask.ask_labels)
app.add_typer(label.app, name="label")
app.add_typer(drift.app, name="drift")
app.command("retrain")(retrain.retrain)
app.add_typer(release.app, name="release")
app.add_typer(rollout.app, name="rollout")
app.command("forget")(forget.forget)
app.command("backup")(backup.backup)
app.command("restore")(restore.restore)
app.command("retention")(retention.retention)

# The module is loaded only when its command is run: it may need numpy, which the others must not wait for.
_FORWARD = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}


def _version(wanted: bool) -> None:
    if not wanted:
        return
    from attuned.version import VERSION

    print(f"attune {VERSION}")
    raise typer.Exit


_Version = Annotated[bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)]


@app.callback()
def options(ctx: typer.Context, socket: Socket = None, version: _Version = False) -> None:
    """Which rooms are in use, why, and how to teach them better."""
    help_alone(ctx)


@app.command("replay", context_settings=_FORWARD)
def replay(ctx: typer.Context) -> None:
    """Run recorded data through the node's code and judge it."""
    _forward("replay", ctx.args)


@app.command("demo", context_settings=_FORWARD)
def demo(ctx: typer.Context) -> None:
    """Show a simulated building live."""
    _forward("demo", ctx.args)


def whole() -> Any:
    """The whole command, as `typer.main.get_command` makes it, with all of those that are loaded when they are run."""
    command: Any = typer.main.get_command(app)
    for name in ("replay", "demo"):
        command.commands[name] = typer.main.get_command(_forwarded(name))
    return command


def _forwarded(name: str) -> typer.Typer:
    """A command of the function of its name in the module of its name."""
    function = getattr(importlib.import_module(f"attuned.cli.{name}"), name)
    forwarded = Commands()
    forwarded.command(name)(function)
    return forwarded


def _forward(name: str, args: list[str]) -> None:
    _invoke(_forwarded(name), f"attune {name}", args)


def _invoke(what: typer.Typer, name: str, args: list[str]) -> None:
    """Run a command so that whatever ends it comes out as an exception."""
    command = typer.main.get_command(what)
    with command.make_context(name, args) as context:
        command.invoke(context)


def run() -> int:
    """Run this process's arguments and return the exit code; says every error in one sentence on standard error."""
    if hasattr(sys.stdout, "reconfigure"):
        # A terminal of another character set shows a mark less, and never an error.
        sys.stdout.reconfigure(errors="replace")
    try:
        _invoke(app, "attune", sys.argv[1:])
        sys.stdout.flush()
    except typer.Exit as done:
        return done.exit_code
    except CliError as error:
        output.complain(str(error))
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        output.complain("Stopped before it was done; run it again when you like.")
        return 1
    except typer.TyperException as error:
        output.complain(usage.of_typer(error, "attune"))
        return getattr(error, "exit_code", 2)
    except BrokenPipeError:
        # The reader has seen enough (`| head`); what is still buffered must not fail at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
