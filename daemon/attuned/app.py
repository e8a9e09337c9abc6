"""The daemon `attuned`: puts the parts together, runs them as named tasks, and ends them in order."""

import asyncio
import contextlib
import logging
import signal
import stat
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import grpc
import typer
from attune_proto.v1 import (
    admin_pb2_grpc,
    drift_pb2_grpc,
    gateways_pb2_grpc,
    link_pb2_grpc,
    nodes_pb2_grpc,
    rollouts_pb2_grpc,
    upkeep_pb2_grpc,
)
from systemd import daemon as systemd

from attuned.api.admin import AdminService
from attuned.api.drift import DriftService
from attuned.api.gateways import GatewaysService
from attuned.api.nodes import NodesService
from attuned.api.radios import Radios
from attuned.api.rollouts import RolloutsService
from attuned.api.upkeep import UpkeepService
from attuned.bms.publisher import Broker, Publisher
from attuned.clock import Clock, ScaledClock, SystemClock
from attuned.config import TLS, ClockSettings, MqttSettings, Settings, load
from attuned.errors import AttuneError, ConfigError
from attuned.gateways import listening
from attuned.gateways.authority import Authority
from attuned.gateways.service import RenewalService
from attuned.nodes.link_service import LinkService
from attuned.site import Site

log = logging.getLogger(__name__)

DEFAULT_CONFIG = Path("/etc/attune/attuned.toml")

# Time for calls under way when the daemon ends, in seconds.
GRACE_S = 1.0

# Only the daemon's user and group may talk to its sockets.
SOCKET_MODE = 0o660
FOLDER_MODE = 0o750


class _StopRequested(Exception):  # noqa: N818 (it is no error)
    """Somebody asked the daemon to end."""


def run() -> None:
    """Entry point of `attuned`."""
    # A plain traceback: it goes to the journal, and may not show what variables hold.
    app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    app.command()(main)
    app()


def main(config: Annotated[Path, typer.Option(help="The configuration file.")] = DEFAULT_CONFIG) -> None:
    """Attune's daemon: gathers what nodes know, says which rooms are in use, and passes labels on."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    try:
        settings = load(config)
        asyncio.run(serve(settings))
    except ConfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    except AttuneError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error


async def serve(settings: Settings) -> None:
    """Runs the daemon until SIGTERM or SIGINT. Raises AttuneError if it cannot start."""
    clock = make_clock(settings.clock)
    publisher = make_publisher(settings.site.name, settings.mqtt) if settings.mqtt else None
    site = Site(settings, clock, publisher)
    await site.open()
    try:
        await _run(site, publisher)
    finally:
        await site.close()


async def _run(site: Site, publisher: Publisher | None) -> None:
    links = LinkService(site.hub, site.gateways)
    port = site.settings.gateways.tls_port
    door = listening.Door(site.gateways, *port) if port else None
    try:
        async with _servers(site, links, door), asyncio.TaskGroup() as group:
            group.create_task(site.commits.run(), name="commits")
            group.create_task(site.teaching.run(), name="teaching")
            group.create_task(site.errands.run(), name="errands")
            group.create_task(site.lessons.errands.run(), name="lessons")
            group.create_task(site.run_rounds(), name="rounds")
            group.create_task(site.run_radios(), name="radios")
            group.create_task(site.updating.deliveries.errands.run(), name="deliveries")
            group.create_task(site.updating.rollouts.run(), name="rollouts")
            group.create_task(site.retraining.run(), name="retraining")
            group.create_task(site.retraining.watch(site.labels.in_force, site.drifting_rooms), name="triggers")
            group.create_task(site.detector.run(), name="drift")
            group.create_task(site.retention.run(), name="retention")
            if door is not None:
                group.create_task(door.run(), name="door")
            if publisher is not None:
                group.create_task(publisher.run(), name="broker")
            group.create_task(_until_signal(), name="signal")
            systemd.notify("READY=1")
            log.info("Site %s is up with %d rooms.", site.settings.site.name, len(site.settings.rooms))
    except* _StopRequested:
        log.info("Site %s is down.", site.settings.site.name)
    finally:
        systemd.notify("STOPPING=1")


@contextlib.asynccontextmanager
async def _servers(site: Site, links: LinkService, door: listening.Door | None) -> AsyncIterator[None]:
    """The service for gateways and the one for the command line, each on its own sockets."""
    gateways, admin = grpc.aio.server(options=listening.OPTIONS), grpc.aio.server()
    link_pb2_grpc.add_NodeLinkServicer_to_server(links, gateways)
    admin_pb2_grpc.add_AdminServicer_to_server(AdminService(site, links), admin)
    drift_pb2_grpc.add_DriftServicer_to_server(DriftService(site), admin)
    nodes_pb2_grpc.add_NodesServicer_to_server(NodesService(site), admin)
    radios = Radios(site.hub, site.clock, site.assignments.room_of)
    gateways_pb2_grpc.add_GatewaysServicer_to_server(GatewaysService(site.gateways, links, door, radios), admin)
    gateways_pb2_grpc.add_RenewalServicer_to_server(RenewalService(site.gateways), gateways)
    rollouts_pb2_grpc.add_RolloutsServicer_to_server(RolloutsService(site), admin)
    upkeep_pb2_grpc.add_UpkeepServicer_to_server(UpkeepService(site.retention), admin)
    for address in site.settings.gateways.listen:
        _listen(gateways, address, site.gateways.authority)
    _listen(admin, f"unix:{site.settings.api.socket}")
    await gateways.start()
    await admin.start()
    try:
        yield
    finally:
        await asyncio.gather(gateways.stop(GRACE_S), admin.stop(GRACE_S))


def _listen(server: grpc.aio.Server, address: str, authority: Authority | None = None) -> None:
    try:
        if authority is not None and address.startswith(TLS):
            server.add_secure_port(address.removeprefix(TLS), listening.OwnCertificate(authority).credentials())
        else:
            _listen_here(server, Path(address.removeprefix("unix:")))
    except (OSError, RuntimeError) as error:
        raise AttuneError(f"Cannot listen on {address} ({error}): see whether another daemon runs there.") from error


def _listen_here(server: grpc.aio.Server, path: Path) -> None:
    """On a socket of this machine; who may use it is who may write to it."""
    path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    mode = path.parent.stat().st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        raise AttuneError(
            f"The folder {path.parent} may be written by everybody, who could put another socket there: "
            f"`chmod o-w {path.parent}`."
        )
    server.add_insecure_port(f"unix:{path}")
    path.chmod(SOCKET_MODE)


async def _until_signal() -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    await stopped.wait()
    raise _StopRequested


def make_clock(settings: ClockSettings | None) -> Clock:
    """The machine's clock, or the one that the configuration describes."""
    if settings is None:
        return SystemClock()
    return ScaledClock(_ms(settings.start), settings.rate, _ms(settings.real_start) if settings.real_start else None)


def make_publisher(site: str, settings: MqttSettings) -> Publisher:
    """Raises ConfigError if the password cannot be read."""
    ca_file = str(settings.ca_file) if settings.ca_file else None
    return Publisher(site, Broker(settings.host, settings.port, settings.user, settings.password, ca_file))


def _ms(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp() * 1000)
