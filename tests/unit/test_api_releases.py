"""The calls about releases against a whole site: from labels to a page, over gRPC."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from admin_served import served
from attune_proto.v1 import admin_pb2, admin_pb2_grpc
from attuned.site import Site
from daemon_world import FakeClock, site_settings
from release_world import DAY_MS, START, Days, fill, node_id

A, C = node_id(1), node_id(3)
DAYS = Days(6, every=12)


async def flush() -> None:
    """Nothing is on its way to the disk."""


@contextlib.asynccontextmanager
async def asked(folder: Path) -> "AsyncIterator[admin_pb2_grpc.AdminAsyncStub]":
    await fill(folder, DAYS.windows(A), DAYS.labels("r"))
    site = Site(site_settings(folder, {"r": [A], "empty": [C]}), FakeClock(START + 7 * DAY_MS), None)
    site.commits.flush = flush  # type: ignore[method-assign]
    await site.open()
    async with served(site, folder) as stub:
        yield stub
    await site.close()


async def test_from_labels_to_a_page(tmp_path: Path) -> None:
    async with asked(tmp_path) as stub:
        replies = [each async for each in stub.Retrain(admin_pb2.RetrainRequest())]
        assert [(each.room, each.done, each.rooms, len(each.pages)) for each in replies] == [
            ("r", 1, 2, 1),
            ("empty", 2, 2, 0),
        ]
        made = replies[0].pages[0].release
        assert made.ready
        (listed,) = (await stub.ListReleases(admin_pb2.ListReleasesRequest(room="r"))).releases
        assert listed == made
        page = await stub.ShowRelease(admin_pb2.ReleaseRequest(id=made.id[:8]))
        assert page == replies[0].pages[0]
        assert (page.days, page.changes, page.against) == (6, 24, "factory")
        assert len(page.reasons) == 2
        same = await stub.CompareReleases(admin_pb2.CompareReleasesRequest(id=made.id, other=made.id))
        assert same.verdict == "too little evidence"
        rebuilt = await stub.RebuildRelease(admin_pb2.ReleaseRequest(id=made.id))
        assert (rebuilt.same, rebuilt.rebuilt, list(rebuilt.missing)) == (True, made.id, [])


async def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    async with asked(tmp_path) as stub:
        with pytest.raises(grpc.aio.AioRpcError, match="NOT_FOUND"):
            await anext(aiter(stub.Retrain(admin_pb2.RetrainRequest(rooms=["r", "cellar"]))))
        with pytest.raises(grpc.aio.AioRpcError, match="attune release list"):
            await stub.ShowRelease(admin_pb2.ReleaseRequest(id="abcd"))
        assert not (await stub.ListReleases(admin_pb2.ListReleasesRequest())).releases
