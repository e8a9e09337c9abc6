"""Retention that somebody asks for, and by itself if nobody does."""

import asyncio
from pathlib import Path

import grpc
import pytest
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


async def asked_twice(site: Site, folder: Path) -> list[upkeep_pb2.RunRetentionReply]:
    """The answers to two calls at once, which do not get in each other's way."""
    server = grpc.aio.server()
    upkeep_pb2_grpc.add_UpkeepServicer_to_server(UpkeepService(site.retention), server)
    server.add_insecure_port(f"unix:{folder}/s")
    await server.start()
    async with grpc.aio.insecure_channel(f"unix:{folder}/s") as channel:
        stub = upkeep_pb2_grpc.UpkeepStub(channel)
        replies = await asyncio.gather(*(stub.RunRetention(upkeep_pb2.RunRetentionRequest()) for _ in range(2)))
    await server.stop(None)
    return list(replies)


async def test_nothing_is_dropped_by_a_clock_that_cannot_be_believed_yet(tmp_path: Path) -> None:
    site, _ = await old_site(tmp_path)
    assert await asked_twice(site, tmp_path) == [upkeep_pb2.RunRetentionReply()] * 2
    assert await count(site) == 2
    await site.close()


async def test_it_is_done_when_the_call_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attuned.retention.AWAKE_HOURS", 1)
    site, _ = await old_site(tmp_path)
    first, second = await asked_twice(site, tmp_path)
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
