"""A line over a byte stream: frames as framing.py says."""

import asyncio
import socket
from typing import Protocol, cast

from attune_gateway.framing import END, STREAM_MAX, StreamDecoder, encode, is_frame
from attune_gateway.link import Link
from attune_gateway.links import Links

# What may wait for a slow node: about a minute of a busy link with some updates in it.
WRITE_LIMIT = 64 * 1024

# Of struct tcp_info (linux/tcp.h) only the first byte, the state.
_TCP_ESTABLISHED = 1

# The kernel holds little for each of thousands of nodes, and a node whose power failed is noticed after two minutes,
# whether there is something to send to it or not.
_SOCKET_OPTIONS = (
    (socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * 1024),
    (socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 120_000),
)


class ByteStream(Protocol):
    """What a StreamLine needs of an asyncio transport."""

    def write(self, data: bytes) -> None: ...
    def get_write_buffer_size(self) -> int: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def abort(self) -> None: ...


class StreamLine(asyncio.Protocol):
    """Makes a link of an asyncio transport.

    `closed` is done when the connection has ended; its result is the error that ended it, or None.
    """

    def __init__(self, links: Links, transport: str, peer: str = "") -> None:
        self._links = links
        self._kind = transport
        self._peer = peer
        self._decoder = StreamDecoder()
        self._reads = True
        self._stream: ByteStream
        self._link: Link
        self.closed: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    # A connection over a socket begins here, any other with `begin`.
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        stream = cast(asyncio.Transport, transport)
        connection = stream.get_extra_info("socket")
        for level, option, value in _SOCKET_OPTIONS:
            connection.setsockopt(level, option, value)
        self.begin(stream, self._peer or _socket_peer(stream))

    def begin(self, stream: ByteStream, peer: str) -> None:
        """The connection to `peer` stands."""
        self._stream = stream
        self._link = self._links.up(self, self._decoder.counts, self._kind, peer)

    def clear(self) -> None:
        """Ends half a frame that an earlier connection may have left in a node that does not notice connections."""
        self._stream.write(END)

    def data_received(self, data: bytes) -> None:
        if frames := self._decoder.feed(data):
            self._links.received(self._link, frames)

    def connection_lost(self, exc: Exception | None) -> None:
        self._decoder.end()
        self._links.down(self._link)
        if not self.closed.done():
            self.closed.set_result(exc)

    def send(self, frames: list[bytes]) -> int:
        """Writes what fits into the line's buffer; the rest, and what is no frame at all, counts as not taken."""
        room = WRITE_LIMIT - self._stream.get_write_buffer_size()
        taken = []
        for frame in frames:
            if room >= STREAM_MAX and is_frame(frame):
                taken.append(encode(frame))
                room -= len(taken[-1])
        self._stream.write(b"".join(taken))
        return len(frames) - len(taken)

    def pause(self) -> None:
        self._read(wanted=False)

    def resume(self) -> None:
        self._read(wanted=True)

    def _read(self, *, wanted: bool) -> None:
        # Not at once: Python 3.11.2 forgets a pause that is asked for while the connection is being made.
        self._reads = wanted
        asyncio.get_running_loop().call_soon(self._settle_reading)

    def _settle_reading(self) -> None:
        if self._reads:
            self._stream.resume_reading()
        else:
            self._stream.pause_reading()

    def close(self) -> None:
        self._stream.abort()

    def is_hung_up(self) -> bool:
        """Whether the other side of a socket has ended the connection, even if nobody has read so far."""
        connection = cast(asyncio.Transport, self._stream).get_extra_info("socket")
        return bool(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != _TCP_ESTABLISHED)


def _socket_peer(transport: asyncio.Transport) -> str:
    host, port = transport.get_extra_info("peername")[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
