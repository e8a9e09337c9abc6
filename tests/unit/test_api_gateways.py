"""Gateways as the command line asks for them, of a daemon that holds them."""

import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from attune_gateway.invitation import read_invitation
from attune_proto.v1 import gateways_pb2, gateways_pb2_grpc, link_pb2, link_pb2_grpc
from attuned.api.gateways import GatewaysService
from attuned.api.radios import Radios
from daemon_world import A
from gateway_world import GatewayDaemon, gateway_daemon

HOUR_S = 3600


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[GatewayDaemon]:
    async with gateway_daemon(tmp_path) as found:
        yield found
        await found.door._close()


@contextlib.asynccontextmanager
async def asked(daemon: GatewayDaemon, folder: Path, *, door: bool = True) -> AsyncIterator[Any]:
    """Stubs for people and for gateways of this machine, both over a socket in the folder."""
    server = grpc.aio.server()
    radios = Radios(daemon.hub, daemon.clock, {A: "r"})
    service = GatewaysService(daemon.gateways, daemon.links, daemon.door if door else None, radios)
    gateways_pb2_grpc.add_GatewaysServicer_to_server(service, server)
    link_pb2_grpc.add_NodeLinkServicer_to_server(daemon.links, server)
    server.add_insecure_port(f"unix:{folder}/s")
    await server.start()
    async with grpc.aio.insecure_channel(f"unix:{folder}/s") as channel:
        yield gateways_pb2_grpc.GatewaysStub(channel), link_pb2_grpc.NodeLinkStub(channel)
    await server.stop(None)


def invitation(name: str = "north", host: str = "", valid_s: int = HOUR_S) -> gateways_pb2.InviteGatewayRequest:
    return gateways_pb2.InviteGatewayRequest(name=name, valid_s=valid_s, host=host)


async def test_an_invitation_names_where_the_daemon_is(daemon: GatewayDaemon, tmp_path: Path) -> None:
    async with asked(daemon, tmp_path) as (people, _):
        named = read_invitation((await people.InviteGateway(invitation(host="attune.lan"))).invitation)
        bound = read_invitation((await people.InviteGateway(invitation())).invitation)
        daemon.door.host = "[::]"
        anywhere = read_invitation((await people.InviteGateway(invitation())).invitation)
    assert [each.host for each in (named, bound, anywhere)] == ["attune.lan", "127.0.0.1", socket.gethostname()]
    assert {each.port for each in (named, bound, anywhere)} == {daemon.port + 1}
    assert {each.authority for each in (named, bound, anywhere)} == {daemon.authority.public}


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (invitation(name="a b"), "A gateway's name has 1 to 64 letters"),
        (invitation(valid_s=0), "valid for one minute to seven days"),
        (invitation(host="a b"), "such as --host attune.example.org"),
        (invitation(host="h" * 254), "such as --host attune.example.org"),
    ],
)
async def test_what_is_refused(
    daemon: GatewayDaemon, tmp_path: Path, request_: gateways_pb2.InviteGatewayRequest, said: str
) -> None:
    async with asked(daemon, tmp_path) as (people, _):
        with pytest.raises(grpc.aio.AioRpcError, match=said) as caught:
            await people.InviteGateway(request_)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert daemon.gateways.invitations == {}


async def test_without_an_address_for_tls_nobody_is_invited(daemon: GatewayDaemon, tmp_path: Path) -> None:
    async with asked(daemon, tmp_path, door=False) as (people, _):
        with pytest.raises(
            grpc.aio.AioRpcError, match="listens for no gateways of other machines: `sudo attune setup` asks"
        ):
            await people.InviteGateway(invitation())


async def test_the_list_has_those_of_this_machine_and_those_that_are_invited(
    daemon: GatewayDaemon, tmp_path: Path
) -> None:
    async with asked(daemon, tmp_path) as (people, gateways):
        until_utc_ms = (await people.InviteGateway(invitation())).until_utc_ms
        call = gateways.Attach()
        hello = link_pb2.GatewayHello(name="cellar")
        await call.write(link_pb2.GatewayBatch(hello=hello, links_up=[link_pb2.LinkUp(link=1)]))
        await call.read()
        reply = await people.ListGateways(gateways_pb2.ListGatewaysRequest())
        cellar, north = reply.gateways
        assert (cellar.name, cellar.local, cellar.connected) == ("cellar", True, True)
        assert 0 <= reply.now_utc_ms - cellar.heard_utc_ms < 60_000
        assert north == gateways_pb2.GatewayRow(name="north", invited_utc_ms=until_utc_ms)
        with pytest.raises(grpc.aio.AioRpcError, match="cellar has no radio") as caught:
            await people.ScanGateway(gateways_pb2.ScanGatewayRequest(name="cellar"))
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        with pytest.raises(grpc.aio.AioRpcError, match="There is no gateway 'attic'") as caught:
            await people.ScanGateway(gateways_pb2.ScanGatewayRequest(name="attic"))
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
        assert not (await people.RevokeGateway(gateways_pb2.RevokeGatewayRequest(name="north"))).connected
        with pytest.raises(grpc.aio.AioRpcError, match="no enrolled gateway 'cellar'") as caught:
            await people.RevokeGateway(gateways_pb2.RevokeGatewayRequest(name="cellar"))
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
        with pytest.raises(grpc.aio.AioRpcError, match="cellar is the name of a gateway on the daemon's machine"):
            await people.InviteGateway(invitation("cellar"))
        # As when it attached while its name was invited.
        await daemon.gateways.invite("cellar", HOUR_S)
        assert not (await people.RevokeGateway(gateways_pb2.RevokeGatewayRequest(name="cellar"))).connected
        assert "cellar" in daemon.links.gateways


async def test_what_a_radio_hears_and_how_busy_it_is(daemon: GatewayDaemon, tmp_path: Path) -> None:
    async with asked(daemon, tmp_path) as (people, gateways):
        call = gateways.Attach()
        hint = bytes(range(8))
        up = link_pb2.LinkUp(link=1, transport="ble", hint=bytes(8), mtu=243)
        sighting = link_pb2.Sighting(hint=hint, rssi_dbm=-70, failures=1)
        hello = link_pb2.GatewayHello(name="cellar", slots=3)
        await call.write(link_pb2.GatewayBatch(hello=hello, links_up=[up], sightings=[sighting]))
        assert [(wish.hint, wish.need) for wish in (await call.read()).wishes] == [(bytes(8), link_pb2.NEED_NONE)]
        (cellar,) = (await people.ListGateways(gateways_pb2.ListGatewaysRequest())).gateways
        assert (cellar.slots, cellar.slots_used) == (3, 1)
        reply = await people.ScanGateway(gateways_pb2.ScanGatewayRequest(name="cellar"))
        assert (reply.slots, reply.slots_used) == (3, 1)
        (heard,) = reply.heard
        assert 0 <= reply.now_utc_ms - heard.heard_utc_ms < 60_000
        heard.heard_utc_ms = 0
        assert heard == gateways_pb2.HeardRow(hint=hint, rssi_dbm=-70, failures=1)
        # Once it has gone it cannot be scanned.
        daemon.links.drop("cellar", "It is over.")
        with pytest.raises(grpc.aio.AioRpcError, match="There is no gateway 'cellar'"):
            await people.ScanGateway(gateways_pb2.ScanGatewayRequest(name="cellar"))
