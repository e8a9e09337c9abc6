"""Forgetting in the stores of a running site: what goes, what stays, and that no byte of it is left."""

import sqlite3
from pathlib import Path

import pytest
from attuned.errors import NotFoundError, RequestError
from attuned.learning.forgetting import Request
from attuned.store.audit import DONE
from forget_world import A, AUTHOR, B, MARK, NOW, bytes_of, forget, lived, running
from release_world import DAY_MS, START, Days

DAYS = Days(6, every=12)
HOUR = 3_600_000


def rows(folder: Path, file: str, text: str, *values: object) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(folder / file)
    try:
        return connection.execute(text, values).fetchall()
    finally:
        connection.close()


async def test_no_byte_of_a_room_is_left(tmp_path: Path) -> None:
    await lived(tmp_path, DAYS, mark=True)
    before = bytes_of(tmp_path)
    assert before.count(MARK) > 50
    assert before.count(AUTHOR.encode()) > 20
    async with running(tmp_path) as site:
        entry = await forget(site, room="r")
        assert entry.state == DONE
        assert entry.counts["windows"] == 720
        for word in (MARK, AUTHOR.encode()):
            assert word not in bytes_of(tmp_path)
