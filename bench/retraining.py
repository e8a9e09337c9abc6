"""Retraining beside its budgets: one room and a whole building, each on 28 labelled days of one-minute windows.

The time that is measured begins with the command and ends when the releases are on disk.
"""

import asyncio
import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from attune_core import Schema
from attuned.clock import SystemClock
from attuned.config import Settings
from attuned.learning.retraining import Retraining
from attuned.store.site import SiteStore
from rich.console import Console
from rich.table import Table

from bench.load.counters import load, machine
from bench.load.past import DAY_MS, SEED, Past
from bench.output import results

ROOMS = 200
KINDS = ("temperature", "humidity", "light", "co2", "pir", "sound", "co2", "temperature")
START_UTC_MS = 20_000 * DAY_MS


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    what: str
    measured: float
    unit: str
    budget: float

    @property
    def met(self) -> bool:
        return self.measured <= self.budget


def node_id(number: int) -> str:
    return f"bebc{number:012x}"


def fill(folder: Path, rooms: int) -> None:
    """Rooms r0, r1, ... with a node each."""
    Past({f"r{i}": node_id(i) for i in range(rooms)}, Schema(KINDS, 60), START_UTC_MS).write(folder)


async def measure(folder: Path, rooms: int, targets: Sequence[str]) -> float:
    """Seconds of retraining the target rooms."""
    tables = [{"id": f"r{i}", "nodes": [node_id(i)]} for i in range(rooms)]
    settings = Settings.model_validate({"site": {"name": "b"}, "store": {"path": folder}, "rooms": tables})
    site = SiteStore(folder)
    await site.open()

    async def flush() -> None:
        """Nothing is on its way to the disk."""

    retraining = Retraining(settings, SystemClock(), site.releases, flush)
    start = time.perf_counter()
    done = [each.room async for each in retraining.retrain(list(targets), "bench")]
    seconds = time.perf_counter() - start
    await site.close()
    assert done == list(targets)
    return seconds


def peak_mib() -> float:
    """Peak memory of the largest process that this one has started."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder), 1)
        yield Row("one room, 28 days", asyncio.run(measure(Path(folder), 1, ["r0"])), "s", 2)
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder), ROOMS)
        every = [f"r{i}" for i in range(ROOMS)]
        yield Row(f"one of {ROOMS} rooms, with its cohort", asyncio.run(measure(Path(folder), ROOMS, ["r7"])), "s", 2)
        yield Row(f"{ROOMS} rooms, 28 days", asyncio.run(measure(Path(folder), ROOMS, every)), "s", 240)
    yield Row("peak memory of the process", peak_mib(), "MiB", 300)


def main() -> int:
    """Measures, prints a table and writes it to `results/retraining.csv`."""
    before = load()
    found = list(rows())
    table = Table(title=f"Retraining, nodes of {len(Schema(KINDS, 60))} features, every minute labelled")
    for heading in ("what", "measured", "unit", "budget", "met"):
        table.add_column(heading, justify="right" if heading in {"measured", "budget"} else "left", no_wrap=True)
    for row in found:
        table.add_row(row.what, f"{row.measured:,.2f}", row.unit, f"{row.budget:,.0f}", "yes" if row.met else "NO")
    Console(width=110).print(table)
    facts = {"seed": str(SEED), **machine(), "load before": f"{before:.1f}", "load after": f"{load():.1f}"}
    results.write("retraining", (asdict(row) | {"met": row.met} for row in found), facts)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
