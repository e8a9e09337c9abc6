"""Writes the stores that are kept as fixtures: `python tests/unit/make_store.py FOLDER`.

tests/fixtures/store-N was written by the version of Attune whose stores have N migrations, and is never written again;
a new version adds a folder.
"""

import asyncio
import sys
from pathlib import Path

from attuned.nodes.boot import BootRecord
from attuned.nodes.sequence import SeqTracker
from attuned.nodes.window import Window
from attuned.store.beliefs import BeliefHour, SaidRow
from attuned.store.site import LabelRow, SiteStore
from attuned.store.windows import WindowStore

NOON = 1_790_164_800_000
HOUR = 3_600_000
A, B = "a1b2c3d400000001", "b1b2c3d400000002"

WINDOWS = [
    Window(A, 7, 1, 60, NOON + 60_000, 0x10, b"\x00\x01", b"\x01\x00\x02\x00"),
    Window(A, 7, 2, 120, NOON + 120_000, 0x10, b"", b"\x03\x00\x04\x00"),
    Window(B, 2**32 - 1, 5, 300, NOON + HOUR, 0, b"\x00\xff", b"\x05\x00"),
]
LATER = [
    Window(A, 7, 4, 240, NOON + HOUR + 240_000, 0x1F, b"\x80\x00", b"\x06\x00\x07\x00"),
    Window(A, 7, 5, 300, NOON + HOUR + 300_000, 0, b"", b""),  # refused
]
SAID = [SaidRow("r", NOON + 60_000, 2, 0.75, NOON + 60_000), SaidRow("r", NOON + HOUR, 1, 0.125, NOON + HOUR)]
KNOWN = BeliefHour(
    "r",
    NOON // HOUR,
    b"\x00\x01" * 60,
    '{"index": 29836140, "filter_state": [0.25, 0.75], "state": 2, "since_utc_ms": 1790164860000, "quiet_steps": 0}',
)
TIE = (A, 7, 0, NOON)
LABELS = [
    LabelRow(0, "r", "occupied", NOON, NOON + HOUR, 1.0, "person", "ann", NOON + HOUR),
    LabelRow(0, "r", "free", NOON - HOUR, NOON + 2 * HOUR, 0.5, "person", "", NOON + 2 * HOUR),
]
FACTS = {A: '{"node": "a1b2c3d400000001"}'}


async def make(folder: Path) -> None:
    windows, site = WindowStore(folder), SiteStore(folder)
    await windows.open()
    await site.open()
    await windows.add_tie(*TIE)
    await windows.commit(WINDOWS[:1], SAID)
    await windows.pack({}, [])
    await windows.commit(WINDOWS[1:], [])
    await windows.pack({(A, 7): BootRecord(SeqTracker(2), windows=2)}, [KNOWN])
    await windows.commit(LATER, [])
    for label in LABELS:
        await site.add_label(label)
    await site.save_facts(FACTS)
    await windows.close()
    await site.close()


if __name__ == "__main__":
    asyncio.run(make(Path(sys.argv[1])))
