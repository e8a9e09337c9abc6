"""A site's calls over gRPC, as the command line asks them."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
from attune_proto.v1 import admin_pb2_grpc
from attuned.api.admin import AdminService
from attuned.nodes.link_service import LinkService
from attuned.site import Site


@contextlib.asynccontextmanager
async def served(site: Site, folder: Path) -> "AsyncIterator[admin_pb2_grpc.AdminAsyncStub]":
    """A stub that asks the site through a socket in the folder."""
    server = grpc.aio.server()
    admin_pb2_grpc.add_AdminServicer_to_server(AdminService(site, LinkService(site.hub, site.gateways)), server)
    server.add_insecure_port(f"unix:{folder}/s")
    await server.start()
    async with grpc.aio.insecure_channel(f"unix:{folder}/s") as channel:
        yield admin_pb2_grpc.AdminStub(channel)
    await server.stop(None)
