"""Two rooms with labelled days, of which all that the daemon keeps has a row: what tests of forgetting forget."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

from attune_proto.v1 import node_pb2
from attuned.learning.forgetting import Request
from attuned.nodes.sketch import NodeSketch
from attuned.nodes.summary import NodeSummary
from attuned.nodes.window import Window
from attuned.site import Site
from attuned.store.audit import AuditEntry
from attuned.store.beliefs import BeliefHour, SaidRow
from attuned.store.days import DayRow
from attuned.store.drift import DriftRow, MuteRow
from daemon_world import FakeClock, errands, site_settings
from release_world import DAY_MS, SCHEMA, START, Days, fill, node_id

ROOMS = {"r": [node_id(1)], "s": [node_id(2)]}
A, B = node_id(1), node_id(2)
NOW = START + 6 * DAY_MS + 3_600_000

# Feature values that no window has by chance, and an author; the store must not have a byte of them left.
MARKED = (0x4D41, 0x524B, 0x4552) * ((len(SCHEMA) + 2) // 3)
MARK = b"AMKRRE"
AUTHOR = "zenobia-marker"


def marked(windows: list[Window]) -> list[Window]:
    """The same with features that can be found again among the bytes of a file."""
    features = b"".join(value.to_bytes(2, "little") for value in MARKED[: len(SCHEMA)])
    return [window._replace(features=features) if window.seq // 12 % 3 == 0 else window for window in windows]


async def filled(folder: Path, days: Days, *, mark: bool = False) -> None:
    """Six days of two rooms; those of room r are marked if so asked."""
    said = b"\x00\x01"
    mine = [window._replace(evidence=said) for window in days.windows(A)]
    other = [window._replace(evidence=said) for window in replace(days, seed=2).windows(B)]
    labels = [replace(row, author=AUTHOR) if mark else row for row in days.labels("r")]
    await fill(folder, [*(marked(mine) if mark else mine), *other], [*labels, *days.labels("s")])


async def history(site: Site, room: str, node: str, days: int, author: str) -> None:
    """What was said and known of a room, its node's drift event and why it is muted."""
    bulk = site.window_store
    hours = range(START // 3_600_000, (START + days * DAY_MS) // 3_600_000)
    checkpoint = '{"index": %d, "filter_state": [0.5, 0.5], "state": 1, "since_utc_ms": %d, "quiet_steps": 0}'
    rows = [BeliefHour(room, h, b"\x00\x01" * 60, checkpoint % ((h + 1) * 60, h * 3_600_000)) for h in hours]
    await bulk.beliefs.write(rows)
    said = [SaidRow(room, h * 3_600_000, 1 + h % 2, 0.5, h * 3_600_000, h * 3_600_000) for h in hours]
    await bulk.commit([], said)
    for number in range(START // DAY_MS, START // DAY_MS + days):
        day = DayRow(node, day_name(number), number * DAY_MS, (number + 1) * DAY_MS, SCHEMA.hash.hex(), "{}")
        await bulk.days.add(day.day, [day])
        await bulk.days.add_sketch(
            NodeSketch(node, 1, number, day.from_utc_ms, day.to_utc_ms, "another", 60, b"counts")
        )
        hour = day.from_utc_ms, day.from_utc_ms + 48 * 60_000
        await bulk.summaries.add(NodeSummary(node, 1, number, *hour, "another", 48, b"\x20\x10", b"means"))
    since = (START + 4 * DAY_MS) // DAY_MS
    event = DriftRow(0, node, day_name(since), "moved", "[]", "[]", 9.0, "open", 0, 0, author, NOW, NOW)
    await site.site_store.drift.save([event])
    await site.site_store.drift.mute(MuteRow(node, f"{author} said so", author, NOW - DAY_MS))


def day_name(day: int) -> str:
    return (date(1970, 1, 1) + timedelta(days=day)).isoformat()


class Ticking(FakeClock):
    """Goes on by a millisecond whenever it is looked at: no two things happen at once."""

    def utc_ms(self) -> int:
        self.now += 1
        return self.now


@asynccontextmanager
async def running(folder: Path, clock: FakeClock | None = None) -> AsyncIterator[Site]:
    """A site with its commits; errands are done by `errands`."""
    site = Site(site_settings(folder, ROOMS), clock or FakeClock(NOW), None)
    await site.open()
    commits = asyncio.create_task(site.commits.run())
    try:
        yield site
    finally:
        commits.cancel()
        await asyncio.gather(commits, return_exceptions=True)
        await site.close()


async def lived(folder: Path, days: Days, *, mark: bool = False) -> None:
    """A store as it is after some days, with everything learned that can be."""
    await filled(folder, days, mark=mark)
    async with running(folder) as site:
        for room, node, author in (("r", A, AUTHOR), ("s", B, "bob")):
            await history(site, room, node, days.days, author)
        await errands(site)
        async for _ in site.retraining.retrain(["r", "s"], "a person asked"):
            pass


async def greeted(site: Site) -> None:
    """Both nodes have a link, and learn all that they are told."""
    for conversation in site.hub.conversations.values():
        conversation.label_windows = 1
        await site.labels.greet(conversation)
    answer(site)


def answer(site: Site) -> None:
    """Nodes answer all that they were told."""
    for node, pupil in site.teaching._pupils.items():
        while pupil.queue:
            part = pupil.queue[0]
            learned = len(part.windows) if isinstance(part, node_pb2.Label) else 0
            ack = node_pb2.LabelAck(number=part.number, part=part.part, learned=learned)
            site.hub.dispatch.listener.on_label_ack(site.hub.conversations[node], ack)


async def forget(site: Site, **what: object) -> AuditEntry:
    selection = await site.forgetting.select(Request(**what))  # type: ignore[arg-type]
    entry = await site.oblivion.forget(selection, "ann")
    await errands(site)
    answer(site)
    return entry


def bytes_of(folder: Path) -> bytes:
    """All that the files of the store hold."""
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix != ".lock")
