"""`attune setup`: asks what a site needs, writes its configuration, and sees it running."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attuned.cli.client import connect
from attuned.cli.errors import CliError
from attuned.cli.options import Socket, socket_path

if TYPE_CHECKING:
    from attune_proto.v1 import admin_pb2

    from attuned.cli.setup_questions import Attached
    from attuned.cli.terminal import Terminal
    from attuned.setup.files import Change
    from attuned.setup.plan import Present
    from attuned.setup.wanted import Wanted

ETC = Path("/etc/attune")

# Seconds in which a daemon that has started finds its broker and its gateway.
SETTLES_S = 20.0

_Answers = Annotated[
    Path | None, typer.Option("--answers", metavar="FILE", help="Ask nothing: take the answers from a TOML file.")
]
_DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would change, and write nothing.")]
_Etc = Annotated[Path, typer.Option("--etc", metavar="FOLDER", help="The folder of the configuration.")]


def setup(
    ctx: typer.Context,
    *,
    answers: _Answers = None,
    dry_run: _DryRun = False,
    etc: _Etc = ETC,
    socket: Socket = None,
) -> None:
    """Ask for site, rooms, broker and radios, and write the configuration."""
    from attuned.errors import AttuneError

    if not dry_run and not os.access(etc if etc.exists() else etc.parent, os.W_OK):
        raise CliError(f"The configuration in {etc} is root's to write; run `sudo attune setup`.")
    try:
        _run(answers, dry_run, etc, socket_path(ctx, socket))
    except AttuneError as error:
        raise CliError(str(error)) from error


def _run(answers: Path | None, dry_run: bool, etc: Path, socket: str) -> None:
    from attuned.backup import intent
    from attuned.cli.terminal import Terminal
    from attuned.half_restored import refuse_half
    from attuned.setup import files, plan
    from attuned.setup.answers import applied, load

    terminal = Terminal()
    before = plan.present(etc)
    if answers is not None:
        wanted = applied(load(answers), before.wanted)
    elif sys.stdin.isatty():
        wanted = _ask(terminal, before, socket)
    else:
        raise CliError("The setup asks questions at a terminal; without one give it a file: `--answers FILE`.")
    changes = plan.changes(before, wanted)
    _show(terminal, before.wanted, wanted, changes)
    if dry_run:
        terminal.show_changes(plan.diff(changes))
    if dry_run or not changes:
        return
    if answers is None and not terminal.agrees("\n  Write this?", default=True):
        terminal.say("Nothing was changed.")
        return
    with intent.alone(etc):
        refuse_half(etc)
        files.write(changes)
    terminal.say(f"Written. What was there before is beside it, in files that end in {files.COPY}.")
    if _start(terminal, changes, etc):
        _take_back(terminal, before.wanted, wanted)
        _settle(terminal, socket)


def _ask(terminal: Terminal, before: Present, socket: str) -> Wanted:
    from attuned.cli import setup_questions as questions
    from attuned.cli.setup_rooms import rooms
    from attuned.setup import machine

    found = machine.look()
    terminal.say(
        "Enter takes what stands in [brackets]. Nothing is written before the end; Ctrl-C leaves everything as it is.",
        indent=0,
    )
    wanted = questions.site(terminal, before.wanted, found, first=before.first)
    wanted = rooms(terminal, wanted, _attached(socket))
    wanted = questions.broker(terminal, wanted)
    wanted = questions.radios(terminal, wanted, found, first=before.first)
    wanted = questions.gateways(terminal, wanted)
    return questions.passphrase(terminal, wanted, there=before.backup_key.exists())


def _attached(socket: str) -> Attached:
    """What a room has, as the daemon knows."""

    def of(room: str) -> str:
        try:
            with connect(socket) as daemon:
                nodes = len(next((one.nodes for one in daemon.rooms([room]).rooms), ()))
                labels = len(daemon.labels(room, 100, 0).labels)
        except CliError:
            return "perhaps nodes and labels: the daemon, which knows, does not answer"
        parts = [f"{nodes} node{'s' * (nodes != 1)}"] if nodes else []
        parts += [f"{'at least ' * (labels == 100)}{labels} label{'s' * (labels != 1)}"] if labels else []
        return " and ".join(parts)

    return of


def _show(terminal: Terminal, before: Wanted, wanted: Wanted, changes: Sequence[Change]) -> None:
    from attuned.setup import difference

    if not changes:
        terminal.show("\nNothing differs from the configuration that is there.")
        return
    terminal.show("\nThis changes:")
    for what, how in [*difference.rows(before, wanted), *(("file", str(change.path)) for change in changes)]:
        terminal.say(f"{what:<13}  {how}", hanging=15)


def _start(terminal: Terminal, changes: Sequence[Change], etc: Path) -> bool:
    """The services take it up, if these are theirs to start. CliError if they do not start."""
    from attuned.setup import services

    units = services.concerned(changes)
    if etc != ETC or not services.under_systemd():
        if units:
            terminal.say(f"Restart {' and '.join(units)} to have it taken up.")
        return False
    if units:
        terminal.say(f"Restarting {' and '.join(units)}.")
        if failed := services.restart(units):
            raise CliError(f"The services do not start ({failed}); `sudo attune doctor` says why.")
    return True


def _take_back(terminal: Terminal, before: Wanted, wanted: Wanted) -> None:
    """What a broker keeps under the site's old name would be told to the building for ever."""
    from attuned.errors import AttuneError
    from attuned.setup import broker

    if wanted.broker is None or before.name == wanted.name:
        return
    try:
        password = wanted.broker.password if wanted.password is None else wanted.password
    except AttuneError:
        return
    if gone := broker.take_back(wanted.broker, password, before.name):
        terminal.say(f"What the broker kept under the name {before.name} is taken back, {gone:,} messages.")


def _settle(terminal: Terminal, socket: str) -> None:
    """Waits until the daemon has its broker and its gateway, and says what is still missing, and what comes next."""
    deadline = time.monotonic() + SETTLES_S
    while True:
        with connect(socket) as daemon:
            status = daemon.status()
        missing = _missing(status)
        if not missing or time.monotonic() > deadline:
            break
        time.sleep(0.5)
    for sentence in missing:
        terminal.say(sentence)
    if not missing:
        terminal.say("Attune is up.")
    terminal.say(_next(status))


def _missing(status: admin_pb2.SiteStatus) -> list[str]:
    gateway = [] if status.gateways else ["No gateway is attached yet: see `systemctl status attune-gateway`."]
    return [sentence for sentence in (status.broker, status.store, status.updates) if sentence] + gateway


def _next(status: admin_pb2.SiteStatus) -> str:
    from attuned.cli.screens import next_step

    return next_step(status) or "`attune status` shows how it is."
