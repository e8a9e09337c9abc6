"""The package's life on a machine: upgraded with all that it knows, not downgraded, removed, back again, purged."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from guest_agent import GuestError
from installed_machine import (
    CARGO,
    CONFIGURATION,
    NODE,
    PREVIOUS,
    ROOM,
    SERVICES,
    TIMERS,
    Installed,
    boot,
    package,
    version_of,
)

pytest_plugins = ["installed_site"]

# A line of somebody who edited what came with the package.
EDITED = "# Reviewed by the facility team.\n"

# Written by the version whose attune.db had 8 migrations, with two labels of people and one of a node's button.
OLD_STORE = "store-8"
OLD_LABELS = 2

# What a machine writes of its own accord, and what the tests and their node write.
NOT_OURS = (
    "/dev", "/home/ann", "/home/bob", "/mnt", "/proc", "/run", "/srv", "/sys", "/tmp", "/var/cache", "/var/lib/apt",
    "/var/lib/dpkg", "/var/lib/mosquitto", "/var/lib/systemd/random-seed", "/var/log", "/var/tmp",
    "/etc/systemd/system/multi-user.target.wants/node@00a1b2c3d4e50213.service",
)  # fmt: skip


def everything(site: Installed) -> set[str]:
    """Every file, folder, link, user and group of the machine, each in a line with owner and mode."""
    prune = " -o ".join(f"-path {path}" for path in NOT_OURS)
    files = site.sh(f"find / \\( {prune} \\) -prune -o -printf '%M %u %g %p\\n'").splitlines()
    # Times that systemd keeps of its own timers, and backups of lists that others wrote before.
    kept = [line for line in files if not re.search(r" /etc/(passwd|group|shadow|gshadow|subuid|subgid)-?$", line)]
    return {*kept, *site.sh("cat /etc/passwd /etc/group").splitlines()}


def in_store(site: Installed, statement: str) -> None:
    """Changes attune.db behind the daemon's back."""
    change = "import sqlite3, sys; sqlite3.connect(sys.argv[1], isolation_level=None).execute(sys.argv[2])"
    site.machine.run("/usr/lib/attune/bin/python", "-c", change, "/var/lib/attune/attune.db", statement)


def database(site: Installed) -> str:
    return site.sh("dpkg-query --show --showformat '${db:Status-Abbrev} ${Version}' attune", check=False).strip()


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory, cargo_disk: Path) -> Iterator[tuple[Installed, set[str]]]:
    """A machine without the package, and all that is on it."""
    with boot(tmp_path_factory.mktemp("package"), None, [cargo_disk]) as machine:
        site = Installed(machine)
        site.add_people()
        yield site, everything(site)


@pytest.fixture(scope="module")
def site(bare: tuple[Installed, set[str]]) -> Installed:
    """With the version before, an edited configuration, and a node that reports and was taught."""
    site, _ = bare
    site.install("previous.deb")
    site.sh("usermod --append --groups attune ann")
    site.configure(CONFIGURATION + EDITED)
    site.add_node()
    site.report_on(3)
    assert site.attune("label", "add", ROOM, "occupied", "-1m", "now").exit_code == 0
    return site


def test_an_upgrade_keeps_all(site: Installed) -> None:
    assert database(site) == f"ii  {PREVIOUS}"
    before, trusted = site.json("status"), site.node()
    site.until(lambda: site.state() != "unknown", "A belief")
    release = site.sh("sha256sum /var/lib/attune/daemon.key /etc/attune/signing/*")
    site.install()
    assert database(site) == f"ii  {version_of(package())}"
    site.wait_active(*SERVICES, *TIMERS)
    site.until(lambda: site.json("status")["nodes_online"] == 1, "The node")
    # The same node by the same keys; nothing that it had delivered is gone, and nobody added it anew.
    site.report_on()
    after, node = site.json("status"), site.node()
    assert (node["commissioned"], node["room"], node["windows_lost"]) == (True, ROOM, 0)
    assert node["windows"] > trusted["windows"]
    assert (after["labels"], after["windows_lost"]) == (before["labels"], 0)
    assert site.sh("sha256sum /var/lib/attune/daemon.key /etc/attune/signing/*") == release
    assert EDITED in site.sh("cat /etc/attune/attuned.toml")
    assert site.state() in ("occupied", "free")


def test_a_downgrade_is_refused_with_a_sentence(site: Installed) -> None:
    refused = site.install("previous.deb", check=False)
    said = " ".join((refused.stderr + refused.stdout).split())
    assert refused.exit_code != 0
    assert f"{PREVIOUS} cannot read" in said
    assert "restore a backup" in said
    assert database(site) == f"ii  {version_of(package())}"
    assert site.active(*SERVICES)
    site.report_on(1)


def test_a_store_of_an_older_version_is_taken_up(site: Installed) -> None:
    """With a copy of it as it was; the site's own store is back afterwards."""
    site.sh("systemctl stop attuned; mv /var/lib/attune /var/lib/attune.kept; mkdir -m 700 /var/lib/attune")
    try:
        site.sh(f"cp {CARGO}/fixtures/{OLD_STORE}/*.db /var/lib/attune; chmod 600 /var/lib/attune/*")
        # What it knows of its node is a stub, which no daemon has ever written.
        in_store(site, "DELETE FROM nodes")
        site.sh("chown -R attuned:attuned /var/lib/attune; systemctl start attuned")
        site.until(lambda: site.json("status")["labels"] >= OLD_LABELS, "The labels of the old store")
        number = OLD_STORE.removeprefix("store-")
        assert site.sh("ls /var/lib/attune").split().count(f"attune-{number}.db") == 1
    finally:
        site.sh("systemctl stop attuned; rm -r /var/lib/attune; mv /var/lib/attune.kept /var/lib/attune")
        site.sh("systemctl reset-failed attuned; systemctl start attuned")
    site.report_on(1)


def test_a_newer_store_is_refused_and_not_tried_again(site: Installed) -> None:
    version = f"{CARGO}/probe_store.py /var/lib/attune version"
    known = site.sh(f"systemctl stop attuned; /usr/lib/attune/bin/python {version}").strip()
    in_store(site, "PRAGMA user_version=10000")
    site.sh("systemctl start attuned", check=False)
    try:
        site.until(lambda: site.show("attuned", "ActiveState")["ActiveState"] == "failed", "The refusal")
        # Exit code 3 is one that no restart mends.
        assert site.show("attuned", "ExecMainStatus", "NRestarts") == {"ExecMainStatus": "3", "NRestarts": "0"}
        assert "was written by a newer version of Attune: install that version." in site.journal("attuned")
    finally:
        in_store(site, f"PRAGMA user_version={known}")
        site.sh("systemctl reset-failed attuned; systemctl start attuned")
    site.report_on(1)


def test_removal_keeps_what_it_knows(site: Installed) -> None:
    before = site.json("status")
    site.sh("apt-get -qq remove attune </dev/null", seconds=900)
    assert database(site).startswith("rc ")
    assert not site.active("attuned")
    left = site.sh("ls /usr/lib/attune /usr/bin/attune* /run/attune 2>/dev/null || true")
    assert left == ""
    assert (
        site.sh("ls /var/lib/attune/attune.db /etc/attune/attuned.toml /etc/attune/signing/signing-key").count("\n")
        == 3
    )
    site.install()
    site.wait_active(*SERVICES)
    assert EDITED in site.sh("cat /etc/attune/attuned.toml")
    site.until(lambda: site.json("status")["nodes_online"] == 1, "The node")
    site.report_on()
    after = site.json("status")
    assert (after["labels"], after["windows_lost"]) == (before["labels"], 0)
    assert after["windows"] > before["windows"]


def test_a_purge_leaves_nothing_behind(site: Installed, bare: tuple[Installed, set[str]]) -> None:
    _, before = bare
    site.sh(f"systemctl disable --now node@{NODE}")
    site.sh("apt-get -qq purge attune </dev/null", seconds=900)
    assert database(site) in ("", "un")
    after = everything(site)
    assert (sorted(after - before), sorted(before - after)) == ([], [])
    with pytest.raises(GuestError):
        site.sh("getent group attune")
