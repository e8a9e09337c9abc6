"""The board in QEMU in a whole installation: its serial line, gateway, daemon, and `attune nodes`."""

import hashlib
import json
import random
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import stored
from attuned.demo.ports import free_port
from firmware_build import firmware
from installation import GATEWAY, START_UTC_MS, Installation, program, wait_until
from qemu_board import Board

pytestmark = pytest.mark.slow

SEED = bytes(range(32))
# The board makes its identity from its seed.
NODE = hashlib.blake2b(b"node id", key=SEED, digest_size=8).hexdigest()
ROOM = "1.01"
MINUTE = 60_000


class Feed:
    """Samples of a quiet room, in step with the installation's clock, on a thread of its own."""

    def __init__(self, board: Board, installation: Installation) -> None:
        self._board = board
        self._installation = installation
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="samples", daemon=True)
        self._first_utc_ms = installation.now_utc_ms()
        self._thread.start()

    def restart(self) -> None:
        """The board has been reset, and its ticks begin at 0 again."""
        self._first_utc_ms = self._installation.now_utc_ms()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        draw = random.Random(1)
        while not self._stop.wait(0.1):
            tick_ms = self._installation.now_utc_ms() - self._first_utc_ms
            levels = (22 + draw.gauss(0, 0.1), 45.0, 150.0, 620 + draw.gauss(0, 10))
            lines = [f"0 {tick_ms} {sensor} {level:.2f}" for sensor, level in enumerate(levels)]
            self._board.feed("\n".join([*lines, f"@{tick_ms}", ""]))


class Site:
    """The installation, the board on the gateway's serial transport, and what `attune nodes` says of it."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.installation = Installation(folder, {ROOM: [NODE]}, rate=120, serial=[f"socket://127.0.0.1:{port}"])
        board_folder = folder / "board"
        board_folder.mkdir()
        self.board = Board(board_folder, firmware() / "attune-node-test.elf", SEED, tcp_port=port)
        self.installation.start()
        self.board.run()
        wait_until(lambda: "Code: " in self.board.console(), "The board's code")
        self.installation.add_node(self.board.code())
        self.feed = Feed(self.board, self.installation)

    def told(self) -> dict[str, Any]:
        command = [program("attune"), "--socket", str(self.installation.api_socket), "nodes", NODE, "--json"]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
        return dict(json.loads(answer.stdout)["nodes"][0])

    def reports_on(self, windows: int = 3) -> None:
        before = self.installation.node(NODE).windows
        wait_until(lambda: self.installation.node(NODE).windows >= before + windows, f"{windows} more windows", 40)

    def close(self) -> None:
        self.feed.stop()
        self.installation.close()
        self.board.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    found = Site(tmp_path)
    try:
        yield found
    finally:
        found.close()


def test_a_board_reports_learns_and_comes_back(site: Site) -> None:
    site.reports_on(6)
    told = site.told()
    assert (told["room"], told["online"], told["gateway"]) == (ROOM, True, GATEWAY)
    assert told["sensors"] == ["temperature", "humidity", "light", "co2", "pir"]
    assert told["firmware"].endswith("mps2-an386")
    assert told["reset_reason"] == "power_on"

    now = site.installation.now_utc_ms()
    reply = site.installation.add_label(ROOM, "free", START_UTC_MS, now)
    assert (reply.nodes_learned, reply.nodes_waiting) == (1, 0)
    assert reply.windows_learned >= 5

    # The gateway is away for some minutes of the nodes' time.
    site.installation.kill("gateway")
    wait_until(lambda: site.installation.now_utc_ms() > now + 5 * MINUTE, "Some minutes")
    assert site.told()["online"] is False
    site.installation.start("gateway")
    site.reports_on(6)
    site.installation.restart("daemon")
    site.reports_on(6)
    assert site.told()["label_windows"] >= reply.windows_learned

    # A fault of the firmware: the watchdog and the fault handler keep why, and the labels are told again.
    learned = site.told()["label_windows"]
    site.board.feed("!fault\n")
    site.feed.restart()
    wait_until(lambda: site.told()["reset_reason"] == "fault", "The board's return", 40)
    site.reports_on(3)
    wait_until(lambda: site.told()["label_windows"] >= learned, "The labels' return", 20)

    status = site.installation.status()
    assert (status.windows_lost, status.refused) == (0, 0)
    found = stored.sequences(site.installation.store)
    assert len(found) == 2
    for numbers in found.values():
        assert (sorted(numbers), set(numbers.values())) == (list(range(1, len(numbers) + 1)), {1})
