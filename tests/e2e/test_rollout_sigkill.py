"""Daemon, gateway and nodes killed at random moments while releases go out and come back: every rollout goes on where
it was.

Each kill is followed by a start at once. Rollouts go forth and back until there were enough kills.
"""

import random
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import grpc
import pytest
import stored
from attune_core import Head
from attune_core.update import Model
from attune_proto.v1 import admin_pb2, rollouts_pb2
from attuned.updates.envelope import Audience
from installation import START_UTC_MS, Installation, installed, wait_until
from kept_nodes import SCHEMA, SPELL_MS, WINDOW_S, KeptNode, KeptNodes, labelled, occupied
from made_releases import make_release, store_releases
from signing_witness import by_node

pytestmark = pytest.mark.slow

ROOMS = {f"room{i}": [f"{2 * i + j + 1:08x}00defe47" for j in range(2)] for i in range(3)}
NODES = [node for nodes in ROOMS.values() for node in nodes]
FACTORY = Model(Head.factory(SCHEMA)[0], SCHEMA).digest.hex()
AUDIENCES = {node: Audience(bytes.fromhex(node), SCHEMA.hash, "host").digest for node in NODES}

KILLS = 50
SEED = 20_261_121

# A trial of sixty windows of ten seconds takes five seconds.
RATE = 120.0

# Longest real time between two kills, and to the end of a rollout that nobody disturbs any more.
LONGEST_S, END_S = 2.5, 90.0

# The share of kills that are a node's. A trial survives three of them: in one rollout a node dies once.
NODE_SHARE = 0.12

# Labels of a room, three windows each, of which a node keeps 64.
LABELS = 12


class Labeller:
    """Somebody who now and then says how it was in a room; remembers what was acknowledged."""

    def __init__(self, installation: Installation, draw: random.Random) -> None:
        self._installation = installation
        self._draw = draw
        self._said: set[tuple[str, int]] = set()
        self.tried: list[str] = []
        self.acknowledged: dict[str, int] = {}

    def say(self) -> None:
        """Of half a minute in the last stretch of time that is over, once a room and stretch."""
        spell = self._installation.now_utc_ms() // SPELL_MS - 1
        room = self._draw.choice(list(ROOMS))
        if (room, spell) in self._said or sum(said == room for said, _ in self._said) == LABELS:
            return
        self._said.add((room, spell))
        begin = spell * SPELL_MS + 60_000
        class_name = "occupied" if occupied(list(ROOMS).index(room), begin) else "free"
        author = f"person{len(self.tried)}"
        self.tried.append(author)
        try:
            reply = self._installation.add_label(room, class_name, begin, begin + 30_000, author=author, wait_ms=0)
        except grpc.RpcError:
            return
        self.acknowledged[author] = reply.label.number


class Killer:
    """Kills by seed, and looks after each kill whether the rollout is where it was."""

    def __init__(self, installation: Installation, nodes: KeptNodes) -> None:
        self._installation = installation
        self._nodes = nodes
        self._draw = random.Random(SEED)
        self.labeller = Labeller(installation, random.Random(SEED + 1))
        self.kills: Counter[str] = Counter()

    def disturb(self, number: int, ends: set[str]) -> rollouts_pb2.Rollout:
        """Until the rollout is at an end, with kills as long as there are some left."""
        alive, deadline = list(self._nodes.nodes), time.monotonic() + END_S
        before = wait_for_rollout(self._installation, number)
        while before.state not in ends:
            assert time.monotonic() < deadline, f"Rollout {number} hangs: {before}"
            time.sleep(self._draw.uniform(0.05, LONGEST_S))
            self.labeller.say()
            if self.kills.total() < KILLS:
                self._kill(alive)
                deadline = time.monotonic() + END_S
            now = wait_for_rollout(self._installation, number)
            assert (now.number, now.started_utc_ms) == (number, before.started_utc_ms)
            assert (now.stage, now.size) >= (before.stage, before.size)
            before = now
        return before

    def _kill(self, alive: list[KeptNode]) -> None:
        if alive and self._draw.random() < NODE_SHARE:
            alive.pop(self._draw.randrange(len(alive))).restart()
            self.kills["node"] += 1
            return
        victim = self._draw.choice(["daemon", "gateway"])
        self._installation.kill(victim)
        self._installation.launch(victim)
        self.kills[victim] += 1


def wait_for_rollout(installation: Installation, number: int) -> rollouts_pb2.Rollout:
    """The rollout, once a daemon answers."""
    found: list[rollouts_pb2.Rollout] = []

    def ask() -> bool:
        try:
            with installation.rollouts() as stub:
                found.append(stub.ShowRollout(rollouts_pb2.RolloutRequest(number=number), timeout=2))
        except grpc.RpcError:
            return False
        return True

    wait_until(ask, "An answer of the daemon")
    return found[0]


def make_ready(installation: Installation, serial: int) -> dict[str, str]:
    """A release for each node in the store of a daemon that is killed for that; the digests of what will run."""
    releases = []
    for number, (room, nodes) in enumerate(ROOMS.items()):
        for node in nodes:
            head, _ = Head.factory(SCHEMA)
            head.learn(*labelled(number, START_UTC_MS + serial * 7 * SPELL_MS, 90 + 30 * serial))
            releases.append(make_release(node, room, SCHEMA, WINDOW_S, head, large=serial % 2 == 0))
    installation.kill("daemon")
    store_releases(installation.store, releases, installation.now_utc_ms())
    installation.start("daemon")
    return {made.node: made.running_digest for made in releases}


def runs(nodes: KeptNodes) -> dict[str, str]:
    """What the nodes themselves said last that they run."""
    return {node.node: node.said()[-1].release for node in nodes.nodes}


def forth(installation: Installation, killer: Killer, serial: int) -> tuple[int, dict[str, str]]:
    wanted = make_ready(installation, serial)
    wait_until(lambda: installation.status().nodes_online == len(NODES), "The nodes' return")
    with installation.rollouts() as stub:
        number = stub.StartRollout(rollouts_pb2.StartRolloutRequest(author="ann"), timeout=10).number
    ended = killer.disturb(number, {"done", "stopped", "aborted"})
    assert ended.state == "done", ended
    assert {node.step for node in ended.nodes} == {"committed"}, ended
    return number, wanted


def back(installation: Installation, killer: Killer, number: int) -> None:
    with installation.rollouts() as stub:
        said = rollouts_pb2.ChangeRolloutRequest(number=number, word="rollback", author="ann", reason="a test")
        stub.ChangeRollout(said, timeout=10)
    ended = killer.disturb(number, {"stopped", "done", "aborted"})
    assert ended.state == "stopped", ended
    assert {node.step for node in ended.nodes} == {"returned"}, ended


def check_updates(installation: Installation, nodes: KeptNodes, wishes: int) -> None:
    """Nodes ran what was signed for them, each wish by one trial, and their numbers never fell."""
    signed = by_node(installation.witness, AUDIENCES)
    for node in nodes.nodes:
        said, given = node.said(), signed[node.node]
        numbers = [each.highest for each in said]
        assert numbers == sorted(numbers), node.node
        assert {each.highest for each in said} <= {0, *given}, node.node
        assert {each.trial for each in said} <= {0, *given}, node.node
        assert {each.release for each in said} <= {FACTORY, *(each.result.hex() for each in given.values())}, node.node
        assert len({each.trial for each in said} - {0}) == wishes, (node.node, said)


def check_windows(installation: Installation, nodes: KeptNodes) -> int:
    """Every report of every start is there once, as far as its node lived to tell; returns how many there are."""
    found = stored.sequences(installation.store)
    for key, numbers in found.items():
        twice = [number for number, times in numbers.items() if times > 1]
        missing = sorted(set(range(1, max(numbers) + 1)) - set(numbers))
        assert (twice, missing) == ([], []), f"{key}: reports stored twice {twice}, lost {missing}"
    starts = Counter(node for node, _ in found)
    assert all(1 <= starts[node.node] <= node.starts for node in nodes.nodes)
    assert installation.status().windows_lost == 0
    return sum(map(len, found.values()))


def check_labels(installation: Installation, labeller: Labeller) -> None:
    """Each acknowledged label is there once under its number, and nodes hold what they said that they learned."""
    found = stored.labels(installation.store)
    authors = Counter(author for _, _, author in found)
    assert set(authors) <= set(labeller.tried)
    assert set(authors.values()) <= {1}
    numbers = {author: number for number, _, author in found}
    assert {author: numbers.get(author) for author in labeller.acknowledged} == labeller.acknowledged

    def learned(room: str) -> int:
        with installation.admin() as admin:
            rows = admin.ListLabels(admin_pb2.ListLabelsRequest(room=room), timeout=10).labels
        return sum(row.windows_learned for row in rows)

    def held(room: str) -> int:
        return sum(installation.node(node).label_windows for node in ROOMS[room])

    # After a new greeting the nodes themselves say what they hold.
    installation.restart("gateway")
    wait_until(lambda: installation.status().nodes_online == len(NODES), "The nodes' return")
    with suppress(AssertionError):
        wait_until(lambda: all(learned(room) == held(room) for room in ROOMS), "The nodes' word")
    assert {room: held(room) for room in ROOMS} == {room: learned(room) for room in ROOMS}
    assert sum(map(learned, ROOMS)) > 0


def there_and_back(installation: Installation, nodes: KeptNodes, killer: Killer) -> int:
    """To a release and back to the factory's, then to others and back to the first of those; how many that makes."""
    number, _ = forth(installation, killer, 1)
    back(installation, killer, number)
    assert set(runs(nodes).values()) == {FACTORY}
    _, kept = forth(installation, killer, 2)
    assert runs(nodes) == kept
    deliveries, serial = 3, 3
    while killer.kills.total() < KILLS:
        number, wanted = forth(installation, killer, serial)
        assert runs(nodes) == wanted
        back(installation, killer, number)
        assert runs(nodes) == kept
        deliveries, serial = deliveries + 2, serial + 1
    return deliveries


def test_rollouts_go_on_where_they_were(tmp_path: Path) -> None:
    more = {"rate": RATE, "step_s": WINDOW_S, "updates": True, "witnessed": True, "by_itself": False}
    with installed(tmp_path, ROOMS, **more) as installation, KeptNodes(installation, ROOMS) as nodes:
        for node in nodes.nodes:
            installation.add_node(node.code)
        killer = Killer(installation, nodes)
        deliveries = there_and_back(installation, nodes, killer)
        check_labels(installation, killer.labeller)
        nodes.stop()
        assert [node.node for node in nodes.nodes if node.finish() != 0] == []
        check_updates(installation, nodes, deliveries)
        reports = check_windows(installation, nodes)
        said = f"{len(killer.labeller.acknowledged)} of {len(killer.labeller.tried)} labels acknowledged"
        print(f"{killer.kills.total()} kills {dict(killer.kills)}, {deliveries} releases for each node")
        print(f"{reports} reports, {said}")
