"""attune-node processes that keep their flash, in rooms where people come and go; each may die at any moment."""

import re
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from attune_core import Schema, Windower
from installation import Installation, program

# What each sensor reads in an empty room, and how much more with people in it.
READINGS = {
    "temperature": (20.0, 2.0),
    "humidity": (40.0, 5.0),
    "light": (100.0, 300.0),
    "co2": (450.0, 500.0),
    "voc": (100.0, 80.0),
    "pm25": (5.0, 3.0),
    "sound": (35.0, 20.0),
    "power": (10.0, 90.0),
}
WINDOW_S = 10
SCHEMA = Schema(list(READINGS), WINDOW_S)
SAMPLE_MS = 5_000

# Three of four of these times there is somebody in a room.
SPELL_MS = 300_000

# Real seconds between two lines that set the nodes' time.
BEAT_S = 0.05

_RUNS = re.compile(r"runs release (\w{32}), highest update (\d+), on trial (\d+)\.")


def occupied(room: int, utc_ms: int) -> bool:
    return (utc_ms // SPELL_MS + room) % 4 != 0


def readings(room: int, utc_ms: int) -> list[float]:
    full, step = occupied(room, utc_ms), utc_ms // SAMPLE_MS
    noise = [(step * 7 + 3 * i + room) % 11 / 55 for i in range(len(READINGS))]
    return [low + (full + jitter) * rise for (low, rise), jitter in zip(READINGS.values(), noise, strict=True)]


def labelled(room: int, begin_utc_ms: int, minutes: int) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.uint8]]:
    """The features of such a room's windows, and whether somebody was there."""
    ticks = np.arange(SAMPLE_MS, minutes * 60_000, SAMPLE_MS)
    values = np.array([readings(room, begin_utc_ms + int(tick)) for tick in ticks]).ravel()
    sensors = np.tile(np.arange(len(READINGS)), len(ticks))
    ends, features = Windower(SCHEMA).samples(sensors, ticks.repeat(len(READINGS)), values)
    truth = [occupied(room, begin_utc_ms + 1000 * int(end) - 1) for end in ends]
    return features, np.array(truth, np.uint8)


@dataclass(frozen=True)
class Runs:
    """What a node has said that it runs."""

    release: str
    highest: int
    trial: int


def said_in(log: str) -> list[Runs]:
    """What a node program with --verbose has said that it runs, in its order."""
    return [Runs(release, int(highest), int(trial)) for release, highest, trial in _RUNS.findall(log)]


class KeptNode:
    """One node in a room."""

    def __init__(self, installation: Installation, node: str, room: int) -> None:
        self.node, self.room = node, room
        self._installation = installation
        self._log = installation.folder / f"{node}.log"
        self._lock = threading.Lock()
        self.starts = 0
        self.code = ""
        self.start()

    def start(self) -> None:
        where = ["--gateway", f"127.0.0.1:{self._installation.node_port}", "--id", self.node]
        kind = ["--sensors", ",".join(READINGS), "--window", str(WINDOW_S), "--samples", "-"]
        kept = ["--flash", str(self._installation.folder / f"{self.node}.flash"), "--verbose"]
        command = [program("attune-node"), *where, *kind, *kept]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
        assert self.process.stdout is not None
        self.code = self.process.stdout.readline().decode().removeprefix("Code: ").strip()
        self._began_utc_ms = self._installation.now_utc_ms()
        self._told_ms = 0
        self.starts += 1

    def restart(self) -> None:
        """As after a power cut."""
        with self._lock:
            self.kill()
            self.start()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()

    def finish(self) -> int:
        """No more samples; the exit code, 0 if every report was acknowledged."""
        with self._lock:
            self.process.communicate(timeout=60)
        return self.process.returncode

    def feed(self) -> None:
        with self._lock:
            now_ms = self._installation.now_utc_ms() - self._began_utc_ms
            lines = []
            for at in range(self._told_ms + SAMPLE_MS, now_ms + 1, SAMPLE_MS):
                values = readings(self.room, self._began_utc_ms + at)
                lines += [f"0 {at} {sensor} {value:.3f}\n" for sensor, value in enumerate(values)]
                self._told_ms = at
            assert self.process.stdin is not None
            self.process.stdin.write("".join([*lines, f"@{now_ms}\n"]).encode())
            self.process.stdin.flush()

    def said(self) -> list[Runs]:
        """All that it has said that it runs, through all its starts."""
        return said_in(self._log.read_text())


class KeptNodes:
    """Fed on a thread of their own in step with the installation's clock. Use as a context."""

    def __init__(self, installation: Installation, rooms: Mapping[str, Sequence[str]]) -> None:
        self.nodes = [
            KeptNode(installation, node, number) for number, nodes in enumerate(rooms.values()) for node in nodes
        ]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="samples", daemon=True)

    def __enter__(self) -> "KeptNodes":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        for node in self.nodes:
            node.kill()

    def stop(self) -> None:
        """Time stands still for the nodes."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(BEAT_S):
            for node in self.nodes:
                node.feed()
