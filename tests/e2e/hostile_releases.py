"""Releases that are sent to the nodes of hostile schedules, and what has to have become of them.

Each node has a rollout of its own, and every third one's is rolled back while its link is still hostile.
"""

from collections.abc import Sequence
from contextlib import nullcontext, suppress

import grpc
import numpy as np
from attune_core import Head, Schema
from attune_core.update import Model
from attune_proto.v1 import admin_pb2, rollouts_pb2
from attuned.learning.releases import Release
from attuned.nodes.window import Window
from attuned.updates.envelope import Audience
from fed_nodes import SENSORS, WINDOW_S, FedNode, FedNodes, windows_of
from installation import Installation
from kept_nodes import said_in
from made_releases import make_release
from signing_witness import by_node

SCHEMA = Schema(SENSORS, WINDOW_S)
FACTORY = Model(Head.factory(SCHEMA)[0], SCHEMA).digest.hex()

# What releases are taught, milliseconds: the warmer half of the windows is taken for occupied.
LEARNED_MS = 100 * 60_000

ENDS = {"done", "stopped"}


def release_for(node: str, room: str, serial: int) -> Release:
    """Every other one takes more than one message."""
    head, _ = Head.factory(SCHEMA)
    _, features = windows_of(serial, LEARNED_MS)
    occupied = features[:, 0] > np.median(features[:, 0])
    head.learn(features, occupied.astype(np.uint8))
    return make_release(node, room, SCHEMA, WINDOW_S, head, large=serial % 2 == 0)


def audience_of(node: str) -> bytes:
    return Audience(bytes.fromhex(node), SCHEMA.hash, "host").digest


class Releases:
    """`releases` by node. Nodes to which the daemon itself talks nonsense (`meddled`) need not get theirs."""

    def __init__(self, installation: Installation, releases: dict[str, Release], meddled: Sequence[str]) -> None:
        self._installation = installation
        self._releases = releases
        self._meddled = set(meddled)
        self._numbers: dict[str, int] = {}
        self._rolled_back: set[str] = set()

    def say(self, batch: FedNodes) -> None:
        if self._numbers:
            self._roll_back(batch.nodes[::3])
            return
        with self._installation.rollouts() as stub:
            for node in batch.nodes:
                wanted = [self._releases[node.node].id]
                started = rollouts_pb2.StartRolloutRequest(releases=wanted, author="ann")
                self._numbers[node.node] = stub.StartRollout(started, timeout=10).number

    def _roll_back(self, nodes: Sequence[FedNode]) -> None:
        with self._installation.rollouts() as stub:
            for node in nodes:
                said = rollouts_pb2.ChangeRolloutRequest(word="rollback", author="ann", reason="a test")
                said.number = self._numbers[node.node]
                # One that has failed already is not taken back.
                with suppress(grpc.RpcError) if node.node in self._meddled else nullcontext():
                    stub.ChangeRollout(said, timeout=10)
                self._rolled_back.add(node.node)

    def arrived(self, batch: FedNodes) -> bool:
        return not self._missing(batch) and all(state in ENDS for state in self._states(batch).values())

    def _missing(self, batch: FedNodes) -> list[str]:
        with self._installation.admin() as admin:
            found = admin.ListNodes(admin_pb2.ListNodesRequest(nodes=self._sound(batch)), timeout=10).nodes
        return [node.node for node in found if node.release != self._wanted(node.node)]

    def _states(self, batch: FedNodes) -> dict[int, str]:
        with self._installation.rollouts() as stub:
            asked = rollouts_pb2.ListRolloutsRequest(limit=len(batch.nodes))
            newest = stub.ListRollouts(asked, timeout=10).rollouts
        numbers = {self._numbers[node] for node in self._sound(batch)}
        return {each.number: each.state for each in newest if each.number in numbers}

    def _sound(self, batch: FedNodes) -> list[str]:
        return [node.node for node in batch.nodes if node.node not in self._meddled]

    def _wanted(self, node: str) -> str:
        return FACTORY if node in self._rolled_back else self._releases[node].running_digest

    def check(self, batch: FedNodes, windows: dict[str, list[Window]]) -> None:
        """Nothing ran that was not signed for its node, and no number ever fell."""
        audiences = {node: audience_of(node) for node in self._releases}
        signed = by_node(self._installation.witness, audiences)
        for node in batch.nodes:
            said, given = said_in(batch.log(node)), signed[node.node]
            numbers = [each.highest for each in said]
            assert numbers == sorted(numbers), node.node
            assert {each.highest for each in said} | {each.trial for each in said} <= {0, *given}, node.node
            assert {each.release for each in said} <= {FACTORY, *(update.result.hex() for update in given.values())}
            assert node.node in self._meddled or said[-1].release == self._wanted(node.node), node.node
            assert windows[node.node]
        self._check_schedules(batch)

    def _check_schedules(self, batch: FedNodes) -> None:
        """That there was something to withstand."""
        log = self._installation.log("daemon")
        nodes = {node.node for node in batch.nodes}
        assert [node for node in self._meddled & nodes if f"A wrong word to {node}." not in log] == []
        came = {node.node for node in batch.nodes if any(each.release != FACTORY for each in said_in(batch.log(node)))}
        back = came & self._rolled_back - self._meddled
        print(f"{len(came)} nodes took a release up, {len(back)} of them gave it back.")
        assert back
