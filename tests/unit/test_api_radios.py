"""What radios hear and how nodes were heard, as the command line asks for it, of a site with nodes on the air."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from admin_served import served
from air_world import AirGateway, AirNode, AirSite, air_site
from attune_proto.v1 import admin_pb2, gateways_pb2, link_pb2, nodes_pb2, nodes_pb2_grpc
from attuned.api.nodes import NodesService
from attuned.api.radios import Radios
from daemon_world import A, B


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[AirSite]:
    async with air_site(tmp_path) as found:
        yield found


@pytest.fixture
def north() -> AirGateway:
    return AirGateway("north")


@contextlib.asynccontextmanager
async def nodes_of(world: AirSite) -> AsyncIterator[Any]:
    server = grpc.aio.server()
    nodes_pb2_grpc.add_NodesServicer_to_server(NodesService(world.site), server)
    server.add_insecure_port(f"unix:{world.folder}/n")
    await server.start()
    async with grpc.aio.insecure_channel(f"unix:{world.folder}/n") as channel:
        yield nodes_pb2_grpc.NodesStub(channel)
    await server.stop(None)


def scan(world: AirSite, gateway: AirGateway) -> gateways_pb2.ScanGatewayReply:
    site = world.site
    return Radios(site.hub, site.clock, site.assignments.room_of).heard(gateway)  # type: ignore[arg-type]


async def test_a_scan_names_nodes_of_ours_those_of_codes_and_nobody_else(world: AirSite, north: AirGateway) -> None:
    ours, waits, stranger = AirNode(A, 1), AirNode(B, 2), AirNode("c1b2c3d400000003", 3)
    await world.add(north, ours)
    await world.site.commissioning.add(waits.core.code, "s", "", take_over=False)
    world.live(5)
    for node, rssi_dbm in ((waits, -70), (stranger, -50)):
        world.sighted(north, node, rssi_dbm)
    world.site.hub.air.sighted(north, link_pb2.Sighting(hint=waits.hint, rssi_dbm=-71, failures=4))
    world.live(3)
    reply = scan(world, north)
    now = world.clock.now
    assert reply == gateways_pb2.ScanGatewayReply(
        heard=[
            gateways_pb2.HeardRow(hint=stranger.hint, rssi_dbm=-50, heard_utc_ms=now - 3000),
            gateways_pb2.HeardRow(
                hint=ours.hint,
                node=A,
                room="r",
                rssi_dbm=-60,
                heard_utc_ms=now - 8000,
                served_by="north",
                connected=True,
            ),
            gateways_pb2.HeardRow(
                hint=waits.hint,
                node=B[:8],
                room="s",
                rssi_dbm=-71,
                heard_utc_ms=now - 3000,
                served_by="north",
                failures=4,
            ),
        ],
        now_utc_ms=now,
        slots=8,
        slots_used=1,
    )


async def test_a_node_shows_transport_signal_and_when_it_was_heard(world: AirSite, north: AirGateway) -> None:
    node = AirNode(A, 1)
    number = await world.add(north, node)
    world.live(2)
    world.site.hub.link_stats(north, link_pb2.LinkStats(link=number, rssi_dbm=-72))
    async with served(world.site, world.folder) as admin:
        (shown,) = (await admin.ListNodes(admin_pb2.ListNodesRequest())).nodes
        assert (shown.transport, shown.rssi_dbm, shown.gateway, shown.findable) == ("ble", -72, "north", True)
        assert (shown.last_heard_utc_ms, shown.on_air_utc_ms) == (world.clock.now - 2000, world.clock.now)
        assert (shown.trial, shown.signing_key) == (0, 0)
        world.disconnect(north, number)
        world.live(600)
        (shown,) = (await admin.ListNodes(admin_pb2.ListNodesRequest())).nodes
    assert (shown.transport, shown.rssi_dbm, shown.gateway, shown.on_air_utc_ms) == ("ble", 0, "", 0)


async def test_those_that_cannot_be_named_are_counted(world: AirSite, north: AirGateway) -> None:
    await world.add(north, AirNode(A, 1))
    for seed in (5, 6):
        world.sighted(north, AirNode(f"{seed:016x}", seed))
    async with nodes_of(world) as nodes:
        reply = await nodes.ListComing(nodes_pb2.ListComingRequest())
        assert (list(reply.coming), reply.unknown_heard) == ([], 2)
        assert (await nodes.ListComing(nodes_pb2.ListComingRequest(hint=A[:8]))).unknown_heard == 0


async def test_a_node_that_is_added_into_another_room_is_said_to_move(world: AirSite, north: AirGateway) -> None:
    node = AirNode(A, 1)
    await world.add(north, node, "r")
    async with nodes_of(world) as nodes:
        for room, left in (("r", ""), ("s", "r")):
            reply = await nodes.AddNode(nodes_pb2.AddNodeRequest(code=node.core.code, room=room))
            assert (reply.hint, reply.moves_from) == (A[:8], left)
            await world.settle()
        assert world.site.assignments.room_of[A] == "s"


async def test_commands_say_whether_the_node_has_been_told(world: AirSite, north: AirGateway) -> None:
    node = AirNode(A, 1)
    number = await world.add(north, node)
    async with nodes_of(world) as nodes:
        assert (await nodes.ChangeNode(nodes_pb2.ChangeNodeRequest(node=A, identify_s=5))).told
        world.disconnect(north, number)
        assert not (await nodes.ChangeNode(nodes_pb2.ChangeNodeRequest(node=A, identify_s=5))).told
