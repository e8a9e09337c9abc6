"""A store with labelled days of made-up rooms, whose truth is known."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from attune_core import Schema
from attuned.nodes.facts import NodeFacts
from attuned.nodes.window import Window
from attuned.store.site import LabelRow, SiteStore
from attuned.store.windows import WindowStore

MINUTE_MS, DAY_MS = 60_000, 86_400_000
# A Monday, midnight of UTC.
START = 20_000 * DAY_MS - 3 * DAY_MS
KINDS = ("temperature", "light", "co2")
SCHEMA = Schema(KINDS, 60)


@dataclass(frozen=True)
class Days:
    """Days of one-minute windows of one node; people are there from 8 to 12 and from 13 to 17 o'clock.

    `apart` is how far the class moves each feature, in units; `every` minutes a window; `empty` days without people.
    """

    days: int
    apart: float = 1.0
    seed: int = 1
    first: int = 0
    every: int = 1
    empty: frozenset[int] = frozenset()

    def occupied(self, minute: int) -> bool:
        hour = minute % 1440 / 60
        return (8 <= hour < 12 or 13 <= hour < 17) and minute // 1440 not in self.empty

    def windows(self, node: str, boot: int = 1) -> list[Window]:
        source = np.random.default_rng(self.seed)
        found = []
        for minute in range(self.first, self.days * 1440, self.every):
            x = source.normal(self.apart * self.occupied(minute), 1.0, len(SCHEMA)) * 1024
            features = np.clip(x, -32000, 32000).astype("<i2").tobytes()
            end = minute + self.every
            found.append(Window(node, boot, minute + 1, 60 * end, START + end * MINUTE_MS, 0, b"", features))
        return found

    def labels(self, room: str, *, wrong: bool = False) -> list[LabelRow]:
        """One label for each stretch of each day, five a day."""
        found = []
        for day in range(self.first // 1440, self.days):
            for start, end in ((0, 8), (8, 12), (12, 13), (13, 17), (17, 24)):
                said = self.occupied(day * 1440 + start * 60) != wrong
                a, b = (START + (day * 1440 + hour * 60) * MINUTE_MS for hour in (start, end))
                name = "occupied" if said else "free"
                found.append(LabelRow(0, room, name, a, b, 1.0, "person", "ann", b))
        return found


def node_id(number: int) -> str:
    return f"a1b2c3d4{number:08x}"


def facts(node: str) -> str:
    text = (SCHEMA.sensor_bytes.hex(), SCHEMA.hash.hex(), "00" * 16)
    return NodeFacts(node, 1, 60, *text, classes=2, label_capacity=64, firmware="0.1.0").to_json()


async def fill(folder: Path, windows: Sequence[Window], labels: Sequence[LabelRow], *, pack: bool = True) -> None:
    """Puts windows and labels into a store, half of the windows packed."""
    site, bulk = SiteStore(folder), WindowStore(folder)
    await site.open()
    await bulk.open()
    half = len(windows) // 2
    await bulk.commit(windows[:half], [])
    if pack:
        await bulk.pack({}, [])
    await bulk.commit(windows[half:], [])
    for row in labels:
        await site.add_label(row)
    nodes = {window.node for window in windows}
    await site.save_facts({node: facts(node) for node in nodes})
    await site.close()
    await bulk.close()
