"""`attuned` whose commits hang for as long as there is a file `hang` beside the configuration; a second is long."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from attune_service import turns
from attuned.nodes.window import Window
from attuned.writing import Writing

HANG = Path(sys.argv[sys.argv.index("--config") + 1]).with_name("hang")

_write = Writing._write


async def _hang(self: Writing, windows: Sequence[Window]) -> None:
    if HANG.exists():
        await asyncio.Event().wait()
    await _write(self, windows)


Writing._write = _hang  # type: ignore[method-assign]
turns.turn.__wrapped__.__defaults__ = (1.0,)  # type: ignore[attr-defined]

if __name__ == "__main__":
    from attuned.app import run

    run()
