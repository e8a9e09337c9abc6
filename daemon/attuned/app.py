"""The daemon `attuned`: puts the parts together, runs them as named tasks, and ends them in order."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import grpc
import typer
from attune_proto.v1 import (
    admin_pb2_grpc,
    drift_pb2_grpc,
    gateways_pb2_grpc,
    health_pb2_grpc,
    link_pb2_grpc,
    nodes_pb2_grpc,
    rollouts_pb2_grpc,
    upkeep_pb2_grpc,
)
from attune_service import journal, usage
from attune_service.watchdog import Watchdog, tell
from systemd.daemon import notify

from attuned import sockets
from attuned.addresses import check_port, said
from attuned.api.admin import AdminService
from attuned.api.drift import DriftService
from attuned.api.gateways import GatewaysService
from attuned.api.health import DoctorService
from attuned.api.nodes import NodesService
from attuned.api.radios import Radios
from attuned.api.rollouts import RolloutsService
from attuned.api.upkeep import UpkeepService
from attuned.bms.publisher import Broker, Publisher
from attuned.clock import Clock, ScaledClock, SystemClock
from attuned.clock_watch import ClockWatch
from attuned.config import TLS, ClockSettings, MqttSettings, Settings, load
from attuned.errors import AttuneError, ConfigError, UnusableStoreError
from attuned.gateways import listening
from attuned.gateways.service import RenewalService
from attuned.half_restored import refuse_half
from attuned.nodes.link_service import LinkService
from attuned.opening import explain, opened
from attuned.site import Site

log = logging.getLogger(__name__)

PROGRAM = "attuned"

DEFAULT_CONFIG = Path("/etc/attune/attuned.toml")

# Time for calls under way when the daemon ends, in seconds.
GRACE_S = 1.0


class _StopRequested(Exception):  # noqa: N818 (it is no error)
    """Somebody asked the daemon to end."""


def run() -> None:
    """Entry point of `attuned`."""
    # Plain words and tracebacks: they go to the journal, and may not show what variables hold.
    app = typer.Typer(pretty_exceptions_enable=False, add_completion=False, rich_markup_mode=None)
    app.command()(main)
    usage.run(app, PROGRAM)


# Whether it can be read is said by who reads it, in a sentence.
_Config = Annotated[Path, typer.Option(metavar="FILE", help="The configuration file.", readable=False)]


def main(config: _Config = DEFAULT_CONFIG) -> None:
    """Attune's daemon: gathers what nodes know, says which rooms are in use, and passes labels on.

    Ends with 0 when asked to, 2 where its configuration cannot be used, 3 where its store cannot be used, which no
    restart changes either, and 1 for what may pass, such as a full disk or an address that is taken.
    """
    journal.begin(PROGRAM, "%(levelname)s %(name)s: %(message)s")
    try:
        refuse_half(config.parent)
        settings = load(config)
        asyncio.run(serve(settings))
    except ConfigError as error:
        journal.complain(PROGRAM, str(error))
        raise typer.Exit(2) from error
    except UnusableStoreError as error:
        journal.complain(PROGRAM, str(error))
        raise typer.Exit(3) from error
    except AttuneError as error:
        journal.complain(PROGRAM, str(error))
        raise typer.Exit(1) from error


async def serve(settings: Settings) -> None:
    """Runs the daemon until SIGTERM or SIGINT. Raises AttuneError if it cannot start."""
    clock = make_clock(settings.clock)
    publisher = make_publisher(settings.site.name, settings.mqtt) if settings.mqtt else None
    site = await opened(lambda: Site(settings, clock, publisher))
    try:
        try:
            await _run(site, publisher)
        finally:
            await site.close()
    except Exception as error:
        await explain(error, settings.store.path)
        raise


async def _run(site: Site, publisher: Publisher | None) -> None:
    links = LinkService(site.hub, site.gateways)
    port = site.settings.gateways.tls_port
    door = listening.Door(site.gateways, *port) if port else None
    watch = ClockWatch()
    # From before anybody can be answered: whoever ends it afterwards finds everything acknowledged on the disk.
    stopped = _heed_signals()
    try:
        async with _servers(site, links, door, watch), asyncio.TaskGroup() as group:
            works = _works(site, watch)
            if door is not None:
                works["door"] = door.run()
            if publisher is not None:
                works["broker"] = publisher.run()
            tasks = [group.create_task(work, name=name) for name, work in works.items()]
            watchdog = Watchdog(tasks, lambda: status_line(site, len(links.gateways)), site.look)
            group.create_task(watchdog.run(), name="watchdog")
            group.create_task(_until(stopped, site), name="signal")
            notify("READY=1")
            name, told = site.settings.site.name, journal.about(message=journal.SITE_UP)
            log.info("Site %s is up with %d rooms.", name, len(site.settings.rooms), extra=told)
    except* _StopRequested:
        log.info("Site %s is down.", site.settings.site.name, extra=journal.about(message=journal.SITE_DOWN))


def _works(site: Site, watch: ClockWatch) -> dict[str, Coroutine[None, None, None]]:
    """What is done for ever, by the names of its tasks."""
    return {
        "commits": site.commits.run(),
        "teaching": site.teaching.run(),
        "errands": site.errands.run(),
        "lessons": site.lessons.errands.run(),
        "rounds": site.run_rounds(),
        "radios": site.run_radios(),
        "deliveries": site.updating.deliveries.errands.run(),
        "rollouts": site.updating.rollouts.run(),
        "retraining": site.retraining.run(),
        "triggers": site.retraining.watch(site.labels.in_force, site.drifting_rooms),
        "drift": site.detector.run(),
        "retention": site.retention.run(),
        "check of windows.db": site.bulk_check.run(),
        "clock": watch.run(),
    }


def status_line(site: Site, gateways: int) -> str:
    """What `systemctl status` says of the site."""
    nodes = site.hub.conversations.values()
    online = sum(site.hub.online(node) for node in nodes)
    line = f"Site {site.settings.site.name}: rooms {len(site.rooms.rooms)}, nodes {online} of {len(nodes)} online, "
    return f"{line}gateways {gateways}. {site.commits.trouble}".rstrip()


@contextlib.asynccontextmanager
async def _servers(
    site: Site, links: LinkService, door: listening.Door | None, watch: ClockWatch
) -> AsyncIterator[None]:
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
    health_pb2_grpc.add_DoctorServicer_to_server(DoctorService(watch), admin)
    _listen(gateways, admin, site)
    await gateways.start()
    await admin.start()
    try:
        yield
    finally:
        await asyncio.gather(gateways.stop(GRACE_S), admin.stop(GRACE_S))


def _listen(gateways: grpc.aio.Server, admin: grpc.aio.Server, site: Site) -> None:
    """Where the configuration says. Nobody is answered before the servers start."""
    settings, authority = site.settings, site.gateways.authority
    port = settings.gateways.tls_port
    for address in settings.gateways.listen:
        with said(address):
            if authority is not None and port is not None and address.startswith(TLS):
                check_port(*port)
                gateways.add_secure_port(address.removeprefix(TLS), listening.OwnCertificate(authority).credentials())
            else:
                sockets.listen(gateways, Path(address.removeprefix("unix:")), settings.gateways.group, "gateways")
    with said(f"unix:{settings.api.socket}"):
        sockets.listen(admin, settings.api.socket, settings.api.group, "api")


def _heed_signals() -> asyncio.Event:
    """Set when somebody asks the daemon to end."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    return stopped


async def _until(stopped: asyncio.Event, site: Site) -> None:
    await stopped.wait()
    tell("STOPPING=1")
    site.break_off()
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
