"""The calls about forgetting against a whole site, over gRPC."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from admin_served import served
from attune_proto.v1 import admin_pb2, admin_pb2_grpc
from forget_world import NOW, A, lived, running
from release_world import DAY_MS, START, Days


@contextlib.asynccontextmanager
async def asked(folder: Path) -> "AsyncIterator[admin_pb2_grpc.AdminAsyncStub]":
    await lived(folder, Days(6, every=12))
    async with running(folder) as site, served(site, folder) as stub:
        yield stub


async def test_from_a_preview_to_the_proof(tmp_path: Path) -> None:
    async with asked(tmp_path) as stub:
        (made,) = (await stub.ListReleases(admin_pb2.ListReleasesRequest(room="r"))).releases
        request = admin_pb2.ForgetRequest(room="r", to_utc_ms=START + DAY_MS, author="ann", dry_run=True)
        preview = (await stub.Forget(request)).entry
        assert (preview.id, preview.room, preview.to_utc_ms) == ("", "r", START + DAY_MS)
        assert not (await stub.ListForgotten(admin_pb2.ListForgottenRequest())).entries
        request.dry_run = False
        entry = (await stub.Forget(request)).entry
        assert (entry.counts, entry.author, entry.state) == (preview.counts, "ann", "done")
        assert {each.what: each.rows for each in entry.counts}["labels"] == 5
        assert list((await stub.ListForgotten(admin_pb2.ListForgottenRequest())).entries) == [entry]
        proof = await stub.ProveForgotten(admin_pb2.ProveForgottenRequest(ids=[entry.id]))
        assert [check.name for check in proof.checks if not check.same] == [
            f"head of {A}, which has yet to unlearn 5 labels"
        ]
        rebuilt = await stub.RebuildRelease(admin_pb2.ReleaseRequest(id=made.id))
        assert (rebuilt.same, len(rebuilt.forgotten), rebuilt.forgotten[0].utc_ms) == (False, 5, NOW)
        assert (await stub.ShowRelease(admin_pb2.ReleaseRequest(id=made.id))).release.state == "forgotten"
        with pytest.raises(grpc.aio.AioRpcError, match="were forgotten: there is nothing to compare"):
            await stub.CompareReleases(admin_pb2.CompareReleasesRequest(id=made.id, other=made.id))
        with pytest.raises(grpc.aio.AioRpcError, match="Say what is to be forgotten"):
            await stub.Forget(admin_pb2.ForgetRequest())
