"""Nodes that dial in over TCP."""

import asyncio
import errno
import logging
import os
import socket
import time

from attune_gateway.config import HostPort
from attune_gateway.errors import ForbiddenAddressError, ListenError
from attune_gateway.links import Links
from attune_gateway.pacing import Sparingly
from attune_gateway.stream import StreamLine
from attune_gateway.trouble import user

_log = logging.getLogger(__name__)

# Nodes that all lost their gateway at once come back at once.
_BACKLOG = 1024

_ADVICE = {
    errno.EADDRINUSE: "stop the program that does (`ss -ltnp`), or choose another port",
    errno.EADDRNOTAVAIL: "this machine has no such address now; choose one of `ip address`",
}


class TcpListener:
    """Listens on `addresses`, all of which together have at most `max_connections` at a time."""

    def __init__(self, links: Links, addresses: tuple[HostPort, ...], max_connections: int) -> None:
        self._links = links
        self._addresses = addresses
        self._max_connections = max_connections
        self._lines: set[StreamLine] = set()
        self._servers: list[asyncio.Server] = []
        self._refusals = Sparingly()

    async def open(self) -> None:
        """Binds every address; raises ListenError."""
        loop = asyncio.get_running_loop()
        for address in self._addresses:
            try:
                server = await loop.create_server(self._answer, address.host, address.port, backlog=_BACKLOG)
            except OSError as error:
                raise _refused(address, error) from error
            self._servers.append(server)
            port = server.sockets[0].getsockname()[1]
            _log.info("Listening for nodes on %s.", HostPort(address.host, port))

    def close(self) -> None:
        """Takes no more connections."""
        for server in self._servers:
            server.close()

    def _answer(self) -> asyncio.Protocol:
        if len(self._lines) >= self._max_connections:
            self._refuse()
            return _Refusal()
        line = StreamLine(self._links, "tcp")
        self._lines.add(line)
        line.closed.add_done_callback(lambda _: self._lines.discard(line))
        return line

    def _refuse(self) -> None:
        # While lines are held back nobody reads that they have ended; they must not be in the way of nodes that return.
        for line in self._lines:
            if line.is_hung_up():
                line.close()
        if self._refusals.allows(time.monotonic()):
            limit = self._max_connections
            _log.warning("Refused a connection: %d are open; raise tcp.max_connections or add a gateway.", limit)


def _refused(address: HostPort, error: OSError) -> ListenError:
    """asyncio keeps the number of an error of the system, and wraps its words; a name that is not known has its own."""
    if error.errno in (errno.EACCES, errno.EPERM):
        return ForbiddenAddressError(f"{user()} must not listen on {address}: choose a port from 1024 on.")
    why = str(error.strerror) if isinstance(error, socket.gaierror) else os.strerror(error.errno or errno.EIO)
    advice = _ADVICE.get(error.errno or 0, "choose another address")
    return ListenError(f"The gateway cannot listen on {address} ({why}): {advice}.")


class _Refusal(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()
