"""What staff do on an installed site: set it up by a file, keep copies and go back to one, give it a radio, sleep."""

import json
import re
from collections.abc import Iterator

import pytest
from bluez_machine import project_disk
from guest_agent import GuestError
from guest_python import PLACE
from installed_machine import NO_NTP, NODE, RELEASE, ROOM, SERVICES, SITE, TIMERS, Installed, Prepared, boot

pytest_plugins = ["installed_site"]

NAME = "townhall"
WORDS = "seven lamps over the ford"
ANSWERS = f"""
name = "{NAME}"
timezone = "Europe/Brussels"
rooms_file = "/srv/rooms.csv"
passphrase_file = "/srv/passphrase"

[broker]
host = "localhost"
"""
ANSWERS_LATER = '[radios]\nbluetooth = "hci0"\n'

# A room that is there already gets a floor, a new one comes.
AIR_ROOM = "2.14"
ROOMS = f"id;name;floor\n{ROOM};Meeting room;2\n{AIR_ROOM};Archive;2\n"
# Codes speak of nodes by the first four bytes of their ids: the other node has others.
AIR_NODE = "01a1b2c3d4e50214"

BACKUPS = "/var/backups/attune"

# After windows have ended their days, at an hour when both timers have come.
LATER = "40 days 04:30"

# As of three days of running; noted an hour ahead of any clock would be taken back.
AWAKE = (
    "WITH RECURSIVE past(hour) AS (SELECT unixepoch() / 3600 - 71 UNION ALL SELECT hour + 1 FROM past "
    "WHERE hour < unixepoch() / 3600) INSERT OR IGNORE INTO awake SELECT hour FROM past"
)


@pytest.fixture(scope="module")
def site(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    disks = [prepared.cargo, project_disk()]
    with boot(tmp_path_factory.mktemp("staff"), prepared.root, disks) as machine:
        found = Installed(machine)
        found.wait_active(*SERVICES)
        for path, text in {"answers.toml": ANSWERS, "rooms.csv": ROOMS, "passphrase": WORDS + "\n"}.items():
            machine.write(f"/srv/{path}", text.encode())
        yield found


def backups(site: Installed) -> list[str]:
    return site.sh(f"ls {BACKUPS} | grep backup$ || true").split()


def sequences(site: Installed, node: str, *store: str) -> set[int]:
    """Numbers of the reports of a node since its last start that are in the store; each is there once."""
    reports: dict[str, dict[str, int]] = site.stored(*store)["reports"]
    # What came first stands first; numbers of starts say nothing of their order.
    *_, last = (key for key in reports if key.startswith(node))
    assert set(reports[last].values()) == {1}
    return {int(seq) for seq in reports[last]}


def test_without_a_passphrase_there_are_no_backups(site: Installed) -> None:
    site.sh("systemctl start attune-backup")
    assert site.show("attune-backup", "ConditionResult") == {"ConditionResult": "no"}
    assert (backups(site), site.troubles()["backup"]) == ([], "none are made")


def test_a_file_of_answers_sets_the_site_up(site: Installed) -> None:
    refused = site.attune("setup", "--answers", "/srv/answers.toml", check=False)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "sudo attune setup" in " ".join(refused.stderr.split())
    processes = {unit: site.main_pid(unit) for unit in SERVICES}
    told = site.attune("setup", "--answers", "/srv/answers.toml", user="root").stdout
    assert "Restarting attuned." in told
    assert WORDS not in told
    changed = [unit for unit in SERVICES if site.main_pid(unit) != processes[unit]]
    assert changed == ["attuned"]
    status = site.json("status")
    assert (status["site"], status["timezone"], status["rooms"]) == (NAME, "Europe/Brussels", 2)
    assert [(room["room"], room["floor"]) for room in site.json("rooms")["rooms"]] == [(ROOM, "2"), (AIR_ROOM, "2")]
    # The node has noticed nothing, and the building's systems find it under the new name.
    site.until(lambda: site.node()["online"], "The node")
    site.report_on()
    site.until(lambda: site.state(site=NAME) != "unknown", "A belief under the new name")
    assert site.node()["windows_lost"] == 0
    assert site.retained("status", NAME)["state"] == "online"
    # The broker keeps nothing of the room under the old name.
    with pytest.raises(GuestError):
        site.state(site=SITE)
    assert site.sh("stat --format '%a %U' /etc/attune/backup-key.toml") == "600 root\n"
    assert set(site.troubles()) == NO_NTP | {"backup"}


def test_the_backups_service_makes_one(site: Installed) -> None:
    site.sh("systemctl start attune-backup")
    assert site.show("attune-backup", "ConditionResult", "Result") == {"ConditionResult": "yes", "Result": "success"}
    (name,) = backups(site)
    assert re.fullmatch(r"attune-\d{8}T\d{6}Z\.backup", name)
    assert site.sh(f"stat --format '%a %U %G' {BACKUPS} {BACKUPS}/{name}").split("\n")[:2] == [
        "700 root root",
        "600 root root",
    ]
    # No copy that is not sealed stays behind.
    left = {each for each in site.sh(f"ls --almost-all {BACKUPS}").split() if not each.startswith("gone")}
    assert left == {name, ".attune-backup.lock"}
    assert name in site.said("attune-backup")
    assert set(site.troubles()) == NO_NTP


def test_a_restore_stops_the_services_and_nodes_go_on(site: Installed) -> None:
    kept = sequences(site, NODE)
    path = json.loads(site.attune("backup", "--json", user="root").stdout)["path"]
    places = "find /etc/attune -printf '%M %u %g %p\\n' | sort"
    etc, key = site.sh(places), site.sh("sha256sum /var/lib/attune/daemon.key")
    life, processes = site.show(f"node@{NODE}", "MainPID", "NRestarts"), [site.main_pid(unit) for unit in SERVICES]
    # What the backup does not know: a line of the configuration, a label, windows that the node lets go of.
    site.sh("echo '# Later.' >> /etc/attune/attuned.toml")
    assert site.json("label", "add", ROOM, "occupied", "-1m", "now")["label"]["number"] == 1
    site.report_on()
    restore = ["restore", path, "--passphrase-file"]
    refused = site.attune(*restore, "/srv/rooms.csv", user="root", check=False)
    assert (refused.exit_code, "not the passphrase" in " ".join(refused.stderr.split())) == (1, True)
    assert [site.main_pid(unit) for unit in SERVICES] == processes
    aside = json.loads(site.attune(*restore, "/srv/passphrase", "--json", user="root").stdout)["set_aside"]
    assert site.active(*SERVICES)
    # Who reads or writes what is restored was stopped meanwhile.
    assert not {site.main_pid(unit) for unit in SERVICES} & set(processes)
    assert (site.sh(places), site.sh("sha256sum /var/lib/attune/daemon.key")) == (etc, key)
    assert site.sh("stat --format '%a %U %G' /var/lib/attune") == "700 attuned attuned\n"
    assert site.sh("find /var/lib/attune ! -user attuned -o -type f ! -perm 600 ! -name '*.lock'") == ""
    etc_before, state_before = sorted(aside)
    assert re.fullmatch(r"/etc/attune\.before-\w+ /var/lib/attune\.before-\w+", f"{etc_before} {state_before}")
    later = [site.sh(f"grep -c Later {folder}/attuned.toml || true") for folder in ("/etc/attune", etc_before)]
    assert later == ["0\n", "1\n"]
    site.until(lambda: site.node()["online"], "The node")
    site.report_on()
    assert site.show(f"node@{NODE}", "MainPID", "NRestarts") == life
    # Lost is what the node had let go of since the backup, and nothing before or after it.
    now, before = sequences(site, NODE), sequences(site, NODE, state_before)
    missing = set(range(1, max(now) + 1)) - now
    assert missing
    assert missing <= before - kept
    assert missing == set(range(min(missing), max(missing) + 1))
    assert site.node()["windows_lost"] == len(missing)
    assert site.json("label", "add", ROOM, "occupied", "-1m", "now")["label"]["number"] > 1_000_000
    site.sh(f"rm -r {etc_before} {state_before}")
    assert set(site.troubles()) == NO_NTP


needs_radio = pytest.mark.skipif(RELEASE != "bookworm", reason="a node on the radio runs with Debian 12's Python")


@needs_radio
def test_bluetooth_from_within_the_gateways_sandbox(site: Installed) -> None:
    site.sh(f"modprobe hci_vhci && mount --mkdir LABEL=attune {PLACE}")
    inside = f"{PLACE}/tests/vm/inside/node_on_radio.py"
    folders = ":".join(f"{PLACE}/{each}" for each in ("venv/lib/python3.11/site-packages", "tests/air", "tests/e2e"))
    path = f"--setenv=PYTHONPATH={folders} --property=StandardOutput=file:/srv/{AIR_NODE}.code"
    site.sh(f"systemd-run --quiet --unit=node-air {path} /usr/bin/python3.11 {inside} {AIR_NODE}")
    site.machine.write("/srv/later.toml", ANSWERS_LATER.encode())
    daemon = site.main_pid("attuned")
    told = site.attune("setup", "--answers", "/srv/later.toml", user="root").stdout
    assert ("Restarting attune-gateway." in told, site.main_pid("attuned")) == (True, daemon)
    site.commission(AIR_NODE, AIR_ROOM)
    site.report_on(node=AIR_NODE)
    node = site.node(AIR_NODE)
    assert (node["transport"], node["room"], node["online"], node["windows_lost"]) == ("ble", AIR_ROOM, True, 0)
    assert node["signal_dbm"] < 0
    sandbox = {"User": "attune-gateway", "PrivateUsers": "yes", "CapabilityBoundingSet": ""}
    assert site.show("attune-gateway", *sandbox) == sandbox
    # Nodes that come by TCP stay.
    site.report_on(1)
    assert set(site.troubles()) == NO_NTP
    site.sh("systemctl restart bluetooth")
    heard = "Listening for nodes with Bluetooth radio hci0."
    site.until(lambda: site.said("attune-gateway").count(heard) == 2, "The return of the radio")
    # Whether it hears of the end or of the new beginning first is chance.
    why = "hci0 (was lost: bluetoothd has been restarted|cannot be used: bluetoothd does not run)"
    assert re.search(why, site.said("attune-gateway"))
    site.report_on(node=AIR_NODE)
    assert site.node(AIR_NODE)["windows_lost"] == 0


@needs_radio
def test_nights_make_backups_and_drop_what_is_old(site: Installed) -> None:
    for timer in TIMERS:
        waiting = site.show(timer, "ActiveState", "SubState", "NextElapseUSecRealtime")
        assert (waiting.pop("ActiveState"), waiting.pop("SubState")) == ("active", "waiting")
        assert waiting["NextElapseUSecRealtime"], timer
        # After a jump of the clock systemd would let the random delay go by once more.
        site.machine.write(f"/etc/systemd/system/{timer}.d/at-once.conf", b"[Timer]\nRandomizedDelaySec=0\n")
    site.sh("systemctl daemon-reload")
    *_, before = backups(site)
    # Of this room what was measured stays, as something was learned from it; of the other nothing has to.
    site.attune("label", "add", ROOM, "occupied", "-2m", "-1m")
    old = {node: sequences(site, node) for node in (NODE, AIR_NODE)}
    site.sh(f"date --set=\"$(date --date='{LATER}')\"")
    site.until(lambda: backups(site)[-1] > before, "The backup of the night")
    assert before in backups(site)
    # A clock that has just jumped is not believed.
    site.until(lambda: "Nothing was dropped" in site.said("attune-retention"), "Word of the retention")
    for node, reports in old.items():
        site.report_on(node=node)
        assert reports <= sequences(site, node)
    site.change("windows.db", AWAKE)
    site.sh("systemctl start attune-retention")
    assert site.show("attune-retention", "Result") == {"Result": "success"}
    assert "is gone, but for what labels are learned from" in site.said("attune-retention")
    left = {node: sequences(site, node) for node in old}
    assert left[AIR_NODE] & old[AIR_NODE] == set()
    stays = left[NODE] & old[NODE]
    # Windows since the label's end are gone as well.
    assert stays
    assert max(old[NODE]) not in stays
    for node, reports in old.items():
        site.report_on(1, node=node)
        assert max(left[node]) > max(reports)
