"""`attune-gateway`: composition and command line."""

import asyncio
import contextlib
import logging
import resource
import signal
import time
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from attune_proto.v1.link_pb2 import GatewayHello
from attune_service import journal, usage
from attune_service.watchdog import Watchdog, tell
from systemd.daemon import notify

from attune_gateway import config
from attune_gateway.ble.radio import Radio
from attune_gateway.config import ConfigError, Settings
from attune_gateway.errors import GatewayError
from attune_gateway.links import Links
from attune_gateway.pacing import Backoff, Sparingly
from attune_gateway.serial import SerialPort
from attune_gateway.tcp import TcpListener
from attune_gateway.uplink import Uplink
from attune_gateway.way import LocalWay, Way

if TYPE_CHECKING:
    from attune_gateway.enrolment import Enrolment

_log = logging.getLogger(__name__)

_PROGRAM = "attune-gateway"

# Quick enough that nodes hardly notice a restart, slow enough to cost nothing over a night.
_DAEMON_BACKOFF = (0.25, 5.0)
_SERIAL_BACKOFF = (0.5, 15.0)
_RADIO_BACKOFF = (1.0, 30.0)

# How often a gateway that waits for its enrolment looks for it.
_ENROLMENT_S = 1.0

# Descriptors besides those of nodes: log, gRPC, event loop, serial lines.
_OTHER_FILES = 128


async def run(settings: Settings) -> None:
    """Runs until it is cancelled; raises GatewayError if it cannot begin.

    Without the enrolment that it is to have it takes nothing from nodes, and waits.
    """
    name, way = await _way(settings)
    links = Links(settings.idle_s, time.monotonic)
    listener = TcpListener(links, settings.tcp.listen, settings.tcp.max_connections)
    slots = settings.ble.connections if settings.ble is not None else 0
    hello = GatewayHello(name=name, version=version("attune"), slots=slots)
    uplink = Uplink(links, way, hello, Backoff(*_DAEMON_BACKOFF))
    try:
        await listener.open()
        async with asyncio.TaskGroup() as tasks:
            watched = [
                tasks.create_task(uplink.run(), name="uplink"),
                tasks.create_task(links.watch(), name="watch"),
            ]
            waiting: list[Uplink | SerialPort | Radio] = [uplink]
            for port in settings.serial:
                serial = SerialPort(links, port, Backoff(*_SERIAL_BACKOFF))
                waiting.append(serial)
                watched.append(tasks.create_task(serial.run(), name=f"serial {port.device}"))
            if settings.ble is not None:
                radio = Radio(links, settings.ble, Backoff(*_RADIO_BACKOFF))
                waiting.append(radio)
                watched.append(tasks.create_task(radio.run(), name=f"radio {settings.ble.radio}"))
            watchdog = Watchdog(watched, lambda: _status(name, links, uplink, [each.trouble for each in waiting]))
            tasks.create_task(watchdog.run(), name="watchdog")
            notify("READY=1")
    finally:
        tell("STOPPING=1")
        listener.close()
        links.close()
        # Connections are given back in the loop's next turn.
        await asyncio.sleep(0)


def _status(name: str, links: Links, uplink: Uplink, troubles: Iterable[str]) -> str:
    """What `systemctl status` says of the gateway, and `attune doctor` after it: what it waits for at present."""
    attached = "attached to" if uplink.attached else "without"
    line = f"Gateway {name}: links {len(links)}, {attached} the daemon at {uplink.target}."
    return " ".join([line, *(" ".join(trouble.split()) for trouble in troubles if trouble)])


async def _way(settings: Settings) -> tuple[str, Way]:
    """The gateway's name, and how it reaches the daemon."""
    if settings.state is None:
        return settings.name, LocalWay(settings.daemon)
    # Certificates cost 10 MB of memory, which a gateway on the daemon's machine need not spend.
    from attune_gateway.enrolled_way import EnrolledWay

    own = await _enrolled(settings.state)
    _log.info("Enrolled as %s with the daemon at %s, until %s.", own.name, own.daemon, f"{own.ends:%Y-%m-%d}")
    elsewhere = settings.daemon.removeprefix(config.TLS) if "daemon" in settings.model_fields_set else ""
    return own.name, EnrolledWay(settings.state, own, elsewhere)


async def _enrolled(state: Path) -> "Enrolment":
    """The enrolment in the folder, as soon as there is one that can be used."""
    from attune_gateway import enrolment

    complaints = Sparingly()
    while True:
        try:
            return enrolment.load(state)
        except enrolment.EnrolmentError as error:
            if complaints.allows(time.monotonic(), str(error)):
                _log.warning("%s The gateway waits for that.", error)
            tell(f"READY=1\nWATCHDOG=1\nSTATUS=Gateway without an enrolment. {error}")
        await asyncio.sleep(_ENROLMENT_S)


app = typer.Typer(pretty_exceptions_enable=False, add_completion=False, rich_markup_mode=None)


def main() -> None:
    """Entry point of the program."""
    usage.run(app, _PROGRAM)


@app.command()
def enroll(
    invitation: Annotated[str, typer.Argument(metavar="INVITATION", help="What `attune gateway invite` printed.")],
    state: Annotated[Path, typer.Option(metavar="FOLDER", help="The folder for key and certificate.")] = config.STATE,
) -> None:
    """Makes this machine a gateway of a daemon on another one. Root becomes the user that FOLDER belongs to."""
    from attune_gateway import enrolling

    try:
        enrolling.become_owner(state)
        made = enrolling.enroll(invitation, state)
    except GatewayError as error:
        typer.echo(error, err=True)
        raise typer.Exit(1) from None
    typer.echo(f"Enrolled as {made.name} with the daemon at {made.daemon}. {_next_step(state)}")


def _next_step(state: Path) -> str:
    """What is to be done for a gateway to go by the enrolment in the folder."""
    with contextlib.suppress(ConfigError):
        if config.load(config.FILE).state == state:
            return "Nothing more is to be done: the gateway of this machine takes it up by itself."
    return (
        f'Now write state = "{state}" in the place of daemon into {config.FILE}, and '
        f"`sudo systemctl restart attune-gateway`; or start a gateway with --state {state}."
    )


@app.callback(invoke_without_command=True)
def _command(
    ctx: typer.Context,
    *,
    config_file: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", readable=False, help="Settings in TOML.")
    ] = None,
    daemon: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help=f"Address of the daemon, {config.DAEMON} by default.")
    ] = None,
    listen: Annotated[
        list[str] | None, typer.Option(metavar="HOST:PORT", help="Where nodes dial in; may be repeated.")
    ] = None,
    serial: Annotated[
        list[str] | None,
        typer.Option(metavar="DEVICE", help="Serial line, or socket://HOST:PORT of a serial server; may be repeated."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name of the gateway in its site, by default the host's.")
    ] = None,
    ble: Annotated[
        str | None, typer.Option(metavar="RADIO", help="Bluetooth radio: hci0, usb:0 or another controller.")
    ] = None,
    state: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="Folder of `enroll`, for a daemon on another machine.")
    ] = None,
) -> None:
    """Carries frames between nodes and the daemon.

    Takes its settings from a file, or from the other options. Waits for what is not there yet: the daemon, radios, and
    the enrolment in the folder of --state. Ends with 0 when asked to, 2 where its settings cannot be used, which no
    restart changes, and 1 for what may pass.
    """
    if ctx.invoked_subcommand is not None:
        return
    try:
        if config_file is None:
            settings = config.from_flags(name, daemon, listen or [], serial or [], state=state, ble=ble)
        elif name or daemon or listen or serial or ble or state:
            raise ConfigError("command line: --config stands alone; write the other options into the file.")
        else:
            settings = config.load(config_file)
    except ConfigError as error:
        journal.complain(_PROGRAM, str(error))
        raise typer.Exit(error.exit_code) from None
    _serve(settings)


def _serve(settings: Settings) -> None:
    journal.begin(_PROGRAM, "%(message)s")
    _allow_files(settings.tcp.max_connections + _OTHER_FILES)
    try:
        asyncio.run(_until_signal(settings))
    except GatewayError as error:
        journal.complain(_PROGRAM, str(error))
        raise typer.Exit(error.exit_code) from None


async def _until_signal(settings: Settings) -> None:
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(run(settings), name="gateway")
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        _log.info("Stopped.")


def _allow_files(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = min(count, hard)
    if soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
