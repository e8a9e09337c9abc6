"""Retraining beside its budgets: one room and a whole building, each on 28 labelled days of one-minute windows.

Every minute of every room is labelled, five labels a day, which is far more than people tell: the time that is
measured begins with the command and ends when the releases are on disk.
"""

import asyncio
import csv
import resource
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from attune_core import Schema
from attuned.clock import SystemClock
from attuned.config import Settings
from attuned.learning.retraining import Retraining
from attuned.nodes.facts import NodeFacts
from attuned.store.dropping import HOUR_BITS
from attuned.store.reading import record_type
from attuned.store.site import SiteStore
from attuned.store.windows import WindowStore
from rich.console import Console
from rich.table import Table

from bench.load.counters import load, machine

RESULTS = Path(__file__).parent / "results" / "retraining.csv"

DAYS, ROOMS, SEED = 28, 200, 7
KINDS = ("temperature", "humidity", "light", "co2", "pir", "sound", "co2", "temperature")
MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
START = 20_000 * DAY_MS
# Hours of a day at which people come and go.
STAYS = ((0, 8, "free"), (8, 12, "occupied"), (12, 13, "free"), (13, 17, "occupied"), (17, 24, "free"))


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


async def fill(folder: Path, rooms: int) -> None:
    """Rooms r0, r1, ... with a node each, their windows packed as the daemon packs them."""
    site, windows = SiteStore(folder), WindowStore(folder)
    await site.open()
    await windows.open()
    schema = Schema(KINDS, 60)
    sensors = (schema.sensor_bytes.hex(), schema.hash.hex(), "00" * 16)
    facts = {node_id(i): NodeFacts(node_id(i), 1, 60, *sensors, 2, 64, "0").to_json() for i in range(rooms)}
    await site.save_facts(facts)
    await site.close()
    await windows.close()
    with sqlite3.connect(folder / "windows.db") as connection:
        connection.execute("PRAGMA synchronous=OFF")
        keys = [(i + 1, node_id(i)) for i in range(rooms)]
        connection.executemany("INSERT INTO node_keys (key, node) VALUES (?, ?)", keys)
        for room in range(rooms):
            connection.executemany("INSERT INTO packed VALUES (?, ?)", _hours(room, len(schema)))
    with sqlite3.connect(folder / "attune.db") as connection:
        connection.executemany(
            "INSERT INTO labels (room, class_name, from_utc_ms, to_utc_ms, weight, source, author, told_utc_ms)"
            " VALUES (?, ?, ?, ?, 1.0, 'person', 'bench', ?)",
            [label for room in range(rooms) for label in _labels(room)],
        )


def _labels(room: int) -> Iterator[tuple[str, str, int, int, int]]:
    for day in range(DAYS):
        for first, last, said in STAYS:
            start, end = (START + day * DAY_MS + hour * HOUR_MS for hour in (first, last))
            yield f"r{room}", said, start, end, end


def _hours(room: int, features: int) -> list[tuple[int, bytes]]:
    minutes = DAYS * 1440
    table = np.zeros(minutes, record_type(1, features))
    hours = np.arange(minutes) / 60 % 24
    occupied = ((hours >= 8) & (hours < 12)) | ((hours >= 13) & (hours < 17))
    noise = np.random.default_rng((SEED, room)).normal(size=(minutes, features))
    table["node"] = bytes.fromhex(node_id(room))
    table["boot"], table["seq"] = 1, np.arange(1, minutes + 1)
    table["utc_ms"] = START + (np.arange(minutes) + 1) * MINUTE_MS
    table["evidences"], table["features"] = 1, 2 * features
    table["x"] = np.clip(1024 * (noise + 0.5 * occupied[:, None]), -32000, 32000)
    stored = table["utc_ms"] // HOUR_MS
    hours_stored = np.unique(stored).tolist()
    return [(hour << HOUR_BITS | (room + 1), table[stored == hour].tobytes()) for hour in hours_stored]


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
        asyncio.run(fill(Path(folder), 1))
        yield Row("one room, 28 days", asyncio.run(measure(Path(folder), 1, ["r0"])), "s", 2)
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(fill(Path(folder), ROOMS))
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
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*asdict(found[0]), "met", *facts])
        writer.writeheader()
        writer.writerows(asdict(row) | {"met": row.met} | facts for row in found)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
