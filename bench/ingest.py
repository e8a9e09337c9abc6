"""The whole thread under load: node simulator, gateway, daemon and broker as processes of their own.

Five parts: 1,000 nodes at one report a second; the same while rooms are retrained; the same nodes with the feed as fast
as it is acknowledged, beside a bare loop of parse and SQLite; a quiet site's writes to disk; and a label's way to its
node. Nodes and daemon live
faster than real time, so that windows of ten seconds end every second. Where other work shares the machine, the
figures per CPU second hold and the delays suffer; the load is printed.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.load import parts
from bench.load.bare import bare_rate
from bench.load.counters import load, machine
from bench.load.fleet import FEATURES, SEED
from bench.output import results

BARE_REPORTS = 50_000

# Rooms with four labelled weeks, which are retrained one after the other beside the reports.
RETRAINED_ROOMS = 5

# What is tried first at saturation, in times real time; far more than a daemon can do.
PROBE_RATE = 100.0

# How far beyond what the daemon can do the feed of the measured run goes: enough that it never waits for the feed,
# and so little that within the run the windows do not become so old that rooms count as silent.
BEYOND = 1.1


@dataclass(frozen=True)
class Row:
    """One line of the table; without a budget the figure is for information. `most`: the budget is the most allowed."""

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
    """The smallest value that at least a share of the values does not exceed; NaN of nothing."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else float("nan")


def steady_rows(run: parts.Steady) -> list[Row]:
    spent, last = run.spent, run.delays[-1]
    ends_ms = [1000 * delay for delay in run.ends_s]
    return [
        Row("reports sent and not in the store", run.sent - run.stored, "", 0),
        Row("reports in the store", run.stored, ""),
        Row("reports that change a room", 100 * run.changes / spent.reports, "%", 2, most=False),
        Row("reports that are published", 100 * run.published / spent.reports, "%"),
        Row("arrival to disk, slowest", worst_commit_ms(run), "ms", 1000),
        Row("arrival to disk, 99 %, in the worst second", max(delays.commit_ms for delays in run.delays), "ms"),
        Row("arrival to PUBACK, 99 %", last.publish_ms, "ms", 250),
        Row("arrival to PUBACK, slowest", max(delays.publish_worst_ms for delays in run.delays), "ms"),
        Row("end of window to subscriber, 50 %", percentile(ends_ms, 0.5), "ms"),
        Row("end of window to subscriber, 99 %", percentile(ends_ms, 0.99), "ms"),
        Row("daemon's peak memory, over an hour of one-minute steps", spent.daemon.peak_mib, "MiB", 200),
        Row("gateway's peak memory", spent.gateway.peak_mib, "MiB"),
        Row("written to disk, packing included", spent.written, "B/report", 800),
        Row("daemon's CPU", 1e6 * spent.daemon.cpu_s / spent.reports, "us/report"),
        Row("gateway's CPU", 1e6 * spent.gateway.cpu_s / spent.reports, "us/report"),
        Row("feed late at the end", 1000 * run.late_s, "ms"),
    ]


def retraining_rows() -> list[Row]:
    run = parts.steady(retrained=RETRAINED_ROOMS)
    last = run.delays[-1]
    return [
        Row("while rooms are retrained: reports sent and not in the store", run.sent - run.stored, "", 0),
        Row("while rooms are retrained: rooms done in the minute", run.retrained, "", 1, most=False),
        Row("while rooms are retrained: arrival to disk, slowest", worst_commit_ms(run), "ms", 1000),
        Row("while rooms are retrained: arrival to PUBACK, 99 %", last.publish_ms, "ms", 250),
    ]


def worst_commit_ms(run: parts.Steady) -> float:
    return max(delays.commit_worst_ms for delays in run.delays)


def saturated_rows() -> list[Row]:
    probe, _ = parts.saturated(PROBE_RATE, seconds=3)
    rate = BEYOND * probe.reports / probe.seconds * parts.WINDOW_S / parts.NODES
    spent, said = parts.saturated(rate, seconds=10)
    rate = spent.reports / spent.seconds
    commit = max(256, int(rate / 10))
    with tempfile.TemporaryDirectory() as folder:
        bare, bare_cpu = bare_rate(BARE_REPORTS, commit, Path(folder))
    rate_cpu = spent.reports / spent.daemon.cpu_s
    return [
        Row("at saturation", rate, "reports/s"),
        Row("at saturation, published", 100 * said, "%", 2, most=False),
        Row("at saturation, daemon on one core", rate_cpu, "reports/CPU s", 5000, most=False),
        Row("at saturation, gateway on one core", spent.reports / spent.gateway.cpu_s, "reports/CPU s"),
        Row(f"bare loop, {commit} reports a commit", bare, "reports/s"),
        Row("bare loop on one core", bare_cpu, "reports/CPU s"),
        Row("bare loop to daemon, CPU", bare_cpu / rate_cpu, "times", 3),
    ]


def quiet_rows() -> list[Row]:
    run = parts.quiet()
    return [
        Row("quiet site, reports a day", run.reports_a_day, ""),
        Row("quiet site, written to disk a day", run.written_a_day / 1e6, "MB", 150),
        Row("label given to node changed, slowest of 5", max(run.labels_s), "s", 1),
    ]


def show(rows: Sequence[Row], facts: dict[str, str]) -> None:
    table = Table(title=f"{parts.NODES:,} nodes, reports of {FEATURES} features")
    for heading in ("what", "measured", "unit", "budget", "met"):
        table.add_column(heading, justify="right" if heading in {"measured", "budget"} else "left", no_wrap=True)
    for row in rows:
        met = {None: "", True: "yes", False: "NO"}[row.met]
        budget = "" if row.budget is None else f"{'' if row.most else 'at least '}{row.budget:,.0f}"
        table.add_row(row.what, f"{row.measured:,.{_places(row.measured)}f}", row.unit, budget, met)
    Console(width=110).print(table)
    print(", ".join(f"{name} {value}" for name, value in facts.items()))


def _places(value: float) -> int:
    """Decimal places for three digits or all of a count."""
    if value == int(value) or abs(value) >= 100:
        return 0
    return 1 if abs(value) >= 10 else 2


def main() -> int:
    """Measures, prints a table and writes it to `results/ingest.csv`."""
    before = load()
    rows = [*steady_rows(parts.steady()), *retraining_rows(), *saturated_rows(), *quiet_rows()]
    facts = {"seed": str(SEED), **machine(), "load before": f"{before:.1f}", "load after": f"{load():.1f}"}
    show(rows, facts)
    results.write("ingest", (asdict(row) | {"met": row.met} for row in rows), facts)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
