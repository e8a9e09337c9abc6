"""The package, installed once on a bare machine; files of tests go on with copies of its disk.

A plugin of theirs, so that they share it.
"""

import time
from pathlib import Path

import pytest
from figures import FILE, Figures
from installed_machine import (
    NODE,
    ROOM,
    SERVICES,
    TIMERS,
    Installed,
    Prepared,
    boot,
    cargo,
    package,
)

FIGURES = Figures()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if text := FIGURES.text():
        FIGURES.save()
        terminalreporter.write_sep("=", f"figures of the installed package, also in {FILE}")
        terminalreporter.write(text)


@pytest.fixture(scope="session")
def figures() -> Figures:
    return FIGURES


@pytest.fixture(scope="session")
def cargo_disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cargo(tmp_path_factory.mktemp("cargo"))


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory, cargo_disk: Path, figures: Figures) -> Prepared:
    """As a first start of a site goes: the package, then rooms, then a node, then what it knows of a room."""
    folder = tmp_path_factory.mktemp("installed")
    figures.note("package attune", f"{package().stat().st_size / 2**20:.1f} MiB", "at most 60 MiB")
    with boot(folder, None, [cargo_disk]) as machine:
        site = Installed(machine)
        site.add_people()
        begun = time.monotonic()
        site.install()
        installed = time.monotonic()
        site.sh("usermod --append --groups attune ann")
        site.wait_active(*SERVICES, *TIMERS)
        site.until(lambda: site.json("status")["site"] == "site", "An answer to `attune status`")
        site.configure()
        site.add_node()
        site.until(lambda: site.state() != "unknown", f"The first belief of {ROOM} by {NODE}")
        figures.note("installing it, emulated", f"{installed - begun:.0f} s")
        figures.note("cold start, emulated", f"{time.monotonic() - installed:.0f} s", "installed to first belief")
        machine.shut_down()
    return Prepared(machine.folder / "root.img", cargo_disk)
