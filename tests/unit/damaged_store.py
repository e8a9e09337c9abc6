"""A store that was used, and what may happen to its files while no daemon runs."""

import contextlib
import os
import sqlite3
from pathlib import Path

from attuned.nodes.facts import NodeFacts
from daemon_world import NOON, A, FakeClock, opened_site, window


async def used_store(folder: Path) -> Path:
    """A store that a daemon has used: labels' tables, a key, and pages of windows."""
    store = folder / "store"
    store.mkdir(mode=0o700)
    site = await opened_site(store, FakeClock(), {"r": [A]})
    about = (60, "00", "00" * 16, "00" * 16, 2, 64, "0")
    await site.site_store.save_facts({f"{i:016x}": NodeFacts(f"{i:016x}", 1, *about).to_json() for i in range(500)})
    await site.window_store.commit([window(i + 1, NOON - 3_600_000 + i * 1000) for i in range(2000)], [])
    await site.window_store.pack({}, [])
    await site.close()
    return store


def overwrite(path: Path, first: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(first)
        file.write(data)


def no_header(path: Path) -> None:
    overwrite(path, 0, b"\xa5" * 100)


def no_schema(path: Path) -> None:
    overwrite(path, 100, b"\xa5" * 3000)


def no_middle(path: Path) -> None:
    pages = path.stat().st_size // 4096
    for page in range(pages * 3 // 4, pages * 3 // 4 + 6):  # before that are pages which the inbox has left free
        overwrite(path, page * 4096, b"\xa5" * 4096)


def truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2 // 4096 * 4096)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def missing(path: Path) -> None:
    path.unlink()


def text(path: Path) -> None:
    path.write_bytes(b"This is no database, but it is long enough for one. " * 100)


def folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


def link(path: Path) -> None:
    elsewhere = path.with_name("elsewhere.db")
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


def newer(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version=99")
