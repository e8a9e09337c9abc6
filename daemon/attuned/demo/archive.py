"""Writes a simulated past into a store, as a daemon that lived through it would have left it behind."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from attuned.demo.past import LOG_WINDOWS, Past, PastNode
from attuned.demo.stage import WINDOW_S
from attuned.drift.day import stretch_of
from attuned.drift.detector import day_of_windows
from attuned.drift.rows import day_row
from attuned.nodes.facts import NodeFacts
from attuned.store.days import DayRow
from attuned.store.site import SiteStore
from attuned.store.windows import WindowStore
from attuned.version import VERSION


async def write(past: Past, folder: Path, judged: Sequence[date]) -> None:
    """Fills a new store; `judged` are the days that the daemon's detector has looked at."""
    await _write_site(past, folder)
    store = WindowStore(folder)
    await store.open()
    try:
        windows = sorted((w for node in past.nodes.values() for w in node.windows), key=lambda w: w.end_utc_ms)
        await store.commit(windows, past.said)
        await store.pack({}, past.rooms.settled_hours())
        for day in judged:
            rows = [row for node in past.nodes.values() for row in _day(past, node, day)]
            await store.days.add(day.isoformat(), rows)
    finally:
        await store.close()


async def _write_site(past: Past, folder: Path) -> None:
    store = SiteStore(folder)
    await store.open()
    try:
        for label in past.labels:
            await store.add_label(label)
        for room in past.building.rooms:
            await store.save_model(room.id, past.rooms.model(room.id).model_dump_json())
        await store.save_facts({node.node.node_id: _facts(node).to_json() for node in past.nodes.values()})
    finally:
        await store.close()


def _facts(node: PastNode) -> NodeFacts:
    """What the node said in its last hello."""
    return NodeFacts(
        node=node.node.node_id,
        boot=node.boot,
        window_s=WINDOW_S,
        sensors=node.schema.sensor_bytes.hex(),
        schema=node.schema.hash.hex(),
        release=node.release.hex(),
        classes=2,
        label_capacity=LOG_WINDOWS,
        firmware=VERSION,
    )


def _day(past: Past, node: PastNode, day: date) -> list[DayRow]:
    windows = node.between(*stretch_of(day, past.zone))
    made = day_of_windows(node.node.node_id, day, past.zone, node.schema, windows)
    return [day_row(made)] if made else []
