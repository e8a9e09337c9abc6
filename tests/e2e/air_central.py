"""A central for tests, by Bumble's own host and GATT client, and a line over it for whoever speaks with a node."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from air import Air, AirController
from attune_gateway.ble.parts import PartCutter, PartJoiner
from bumble import hci
from bumble.core import UUID
from bumble.device import Connection, Device, Peer
from bumble.gatt_client import CharacteristicProxy
from bumble.host import Host
from bumble.transport.common import AsyncPipeSink
from daemon_double import frame_of, stream_of
from qemu_board import wait_until

SERVICE = UUID("c97a0001-01a0-45f9-bfa5-88579b592de5")
INBOX = UUID("c97a0002-01a0-45f9-bfa5-88579b592de5")
OUTBOX = UUID("c97a0003-01a0-45f9-bfa5-88579b592de5")

ADVERTISED = b"\x02\x01\x06\x19\x21" + bytes.fromhex("e52d599b5788a5bff945a00101007ac9")
MTU = 247
HINT_SIZE = 4


def hint_of(data: bytes) -> bytes | None:
    """The advertised hint in what somebody advertises, if it is a node."""
    return data[len(ADVERTISED) :] if data.startswith(ADVERTISED) else None


class Central:
    """One controller, host and device on the air."""

    def __init__(self, air: Air, address: str = "F0:F1:F2:F3:F4:F5", **changes: Any) -> None:
        self.air = air
        self.address = address
        self.controller: AirController
        self.device: Device = air.run(self._begin(changes))

    async def _begin(self, changes: dict[str, Any]) -> Device:
        self.controller = AirController("central", self.air.ether)
        # Not fragments: this host is another's.
        self.controller.fragment = self.controller.le_acl_data_packet_length = 255
        for name, value in changes.items():
            setattr(self.controller, name, value)
        host = Host(self.controller, AsyncPipeSink(self.controller))
        self.controller.host = host
        device = Device(address=hci.Address(self.address), host=host)
        await device.power_on()
        return device

    def find(self, seconds: float = 20.0) -> tuple[hci.Address, bytes]:
        """Address and advertised hint of the node that advertises now."""
        heard = self.air.ether.heard
        heard.clear()
        wait_until(lambda: any(hint_of(data) for _, data in list(heard)), "An advertisement", seconds)
        address, data = next((address, data) for address, data in list(heard) if hint_of(data))
        hint = hint_of(data)
        assert hint is not None
        return address, hint

    def connect(self) -> Connection:
        address, _ = self.find()
        return self.air.run(self.device.connect_le(address, timeout=10))

    def disconnect(self, connection: Connection) -> None:
        self.air.run(connection.disconnect())


class AirLine:
    """A connection to a node as a stream of frames: what a gateway and a daemon's edge do between a radio and a
    session. `socket` is the daemon's end; on the air a node's frames have zeros for a hint."""

    def __init__(self, central: Central, hint: bytes, mtu: int = MTU) -> None:
        self._central = central
        self._hint = hint
        self.socket, self._inner = socket.socketpair()
        self.frames: list[bytes] = []
        """Frames of the node as they were on the air."""
        self.parts: list[bytes] = []
        """Parts of the node."""
        self.parts_sent = 0
        self.before_part: Callable[[int], None] = lambda number: None
        """Called with the number of each part before it is written."""
        self._joiner = PartJoiner(1024)
        self._closed = False
        self.connection = central.connect()
        central.air.run(self._set_up(mtu))
        self._task = central.air.call(lambda: asyncio.get_running_loop().create_task(self._carry()))

    async def _set_up(self, mtu: int) -> None:
        self._reader, self._writer = await asyncio.open_connection(sock=self._inner)
        peer = Peer(self.connection)
        self.mtu = await peer.request_mtu(mtu)
        await peer.discover_services([SERVICE])
        await peer.discover_characteristics()
        self.inbox, outbox = (peer.get_characteristics_by_uuid(uuid)[0] for uuid in (INBOX, OUTBOX))
        await self._subscribe(outbox)

    async def _subscribe(self, outbox: CharacteristicProxy[bytes]) -> None:
        await outbox.discover_descriptors()
        await outbox.subscribe(self._take)

    def _take(self, part: bytes) -> None:
        self.parts.append(bytes(part))
        frame = self._joiner.feed(bytes(part))
        if frame is not None:
            self.frames.append(frame)
            self._writer.write(stream_of(frame[:1] + self._hint + frame[5:]))

    async def _carry(self) -> None:
        """What the daemon says, to the node."""
        cutter = PartCutter(self.mtu - 3)
        while True:
            stream = (await self._reader.readuntil(b"\0"))[:-1]
            frame = frame_of(stream) if stream else b""
            for part in cutter.cut(frame[:1] + bytes(HINT_SIZE) + frame[5:]) if frame else ():
                self.before_part(self.parts_sent)
                self.parts_sent += 1
                await self.inbox.write_value(part, with_response=False)
                await self.connection.drain()

    def close(self) -> None:
        """Ends the connection, if it is still there, and the line."""
        if self._closed:
            return
        self._closed = True

        async def ended() -> None:
            self._task.cancel()
            self._writer.close()
            if self.connection.handle in self._central.device.connections:
                await self.connection.disconnect()

        self._central.air.run(ended())
        self.socket.close()
