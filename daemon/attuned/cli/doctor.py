"""`attune doctor`: looks at everything that a site needs, and says in a line each what it found and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attuned.cli import output
from attuned.cli.client import connect
from attuned.cli.errors import CliError
from attuned.cli.options import Json, Socket, socket_path

if TYPE_CHECKING:
    from rich.console import RenderableType

    from attuned.doctor.finding import Finding

_ETC = Path("/etc/attune")

# Services, and whether a site cannot do without.
_SERVICES = {"attuned": True, "attune-gateway": False, "attune-signer": False}
_TIMERS = ("attune-backup", "attune-retention")

_Etc = Annotated[Path, typer.Option("--etc", metavar="FOLDER", help="The folder of the configuration.")]


def doctor(ctx: typer.Context, *, etc: _Etc = _ETC, as_json: Json = False, socket: Socket = None) -> None:
    """Check the site and its machine, and say what to do."""
    findings = [*_of_site(socket_path(ctx, socket), etc), *_of_machine(etc)]
    problems = sum(finding.level == "problem" for finding in findings)
    if as_json:
        rows = [
            {"check": f.check, "level": str(f.level), "found": f.found, "advice": f.advice or None} for f in findings
        ]
        output.show_json({"problems": problems, "findings": rows})
    else:
        output.show(_screen(findings))
    if problems:
        raise typer.Exit(1)


def _of_site(socket: str, etc: Path) -> Iterator[Finding]:
    """What the daemon says; where it does not answer, that alone."""
    from attuned.doctor import look, machine, site
    from attuned.doctor.finding import ok, problem

    try:
        with connect(socket) as daemon:
            status, nodes, gateways, health = daemon.status(), daemon.nodes([]), daemon.gateways(), daemon.health()
    except CliError as error:
        found, _, advice = str(error).partition("; ")
        if "attune doctor" in advice:
            advice = "What its service says stands below."
        yield problem("daemon", found.rstrip("."), advice[:1].upper() + advice[1:])
        return
    yield ok("daemon", f"answers for site {status.site}, version {status.version}")
    if look.changed_since(etc / "attuned.toml", health.started_utc_ms):
        yield machine.not_taken_up(etc / "attuned.toml", "attuned")
    yield site.check_broker(status)
    yield site.check_store(status, look.set_aside(_store(etc)))
    yield site.check_signer(status)
    yield site.check_rooms(status)
    yield from site.check_gateways(gateways.gateways, gateways.now_utc_ms)
    yield from site.check_nodes(nodes.nodes)
    yield site.check_jump(health)


def _of_machine(etc: Path) -> Iterator[Finding]:
    from attuned.doctor import look, machine
    from attuned.doctor.finding import ok, warning
    from attuned.half_restored import path_of

    yield from _of_configuration(etc)
    if look.under_systemd():
        for name, needed in _SERVICES.items():
            yield machine.check_unit(look.unit(name), needed=needed)
        for name in _TIMERS:
            yield machine.check_timer(look.unit(f"{name}.timer"), look.unit(f"{name}.service"))
        if look.changed_since(etc / "gateway.toml", look.unit_started_utc_ms("attune-gateway")):
            yield machine.not_taken_up(etc / "gateway.toml", "attune-gateway")
    else:
        yield warning("services", "systemd does not run here", "See to it that attuned and attune-gateway are started.")
    yield machine.check_clock(look.clock_synchronised())
    store = _store(etc)
    yield machine.check_disk(look.disk(store))
    yield from machine.check_set_aside(look.set_aside(store))
    places, whole = look.places(etc, store)
    yield from machine.check_places(places)
    if not whole:
        yield ok("files", "some are not yours to look at; `sudo attune doctor` does")
    half, aside = path_of(etc).exists(), look.before_restores(etc, store)
    yield from filter(None, [machine.check_restore(half=half, aside=aside)])
    age_s, readable = look.newest_age_s(look.BACKUPS)
    yield machine.check_backup(key=(etc / "backup-key.toml").exists(), age_s=age_s, readable=readable)


def _of_configuration(etc: Path) -> Iterator[Finding]:
    """As the programs themselves read it."""
    from attune_gateway.config import load as load_gateway
    from attune_gateway.errors import GatewayError

    from attuned.config import load
    from attuned.doctor.machine import check_configuration
    from attuned.errors import AttuneError

    for name, read, unit in (("attuned.toml", load, "attuned"), ("gateway.toml", load_gateway, "attune-gateway")):
        said: str | None = ""
        try:
            read(etc / name)
        except (AttuneError, GatewayError) as error:
            said = str(error) if (etc / name).exists() else None
        yield check_configuration(name, said, unit)


def _store(etc: Path) -> Path:
    """As configured; the usual one where the configuration cannot be used."""
    from attuned.config import StoreSettings, load
    from attuned.errors import AttuneError

    try:
        return load(etc / "attuned.toml").store.path
    except AttuneError:
        return StoreSettings().path


def _screen(findings: Sequence[Finding]) -> RenderableType:
    """A line a finding, and what to do below it."""
    from attuned.cli.doctor_screens import findings_screen

    return findings_screen(findings)
