"""Retention that somebody asks for, and by itself if nobody does."""

import asyncio
from pathlib import Path

import grpc
from attune_proto.v1 import upkeep_pb2, upkeep_pb2_grpc
from attuned.api.upkeep import UpkeepService
from attuned.retention import DAY_MS, YEAR_MS, Retention
from attuned.site import Site
from daemon_world import HOUR, MINUTE, NOON, A, FakeClock, opened_site, window


async def old_site(folder: Path) -> tuple[Site, FakeClock]:
    clock = FakeClock()
    site = await opened_site(folder, clock, {"r": [A]})
    await site.window_store.commit([window(1, NOON - 40 * DAY_MS, node=A), window(2, NOON - MINUTE, node=A)], [])
    await site.window_store.pack({}, [])
    return site, clock


def is_due(retention: Retention) -> bool:
    return retention._due


async def count(site: Site) -> int:
    return len(await site.window_store.windows_between([A], 0, 2 * NOON))


async def test_it_is_done_when_the_call_ends(tmp_path: Path) -> None:
    site, _ = await old_site(tmp_path)
    server = grpc.aio.server()
    upkeep_pb2_grpc.add_UpkeepServicer_to_server(UpkeepService(site.retention), server)
    server.add_insecure_port(f"unix:{tmp_path}/s")
    await server.start()
    async with grpc.aio.insecure_channel(f"unix:{tmp_path}/s") as channel:
        stub = upkeep_pb2_grpc.UpkeepStub(channel)
        # Two at once do not get in each other's way.
        first, second = await asyncio.gather(*(stub.RunRetention(upkeep_pb2.RunRetentionRequest()) for _ in range(2)))
    await server.stop(None)
    assert first == second
    assert (first.windows_from_utc_ms, first.history_from_utc_ms) == (NOON - 28 * DAY_MS, NOON - 5 * YEAR_MS)
    assert await count(site) == 1
    await site.close()


async def test_it_is_due_when_nobody_has_asked_for_a_day(tmp_path: Path) -> None:
    site, clock = await old_site(tmp_path)
    retention = site.retention
    assert is_due(retention)
    await retention.sweep()
    assert not is_due(retention)
    clock.now += 25 * HOUR
    assert not is_due(retention)
    clock.now += HOUR
    assert is_due(retention)
    await retention.sweep()
    # A clock that was set back must not put it off for as long.
    clock.now -= HOUR
    assert is_due(retention)
    await site.close()
