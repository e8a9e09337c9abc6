"""Where gateways of other machines call: mutual TLS for those that are enrolled, and a door for those that are invited.

The door is a port of its own, one above the other: gRPC either demands a client's certificate on a port or never sees
one, and who enrolls has none yet. It is open only while an invitation is valid.
"""

import asyncio
import logging
import time
from datetime import timedelta
from typing import Any

import grpc
from attune_proto.v1 import gateways_pb2_grpc
from cryptography.hazmat.primitives.serialization import Encoding

from attuned.addresses import check_port
from attuned.errors import RequestError
from attuned.gateways.authority import VALID, Authority
from attuned.gateways.enrolled import EnrolledGateways
from attuned.gateways.service import EnrolmentService

log = logging.getLogger(__name__)

# The daemon's own certificate is made anew when it is so old: long before it ends.
_OWN_LASTS = VALID / 3

# Whoever connects and does not go on with TLS is in the way no longer than this.
HANDSHAKE_MS = 5_000

# Strangers at the door: so many connections and calls at a time, each for so long, saying so much; a request has 300
# bytes.
DOOR_CONNECTIONS, DOOR_CALLS = 64, 8
DOOR_AGE_MS, DOOR_GRACE_MS = 15_000, 5_000
DOOR_BYTES = 8192

_DOOR_OPTIONS = (
    ("grpc.server_handshake_timeout_ms", HANDSHAKE_MS),
    ("grpc.max_allowed_incoming_connections", DOOR_CONNECTIONS),
    ("grpc.max_connection_age_ms", DOOR_AGE_MS),
    ("grpc.max_connection_age_grace_ms", DOOR_GRACE_MS),
    ("grpc.max_receive_message_length", DOOR_BYTES),
    ("grpc.so_reuseport", 0),
)

# Options of the server that gateways attach to: one whose power failed is noticed after a minute and a half, and may
# ask as often whether the daemon is there. Two daemons on one port would each have half of the gateways. No site has as
# many gateways as there may be connections, and strangers cannot have all of the daemon's files.
OPTIONS = (
    ("grpc.max_allowed_incoming_connections", 512),
    ("grpc.max_concurrent_streams", 16),
    ("grpc.server_handshake_timeout_ms", HANDSHAKE_MS),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 30_000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 30_000),
    ("grpc.so_reuseport", 0),
)


class OwnCertificate:
    """The daemon's certificate as gRPC asks for it, at each connection, from a thread of its own."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self._made_s = time.monotonic()

    def credentials(self) -> grpc.ServerCredentials:
        """For a port on which each side has to show a certificate of the authority."""
        # The stubs leave out that None says: the same as before.
        following: Any = self._next
        return grpc.dynamic_ssl_server_credentials(self._make(), following, require_client_authentication=True)

    def _next(self) -> grpc.ServerCertificateConfiguration | None:
        return self._make() if time.monotonic() - self._made_s > _OWN_LASTS / timedelta(seconds=1) else None

    def _make(self) -> grpc.ServerCertificateConfiguration:
        self._made_s = time.monotonic()
        roots = self._authority.certificate.public_bytes(Encoding.PEM)
        return grpc.ssl_server_certificate_configuration([self._authority.for_daemon()], root_certificates=roots)


class Door:
    """Takes enrolments on the port above `port`, on which gateways attach; `host` as gRPC takes it."""

    def __init__(self, gateways: EnrolledGateways, host: str, port: int) -> None:
        self.host = host
        self.port = port + 1
        self._attach_port = port
        self._gateways = gateways
        self._server: grpc.aio.Server | None = None
        self._changed = asyncio.Event()

    async def open(self) -> None:
        """Listens, if it does not yet. RequestError if it cannot."""
        self._changed.set()
        if self._server is not None or self._gateways.authority is None:
            return
        server = grpc.aio.server(options=_DOOR_OPTIONS, maximum_concurrent_rpcs=DOOR_CALLS)
        service = EnrolmentService(self._gateways, self._attach_port)
        gateways_pb2_grpc.add_EnrolmentServicer_to_server(service, server)
        try:
            check_port(self.host, self.port)
            credentials = grpc.ssl_server_credentials([self._gateways.authority.for_daemon()])
            server.add_secure_port(f"{self.host}:{self.port}", credentials)
        except (OSError, RuntimeError) as error:
            raise RequestError(
                f"The daemon cannot listen on {self.host}:{self.port}, where invited gateways enroll: see which other "
                "program does."
            ) from error
        self._server = server
        await server.start()

    async def run(self) -> None:
        """Closes the door when no invitation is valid any more, and opens it at first if one is."""
        try:
            if self._left_s() > 0:
                await self._reopen()
            while True:
                self._changed.clear()
                if self._left_s() <= 0:
                    await self._close()
                await self._wait()
        finally:
            await self._close()

    async def _reopen(self) -> None:
        try:
            await self.open()
        except RequestError as error:
            log.warning("%s", error)

    async def _wait(self) -> None:
        left_s = self._left_s()
        try:
            async with asyncio.timeout(left_s if left_s > 0 else None):
                await self._changed.wait()
        except TimeoutError:
            pass

    def _left_s(self) -> float:
        return (self._gateways.invited_until_utc_ms() - self._gateways.clock.utc_ms()) / 1000

    async def _close(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            await server.stop(None)
