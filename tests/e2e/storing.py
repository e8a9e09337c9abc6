"""Works on a store, `storing.py FOLDER WHAT`, and says what is acknowledged, a line each, as soon as it is.

WHAT is `live`, or `upgrade` for a store that is there; or, for what has to be found out, `unsynced` (SQLite syncs
nothing) or `nameless` (no folder is synced).
"""

import asyncio
import os
import sqlite3
import sys
from pathlib import Path

from attuned import durable_files
from attuned.clock import ScaledClock
from attuned.config import Settings
from attuned.learning.forgetting import Request
from attuned.nodes.trusted import TrustedNode
from attuned.nodes.window import Window
from attuned.site import Site
from attuned.store.database import Database
from attuned.store.site import LabelRow, SiteStore
from attuned.store.windows import WindowStore

START_UTC_MS = 1_772_434_800_000  # 2026-03-02T07:00:00Z
MINUTE = 60_000
NODE = "0a0b0c0d01020304"


def settings(folder: Path) -> Settings:
    rooms = [{"id": "r", "nodes": [NODE]}, {"id": "s", "nodes": []}]
    return Settings.model_validate({"site": {"name": "s"}, "store": {"path": folder}, "rooms": rooms})


def say(what: str) -> None:
    os.write(1, f"{what}\n".encode())


def label(minute: int) -> LabelRow:
    end = START_UTC_MS - 60 * MINUTE + minute * MINUTE
    return LabelRow(0, "r", "free", end - MINUTE, end, 1.0, "person", "ann", end)


async def opened(folder: Path) -> Site:
    site = Site(settings(folder), ScaledClock(START_UTC_MS, 1.0), None)
    await site.open()

    async def flush() -> None:
        """Windows are committed by `bring`."""

    site.commits.flush = site.labels._flush = flush  # type: ignore[method-assign]
    return site


async def bring(site: Site, first: int, count: int) -> None:
    """Windows of the node, as a commit has them."""
    seqs = range(first, first + count)
    ends = (START_UTC_MS - 120 * MINUTE + seq * MINUTE for seq in seqs)
    await site.write(
        [Window(NODE, 1, seq, 60 * seq, end, 0, b"", b"\1\0") for seq, end in zip(seqs, ends, strict=True)]
    )
    for seq in seqs:
        say(f"window {seq}")


async def tell(site: Site, minute: int) -> None:
    say(f"label {(await site.labels.add(label(minute))).number}")


async def live(folder: Path) -> None:
    """A first start, what people and nodes bring, an orderly end, a second start, and something that is forgotten."""
    site = await opened(folder)
    say(f"key {site.trust.own.secrets[0].hex()}")
    await site.site_store.keys.trust(TrustedNode(NODE, bytes(32), site.trust.own.public[0], "r", "", START_UTC_MS))
    say(f"node {NODE}")
    for part in range(3):
        await bring(site, 1 + 5 * part, 5)
        await tell(site, 1 + part)
    await site.window_store.pack({}, [])
    site.trust.own.announce()
    say(f"key {site.trust.own.secrets[1].hex()}")
    await bring(site, 16, 5)
    await site.close()
    site = await opened(folder)
    await bring(site, 21, 5)
    await tell(site, 5)
    entry = await site.forgetting.begin(await site.forgetting.select(Request(source="person")), "ann")
    say(f"forgotten {entry.id}")
    entry, _ = await site.forgetting.carry_out(entry)
    await site.forgetting.finish(entry)
    await bring(site, 26, 5)
    await site.close()


async def upgrade(folder: Path) -> None:
    """What a start does to both files of an older version."""
    stores = SiteStore(folder), WindowStore(folder)
    for store in stores:
        await store.open()
    say("upgraded")
    for store in stores:
        await store.close()


def break_off_syncing(what: str) -> None:
    if what == "unsynced":
        connect = Database._connect

        def careless(self: Database) -> sqlite3.Connection:
            connection = connect(self)
            connection.execute("PRAGMA synchronous=OFF")
            return connection

        Database._connect = careless  # type: ignore[method-assign]
    if what == "nameless":
        durable_files.sync_folder = lambda folder: None


if __name__ == "__main__":
    break_off_syncing(sys.argv[2])
    work = upgrade if sys.argv[2] == "upgrade" else live
    asyncio.run(work(Path(sys.argv[1])))
