"""Broker, daemon and gateway killed at random moments under load: nothing acknowledged is lost or counted twice."""

import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
import stored
from installation import Installation, wait_until
from simulated import SimulatedNodes

pytestmark = pytest.mark.slow

LAUNCHERS = Path(__file__).with_name("launchers")

NODES = [f"{i:08x}0000cafe" for i in range(1, 25)]
ROOMS = {f"room{i}": NODES[2 * i : 2 * i + 2] for i in range(12)}

# Processes that are killed, one after the other.
VICTIMS = [("broker", "daemon", "gateway")[i % 3] for i in range(20)]

# Longest time between a process that is back and the next kill: enough for nodes to dial in again and report.
LONGEST_S = 1.5

# The share of kills that do not wait until the last victim is back.
HASTE = 0.25

SEED = 20_260_302


class Labeller:
    """People who label all the time; remembers which labels were acknowledged and which only tried."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="labels", daemon=True)
        self.tried: list[str] = []
        self.acknowledged: dict[str, int] = {}

    def start(self) -> None:
        self._thread.start()

    def finish(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        draw = random.Random(SEED)
        while not self._stop.wait(0.1):
            author = f"person{len(self.tried)}"
            self.tried.append(author)
            to_utc_ms = self._installation.now_utc_ms() - 30_000
            room, class_name = draw.choice(list(ROOMS)), draw.choice(("free", "occupied"))
            try:
                reply = self._installation.add_label(
                    room, class_name, to_utc_ms - 60_000, to_utc_ms, author=author, wait_ms=0
                )
            except grpc.RpcError:
                continue
            self.acknowledged[author] = reply.label.number


@contextmanager
def under_load(folder: Path, launcher: str) -> Iterator[tuple[Installation, SimulatedNodes, Labeller]]:
    command = [sys.executable, str(LAUNCHERS / launcher)]
    installation = Installation(folder, ROOMS, rate=30, step_s=10, daemon=command)
    nodes = None
    labeller = Labeller(installation)
    try:
        installation.start()
        nodes = SimulatedNodes(installation, NODES)
        nodes.start()
        labeller.start()
        yield installation, nodes, labeller
    finally:
        labeller.finish()
        if nodes is not None:
            nodes.kill()
        installation.close()


def kill_at_random(installation: Installation) -> None:
    """Kills each victim in turn at a random moment and starts it again."""
    draw = random.Random(SEED)
    for victim in VICTIMS:
        time.sleep(draw.uniform(0.05, LONGEST_S))
        installation.kill(victim)
        installation.launch(victim)
        if draw.random() > HASTE:
            installation.wait_ready(victim)
    installation.wait_ready("daemon")
    installation.wait_ready("gateway")
    wait_until(lambda: installation.status().nodes_online == len(NODES), "The nodes' return", 60)
    time.sleep(1)


def check_windows(installation: Installation, nodes: SimulatedNodes) -> int:
    """Every report that the nodes let go of is in the store exactly once; returns how many there are."""
    counted = nodes.finish()
    assert (counted["reports_waiting"], counted["reports_dropped"]) == (0, 0)
    found = stored.sequences(installation.store)
    assert {node for node, _ in found} == set(NODES)
    assert len(found) == len(NODES)
    for key, numbers in found.items():
        twice = [number for number, times in numbers.items() if times > 1]
        missing = sorted(set(range(1, max(numbers) + 1)) - set(numbers))
        assert (twice, missing) == ([], []), f"{key}: reports stored twice {twice}, lost {missing}"
    assert sum(map(len, found.values())) == counted["reports"]
    return int(counted["reports"])


def check_labels(installation: Installation, labeller: Labeller) -> None:
    """Each acknowledged label is there once under its number, each other at most once."""
    found = {author: number for number, _, author in stored.labels(installation.store)}
    times = Counter(author for _, _, author in stored.labels(installation.store))
    assert set(times.values()) == {1}
    assert set(found) <= set(labeller.tried)
    assert {author: found.get(author) for author in labeller.acknowledged} == labeller.acknowledged


def test_nothing_acknowledged_is_lost_or_counted_twice(tmp_path: Path) -> None:
    with under_load(tmp_path, "slow_disk.py") as (installation, nodes, labeller):
        kill_at_random(installation)
        labeller.finish()
        reports = check_windows(installation, nodes)
        check_labels(installation, labeller)
        status = installation.status()
        assert (status.windows, status.windows_lost) == (reports, 0)
        assert status.labels == len(stored.labels(installation.store))
        assert len(labeller.acknowledged) >= 5
        print(f"{reports} reports, {len(labeller.acknowledged)} of {len(labeller.tried)} labels acknowledged")


def test_a_daemon_that_acknowledges_before_the_commit_is_found_out(tmp_path: Path) -> None:
    with under_load(tmp_path, "hasty.py") as (installation, nodes, labeller):
        kill_at_random(installation)
        labeller.finish()
        with pytest.raises(AssertionError, match=r"lost \[[0-9]"):
            check_windows(installation, nodes)
        assert installation.status().windows_lost > 0
