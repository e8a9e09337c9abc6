"""`attuned` that never gets to the end of what is old, and whose file takes minutes to be written anew."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from attuned.retention import Retention
from attuned.store import database

ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"


async def _steps(self: Retention, *_: Any) -> AsyncIterator[None]:
    while True:
        yield
        await asyncio.sleep(0.01)


async def _believed(self: Retention) -> int:
    return self._clock.utc_ms()


def _empty_log(connection: sqlite3.Connection) -> bool:
    path = Path(connection.execute("PRAGMA database_list").fetchone()[2])
    (path.parent.parent / "scrubbing").touch()
    connection.execute(ENDLESS)
    return True


Retention._steps = _steps  # type: ignore[method-assign, assignment]
Retention._believed = _believed  # type: ignore[method-assign]
database._empty_log = _empty_log

if __name__ == "__main__":
    from attuned.app import run

    run()
