"""Nodes on a serial line: a device of this machine, or a serial server reached as `socket://HOST:PORT`."""

import asyncio
import logging
import os
import time
from functools import partial
from typing import cast

import serial

from attune_gateway.config import SerialSettings, parse_host_port
from attune_gateway.links import Links
from attune_gateway.pacing import Backoff, Sparingly
from attune_gateway.stream import StreamLine
from attune_gateway.trouble import reason

_log = logging.getLogger(__name__)

_SCHEME = "socket://"
_CONNECT_S = 10.0


class SerialPort:
    """Keeps one serial line open: whenever it is lost, it is opened again.

    `trouble` is a sentence on what keeps it closed; empty while it is open.
    """

    def __init__(self, links: Links, settings: SerialSettings, backoff: Backoff) -> None:
        self._links = links
        self._settings = settings
        self._backoff = backoff
        self._complaints = Sparingly()
        self.trouble = ""

    async def run(self) -> None:
        """Runs until it is cancelled."""
        while True:
            began_s = time.monotonic()
            try:
                line = await self._open()
            except (OSError, TimeoutError, serial.SerialException) as error:
                self._complain(f"cannot be opened: {reason(error)}")
            else:
                self.trouble = ""
                line.clear()
                lost = await line.closed
                self._complain(f"was lost: {reason(lost) if lost else 'it was closed'}")
            await asyncio.sleep(self._backoff.after(time.monotonic() - began_s))

    async def _open(self) -> StreamLine:
        line = StreamLine(self._links, "serial", self._settings.device)
        if self._settings.device.startswith(_SCHEME):
            address = parse_host_port(self._settings.device.removeprefix(_SCHEME))
            async with asyncio.timeout(_CONNECT_S):
                await asyncio.get_running_loop().create_connection(lambda: line, address.host, address.port)
        else:
            await _open_tty(self._settings, line)
        return line

    def _complain(self, what: str) -> None:
        self.trouble = sentence = f"Serial line {self._settings.device} {what}; trying again until it answers."
        if self._complaints.allows(time.monotonic(), sentence):
            _log.warning(sentence)


async def _open_tty(settings: SerialSettings, line: StreamLine) -> None:
    """Raises OSError (serial.SerialException is one)."""
    loop = asyncio.get_running_loop()
    # A device may take its time to open, and may wait for a modem that is not there.
    port = await asyncio.to_thread(partial(serial.Serial, settings.device, settings.baud, timeout=0, exclusive=True))
    try:
        ends = [os.fdopen(os.dup(port.fileno()), mode, buffering=0) for mode in ("wb", "rb")]
    finally:
        port.close()
    tty = _Tty(line, settings.device)
    tty.writer, _ = await loop.connect_write_pipe(lambda: _TtyWriter(tty), ends[0])
    await loop.connect_read_pipe(lambda: tty, ends[1])


class _Tty(asyncio.Protocol):
    """One byte stream of a terminal's two pipes; it lasts as long as the reading one."""

    def __init__(self, line: StreamLine, peer: str) -> None:
        self._line = line
        self._peer = peer
        self._reader: asyncio.ReadTransport
        self.writer: asyncio.WriteTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._reader = cast(asyncio.ReadTransport, transport)
        self._line.begin(self, self._peer)

    def data_received(self, data: bytes) -> None:
        self._line.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.writer.abort()
        self._line.connection_lost(exc)

    def write(self, data: bytes) -> None:
        self.writer.write(data)

    def get_write_buffer_size(self) -> int:
        return self.writer.get_write_buffer_size()

    def pause_reading(self) -> None:
        self._reader.pause_reading()

    def resume_reading(self) -> None:
        self._reader.resume_reading()

    def abort(self) -> None:
        self._reader.close()


class _TtyWriter(asyncio.BaseProtocol):
    def __init__(self, tty: _Tty) -> None:
        self._tty = tty

    def connection_lost(self, exc: Exception | None) -> None:
        self._tty.abort()
