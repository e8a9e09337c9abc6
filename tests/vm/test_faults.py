"""What a machine does to an installed site: each fault is a line in the journal that says what to do, the doctor
repeats it, nothing is started over and over, and what is advised mends it.

All sentences of the programs are tried by tests/e2e/test_bad_input.py; here is what systemd, dpkg and the doctor make
of some.
"""

import json
import re
import time
from collections.abc import Iterator

import pytest
from installed_machine import NO_NTP, SERVICES, Installed, Prepared, package, version_of
from installed_site import PASSPHRASE, at_work

pytest_plugins = ["installed_site"]

RESTART_S = 10
"""As long as the units wait before they start a service again."""

SQUATTER = "import socket, time; held = socket.create_server(('127.0.0.1', 7011)); time.sleep(1e6)"


@pytest.fixture(scope="module")
def site(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    with at_work(prepared, tmp_path_factory.mktemp("faults")) as found:
        yield found


def restart(site: Installed, unit: str) -> None:
    """Which may fail, and then says so by its exit code."""
    site.sh(f"systemctl restart {unit}", check=False)


def expect_end(site: Installed, unit: str, code: int, sentence: str) -> str:
    """The service has ended for good, which journal and doctor tell with the same words. Returns them."""
    ended = {"ActiveState": "failed", "ExecMainStatus": str(code), "NRestarts": "0"}
    assert site.show(unit, *ended) == ended
    assert re.search(sentence, site.said(unit)), site.said(unit)
    found = site.troubles()[unit]
    assert re.search(sentence, found), found
    return found


def expect_well(site: Installed) -> None:
    site.wait_active(*SERVICES)
    site.until(lambda: site.node()["online"], "The node")
    site.report_on()
    site.until(lambda: set(site.troubles()) == NO_NTP, "A site that is well")


@pytest.mark.parametrize(
    ("name", "unit", "sentence"),
    [
        ("attuned.toml", "attuned", "key nonsense is unknown; leave it out"),
        ("gateway.toml", "attune-gateway", "nonsense is not a setting; write one of"),
    ],
)
def test_a_configuration_that_is_invalid(site: Installed, name: str, unit: str, sentence: str) -> None:
    path = f"/etc/attune/{name}"
    site.sh(f"cp -a {path} /srv; printf '\\n[nonsense]\\n' >> {path}")
    restart(site, unit)
    expect_end(site, unit, 2, f"{path}: {sentence}")
    assert sentence in site.troubles()[name]
    site.sh(f"cp -a /srv/{name} {path}; systemctl restart {unit}")
    expect_well(site)


def test_a_port_that_is_taken(site: Installed) -> None:
    """It may become free, and is tried for again from time to time."""
    site.sh("systemctl stop attune-gateway")
    site.machine.run("systemd-run", "--quiet", "--unit=squatter", "/usr/lib/attune/bin/python", "-c", SQUATTER)
    site.until(lambda: site.sh("grep ':1B63 0*:0000 0A' /proc/net/tcp"), "The program in the way")
    restart(site, "attune-gateway")
    sentence = "cannot listen on 127.0.0.1:7011 (Address already in use)"
    tries = int(site.show("attune-gateway", "NRestarts")["NRestarts"])
    time.sleep(3 * RESTART_S)
    assert int(site.show("attune-gateway", "NRestarts")["NRestarts"]) - tries <= 3
    assert sentence in site.said("attune-gateway")
    assert sentence in site.troubles()["attune-gateway"]
    site.sh("systemctl stop squatter")
    expect_well(site)


def test_a_radio_that_is_missing(site: Installed) -> None:
    """Costs its own nodes alone."""
    path = "/etc/attune/gateway.toml"
    site.sh(f"cp -a {path} /srv; printf '\\n[ble]\\nradio = \"hci9\"\\n' >> {path}; systemctl restart attune-gateway")
    sentence = "Bluetooth radio hci9 cannot be used"
    site.until(lambda: sentence in site.said("attune-gateway"), "Word of the radio")
    site.until(lambda: site.node()["online"], "The node")
    site.report_on()
    assert sentence in site.troubles()["attune-gateway"]
    assert site.show("attune-gateway", "NRestarts") == {"NRestarts": "0"}
    site.sh(f"cp -a /srv/gateway.toml {path}; systemctl restart attune-gateway")
    expect_well(site)


def test_a_state_folder_of_somebody_else_is_given_back(site: Installed) -> None:
    """By systemd, where the folder itself is not the user's."""
    site.sh("systemctl stop attuned; chown -R root:root /var/lib/attune; systemctl start attuned")
    expect_well(site)
    assert site.sh("find /var/lib/attune ! -user attuned") == ""


def test_a_store_of_somebody_else(site: Installed) -> None:
    """One file of the folder, of which systemd takes no notice."""
    site.sh("systemctl stop attuned; chown root:root /var/lib/attune/attune.db")
    restart(site, "attuned")
    found = expect_end(
        site, "attuned", 3, r"/var/lib/attune/attune\.db belongs to root, and the daemon runs as attuned"
    )
    (advised,) = re.findall(r"`(chown [^`]+)`", found)
    site.sh(f"{advised}; systemctl start attuned")
    expect_well(site)


def test_a_store_that_is_damaged_waits_for_the_administrator(site: Installed) -> None:
    """Who restores the last backup; what is there is kept as it is until then, and aside after that."""
    path = json.loads(site.attune("backup", "--json", user="root").stdout)["path"]
    database = "/var/lib/attune/attune.db"
    site.sh(f"systemctl stop attuned; dd if=/dev/zero of={database} bs=100 count=1 conv=notrunc status=none")
    damaged = site.sh(f"sha256sum < {database}")
    restart(site, "attuned")
    expect_end(site, "attuned", 3, r"attune\.db is damaged \(file is not a database\): nothing was changed")
    assert site.sh(f"sha256sum < {database}") == damaged
    told = json.loads(site.attune("restore", path, "--passphrase-file", PASSPHRASE, "--json", user="root").stdout)
    (state_before,) = [each for each in told["set_aside"] if each.startswith("/var/lib")]
    assert site.sh(f"sha256sum < {state_before}/attune.db") == damaged
    site.until(lambda: site.node()["online"], "The node")
    assert "is still there from before a restore" in site.troubles()["restore"]
    site.sh(f"rm -r {' '.join(told['set_aside'])}")
    expect_well(site)


def test_a_store_on_a_disk_of_its_own(site: Installed) -> None:
    """In the folder for that, where the unit lets it be written, and nowhere else."""
    config, places = "/etc/attune/attuned.toml", ("/srv/attune/store", "/srv/elsewhere")
    site.sh(f"cp -a {config} /srv; systemctl stop attuned; mkdir /srv/attune")
    for place in places:
        site.sh(f"cp -a /var/lib/attune {place}")
    configured = f"cp -a /srv/attuned.toml {config}; printf '[store]\\npath = \"%s\"\\n' {{}} >> {config}"
    try:
        site.sh(configured.format(places[1]))
        restart(site, "attuned")
        assert "whether its service may write there" in site.said("attuned")
        site.sh(configured.format(places[0]))
        restart(site, "attuned")
        expect_well(site)
    finally:
        site.sh(f"cp -a /srv/attuned.toml {config}; rm -r {' '.join(places)}")
        restart(site, "attuned")
    expect_well(site)


def test_a_package_without_room_changes_nothing(site: Installed) -> None:
    site.sh(
        "fallocate --length $(($(df --output=avail --block-size=1 / | tail -n 1) - 100 * 1024 * 1024)) /srv/ballast"
    )
    try:
        refused = site.install("newer.deb", check=False)
    finally:
        site.sh("rm /srv/ballast")
    assert refused.exit_code != 0
    said = " ".join((refused.stdout + refused.stderr).split())
    assert "make room and install again. Nothing was changed." in said
    assert site.package() == f"ii  {version_of(package())}"
    expect_well(site)
