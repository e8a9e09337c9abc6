"""attune-sim with nodes that report in step with the installation's clock, whatever happens to the other processes."""

import json
import random
import subprocess
import threading
from collections.abc import Sequence
from typing import Any

from installation import Installation, program

SENSORS = ("temperature", "co2", "pir")

# Real seconds between two lines that set the nodes' time.
BEAT_S = 0.05

# Ticks after which the nodes' rooms fill or empty.
SPELL_MS = 300_000


class SimulatedNodes:
    """Nodes fed on a thread of their own from `start` to `finish`.

    Their windows last from 10 to 16 s, so that they do not all report at the same moment.
    """

    def __init__(self, installation: Installation, nodes: Sequence[str], seed: int = 1) -> None:
        self._installation = installation
        self._nodes = nodes
        self._draw = random.Random(seed)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="samples", daemon=True)
        roster = installation.folder / "nodes.txt"
        roster.write_text("".join(f"{node} {10 + i % 7} {','.join(SENSORS)}\n" for i, node in enumerate(nodes)))
        keys = ["--flash", str(installation.folder / "flash"), "--identity-seed", "1"]
        listed = [program("attune-sim"), "--nodes", str(roster), *keys, "--codes"]
        for line in subprocess.run(listed, capture_output=True, text=True, check=True).stdout.splitlines():
            installation.add_node(line.split()[1])
        gateway = f"127.0.0.1:{installation.node_port}"
        command = [program("attune-sim"), "--gateway", gateway, "--nodes", str(roster), "--stats", "--drain", "30"]
        command += keys
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True)
        self._first_utc_ms = installation.now_utc_ms()

    def start(self) -> None:
        self._thread.start()

    def finish(self) -> dict[str, Any]:
        """No more samples; what the nodes counted once everything is acknowledged, or after half a minute."""
        self._stop.set()
        self._thread.join()
        output, errors = self._process.communicate(timeout=60)
        assert (self._process.returncode, errors) == (0, b""), errors.decode()
        statistics: dict[str, Any] = json.loads(output)
        return statistics

    def kill(self) -> None:
        self._stop.set()
        self._process.kill()
        if self._thread.is_alive():
            self._thread.join()
        self._process.communicate()

    def _run(self) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        try:
            while not self._stop.wait(BEAT_S):
                tick_ms = self._installation.now_utc_ms() - self._first_utc_ms
                stdin.write((self._samples(tick_ms) + f"@{tick_ms}\n").encode())
                stdin.flush()
        except BrokenPipeError:
            return

    def _samples(self, tick_ms: int) -> str:
        lines = []
        for i in range(len(self._nodes)):
            full = (tick_ms // SPELL_MS + i) % 2
            lines.append(f"{i} {tick_ms} 0 {20 + 2 * full + self._draw.gauss(0, 0.1):.3f}\n")
            lines.append(f"{i} {tick_ms} 1 {450 + 500 * full + self._draw.gauss(0, 20):.3f}\n")
            if full and self._draw.random() < 0.3:
                lines.append(f"{i} {tick_ms} 2 1\n")
        return "".join(lines)
