"""A whole installation over the air: a board in QEMU, the gateway's radio, the daemon, and `attune`."""

import hashlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import stored
from air import Air, AirController
from attune_core import Head, Schema
from attune_core.update import Model
from attune_proto.v1 import rollouts_pb2
from attuned.demo.ports import free_port
from bumble.controller import Controller
from firmware_build import firmware
from installation import GATEWAY, START_UTC_MS, Installation, program, wait_until
from made_releases import make_release, store_releases
from qemu_board import Board, shows_code
from test_qemu_node import ROOM_SENSOR, WINDOW_S
from test_qemu_site import Feed
from test_qemu_update import taught

pytestmark = pytest.mark.slow

SEED = bytes(range(32))
# The board makes its identity from its seed.
NODE = hashlib.blake2b(b"node id", key=SEED, digest_size=8).hexdigest()
ROOM = "1.01"
SCHEMA = Schema(ROOM_SENSOR, WINDOW_S)
MINUTE = 60_000

# An L2CAP packet that holds most of a chunk's part: longer than anything else that a daemon says.
CHUNK_PACKET = 200


class AirSite:
    """The board and the gateway each with a controller on one virtual link."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.air = Air()
        self.air.served_controller(port)
        self.installation = Installation(
            folder, {ROOM: [NODE]}, rate=120, radio=f"tcp-client:127.0.0.1:{port}", updates=True, by_itself=False
        )
        board_folder = folder / "board"
        board_folder.mkdir()
        self.board = Board(board_folder, firmware() / "attune-node-ble.elf", SEED)
        self.controller: AirController = self.air.controller_of(self.board.link_path)
        self.installation.start()
        self.board.run()
        wait_until(lambda: shows_code(self.board.console()), "The board's code")
        self.feed = Feed(self.board, self.installation)

    def attune(self, *arguments: str) -> dict[str, Any]:
        command = [program("attune"), "--socket", str(self.installation.api_socket), *arguments, "--json"]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        assert answer.returncode == 0, answer.stderr
        return dict(json.loads(answer.stdout))

    def heard(self) -> list[dict[str, Any]]:
        """What `attune gateway scan` shows; nothing while the gateway is not there."""
        command = [
            program("attune"),
            "--socket",
            str(self.installation.api_socket),
            "gateway",
            "scan",
            GATEWAY,
            "--json",
        ]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        return list(json.loads(answer.stdout)["heard"]) if answer.returncode == 0 else []

    def reports_on(self, windows: int = 3) -> None:
        before = self.installation.node(NODE).windows
        wait_until(lambda: self.installation.node(NODE).windows >= before + windows, f"{windows} more windows", 90)

    def cut(self) -> None:
        self.air.call(self.air.ether.cut)

    def restart_board(self) -> None:
        """Its ticks begin at 0 again: no sample of before may reach it after the reset."""
        self.feed.stop()
        wait_until(self.board.is_fed, "The board's last sample")
        self.board.reset()
        self.feed = Feed(self.board, self.installation)

    def close(self) -> None:
        self.feed.stop()
        self.installation.close()
        self.board.close()
        self.air.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[AirSite]:
    found = AirSite(tmp_path)
    try:
        yield found
    finally:
        found.close()


def expect_every_report_once(site: AirSite) -> None:
    status = site.installation.status()
    assert (status.windows_lost, status.refused) == (0, 0), site.attune("nodes", NODE)
    for numbers in stored.sequences(site.installation.store).values():
        assert (sorted(numbers), set(numbers.values())) == (list(range(1, len(numbers) + 1)), {1})


def test_a_node_lives_on_the_air(site: AirSite) -> None:
    wait_until(site.heard, "The node's first advertisement")
    assert [row["node"] for row in site.heard()] == [None]  # somebody's, nobody knows whose
    site.installation.add_node(site.board.code())
    site.reports_on(6)
    told = site.attune("nodes", NODE)["nodes"][0]
    assert (told["room"], told["online"], told["gateway"], told["transport"]) == (ROOM, True, GATEWAY, "ble")
    assert [row["node"] for row in site.heard()] == [NODE]

    now = site.installation.now_utc_ms()
    reply = site.installation.add_label(ROOM, "free", START_UTC_MS, now)
    assert (reply.nodes_learned, reply.nodes_waiting) == (1, 0)
    assert reply.windows_learned >= 5

    # A lost connection; then an hour out of reach; then a gateway, a daemon, and the board that start anew.
    site.cut()
    site.reports_on()
    site.air.ether.in_reach = False
    site.cut()
    gone = site.installation.now_utc_ms()
    wait_until(lambda: site.installation.now_utc_ms() > gone + 60 * MINUTE, "An hour", 60)
    windows = site.installation.node(NODE).windows
    site.air.ether.in_reach = True
    wait_until(lambda: site.installation.node(NODE).windows > windows + 50, "What waited in the node", 60)
    site.installation.restart("gateway")
    site.reports_on()
    site.installation.restart("daemon")
    site.reports_on()
    site.restart_board()
    site.reports_on()
    wait_until(lambda: site.installation.node(NODE).label_windows >= reply.windows_learned, "The labels' return", 30)
    expect_every_report_once(site)


def test_a_release_in_chunks_is_taken_through_lost_connections(site: AirSite) -> None:
    site.installation.add_node(site.board.code())
    site.reports_on(4)
    made = make_release(NODE, ROOM, SCHEMA, WINDOW_S, taught(2), large=True)
    site.installation.kill("daemon")
    store_releases(site.installation.store, [made], site.installation.now_utc_ms())
    site.installation.start("daemon")
    factory = Model(Head.factory(SCHEMA)[0], SCHEMA).digest.hex()
    wait_until(lambda: site.installation.node(NODE).online, "The node's return", 60)
    assert site.installation.node(NODE).release == factory

    large: list[bytes] = []
    cuts: list[int] = []

    def watch(sender: Controller, data: bytes) -> None:
        """Every third large packet to the board is the last one of its connection, three times."""
        if sender is not site.controller and len(data) > CHUNK_PACKET:
            large.append(data)
            if len(large) % 3 == 2 and len(cuts) < 3:
                cuts.append(len(large))
                site.air.ether.cut()

    site.air.ether.watch = watch
    with site.installation.rollouts() as stub:
        number = stub.StartRollout(rollouts_pb2.StartRolloutRequest(author="ann"), timeout=10).number

    def rollout() -> rollouts_pb2.Rollout:
        with site.installation.rollouts() as stub:
            return stub.ShowRollout(rollouts_pb2.RolloutRequest(number=number), timeout=5)

    # The node tries it: reports say what it makes of each window beside the release that runs.
    wait_until(lambda: rollout().nodes[0].windows > 3, "The trial", 90)
    assert rollout().nodes[0].release == made.id
    assert len(cuts) > 0
    with site.installation.rollouts() as stub:
        said = rollouts_pb2.ChangeRolloutRequest(number=number, word="rollback", author="ann", reason="a test")
        stub.ChangeRollout(said, timeout=10)
    wait_until(lambda: rollout().state == "stopped", "The end of the rollout", 60)
    assert rollout().nodes[0].step == "left"
    assert site.installation.node(NODE).release == factory
    site.reports_on()
    expect_every_report_once(site)
