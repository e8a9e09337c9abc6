"""The calls about rollouts against a whole site, over gRPC."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
from attune_proto.v1 import rollouts_pb2, rollouts_pb2_grpc
from attuned.api.rollouts import RolloutsService
from attuned.site import Site
from attuned.store.releases import ReleaseRow
from attuned.updates.delivery import Stage
from daemon_world import A, B, FakeClock, site_settings, trust_all
from rollout_world import REPORT

if TYPE_CHECKING:
    Asked = tuple[Site, rollouts_pb2_grpc.RolloutsAsyncStub]

START = rollouts_pb2.StartRolloutRequest


@contextlib.asynccontextmanager
async def asked(folder: Path, signer: str = "/nowhere/signer.sock") -> "AsyncIterator[Asked]":
    """A site with two nodes in a room, each with a ready release, and whoever asks it."""
    more = {"updates": {"signer": signer, "automatic": False}} if signer else {}
    site = Site(site_settings(folder, {"r": [A, B]}, **more), FakeClock(), None)
    await site.open()
    trust_all(site)
    releases = [
        ReleaseRow(f"{i}f9a" * 8, "r", node, 1, "candidate", "better", "00" * 16, 1, "ann", REPORT, b"{}")
        for i, node in enumerate((A, B))
    ]
    await site.site_store.releases.add(releases)
    server = grpc.aio.server()
    rollouts_pb2_grpc.add_RolloutsServicer_to_server(RolloutsService(site), server)
    server.add_insecure_port(f"unix:{folder}/s")
    await server.start()
    async with grpc.aio.insecure_channel(f"unix:{folder}/s") as channel:
        yield site, rollouts_pb2_grpc.RolloutsStub(channel)
    await server.stop(None)
    await site.close()


async def test_from_start_to_abort(tmp_path: Path) -> None:
    async with asked(tmp_path) as (site, stub):
        made = await stub.StartRollout(START(rooms=["r"], author="ann"))
        assert (made.number, made.state, made.size) == (1, "running", 2)
        assert [(each.name, each.nodes) for each in made.stages] == [("canary", 1), ("room r", 1)]
        await site.updating.rollouts.look()
        page = await stub.ShowRollout(rollouts_pb2.RolloutRequest())
        # Neither node has a link.
        assert [node.what for node in page.nodes] == [
            "out of reach; the stage waits for it",
            "waits for the stage room r",
        ]
        watch = stub.WatchRollout(rollouts_pb2.RolloutRequest(number=1))
        pages = aiter(watch)
        assert (await anext(pages)).state == "running"
        changed = await stub.ChangeRollout(
            rollouts_pb2.ChangeRolloutRequest(number=1, word="abort", author="ben", reason="wrong one")
        )
        assert (changed.state, changed.reason) == ("aborted", "wrong one")
        assert [(act.author, act.what, act.reason) for act in changed.acts] == [
            ("ann", "start", "a person asked"),
            ("ben", "abort", "wrong one"),
        ]
        assert [page.state async for page in pages] == ["aborted"]
        listed = (await stub.ListRollouts(rollouts_pb2.ListRolloutsRequest())).rollouts
        assert [(one.number, one.state, one.through) for one in listed] == [(1, "aborted", 2)]


async def test_a_node_within_reach_gets_its_delivery(tmp_path: Path) -> None:
    async with asked(tmp_path) as (site, stub):
        site.updating.rollouts._nodes = type(site.updating.rollouts._nodes)(
            site._place_of, lambda node: node == B, lambda: 2
        )
        made = await stub.StartRollout(START(releases=["1f9a1f9a"], author="ann"))
        await site.updating.rollouts.look()
        delivery = site.updating.deliveries.of(B)
        assert delivery is not None
        assert (delivery.target, delivery.stage) == ("1f9a" * 8, Stage.WAITING)
        page = await stub.ShowRollout(rollouts_pb2.RolloutRequest(number=made.number))
        assert [(node.node, node.step) for node in page.nodes] == [(B, "under way")]


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (START(rooms=["cellar"], author="ann"), "There is no room 'cellar'"),
        (START(author=""), "give a name"),
        (START(releases=["0f9a", "0f9a"], author="ann"), "name one of them"),
        (START(releases=["abcd"], author="ann"), "attune release list"),
        (START(canary_share=2.0, author="ann"), "share from 1% to 100%"),
        (START(error_share=float("nan"), author="ann"), "more than 0%"),
        (START(wait_hours=1e9, author="ann"), "at most a year"),
    ],
)
async def test_what_cannot_begin(tmp_path: Path, request_: rollouts_pb2.StartRolloutRequest, says: str) -> None:
    async with asked(tmp_path) as (_, stub):
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await stub.StartRollout(request_)
        assert says in str(refusal.value.details())


async def test_without_a_signer_it_says_what_to_do(tmp_path: Path) -> None:
    async with asked(tmp_path, signer="") as (_, stub):
        with pytest.raises(grpc.aio.AioRpcError, match="Name the signing process in the configuration"):
            await stub.StartRollout(START(author="ann"))


async def test_what_cannot_be_said(tmp_path: Path) -> None:
    async with asked(tmp_path) as (_, stub):
        change = rollouts_pb2.ChangeRolloutRequest
        with pytest.raises(grpc.aio.AioRpcError, match="There has been no rollout yet"):
            await stub.ShowRollout(rollouts_pb2.RolloutRequest())
        with pytest.raises(grpc.aio.AioRpcError, match="There is no rollout 3"):
            await anext(aiter(stub.WatchRollout(rollouts_pb2.RolloutRequest(number=3))))
        await stub.StartRollout(START(author="ann"))
        for request, says in (
            (change(number=1, word="explode", author="ann"), "pause, resume, abort, rollback"),
            (change(number=1, word="pause"), "give a name"),
            (change(number=1, word="pause", author="ann", reason="x" * 201), "at most 200"),
            (change(number=1, word="resume", author="ann"), "Rollout 1 is running"),
        ):
            with pytest.raises(grpc.aio.AioRpcError, match=says):
                await stub.ChangeRollout(request)
