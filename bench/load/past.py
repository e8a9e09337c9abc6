"""Four labelled weeks of rooms, written into a store as the daemon would have packed them.

Every minute of every room is labelled, five labels a day, which is far more than people tell.
"""

import asyncio
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from attune_core import Schema
from attuned.nodes.facts import NodeFacts
from attuned.store.dropping import HOUR_BITS
from attuned.store.reading import record_type
from attuned.store.site import SiteStore
from attuned.store.windows import WindowStore

DAYS, SEED = 28, 7
MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
# Hours of a day at which people come and go.
STAYS = ((0, 8, "free"), (8, 12, "occupied"), (12, 13, "free"), (13, 17, "occupied"), (17, 24, "free"))


@dataclass(frozen=True)
class Past:
    """Rooms with a node each, the schema of all nodes, and the midnight (UTC) at which the first day begins."""

    node_of: Mapping[str, str]
    schema: Schema
    start_utc_ms: int

    def write(self, folder: Path) -> None:
        """Into a new store in that folder."""
        asyncio.run(self._open(folder))
        with sqlite3.connect(folder / "windows.db") as connection:
            connection.execute("PRAGMA synchronous=OFF")
            keys = [(i + 1, node) for i, node in enumerate(self.node_of.values())]
            connection.executemany("INSERT INTO node_keys (key, node) VALUES (?, ?)", keys)
            for key, node in keys:
                connection.executemany("INSERT INTO packed VALUES (?, ?)", self._hours(key, node))
        with sqlite3.connect(folder / "attune.db") as connection:
            connection.executemany(
                "INSERT INTO labels (room, class_name, from_utc_ms, to_utc_ms, weight, source, author, told_utc_ms)"
                " VALUES (?, ?, ?, ?, 1.0, 'person', 'bench', ?)",
                [label for room in self.node_of for label in self._labels(room)],
            )

    async def _open(self, folder: Path) -> None:
        site, windows = SiteStore(folder), WindowStore(folder)
        await site.open()
        await windows.open()
        about = (self.schema.window_s, self.schema.sensor_bytes.hex(), self.schema.hash.hex(), "00" * 16, 2, 64, "0")
        await site.save_facts({node: NodeFacts(node, 1, *about).to_json() for node in self.node_of.values()})
        await site.close()
        await windows.close()

    def _labels(self, room: str) -> Iterator[tuple[str, str, int, int, int]]:
        for day in range(DAYS):
            for first, last, said in STAYS:
                start, end = (self.start_utc_ms + day * DAY_MS + hour * HOUR_MS for hour in (first, last))
                yield room, said, start, end, end

    def _hours(self, key: int, node: str) -> list[tuple[int, bytes]]:
        minutes, features = DAYS * 1440, len(self.schema)
        table = np.zeros(minutes, record_type(1, features))
        hours = np.arange(minutes) / 60 % 24
        occupied = ((hours >= 8) & (hours < 12)) | ((hours >= 13) & (hours < 17))
        noise = np.random.default_rng((SEED, key)).normal(size=(minutes, features))
        table["node"] = bytes.fromhex(node)
        table["boot"], table["seq"] = 1, np.arange(1, minutes + 1)
        table["utc_ms"] = self.start_utc_ms + (np.arange(minutes) + 1) * MINUTE_MS
        table["evidences"], table["features"] = 1, 2 * features
        table["x"] = np.clip(1024 * (noise + 0.5 * occupied[:, None]), -32000, 32000)
        stored = table["utc_ms"] // HOUR_MS
        hours_stored = np.unique(stored).tolist()
        return [(hour << HOUR_BITS | key, table[stored == hour].tobytes()) for hour in hours_stored]
