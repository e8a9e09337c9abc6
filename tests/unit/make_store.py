"""Writes the stores that are kept as fixtures: `python tests/unit/make_store.py FOLDER`.

tests/fixtures/store-N was written by the version of Attune whose attune.db has N migrations, and is never written
again; a new version adds a folder.
"""

import asyncio
import sys
from pathlib import Path

from attuned.nodes.boot import BootRecord
from attuned.nodes.sequence import SeqTracker
from attuned.nodes.sketch import NodeSketch
from attuned.nodes.summary import NodeSummary
from attuned.nodes.trusted import CodeRow, TrustedNode
from attuned.nodes.window import Window
from attuned.store.accuracy import AccuracyDay, RoomRelease
from attuned.store.audit import AuditEntry, Selection
from attuned.store.beliefs import BeliefHour, SaidRow
from attuned.store.days import DayRow
from attuned.store.drift import DriftRow, MuteRow
from attuned.store.gateways import GatewayRow, InvitationRow
from attuned.store.releases import ReleaseRow
from attuned.store.rollouts import Act, RolloutRow
from attuned.store.site import LabelRow, SiteStore
from attuned.store.windows import WindowStore
from attuned.updates.delivery import Course, Delivery, Signed, Stage
from attuned.updates.rollout_state import Pair, Plan, Rollout, State, Step

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
    LabelRow(0, "r", "free", NOON - HOUR, NOON + 2 * HOUR, 1.0, "person", "", NOON + 2 * HOUR),
]
PRESS = LabelRow(0, "q", "free", NOON, NOON + HOUR, 1.0, "button", B, NOON + HOUR)
MODEL = '{"dwell_s": [3600.0, 1800.0]}'
EVENT = DriftRow(
    0, A, "2026-09-23", "node moved", '["co2"]', '[["co2.mean", "night", 4.5]]', 2.5, "open", 1, 0, "", NOON, NOON
)
MUTE = MuteRow(B, "is being moved", "ann", NOON)
ACCURACY = AccuracyDay("r", NOON // (24 * HOUR), "ab" * 16, "5a5a", (60, 0, 60, 120, 600, 0), (0.5, -1.25))
RUNNING = RoomRelease("r", NOON, "ab" * 16)
RELEASE = ReleaseRow(
    "cd" * 16, "r", A, NOON, "candidate", "better", "ef" * 16, 2, "a person asked", "{}", b'{"blocks": []}'
)
FORGOTTEN = AuditEntry(
    "0123456789abcdef", NOON, "ann", Selection(1, NOON, room="old", rooms=("old",)), 2, {"windows": 7}, (), "done"
)
DAY = DayRow(A, "2026-09-22", NOON - 36 * HOUR, NOON - 12 * HOUR, "00" * 8, "{}")
SKETCH = NodeSketch(B, 7, 3, NOON, NOON + HOUR, "00" * 8, 60, bytes(range(64)))
SUMMARY = NodeSummary(A, 7, 0, NOON - HOUR, NOON - HOUR + 48 * 60_000, "00" * 8, 48, b"\x20\x10", bytes(4))
TRUSTED = TrustedNode(A, bytes(range(32)), bytes(32), "r", "door", NOON, "c1b2c3d400000003")
CODE = CodeRow("b1b2c3d4", bytes(range(32)), "q", "", True, NOON)
FOUND = TrustedNode(B, bytes(range(32)), bytes(32), "q", "", NOON, "", bytes(range(32, 64)))
FOUND_CODE = CodeRow("c1b2c3d4", bytes(range(32)), "q", "", False, NOON, bytes(range(64, 96)))
ENVELOPE = Signed(7, b"\x01\x01" + bytes(200), "ef" * 16, 1, NOON + HOUR)
COURSE = Course(Delivery(A, "cd" * 16, 7, Stage.TRIAL, "", 12, 3, NOON + HOUR, "ef" * 16), ENVELOPE)
ROLLOUT = Rollout(
    1,
    Plan(("canary", "room r"), 1, 0.75, 0.25, 4 * HOUR, 336 * HOUR),
    State.RUNNING,
    0,
    {A: Pair(A, "r", "cd" * 16, 0, Step.UNDER_WAY, seen=True, at=Stage.TRIAL, way_back="factory", last=(7, NOON))},
    NOON,
    NOON,
    NOON + 336 * HOUR,
)
ACT = Act(NOON, "ann", "start", "a person asked")
GATEWAY = GatewayRow("north", "0a0b0c0d", NOON, NOON + 90 * 24 * HOUR, NOON + HOUR, 0)
INVITATION = InvitationRow(bytes(range(32)), "north", NOON + HOUR, bytes(32))
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
    await _learn(site, windows)
    await _trust(site)
    await windows.close()
    await site.close()


async def _learn(site: SiteStore, windows: WindowStore) -> None:
    """What is concluded from windows and labels, and what people did about it."""
    await site.add_press(PRESS, 7, 1)
    await site.save_model("r", MODEL)
    await site.drift.save([EVENT])
    await site.drift.mute(MUTE)
    await site.accuracy.replace("r", [ACCURACY.day], [ACCURACY])
    await site.accuracy.add_release(RUNNING)
    await site.releases.add([RELEASE])
    for audit in (site.audit, windows.audit):
        await audit.write(FORGOTTEN)
    await windows.days.add(DAY.day, [DAY])
    await windows.days.add_sketch(SKETCH)
    await windows.summaries.add(SUMMARY)


async def _trust(site: SiteStore) -> None:
    """Who is trusted, and what is under way to nodes."""
    await site.keys.trust(TRUSTED)
    await site.keys.expect(CODE)
    await site.keys.trust(FOUND)
    await site.keys.expect(FOUND_CODE)
    await site.deliveries.number(A, 6)
    await site.deliveries.save(COURSE)
    await site.rollouts.add(RolloutRow(ROLLOUT, "ann", "a person asked"), ACT)
    await site.gateways.enrol(INVITATION, GATEWAY)


if __name__ == "__main__":
    asyncio.run(make(Path(sys.argv[1])))
