"""The detector on a real store: complete days, events over restarts, and what the command line is told."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator
from datetime import UTC, date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from attune_core import Schema
from attune_proto.v1 import drift_pb2
from attuned.api.drift import DriftService
from attuned.bms.topics import alert_payload, alert_topic
from attuned.drift.detector import Detector
from attuned.drift.life import DriftEvent, State
from attuned.drift.words import alert
from attuned.errors import NotFoundError, RequestError
from attuned.gate import Gate
from attuned.nodes.window import Window
from attuned.store.site import SiteStore
from attuned.store.windows import WindowStore
from daemon_world import FakeClock

KINDS = ("co2", "pir")
SCHEMA = Schema(KINDS, 600)
NODE = "a1b2c3d400000001"
DAY = 86_400_000
FIRST = date(2026, 9, 7)
MIDNIGHT = 1_788_739_200_000  # 7 September 2026, 00:00 UTC
BY_DAY = 144


def day_of_windows(number: int, raised: int = 0, node: str = NODE) -> list[Window]:
    """Ten-minute windows whose CO2 is some noise about a level that moves by a tenth of a unit between days."""
    rng = np.random.default_rng(number)
    x = rng.normal(0, 100, (BY_DAY, len(SCHEMA))).astype(np.int16)
    x[:, 0] += int(rng.normal(0, 100)) + raised
    start = MIDNIGHT + number * DAY
    seqs = range(number * BY_DAY, (number + 1) * BY_DAY)
    return [
        Window(
            node, 1, seq + 1, (seq + 1) * 600, start + (i + 1) * 600_000, 0, b"\x00\x01", x[i].astype("<i2").tobytes()
        )
        for i, seq in enumerate(seqs)
    ]


class World:
    """Stores, a clock, and a detector that may be started anew."""

    def __init__(self, folder: Path) -> None:
        self.windows, self.site = WindowStore(folder), SiteStore(folder)
        self.clock = FakeClock(MIDNIGHT)
        self.heard: list[DriftEvent] = []

    async def start(self) -> Detector:
        self.detector = Detector(
            self.clock,
            UTC,
            windows=self.windows,
            store=self.site.drift,
            schemas=lambda: {NODE: SCHEMA},
            changed=self.heard.append,
            gate=Gate(),
        )
        await self.detector.open()
        return self.detector

    async def live(self, first: int, last: int, raised: int = 0) -> None:
        """Days from `first` to `last` arrive, and each is looked at when it is complete."""
        for number in range(first, last + 1):
            await self.windows.commit(day_of_windows(number, raised), [])
            self.clock.now = MIDNIGHT + (number + 1) * DAY + 3_600_000
            await self.detector.look()


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    await made.windows.open()
    await made.site.open()
    await made.start()
    yield made
    await made.windows.close()
    await made.site.close()


async def test_an_unchanged_node_raises_nothing_and_its_days_are_rows(world: World) -> None:
    await world.live(0, 14)
    assert world.heard == []
    rows = await world.windows.days.since(NODE, FIRST.isoformat())
    assert [row.day for row in rows] == [(FIRST + timedelta(days=n)).isoformat() for n in range(15)]
    assert (rows[0].from_utc_ms, rows[0].to_utc_ms) == (MIDNIGHT, MIDNIGHT + DAY)
    assert json.loads(rows[0].statistics)["windows"] == BY_DAY


async def test_an_offset_is_an_event_until_it_is_gone_again(world: World) -> None:
    await world.live(0, 11)
    await world.live(12, 13, raised=3000)
    (event,) = world.heard
    assert (event.number, event.node, event.since) == (1, NODE, FIRST + timedelta(days=12))
    assert (event.cause, event.sensors) == ("sensor replaced or offset", ("co2",))
    await world.start()  # what is open is said again after a restart
    assert world.heard[1:] == [event]
    await world.live(14, 15)
    assert world.heard[-1].state is State.RESOLVED
    assert world.detector.events[1].done == "measures as before again"


async def test_a_day_is_looked_at_an_hour_after_its_end_and_once(world: World) -> None:
    await world.live(0, 11)
    await world.windows.commit(day_of_windows(12, raised=3000), [])
    world.clock.now = MIDNIGHT + 13 * DAY + 3_599_999
    await world.detector.look()
    assert world.heard == []
    world.clock.now += 1
    await world.detector.look()
    await world.detector.look()
    assert len(world.heard) == 1


async def test_days_that_were_slept_through_are_judged_one_by_one(world: World) -> None:
    await world.live(0, 11)
    for number in (12, 13, 14):
        await world.windows.commit(day_of_windows(number, raised=3000 if number < 14 else 0), [])
    world.clock.now = MIDNIGHT + 16 * DAY
    await world.detector.look()
    assert [event.since for event in world.heard[:1]] == [FIRST + timedelta(days=12)]


async def test_what_is_acknowledged_is_the_reference_in_the_end(world: World) -> None:
    await world.live(0, 11)
    await world.live(12, 12, raised=3000)
    event = await world.detector.acknowledge(1, "ann", "a new sensor")
    assert event.state is State.ACKNOWLEDGED
    await world.live(13, 21, raised=3000)
    before = world.detector.events[1].state
    await world.live(22, 23, raised=3000)
    after = world.detector.events[1].state
    assert (before, after) == (State.ACKNOWLEDGED, State.RESOLVED)
    assert len(world.detector.events) == 1
    with pytest.raises(RequestError, match="resolved already"):
        await world.detector.acknowledge(1, "ann", "")
    with pytest.raises(NotFoundError, match="no drift event 9"):
        await world.detector.acknowledge(9, "ann", "")


async def test_a_muted_node_raises_nothing_until_it_may_again(world: World) -> None:
    await world.detector.mute(NODE, "is being moved", "ann")
    await world.live(0, 11)
    await world.start()
    await world.live(12, 12, raised=3000)
    assert world.heard == []
    await world.detector.mute(NODE, "", "ann")
    assert await world.site.drift.mutes() == []
    with pytest.raises(NotFoundError, match="no node 'x'"):
        await world.detector.mute("x", "y", "ann")


async def test_windows_of_another_schema_are_left_out(world: World) -> None:
    await world.live(0, 11)
    odd = [window._replace(features=b"\x00\x00") for window in day_of_windows(12)]
    await world.windows.commit(odd, [])
    world.clock.now = MIDNIGHT + 14 * DAY
    await world.detector.look()
    assert len(await world.windows.days.since(NODE, FIRST.isoformat())) == 12


def service(world: World) -> DriftService:
    assignments = SimpleNamespace(room_of={NODE: "2.13"})
    hub = SimpleNamespace(conversations={NODE: None})
    site: Any = SimpleNamespace(detector=world.detector, clock=world.clock, assignments=assignments, hub=hub)
    return DriftService(site)


async def test_the_command_line_is_told_of_then_and_now(world: World) -> None:
    await world.live(0, 11)
    await world.live(12, 13, raised=3000)
    context: Any = None
    reply = await service(world).ListDrift(drift_pb2.ListDriftRequest(), context)
    (event,) = reply.events
    assert (event.number, event.room, event.state) == (1, "2.13", "open")
    assert event.plotted.startswith("co2.mean")
    assert (len(event.then), len(event.now)) == (21, 2)
    assert all(map(math.isnan, event.then[:9]))  # there were twelve days only
    assert max(event.then[9:]) < 1 < min(event.now)
    assert event.text[0].startswith(f"Node {NODE} in 2.13 measured differently on 19 September")


async def test_resolved_events_are_shown_as_asked(world: World) -> None:
    await world.live(0, 11)
    await world.live(12, 12, raised=3000)
    await world.live(13, 14)
    context: Any = None
    asked = drift_pb2.ListDriftRequest(since_utc_ms=world.clock.now)
    assert not (await service(world).ListDrift(asked, context)).events
    assert len((await service(world).ListDrift(drift_pb2.ListDriftRequest(number=1), context)).events) == 1


async def test_an_alert_for_machines(world: World) -> None:
    await world.live(0, 11)
    await world.live(12, 12, raised=3000)
    assert alert_topic("s", 1) == "attune/s/alerts/1"
    payload = json.loads(alert_payload(alert(world.heard[0], "2.13")))
    assert payload == {
        "schema": 1,
        "id": 1,
        "node": NODE,
        "room": "2.13",
        "since": "2026-09-19",
        "cause": "sensor replaced or offset",
        "sensors": ["co2"],
        "score": world.heard[0].score,
        "state": "open",
        "done": None,
        "text": "Room 2.13: co2 changed; probably: sensor replaced or offset",
    }
