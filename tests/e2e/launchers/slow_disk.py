"""`attuned` on a slow disk, as a worn SD card is: each commit of the store takes its time."""

import sqlite3
import time
from functools import partial
from typing import Any

COMMIT_S = 0.15


class SlowConnection(sqlite3.Connection):
    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        if sql == "COMMIT":
            time.sleep(COMMIT_S)
        return super().execute(sql, *parameters)


sqlite3.connect = partial(sqlite3.connect, factory=SlowConnection)  # type: ignore[assignment]

if __name__ == "__main__":
    from attuned.app import run

    run()
