"""The machine's plug is pulled while nodes report: nothing acknowledged is missing afterwards.

Nodes live outside, on serial lines, so no cut is theirs. The disk has a cache of its own: what it was not told to flush
is gone, all of it, half of it at random, or none.
"""

import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from figures import Figures
from guest_disk import Lost
from installed_machine import NODE, PYTHON, ROOM, SERVICES, Installed, Prepared, boot
from serial_node import SerialNodes, all_more

pytest_plugins = ["installed_site"]

CUTS = 10
SHARES = (1.0, 0.5, 0.0)

# Nodes and daemon live so much faster than real time: a window every two seconds and node.
RATE = 5.0
NODES = 3

# Seconds from the first acknowledgements after a boot to the next cut, at most.
LONGEST_S = 6.0

# An emulated machine's start, and that of a daemon and a gateway in it.
BACK_S = 300.0

SEED = 20_260_302

# Writes what nobody flushes: on a slow machine a cut would else find little to take.
SCRIBBLER = """
[Service]
ExecStart=sh -c 'while dd if=/dev/urandom of=/srv/scribble bs=4k count=4 oflag=direct conv=notrunc status=none; \
do sleep 0.3; done'

[Install]
WantedBy=multi-user.target
"""


def configuration() -> str:
    """A clock that is as fast as the nodes', and goes on through every start."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return f"[clock]\nstart = {now}\nreal_start = {now}\nrate = {RATE}\n"


def serial() -> str:
    return "".join(f'[[serial]]\ndevice = "/dev/ttyS{number + 1}"\n' for number in range(NODES))


@dataclass
class Cuts:
    """A site under load, and what has been promised to whom so far."""

    site: Installed
    nodes: SerialNodes
    draw: random.Random = field(default_factory=lambda: random.Random(SEED))
    labels: list[int] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)

    def label(self) -> None:
        """Somebody labels, and is told that it is kept."""
        choice = self.draw.choice(("free", "occupied"))
        self.labels.append(self.site.json("label", "add", ROOM, choice, "-2m", "-1m")["label"]["number"])

    def wait_for_reports(self, by: int = 1) -> None:
        """Returns once every node has had so many more acknowledgements."""
        before = self.nodes.acknowledged()
        deadline = time.monotonic() + BACK_S
        while not all_more(self.nodes.acknowledged(), before, by):
            assert time.monotonic() < deadline, f"{self.nodes.acknowledged()}\n{self.site.machine.console[-2000:]}"
            time.sleep(0.05)

    def cut(self, share: float) -> None:
        self.lost.append(self.site.machine.cut_power(self.draw, share))
        self.site.machine.power_on()

    def stored(self) -> dict[str, dict[int, int]]:
        """How often each report of each node is in the store; labels and SQLite's own checks are looked at here."""
        found = self.site.stored()
        assert found["checks"] == ["ok", "ok"]
        times = Counter(found["labels"])
        assert {number: times[number] for number in self.labels} == dict.fromkeys(self.labels, 1)
        reports: dict[str, dict[str, int]] = found["reports"]
        return {key: {int(seq): count for seq, count in numbers.items()} for key, numbers in reports.items()}

    def check(self) -> int:
        """Every report that the nodes let go of is in the store exactly once; returns how many there are."""
        acknowledged, found = self.nodes.acknowledged(), self.stored()
        for node, count in zip(self.nodes.nodes, acknowledged, strict=True):
            numbers = found[f"{node.node} {node.boot}"]
            twice = [number for number, times in numbers.items() if times > 1]
            missing = sorted(set(range(1, count + 1)) - set(numbers))
            assert (twice, missing) == ([], []), f"{node.node}: stored twice {twice}, lost {missing}"
        return sum(acknowledged)


@pytest.fixture(scope="module")
def cuts(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cuts]:
    machine = boot(tmp_path_factory.mktemp("cuts"), prepared.root, [prepared.cargo], lines=NODES, forgetful=True)
    with machine, SerialNodes(machine, NODES, RATE) as nodes:
        site = Installed(machine)
        site.wait_active(*SERVICES)
        # The node of the machine's own would be cut with it.
        site.sh(f"systemctl disable --now node@{NODE}")
        machine.run("sh", "-c", "cat >> /etc/attune/attuned.toml", stdin=configuration().encode())
        machine.run("sh", "-c", "cat >> /etc/attune/gateway.toml", stdin=serial().encode())
        machine.write("/etc/systemd/system/scribbler.service", SCRIBBLER.encode())
        site.sh("systemctl daemon-reload; systemctl enable --now scribbler; systemctl restart attuned attune-gateway")
        for node in nodes.nodes:
            site.attune("node", "add", node.core.code, "--room", ROOM)
        yield Cuts(site, nodes)


def test_nothing_acknowledged_is_missing_after_ten_power_cuts(cuts: Cuts, figures: Figures) -> None:
    for number in range(CUTS):
        cuts.wait_for_reports()
        if number % 3 == 0:
            cuts.site.machine.wait_ready()
            cuts.label()
        time.sleep(cuts.draw.uniform(0, LONGEST_S))
        cuts.cut(SHARES[number % len(SHARES)])
    cuts.wait_for_reports()
    cuts.nodes.finish()
    cuts.site.machine.wait_ready()
    cuts.site.until(lambda: cuts.nodes.acknowledged() == cuts.nodes.reports(), "The acknowledgement of all reports")
    reports = cuts.check()
    assert cuts.nodes.dropped() == 0
    assert cuts.site.json("status")["windows_lost"] == 0
    unflushed, gone = (sum(getattr(lost, name) for lost in cuts.lost) for name in ("unflushed", "gone"))
    assert gone > 0
    figures.note("power cuts", str(CUTS), f"{reports} reports, {len(cuts.labels)} labels, none missing")
    figures.note("writes that had not been flushed", str(unflushed), f"{gone} of them gone")


def test_a_store_that_does_not_sync_is_found_out(cuts: Cuts) -> None:
    program = f"/usr/lib/attune/lib/{PYTHON}/site-packages/attuned/store/database.py"
    cuts.site.sh(f"sed -i s/synchronous=FULL/synchronous=OFF/ {program}; grep -q synchronous=OFF {program}")
    cuts.site.sh("systemctl restart attuned")
    cuts.nodes.resume()
    cuts.wait_for_reports(by=3)
    cuts.cut(share=1.0)
    cuts.site.machine.wait_ready()
    cuts.site.wait_active("attuned")
    with pytest.raises(AssertionError, match=r"lost \[[0-9]"):
        cuts.check()
