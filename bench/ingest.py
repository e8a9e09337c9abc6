"""The whole thread under load: node simulator, gateway, daemon and broker as processes of their own.

Four parts: 1,000 nodes at one report a second; the same with the feed as fast as it is acknowledged, beside a bare loop
of parse and SQLite; a quiet site's writes to disk; and a label's way to its node. Node time runs faster than real time
with the daemon's clock, so that windows of ten seconds end every second. Where other work shares the machine, the
figures per CPU second hold and the delays suffer; the load is printed.
"""

import csv
import sqlite3
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.load import parts
from bench.load.counters import load, machine
from bench.load.fleet import FEATURES, SEED

RESULTS = Path(__file__).parent / "results" / "ingest.csv"


@dataclass(frozen=True)
class Row:
    """One line of the table; without a budget the figure is for information. `most` tells which side is good."""

    what: str
    measured: float
    unit: str
    budget: float | None = None
    most: bool = True

    @property
    def met(self) -> bool | None:
        if self.budget is None:
            return None
        return self.measured <= self.budget if self.most else self.measured >= self.budget


def percentile(values: Sequence[float], share: float) -> float:
    """The value that a share of the values does not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, -(-int(len(ordered) * share * 1000) // 1000) - 1)] if ordered else float("nan")


def steady_rows(run: parts.Steady) -> list[Row]:
    ends = [1000 * delay for delay in run.ends_s]
    return [
        Row("reports lost", run.sent - run.stored, "", 0),
        Row("reports stored", run.stored, ""),
        Row("reports a second", run.reports / run.seconds, "/s", 0.99 * parts.NODES, most=False),
        Row("reports that change a room", 100 * run.changes / run.reports, "%", 2, most=False),
        Row("reports that are published", 100 * run.published / run.reports, "%"),
        Row("arrival to disk, slowest report", run.commit_worst_ms, "ms", 1000),
        Row("arrival to disk, 99 %, in the worst second", run.commit_ms, "ms"),
        Row("arrival to PUBACK, 99 %, in the worst second", run.publish_ms, "ms"),
        Row("arrival to PUBACK, 99 %, median second", statistics.median(run.publish_all_ms), "ms", 250),
        Row("arrival to PUBACK, slowest", run.publish_worst_ms, "ms"),
        Row("end of window to subscriber, 50 %", percentile(ends, 0.5), "ms"),
        Row("end of window to subscriber, 99 %", percentile(ends, 0.99), "ms"),
        Row("end of window to subscriber, slowest", max(ends, default=float("nan")), "ms"),
        Row("daemon's peak memory, 1,000 nodes", run.daemon.peak_mib, "MiB", 200),
        Row("gateway's peak memory", run.gateway.peak_mib, "MiB"),
        Row("daemon's CPU", 1e6 * run.daemon.cpu_s / run.reports, "us/report"),
        Row("gateway's CPU", 1e6 * run.gateway.cpu_s / run.reports, "us/report"),
        Row("written to disk, packing included", run.daemon.written / run.reports, "B/report", 800),
    ]
