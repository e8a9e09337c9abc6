"""The package's life on a machine: upgraded with all that it knows, not downgraded, removed, back again, purged."""

from collections.abc import Iterator

import pytest
from guest_agent import GuestError
from installed_machine import (
    CARGO,
    NEWER,
    NODE,
    ROOM,
    SERVICES,
    TIMERS,
    Installed,
    Prepared,
    boot,
    package,
    version_of,
)
from installed_site import telling

pytest_plugins = ["installed_site"]

# A line of somebody who edited what came with the package.
EDITED = "# Reviewed by the facility team.\n"

# What turns a store into the one that a daemon of ten migrations would have had of the same site: it knew nodes by
# their keys, and no gateways of other machines, rollouts or Bluetooth yet.
OLD = 10
OLDER = {
    "attune.db": """
        ALTER TABLE trusted_nodes DROP COLUMN advertising;
        ALTER TABLE node_codes DROP COLUMN advertising;
        DROP TABLE gateways; DROP TABLE gateway_invitations;
        DROP TABLE rollouts; DROP TABLE rollout_pairs; DROP TABLE rollout_acts;
        DROP TABLE deliveries; DROP TABLE update_numbers;
        DELETE FROM _sqlite_migrations WHERE CAST(name AS INTEGER) > 10;
        PRAGMA user_version=10""",
    "windows.db": """
        DROP TABLE awake;
        DELETE FROM _sqlite_migrations WHERE CAST(name AS INTEGER) > 7;
        PRAGMA user_version=7""",
}


@pytest.fixture(scope="module")
def site(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """With an edited configuration, and a room that was taught."""
    with boot(tmp_path_factory.mktemp("package"), prepared.root, [prepared.cargo]) as machine:
        with telling(Installed(machine)) as found:
            found.wait_active(*SERVICES)
            machine.run("sh", "-c", "cat >> /etc/attune/attuned.toml", stdin=EDITED.encode())
            found.report_on()
            assert found.attune("label", "add", ROOM, "occupied", "-1m", "now").exit_code == 0
        yield found


def test_an_upgrade_keeps_all(site: Installed) -> None:
    assert site.package() == f"ii  {version_of(package())}"
    before, trusted = site.json("status"), site.node()
    site.until(lambda: site.state() != "unknown", "A belief")
    release = site.sh("sha256sum /var/lib/attune/daemon.key /etc/attune/signing/*")
    site.install("newer.deb")
    assert site.package() == f"ii  {version_of(package())}{NEWER}"
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
    refused = site.install(check=False)
    said = " ".join((refused.stderr + refused.stdout).split())
    assert refused.exit_code != 0
    assert f"{version_of(package())} cannot read" in said
    assert "restore a backup" in said
    assert site.package() == f"ii  {version_of(package())}{NEWER}"
    assert site.active(*SERVICES)
    site.report_on(1)


def test_a_store_of_an_older_version_is_taken_up(site: Installed) -> None:
    """With a copy of it as it was; the site goes on, and its node with it."""
    before, trusted = site.json("status"), site.node()
    site.sh("systemctl stop attuned")
    for name, statements in OLDER.items():
        site.change(name, statements)
    site.sh("systemctl start attuned")
    assert site.sh(f"stat --format '%a %U' /var/lib/attune/attune-{OLD}.db") == "600 attuned\n"
    site.until(lambda: site.node()["online"], "The node")
    site.report_on()
    after, node = site.json("status"), site.node()
    assert (node["commissioned"], node["room"], node["windows_lost"]) == (True, ROOM, 0)
    assert node["windows"] > trusted["windows"]
    assert (after["labels"], after["store"]) == (before["labels"], None)


def test_a_newer_store_is_refused_and_not_tried_again(site: Installed) -> None:
    version = f"{CARGO}/probe_store.py /var/lib/attune version"
    known = site.sh(f"systemctl stop attuned; /usr/lib/attune/bin/python {version}").strip()
    site.change("attune.db", "PRAGMA user_version=10000")
    site.sh("systemctl start attuned", check=False)
    try:
        site.until(lambda: site.show("attuned", "ActiveState")["ActiveState"] == "failed", "The refusal")
        # Exit code 3 is one that no restart mends.
        assert site.show("attuned", "ExecMainStatus", "NRestarts") == {"ExecMainStatus": "3", "NRestarts": "0"}
        assert "was written by a newer version of Attune: install that version." in site.journal("attuned")
    finally:
        site.change("attune.db", f"PRAGMA user_version={known}")
        site.sh("systemctl reset-failed attuned; systemctl start attuned")
    site.report_on(1)


def test_removal_keeps_what_it_knows(site: Installed) -> None:
    before = site.json("status")
    site.sh("apt-get -qq remove attune </dev/null", seconds=900)
    assert site.package().startswith("rc ")
    assert not site.active("attuned")
    left = site.sh("ls /usr/lib/attune /usr/bin/attune* /run/attune 2>/dev/null || true")
    assert left == ""
    assert (
        site.sh("ls /var/lib/attune/attune.db /etc/attune/attuned.toml /etc/attune/signing/signing-key").count("\n")
        == 3
    )
    site.install("newer.deb")
    site.wait_active(*SERVICES)
    assert EDITED in site.sh("cat /etc/attune/attuned.toml")
    site.until(lambda: site.json("status")["nodes_online"] == 1, "The node")
    site.report_on()
    after = site.json("status")
    assert (after["labels"], after["windows_lost"]) == (before["labels"], 0)
    assert after["windows"] > before["windows"]


def test_a_purge_leaves_nothing_behind(site: Installed, prepared: Prepared) -> None:
    site.sh(f"systemctl disable --now node@{NODE}")
    site.sh("apt-get -qq purge attune </dev/null", seconds=900)
    assert site.package() in ("", "un")
    after = site.everything()
    assert (sorted(after - prepared.bare), sorted(prepared.bare - after)) == ([], [])
    with pytest.raises(GuestError):
        site.sh("getent group attune")
