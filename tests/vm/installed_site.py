"""The package, installed once on a bare machine; files of tests go on with copies of its disk, in whatever process.

A plugin of theirs.
"""

import os
import shutil
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from build_lock import building_in
from figures import Figures
from guest_agent import GuestError
from installed_machine import (
    NODE,
    ROOM,
    SERVICES,
    SITE,
    TIMERS,
    Installed,
    Prepared,
    boot,
    cargo,
    package,
)

PASSPHRASE = "/srv/passphrase"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that failed shows what the services of its machine have said."""
    report = yield
    if report.failed:
        found = [getattr(value, "site", value) for value in getattr(item, "funcargs", {}).values()]
        for site in [value for value in found if isinstance(value, Installed)][:1]:
            report.sections.append(("journal of the machine", last_words(site)))
    return report


@contextmanager
def telling(site: Installed) -> Iterator[Installed]:
    """The same for what is done before any test."""
    try:
        yield site
    except Exception as error:
        error.add_note(last_words(site))
        raise


def last_words(site: Installed) -> str:
    """The journal; the console where the machine does not answer any more."""
    try:
        return site.journal()
    except GuestError as error:
        return f"{error}\n{site.machine.console[-4000:]}"


@contextmanager
def at_work(prepared: Prepared, folder: Path) -> Iterator[Installed]:
    """A machine of that disk that is well: its node reports, and it has a backup, which `PASSPHRASE` opens."""
    with boot(folder, prepared.root, [prepared.cargo]) as machine:
        with telling(Installed(machine)) as site:
            site.wait_active(*SERVICES)
            machine.write(PASSPHRASE, b"seven lamps over the ford\n")
            machine.write("/srv/answers.toml", f'passphrase_file = "{PASSPHRASE}"\n'.encode())
            site.attune("setup", "--answers", "/srv/answers.toml", user="root")
            site.attune("backup", user="root")
            site.report_on()
        yield site


@pytest.fixture(scope="session")
def figures() -> Figures:
    return Figures()


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory, figures: Figures) -> Prepared:
    """Made by the first process that asks for it, for all."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "installed"
    with building_in(folder):
        if not (folder / "bare").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            bare = install(folder, cargo(folder), figures)
            (folder / "bare").write_text("\n".join(bare))
    return Prepared(folder / "root.img", folder / "cargo.img", frozenset((folder / "bare").read_text().split("\n")))


def install(folder: Path, cargo: Path, figures: Figures) -> frozenset[str]:
    """As a first start of a site goes: the package, then rooms, then a node, then what it knows of a room.

    Returns what was on the machine without the package.
    """
    figures.note("package attune", f"{package().stat().st_size / 2**20:.1f} MiB", "at most 60 MiB")
    with boot(folder, None, [cargo]) as machine, telling(Installed(machine)) as site:
        site.add_people()
        bare = site.everything()
        begun = time.monotonic()
        site.install()
        installed = time.monotonic()
        site.sh("usermod --append --groups attune ann")
        site.wait_active(*SERVICES, *TIMERS)
        site.until(lambda: site.json("status")["site"] == SITE, "An answer to `attune status`")
        site.configure()
        site.add_node()
        site.until(lambda: site.state() != "unknown", f"The first belief of {ROOM} by {NODE}")
        figures.note("installing it, emulated", f"{installed - begun:.0f} s")
        figures.note("cold start, emulated", f"{time.monotonic() - installed:.0f} s", "installed to first belief")
        machine.shut_down()
    return bare
