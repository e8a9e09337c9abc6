"""Two hundred schedules of a hostile gateway with the real processes: nodes, gateway and daemon.

Each schedule has a seed, a node, and a room of its own. While its link is hostile people label its room, and send it
a release. When the link is good again nobody does anything: session and reports recover, each window is in the store
once with its own content, each label was learned once, every release has arrived, or was taken back, nothing runs that
was not signed for its node, and nothing is there that nobody said. To every fourth node the daemon itself says updates
that are old, for others, or of several pieces; there nothing counts but that none of that is taken.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest
import stored
from attune_proto.v1 import admin_pb2
from attuned.learning.releases import Release
from attuned.nodes.window import Window
from fed_nodes import FedNode, FedNodes
from hostile_links import HostileLinks
from hostile_releases import Releases, release_for
from installation import START_UTC_MS, Installation, wait_until
from made_releases import store_releases

pytestmark = pytest.mark.slow

SCHEDULES, BATCH = 200, 50
MINUTE = 60_000

# Minutes of the nodes' time: all links are good, links are hostile, and until what is asked of a node again has come.
GOOD, HOSTILE = 3, 14

# A second is a minute. The longest pauses of a node between two tries are five of those.
RATE, RECOVERY_S = 60, 60.0

# One in so many nodes is commissioned over a hostile link.
HOSTILE_FROM_THE_FIRST = 4

NODES = [f"{i:08x}00c0ffee" for i in range(1, SCHEDULES + 1)]


LAUNCHER = Path(__file__).with_name("launchers") / "meddling.py"

# To those, as the launcher has it, the daemon itself says what is wrong.
MEDDLED = NODES[1::4]


def room_of(node: str) -> str:
    return f"room-{node[:8]}"


@pytest.fixture(scope="module")
def releases() -> dict[str, Release]:
    """One for each node."""
    return {node: release_for(node, room_of(node), number) for number, node in enumerate(NODES)}


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory, releases: dict[str, Release]) -> Iterator[Installation]:
    """Shared by all schedules: what harms it shows in every one that follows."""
    rooms = {room_of(node): [node] for node in NODES}
    found = Installation(
        tmp_path_factory.mktemp("site"),
        rooms,
        rate=RATE,
        daemon=[sys.executable, str(LAUNCHER)],
        updates=True,
        witnessed=True,
        by_itself=False,
    )
    # Numbers of nodes lie apart: one that another node has had is often a new one.
    had = {node: (number * 37) % SCHEDULES * 10 + 1 for number, node in enumerate(NODES)}
    store_releases(found.store, list(releases.values()), START_UTC_MS, had)
    try:
        found.start()
        yield found
    finally:
        found.close()


@pytest.fixture(scope="module")
def seen() -> list[bytes]:
    """Frames that hostile links remember, those of schedules that are over among them."""
    return []


class Said(Protocol):
    """Messages of the daemon that a schedule sends on their way, and what has to have become of them."""

    def say(self, batch: FedNodes) -> None: ...
    def arrived(self, batch: FedNodes) -> bool: ...
    def check(self, batch: FedNodes, windows: dict[str, list[Window]]) -> None: ...


class Labels:
    """Of three minutes before the last one, with edges in the middle of windows."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._classes = ["occupied", "free"]

    def say(self, batch: FedNodes) -> None:
        class_name = self._classes.pop(0)
        now_utc_ms = batch.first_utc_ms + batch.tick_ms // MINUTE * MINUTE
        for node in batch.nodes:
            edges = now_utc_ms - 4 * MINUTE - MINUTE // 2, now_utc_ms - MINUTE - MINUTE // 2
            self._installation.add_label(room_of(node.node), class_name, *edges, wait_ms=0)

    def arrived(self, batch: FedNodes) -> bool:
        return all(self._learned(node) == self._held(node) == 6 for node in batch.nodes)

    def check(self, batch: FedNodes, windows: dict[str, list[Window]]) -> None:
        for node in batch.nodes:
            rows = self._rows(node)
            inside = [
                sum(row.from_utc_ms < window.end_utc_ms <= row.to_utc_ms for window in windows[node.node])
                for row in rows
            ]
            assert [row.windows_learned for row in rows] == inside, node.node

    def _rows(self, node: FedNode) -> list[admin_pb2.LabelRow]:
        with self._installation.admin() as admin:
            asked = admin_pb2.ListLabelsRequest(room=room_of(node.node))
            return list(admin.ListLabels(asked, timeout=10).labels)

    def _learned(self, node: FedNode) -> int:
        return sum(row.windows_learned for row in self._rows(node))

    def _held(self, node: FedNode) -> int:
        return self._installation.node(node.node).label_windows


def windows_of(installation: Installation, batch: FedNodes) -> dict[str, list[Window]]:
    found: dict[str, list[Window]] = {node.node: [] for node in batch.nodes}
    for window in stored.windows(installation.store):
        if window.node in found:
            found[window.node].append(window)
    return found


def run(installation: Installation, batch: FedNodes, links: HostileLinks, said: list[Said]) -> None:
    """One schedule a node, all at once."""
    for node in batch.nodes:
        installation.add_node(node.code)
    wait_until(lambda: batch.tick_ms > GOOD * MINUTE, "Time")
    links.attack(links.links)
    for part in (1, 2):
        wait_until(lambda part=part: batch.tick_ms > (GOOD + part * HOSTILE // 2) * MINUTE, "Time")  # type: ignore[misc]
        for messages in said:
            messages.say(batch)
    links.relent()


def check_windows(batch: FedNodes, windows: dict[str, list[Window]]) -> None:
    """Every window of every node is there once, and says what the node measured."""
    for node in batch.nodes:
        expected = node.windows()
        found = windows[node.node]
        assert sorted(window.seq for window in found) == list(range(1, len(found) + 1)), node.node
        assert len({window.boot for window in found}) == 1, node.node
        assert {w.seq: (w.end_s, w.features) for w in found} == {w.seq: expected[w.seq] for w in found}, node.node


def recover(installation: Installation, batch: FedNodes, links: HostileLinks, said: list[Said]) -> None:
    """Until every window of the hostile minutes is there and every message was answered; nobody helps."""

    def whole() -> bool:
        return all(len(found) >= GOOD + HOSTILE for found in windows_of(installation, batch).values())

    wait_until(whole, "The recovery of all reports", RECOVERY_S)
    wait_until(lambda: all(messages.arrived(batch) for messages in said), "The recovery of messages", RECOVERY_S)
    # After a new greeting the nodes themselves say what they hold.
    links.hang_up()
    wait_until(lambda: all(installation.node(n.node).online for n in batch.nodes), "The nodes' return", RECOVERY_S)
    wait_until(lambda: all(messages.arrived(batch) for messages in said), "The nodes' own word", RECOVERY_S)


@pytest.mark.parametrize("first", range(0, SCHEDULES, BATCH))
def test_schedules_with_real_processes(
    installation: Installation, releases: dict[str, Release], seen: list[bytes], first: int
) -> None:
    nodes = NODES[first : first + BATCH]
    seeds = range(first, first + BATCH)
    said: list[Said] = [Labels(installation), Releases(installation, releases, MEDDLED)]
    with HostileLinks(seeds, nodes, seen, installation.node_port) as links:
        links.attack(links.links[::HOSTILE_FROM_THE_FIRST])
        with FedNodes(installation, nodes, [link.port for link in links.links]) as batch:
            run(installation, batch, links, said)
            assert all(link.meddled > 0 for link in links.links)
            meddled = sum(link.meddled for link in links.links)
            recover(installation, batch, links, said)
            minutes = batch.tick_ms // MINUTE
            print(f"{len(nodes)} schedules, {meddled} meddled frames; all was whole {minutes} min after the start.")
            batch.stop()
            assert [node.node for node in batch.nodes if node.finish() != 0] == []
            windows = windows_of(installation, batch)
            check_windows(batch, windows)
            for messages in said:
                messages.check(batch, windows)
            assert not [node.node for node in batch.nodes if "blinks" in batch.log(node)]
    status = installation.status()
    assert (status.windows_lost, status.refused) == (0, 0)
    assert {window.node for window in stored.windows(installation.store)} == set(NODES[: first + BATCH])
