"""What the kernel counts of a process, and what kind of machine it runs on."""

import os
import platform
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from bench.output import results


@dataclass(frozen=True)
class Counters:
    """CPU seconds of user and system, bytes that the process caused to be written to storage, peak memory in MiB."""

    cpu_s: float
    written: int
    peak_mib: float

    def __sub__(self, earlier: "Counters") -> "Counters":
        """What was spent in between; the peak is that of the whole life."""
        return Counters(self.cpu_s - earlier.cpu_s, self.written - earlier.written, self.peak_mib)


def counters(pid: int) -> Counters:
    """Reads the counters of a process of this user."""
    folder = Path("/proc") / str(pid)
    times = (folder / "stat").read_text().rpartition(")")[2].split()
    ticks = int(times[11]) + int(times[12])
    return Counters(
        ticks / os.sysconf("SC_CLK_TCK"),
        _number(folder / "io", "write_bytes:"),
        _number(folder / "status", "VmHWM:") / 1024,
    )


def _number(path: Path, key: str) -> int:
    return int(next(line.split()[1] for line in path.read_text().splitlines() if line.startswith(key)))


def machine() -> dict[str, str]:
    """What figures depend on."""
    names = [line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("model name")]
    return {
        **results.surroundings("grpcio", "protobuf"),
        "sqlite": sqlite3.sqlite_version,
        "kernel": platform.release(),
        "cpu": names[0] if names else platform.machine(),
        "cores": str(len(os.sched_getaffinity(0))),
    }


def load() -> float:
    """Processes that wanted a core, on average over the last minute."""
    return os.getloadavg()[0]


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []
