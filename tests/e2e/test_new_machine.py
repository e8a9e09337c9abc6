"""The machine of a site dies, and another takes over from a backup: nodes, gateways and the broker stay as they are.

Two folders are the two machines. A link has the place where either finds its files, as /etc/attune and /var/lib/attune
are the same path on every machine; the address is the same, too.
"""

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import stored
from attune_proto.v1 import admin_pb2
from attuned import backup_key
from gateway_ports import two_free_ports
from installation import Installation, program, wait_until
from listening import listening
from simulated import SimulatedNodes
from test_commissioning import running
from test_gateway_enrolment import enroll, gateway, invite, listed

pytestmark = pytest.mark.slow

NODES = [f"{i:08x}0000beef" for i in range(1, 5)]
ROOMS = {f"room{i}": NODES[2 * i : 2 * i + 2] for i in range(2)}
# Processes of the node program: one that stays, and one that is removed.
STAYS, GOES = "0a0b0c0d01020304", "1a0b0c0d01020304"
WORDS = "seven lamps over the ford"


class Site:
    """What outlives the machine: broker, gateways, nodes, and the place that a machine's files have."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.here = folder, folder / "here"
        self.usb = folder / "usb"
        self.usb.mkdir()
        (folder / "words").write_text(WORDS)
        self.machine("old")
        self.installation = Installation(self.here, {**ROOMS, "hall": []}, rate=60, tls_port=two_free_ports())
        self.etc = self.here / "etc"
        self.etc.mkdir()
        (self.here / "attuned.toml").rename(self.etc / "attuned.toml")
        (self.here / "attuned.toml").symlink_to("etc/attuned.toml")
        backup_key.make(WORDS).save(self.etc / "backup-key.toml")
        self.installation.broker.folder = folder

    def machine(self, name: str) -> None:
        """From now on this machine is the one that is there."""
        (self.folder / name).mkdir()
        self.here.unlink(missing_ok=True)
        self.here.symlink_to(name)

    def attune(self, *words: str) -> dict[str, Any]:
        """What a command answers that needs no daemon."""
        where = ["--config", str(self.etc / "attuned.toml"), "--signer-state", str(self.here / "signing"), "--json"]
        run = subprocess.run([program("attune"), *words, *where], capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
        answer: dict[str, Any] = json.loads(run.stdout)
        return answer

    def ask(self, *words: str) -> str:
        """What a command of the running daemon's says."""
        command = [program("attune"), "--socket", str(self.installation.api_socket), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def back_up(self) -> Path:
        return Path(self.attune("backup", "--to", str(self.usb))["path"])

    def replace_machine(self) -> None:
        """The old one is gone with all that it had; a new one runs as it was installed, and is stopped again."""
        self.installation.kill("daemon")
        self.machine("new")
        self.etc.mkdir()
        daemon = f'[site]\nname = "site"\n[store]\npath = "{self.here}/store"\n'
        sockets = f'[gateways]\nlisten = ["unix:{self.installation.gateway_socket}"]\n'
        sockets += f'[api]\nsocket = "{self.installation.api_socket}"\n'
        (self.etc / "attuned.toml").write_text(daemon + sockets)
        (self.here / "attuned.toml").symlink_to("etc/attuned.toml")
        self.installation.start("daemon")
        assert self.installation.terminate("daemon") == 0


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    found = Site(tmp_path)
    try:
        found.installation.start("broker", "daemon")
        yield found
    finally:
        found.installation.close()


def grown(site: Site, by: int) -> Callable[[], bool]:
    """Whether so many windows more are there."""
    until = site.installation.status().windows + by
    return lambda: site.installation.status().windows >= until


def retained(site: Site, topics: set[str]) -> dict[str, dict[str, Any]]:
    """What the broker says to whoever comes now, once all of these topics are among it."""
    with listening(site.installation.broker.port, "site") as listener:
        wait_until(lambda: listener.retained >= topics, f"The broker's word on {topics}")
        return {topic: listener.newest[topic] for topic in listener.retained}


def test_another_machine_takes_over(site: Site) -> None:
    installation = site.installation
    attic, cellar = site.folder / "attic", site.folder / "cellar"
    for state in (attic, cellar):
        assert enroll(invite(installation, state.name), state).returncode == 0
    with ExitStack() as world:
        log = world.enter_context(gateway(installation, attic))
        nodes = SimulatedNodes(installation, NODES)
        world.callback(nodes.kill)
        nodes.start()
        for node in (STAYS, GOES):
            code = world.enter_context(running(installation, site.folder, node)).code
            site.ask("node", "add", code, "--room", "hall")
        wait_until(lambda: installation.status().nodes_online == len(NODES) + 2, "All nodes")
        wait_until(grown(site, 60), "Windows before the backup")
        begun = installation.now_utc_ms()
        for room in ROOMS:
            installation.add_label(room, "occupied", begun - 120_000, begun - 60_000)
        backup = site.back_up()

        # What the backup does not know of.
        wait_until(grown(site, 60), "Windows after the backup")
        with installation.admin() as admin:
            request = admin_pb2.ForgetRequest(room="room1", author="ann", from_utc_ms=0, to_utc_ms=begun)
            assert admin.Forget(request, timeout=30).entry.counts
        site.ask("node", "remove", GOES)
        site.ask("gateway", "revoke", "cellar")
        assert installation.add_label("room0", "free", begun - 30_000, begun).label.number == 3
        site.back_up().unlink()
        topics = {"status", *(f"rooms/{room}" for room in ROOMS), *(f"nodes/{node}/health" for node in NODES)}
        before = retained(site, topics)

        site.replace_machine()
        acknowledged = stored.sequences(site.folder / "old" / "store")
        asked = site.attune("restore", str(backup), "--passphrase-file", str(site.folder / "words"))
        assert [Path(path).name.partition(".before-")[0] for path in asked["set_aside"]] == ["etc", "store"]
        kept = stored.sequences(installation.store)
        installation.start("daemon")

        wait_until(lambda: installation.status().nodes_online == len(NODES) + 1, "All nodes but one, without a hand")
        assert GOES not in {each["node"] for each in json.loads(site.ask("nodes", "--json"))["nodes"]}
        gateways = listed(installation)
        assert (gateways["attic"]["connected"], gateways["cellar"]["state"]) == (True, "revoked")
        wait_until(grown(site, 60), "Windows after the restore")
        assert "Traceback" not in log.read_text()

        # Everybody who listens to the broker hears of the same things as before, as they are now.
        health = {f"nodes/{node}/health" for node in NODES}
        wait_until(lambda: all(retained(site, topics)[topic]["state"] == "online" for topic in health), "Their health")
        after = retained(site, topics)
        assert set(after) <= set(before)
        assert after["status"]["state"] == "online"
        assert all(after[f"rooms/{room}"]["as_of"] > before[f"rooms/{room}"]["as_of"] for room in ROOMS)
        # A new label is none that a node could have heard of.
        now = installation.now_utc_ms()
        assert installation.add_label("room0", "free", now - 90_000, now).label.number > 1_000_000
        assert nodes.finish()["reports_dropped"] == 0

    check_windows(acknowledged, kept, stored.sequences(installation.store))
    # What was forgotten is not there again: neither windows nor the label.
    ends = [window.end_utc_ms for window in stored.windows(installation.store) if window.node in ROOMS["room1"]]
    assert min(ends) > begun
    assert {room for _, room, _ in stored.labels(installation.store)} == {"room0"}


def check_windows(acknowledged: Any, kept: Any, after: Any) -> None:
    """Nothing twice; nothing lost but what the nodes had let go of after the backup."""
    assert max(count for numbers in after.values() for count in numbers.values()) == 1
    for key, numbers in acknowledged.items():
        if key[0] in ROOMS["room0"]:
            lost = set(numbers) - set(kept[key])
            assert set(range(1, max(after[key]) + 1)) - set(after[key]) <= lost
            assert max(after[key]) > max(numbers)
