"""A site with weeks behind it, written into a store as the daemon would have left it: windows, hours, days, sayings.

Each node reports a window of 24 features a minute. Its hours of windows are the same noise again and again: what is in
a window makes no difference to a start, where it lies does.
"""

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
from attune_core import Schema
from attuned.drift.day import Windows, node_day
from attuned.drift.rows import day_row
from attuned.nodes.facts import NodeFacts
from attuned.store.dropping import HOUR_BITS
from attuned.store.reading import record_type
from attuned.store.site import SiteStore
from attuned.store.windows import WindowStore

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
SEED = 11

# Presence sensors and what goes with them: 24 features.
SENSORS = ("co2", "temperature", "humidity", "light", "sound", "voc", "pir", "door")
# A room changes its state this often a day, and a node's ticks are tied to UTC anew each hour.
SAYINGS_A_DAY = 24


@dataclass(frozen=True)
class StoredSite:
    """`nodes` of them, every fifth in the room of the one before; `windows` in all, the last of them at `end_utc_ms`.

    What is known of rooms, and what was said, goes back `history_days`, which is longer than windows are kept.
    """

    nodes: int
    windows: int
    end_utc_ms: int
    history_days: int = 28

    @property
    def hours(self) -> int:
        """Full hours of windows a node."""
        return -(-self.windows // (self.nodes * 60))

    def node(self, index: int) -> str:
        return f"{index + 1:08x}00000000"

    def room(self, index: int) -> str:
        return f"r{index - (index % 5 == 4):04d}"

    @property
    def rooms(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for index in range(self.nodes):
            found.setdefault(self.room(index), []).append(self.node(index))
        return found

    def write(self, folder: Path) -> int:
        """Into a new store in that folder; returns the number of windows."""
        asyncio.run(self._open(folder))
        schema = Schema(list(SENSORS), 60)
        # Closed in the end, which empties the log into the file: a daemon never lets it grow.
        with closing(sqlite3.connect(folder / "windows.db")) as connection, connection:
            connection.execute("PRAGMA synchronous=OFF")
            connection.executemany(
                "INSERT INTO node_keys (key, node) VALUES (?, ?)", [(i + 1, self.node(i)) for i in range(self.nodes)]
            )
            self._write_windows(connection, len(schema))
            connection.executemany("INSERT INTO boots VALUES (?, 1, ?, '[]', ?, 0)", self._boots())
            connection.executemany("INSERT INTO ties VALUES (?, 1, ?, ?)", self._ties())
            connection.executemany("INSERT INTO beliefs VALUES (?, ?, ?, ?)", self._known())
            connection.executemany(
                "INSERT INTO said (room, utc_ms, state, probability, since_utc_ms, spoken_utc_ms)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                self._said(),
            )
            rows = list(self._days(schema))
            connection.executemany("INSERT INTO node_days VALUES (?, ?, ?, ?, ?, ?)", rows)
            connection.executemany("INSERT INTO judged_days VALUES (?)", [(day,) for day in {row[1] for row in rows}])
        return self.hours * self.nodes * 60

    async def _open(self, folder: Path) -> None:
        site, windows = SiteStore(folder), WindowStore(folder)
        await site.open()
        await windows.open()
        schema = Schema(list(SENSORS), 60)
        about = (60, schema.sensor_bytes.hex(), schema.hash.hex(), "00" * 16, 2, 64, "0")
        await site.save_facts({self.node(i): NodeFacts(self.node(i), 1, *about).to_json() for i in range(self.nodes)})
        await site.close()
        await windows.close()

    @property
    def _first_hour(self) -> int:
        return self.end_utc_ms // HOUR_MS - self.hours

    def _write_windows(self, connection: sqlite3.Connection, features: int) -> None:
        """All hours packed but the last, which is still in the inbox: the daemon ended just before it was due."""
        for number, rows in enumerate(self._hours(features)):
            if number < self.hours - 1:
                connection.executemany("INSERT INTO packed VALUES (?, ?)", rows)
            else:
                size = len(rows[0][1]) // 60
                records = ((rows[i][1][m * size : (m + 1) * size],) for m in range(60) for i in range(self.nodes))
                connection.executemany("INSERT INTO inbox (record) VALUES (?)", records)

    def _hours(self, features: int) -> Iterator[list[tuple[int, bytes]]]:
        """Hour by hour the rows of all nodes."""
        table = np.zeros((self.nodes, 60), record_type(2, features))
        random = np.random.default_rng(SEED)
        table["node"] = np.array([bytes.fromhex(self.node(i)) for i in range(self.nodes)])[:, None]
        table["boot"], table["evidences"], table["features"] = 1, 2, 2 * features
        table["evidence"] = random.integers(0, 255, (self.nodes, 60, 2))
        table["x"] = random.integers(-3000, 3000, (self.nodes, 60, features))
        minutes = np.arange(60)[None, :]
        for number in range(self.hours):
            hour = self._first_hour + number
            table["seq"] = 1 + number * 60 + minutes
            table["end_s"] = 60 * table["seq"]
            table["utc_ms"] = hour * HOUR_MS + minutes * MINUTE_MS
            yield [(hour << HOUR_BITS | index + 1, table[index].tobytes()) for index in range(self.nodes)]

    def _boots(self) -> Iterator[tuple[str, int, int]]:
        for index in range(self.nodes):
            yield self.node(index), (self.hours - 1) * 60, (self.hours - 1) * 60

    def _ties(self) -> Iterator[tuple[str, int, int]]:
        for index in range(self.nodes):
            for number in range(self.hours):
                yield self.node(index), number * HOUR_MS, (self._first_hour + number) * HOUR_MS

    def _known(self) -> Iterator[tuple[str, int, bytes, str]]:
        last = self.end_utc_ms // HOUR_MS - 2  # what is younger has not settled
        for room in self.rooms:
            for hour in range(last - self.history_days * 24, last):
                yield room, hour, bytes(120), _checkpoint(hour)

    def _said(self) -> Iterator[tuple[str, int, int, float, int, int]]:
        for number in range(self.history_days * SAYINGS_A_DAY):
            utc_ms = self.end_utc_ms - (self.history_days * SAYINGS_A_DAY - number) * DAY_MS // SAYINGS_A_DAY
            for room in self.rooms:
                yield room, utc_ms, 1 + number % 2, 0.25, utc_ms, utc_ms

    def _days(self, schema: Schema) -> Iterator[tuple[str, str, int, int, str, str]]:
        """Statistics of each node's days that are over: those of one day of noise."""
        random, end = np.random.default_rng(SEED), self.end_utc_ms // DAY_MS
        ends = (end - 1) * DAY_MS + np.arange(1, DAY_MS // MINUTE_MS + 1) * MINUTE_MS
        features = random.integers(-3000, 3000, (len(ends), len(schema)), np.int16)
        noise = Windows(ends, features, random.normal(size=len(ends)))
        made = node_day(self.node(0), _date(end - 1), UTC, schema, noise)
        if made is None:
            raise ValueError("A whole day has statistics.")
        row = day_row(made)
        for day in range(end - self.hours // 24, end):
            stretch = day * DAY_MS, (day + 1) * DAY_MS
            for index in range(self.nodes):
                yield self.node(index), _date(day).isoformat(), *stretch, row.schema, row.statistics


def _date(day: int) -> date:
    """By days since 1970."""
    return datetime.fromtimestamp(day * DAY_MS / 1000, UTC).date()


def _checkpoint(hour: int) -> str:
    """As presence/rooms.py writes it, after the last minute of an hour."""
    since = hour * HOUR_MS
    return json.dumps(
        {
            "index": (hour + 1) * 60 - 1,
            "filter_state": [0.75, 0.25],
            "state": 1,
            "since_utc_ms": since,
            "quiet_steps": 0,
        }
    )
