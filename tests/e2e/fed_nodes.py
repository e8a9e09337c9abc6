"""attune-node processes whose clock and sensors the test is: every sample is known, and so is every window."""

import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from attune_core import Schema, Windower
from installation import Installation, program
from processes import end

# What each sensor reads at least, and by how much more at most. Eighteen features: a release can take several messages.
READINGS = {
    "temperature": (18.0, 5.0),
    "humidity": (30.0, 20.0),
    "light": (50.0, 400.0),
    "co2": (450.0, 900.0),
    "voc": (100.0, 90.0),
    "pm25": (5.0, 10.0),
}
SENSORS = tuple(READINGS)
WINDOW_S = 60
SAMPLE_MS = 20_000

# Real seconds between two lines that set the nodes' time.
BEAT_S = 0.1


def readings(number: int, tick_ms: int) -> list[float]:
    """What a node's sensors read: other values for each node and time."""
    step = tick_ms // SAMPLE_MS
    shares = [(step * 37 + 13 * i + number * 11) % 90 / 90 for i in range(len(READINGS))]
    return [low + share * more for (low, more), share in zip(READINGS.values(), shares, strict=True)]


def windows_of(number: int, until_ms: int) -> tuple[list[int], npt.NDArray[np.int16]]:
    """By the core, without a process: where the windows of such a node end, in seconds of its start, and features."""
    windower = Windower(Schema(SENSORS, WINDOW_S))
    ticks = np.arange(SAMPLE_MS, until_ms + 1, SAMPLE_MS)
    values = np.array([readings(number, int(tick)) for tick in ticks]).ravel()
    sensors = np.tile(np.arange(len(SENSORS)), len(ticks))
    found = [windower.samples(sensors, ticks.repeat(len(SENSORS)), values), windower.advance(until_ms)]
    return [int(end_s) for ends, _ in found for end_s in ends], np.concatenate([rows for _, rows in found])


class FedNode:
    """One process. Its keys are random and end with it."""

    def __init__(self, installation: Installation, node: str, number: int, port: int) -> None:
        self.node, self.number = node, number
        self.errors = installation.folder / f"{node}.log"
        where = ["--gateway", f"127.0.0.1:{port}", "--id", node, "--sensors", ",".join(SENSORS)]
        pipe = subprocess.PIPE
        with self.errors.open("wb") as log:
            command = [program("attune-node"), *where, "--window", str(WINDOW_S), "--samples", "-", "--verbose"]
            self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=log)
        assert self.process.stdout is not None
        self.code = self.process.stdout.readline().decode().removeprefix("Code: ").strip()
        self.told_ms = 0

    def feed(self, tick_ms: int) -> None:
        """The samples up to a tick, and the tick."""
        lines = []
        for at in range(self.told_ms - self.told_ms % SAMPLE_MS + SAMPLE_MS, tick_ms + 1, SAMPLE_MS):
            lines += [f"0 {at} {sensor} {value}\n" for sensor, value in enumerate(readings(self.number, at))]
        self.told_ms = tick_ms
        assert self.process.stdin is not None
        self.process.stdin.write("".join([*lines, f"@{tick_ms}\n"]).encode())
        self.process.stdin.flush()

    def windows(self) -> dict[int, tuple[int, bytes]]:
        """By number: end in seconds of the boot and features of every window up to now, without the process."""
        ends, features = windows_of(self.number, self.told_ms)
        rows = [row.astype("<i2").tobytes() for row in features]
        return {i + 1: (end_s, row) for i, (end_s, row) in enumerate(zip(ends, rows, strict=True))}

    def finish(self) -> int:
        """No more samples; the exit code, 0 if every report was acknowledged."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait(60)

    def close(self) -> None:
        end(self.process)


class FedNodes:
    """Several, fed in step with the installation's clock on a thread of their own. Use as a context."""

    def __init__(self, installation: Installation, nodes: Sequence[str], ports: Sequence[int]) -> None:
        self._installation = installation
        self.nodes = [FedNode(installation, *each) for each in zip(nodes, range(len(nodes)), ports, strict=True)]
        self.first_utc_ms = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="samples", daemon=True)

    def __enter__(self) -> "FedNodes":
        self.first_utc_ms = self._installation.now_utc_ms()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        for node in self.nodes:
            node.close()

    @property
    def tick_ms(self) -> int:
        return self._installation.now_utc_ms() - self.first_utc_ms

    def stop(self) -> None:
        """Time stands still for the nodes."""
        self._stop.set()
        self._thread.join()

    def log(self, node: FedNode) -> str:
        return Path(node.errors).read_text()

    def _run(self) -> None:
        while not self._stop.is_set():
            tick_ms = self.tick_ms
            for node in self.nodes:
                node.feed(tick_ms)
            time.sleep(BEAT_S)
