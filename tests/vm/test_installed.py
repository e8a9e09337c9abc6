"""The installed package as a system service: started, watched, shut in, killed, and with what happens to machines."""

import json
import re
import time
from collections.abc import Iterator

import pytest
from figures import Figures
from installed_machine import CARGO, NODE, PYTHON, ROOM, SERVICES, TIMERS, Installed, Prepared, boot

pytest_plugins = ["installed_site"]

# Who has a loop that feeds systemd's watchdog; the signer does nothing unless it is asked.
WATCHED = ("attuned", "attune-gateway")

# systemd's own scale, from 0 (shut in) to 10.
EXPOSURE = 2.0

# MiB at rest, with a node or two: unique memory and each shared page by the number of those who share it.
AT_REST = {"attuned": 120, "attune-gateway": 80}

STATE = {
    "attuned": "/var/lib/attune",
    "attune-gateway": "/var/lib/attune-gateway",
    "attune-signer": "/var/lib/attune-signer",
}

# What root may do outside of every sandbox, and no service in its own.
MAY = "write into its own state"

YEAR = "366 days"


@pytest.fixture(scope="module")
def site(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    with boot(tmp_path_factory.mktemp("site"), prepared.root, [prepared.cargo]) as machine:
        found = Installed(machine)
        # The machine was off since its first belief: this is the start after a reboot.
        found.wait_active(*SERVICES)
        yield found


def test_a_reboot_brings_everything_back(site: Installed) -> None:
    assert site.active(*SERVICES, *TIMERS)
    site.until(lambda: site.node()["online"], "The node")
    site.report_on()
    site.until(lambda: site.state() != "unknown", "A belief")
    assert site.retained("status")["schema"] == 1
    status = site.json("status")
    assert (status["broker"], status["store"], status["windows_lost"]) == (None, None, 0)


def test_only_members_of_the_group_may_ask(site: Installed) -> None:
    refused = site.attune("status", user="bob", check=False)
    assert (refused.exit_code, refused.stdout) == (3, "")
    assert re.fullmatch(r"\S.*group attune.*\.", " ".join(refused.stderr.split())), refused.stderr
    assert site.attune("status").exit_code == 0
    # The gateway's socket is for gateways: a member of the group attune is none.
    modes = site.sh(
        "stat --format '%a %U %G' /run/attune /run/attune/attune.sock /run/attune/gateway.sock"
    ).splitlines()
    assert modes == ["755 attuned attuned", "660 attuned attune", "660 attuned attune-gateway"]


def test_state_and_secrets_are_for_their_owners_alone(site: Installed) -> None:
    found = site.sh(f"stat --format '%a %U %n' {' '.join(STATE.values())} /etc/attune/secrets /var/backups/attune")
    assert found.splitlines() == [
        "700 attuned /var/lib/attune",
        "700 attune-gateway /var/lib/attune-gateway",
        "700 attune-signer /var/lib/attune-signer",
        "700 root /etc/attune/secrets",
        "700 root /var/backups/attune",
    ]
    for unit in SERVICES:
        assert site.show(unit, "User", "MemoryDenyWriteExecute", "NoNewPrivileges") == {
            "User": unit,
            "MemoryDenyWriteExecute": "yes",
            "NoNewPrivileges": "yes",
        }
        status = site.sh(f"cat /proc/{site.main_pid(unit)}/status")
        assert re.findall(r"^Cap(?:Prm|Eff|Bnd|Amb):\s+(\w+)$", status, re.M) == ["0" * 16] * 4


def test_exposure(site: Installed, figures: Figures) -> None:
    units = [f"{name}.service" for name in (*SERVICES, "attune-backup", "attune-restore", "attune-retention")]
    for unit in units:
        said = site.sh(f"systemd-analyze security --no-pager {unit} | tail -n 1")
        score = float(said.split(":")[1].split()[0])
        figures.note(f"exposure of {unit}", f"{score:.1f}", f"at most {EXPOSURE}")
        assert score <= EXPOSURE, said


def probed_in_services(site: Installed) -> dict[str, dict[str, str]]:
    """What the probe could do as each service's own first program, by its next start."""
    probe = f"/usr/lib/attune/bin/python {CARGO}/probe_sandbox.py"
    for unit in SERVICES:
        drop_in = f"[Service]\nEnvironment=PROBE_STATE={STATE[unit]}\nExecStartPre={probe}\n"
        site.machine.write(f"/etc/systemd/system/{unit}.service.d/probe.conf", drop_in.encode())
    restart = f"systemctl daemon-reload; systemctl restart {' '.join(SERVICES)}"
    site.sh(restart)
    said = {
        unit: site.sh(f"journalctl --boot --output=cat --unit={unit} | grep '^{{' | tail -n 1") for unit in SERVICES
    }
    site.sh(f"rm -r /etc/systemd/system/attune*.service.d; {restart}")
    return {unit: json.loads(line) for unit, line in said.items()}


def test_what_the_sandbox_forbids(site: Installed) -> None:
    """The same attempts by root outside succeed: none of them fails for another reason."""
    site.sh("echo x > /etc/attune/secrets/probe; echo x > /home/ann/secret; chmod 644 /home/ann/secret")
    outside = json.loads(site.sh(f"PROBE_STATE=/var/lib/attune {PYTHON} {CARGO}/probe_sandbox.py"))
    assert {name for name, what in outside.items() if what != "done"} == set()
    for unit, inside in probed_in_services(site).items():
        # A state of its own is one attempt less: all others are the same.
        assert len(inside) == len(outside), unit
        assert {name for name, what in inside.items() if what == "done"} == {MAY}, unit
    site.sh("rm /etc/attune/secrets/probe")
    site.report_on(1)


def test_the_journal_has_fields(site: Installed) -> None:
    lines = site.sh("journalctl --boot --output=json --unit=attuned --unit=attune-gateway").splitlines()
    entries = [json.loads(line) for line in lines]
    own = [entry for entry in entries if entry.get("LOGGER")]
    assert {entry["SYSLOG_IDENTIFIER"] for entry in own} == {"attuned", "attune-gateway"}
    for entry in own:
        assert {"MESSAGE", "PRIORITY", "CODE_FILE", "CODE_LINE"} <= set(entry)
    assert any(entry.get("ATTUNE_GATEWAY") for entry in own)


def test_memory_at_rest(site: Installed, figures: Figures) -> None:
    for unit in SERVICES:
        rollup = site.sh(f"cat /proc/{site.main_pid(unit)}/smaps_rollup")
        pss = int(re.findall(r"^Pss:\s+(\d+) kB", rollup, re.M)[0]) / 1024
        current = int(site.show(unit, "MemoryCurrent")["MemoryCurrent"]) / 2**20
        limit = AT_REST.get(unit)
        figures.note(f"memory of {unit}, PSS", f"{pss:.0f} MiB", f"at most {limit} MiB" if limit else "")
        figures.note(f"memory of {unit}, its control group", f"{current:.0f} MiB", "with pages of files")
        assert limit is None or pss <= limit


def test_each_service_comes_back_after_a_kill(site: Installed) -> None:
    for unit in (*SERVICES, "mosquitto"):
        before = site.main_pid(unit)
        site.sh(f"kill -9 {before}")
        site.wait_replaced(unit, before)
    site.until(lambda: site.json("status")["broker"] is None, "The broker")
    site.report_on()
    assert site.json("status")["windows_lost"] == 0


def test_a_frozen_service_is_started_again(site: Installed) -> None:
    """By systemd and its own limit: a process that stands still feeds no watchdog."""
    frozen = {}
    for unit in WATCHED:
        assert site.show(unit, "WatchdogUSec")["WatchdogUSec"] not in ("0", "infinity"), unit
        frozen[unit] = site.main_pid(unit)
        site.sh(f"kill -STOP {frozen[unit]}")
    for unit, before in frozen.items():
        site.wait_replaced(unit, before)
        assert "Watchdog timeout" in site.sh(f"journalctl --boot --no-pager --unit={unit}")
    site.report_on()


def fill_disk(site: Installed) -> None:
    """Up to the last byte, also of what is kept for root; a node's flash is its own, and keeps its room."""
    site.sh(f"fallocate --keep-size --length 4MiB /srv/{NODE}.flash")
    site.sh(
        "fallocate --length $(df --output=avail --block-size=1 / | tail -n 1) /srv/ballast; cat /dev/zero >> /srv/more",
        check=False,
    )


def test_a_full_disk_is_told_and_loses_nothing(site: Installed) -> None:
    site.report_on()
    fill_disk(site)
    try:
        site.until(lambda: site.json("status")["store"], "The daemon's complaint")
        full = site.node()["windows"]
        assert "cannot be written" in " ".join(site.attune("status").stdout.split())
        refused = site.attune("label", "add", ROOM, "free", "-2m", "now", check=False)
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert "make room" in " ".join(refused.stderr.split())
        doctor = site.attune("doctor", check=False)
        assert doctor.exit_code != 0
        assert "disk" in doctor.stdout.lower()
        time.sleep(25)
        assert site.node()["windows"] == full
    finally:
        site.sh("rm /srv/ballast /srv/more")
    site.until(lambda: site.json("status")["store"] is None, "A store that takes commits again")
    # What was measured meanwhile had waited in the node.
    site.until(lambda: site.node()["windows"] >= full + 3, "The windows of meanwhile")
    status = site.json("status")
    assert (status["windows_lost"], site.active(*SERVICES)) == (0, True)
    assert site.attune("label", "add", ROOM, "occupied", "-1m", "now").exit_code == 0


def test_a_jump_of_the_clock_loses_nothing(site: Installed) -> None:
    before = site.json("status")
    processes = [site.main_pid(unit) for unit in SERVICES]
    site.sh(f"date --set=\"$(date --date='+{YEAR}')\"")
    try:
        site.until(lambda: site.node()["online"], "The node")
        assert site.active(*SERVICES)
        # Whoever believes such a clock at once would drop all windows of the year before.
        assert site.json("status")["windows"] >= before["windows"]
    finally:
        site.sh(f"date --set=\"$(date --date='-{YEAR}')\"")
    site.report_on(3)
    site.until(lambda: site.state() in ("occupied", "free"), "A belief")
    after = site.json("status")
    assert [site.main_pid(unit) for unit in SERVICES] == processes
    assert (after["labels"], after["windows_lost"]) == (before["labels"], 0)
    assert after["windows"] > before["windows"]
    assert after["now"][:4] == before["now"][:4]


def test_it_stops_within_seconds_and_in_order(site: Installed, figures: Figures) -> None:
    """Everything acknowledged is on the disk by then."""
    windows = site.node()["windows"]
    took_s = []
    for unit in reversed(SERVICES):
        begun = time.monotonic()
        site.sh(f"systemctl stop {unit}")
        took_s.append(time.monotonic() - begun)
        assert site.show(unit, "Result")["Result"] == "success"
    # The signer has nothing to end and goes with the signal itself.
    assert {site.show(unit, "ExecMainStatus")["ExecMainStatus"] for unit in WATCHED} == {"0"}
    figures.note("clean stop, the slowest, emulated", f"{max(took_s):.1f} s", "at most 5 s where not emulated")
    asked = site.attune("status", check=False)
    assert (asked.exit_code, asked.stdout) == (3, "")
    assert "`sudo attune doctor` says why" in " ".join(asked.stderr.split())
    advised = " ".join(site.attune("doctor", user="root", check=False).stdout.split())
    assert "`sudo systemctl enable --now attuned`" in advised
    site.sh(f"systemctl start {' '.join(SERVICES)}")
    site.report_on()
    node = site.node(NODE)
    assert (node["windows"] > windows, node["windows_lost"]) == (True, 0)
