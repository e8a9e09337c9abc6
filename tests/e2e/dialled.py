"""Nodes of the binding that dial in to the gateway from the test, and lines for those who are no good node.

Frames are made with the package `cobs` and binascii.crc_hqx, not with the code under test.
"""

import binascii
import contextlib
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from attune_core import Node
from cobs import cobs
from installation import Installation


def stream_of(frame: bytes) -> bytes:
    """A frame as it goes over a stream: COBS of frame and CRC-16, and a zero."""
    return bytes(cobs.encode(frame + binascii.crc_hqx(frame, 0xFFFF).to_bytes(2, "little"))) + b"\0"


class Line:
    """A TCP connection to the gateway."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        self._socket.setblocking(False)
        self._rest = b""

    def send_raw(self, data: bytes) -> None:
        self._socket.setblocking(True)
        self._socket.sendall(data)
        self._socket.setblocking(False)

    def send(self, *frames: bytes) -> None:
        self.send_raw(b"".join(map(stream_of, frames)))

    def frames(self) -> list[bytes]:
        """The frames that have come; ConnectionError once the gateway is gone."""
        with contextlib.suppress(BlockingIOError):
            while data := self._socket.recv(65536):
                self._rest += data
            raise ConnectionError("The gateway has hung up.")
        *pieces, self._rest = self._rest.split(b"\0")
        return [bytes(cobs.decode(piece))[:-2] for piece in pieces]

    def close(self) -> None:
        self._socket.close()


class DialledNode:
    """A whole node: core and connection. Its ticks follow the installation's clock whenever it gets a turn.

    `readings` gives what each sensor reads at a tick.
    """

    def __init__(
        self,
        installation: Installation,
        node: str,
        sensors: Sequence[str],
        *,
        boot: int,
        window_s: int,
        readings: Callable[[int], Sequence[float]],
    ) -> None:
        self._installation = installation
        self.node_id = bytes.fromhex(node)
        self.boot = boot
        self.core = Node(self.node_id, boot, sensors, window_s, keeper=installation.keeper(node), test=True)
        self._first_utc_ms = installation.now_utc_ms()
        self.line: Line | None = None
        self._readings = readings
        self.heard: list[tuple[bytes, int]] = []
        """Frames that came, with the reports that were acknowledged by then."""
        self._window_ms = 1000 * window_s
        self._lived_ms = 0
        self.begun_utc_ms = -(-self._first_utc_ms // self._window_ms) * self._window_ms
        """End of the first window that it may have measured in part; those after it are whole."""

    @property
    def tick_ms(self) -> int:
        return self._installation.now_utc_ms() - self._first_utc_ms

    def dial(self) -> None:
        self.line = Line(self._installation.node_port)
        self.core.link(True)

    def hang_up(self) -> None:
        assert self.line is not None
        self.line.close()
        self.line = None
        self.core.link(False)

    def turn(self) -> None:
        """Time passes; what has come is taken, and what is due is sent. Dials again if the gateway hung up."""
        self._catch_up()
        if self.line is None:
            return
        try:
            for frame in self.line.frames():
                self.core.receive(frame)
                self.heard.append((frame, self.acknowledged))
            if frames := self.core.frames():
                self.line.send(*frames)
        except ConnectionError:
            self.hang_up()
            with contextlib.suppress(ConnectionError):
                self.dial()

    def _catch_up(self) -> None:
        """A node measures in every window, also where the machine had no turn for it meanwhile."""
        now_ms = self.tick_ms
        while self._lived_ms < now_ms:
            self._lived_ms = min(self._lived_ms + self._window_ms, now_ms)
            for sensor, value in enumerate(self._readings(self._lived_ms)):
                self.core.sample(sensor, self._lived_ms, value)
            self.core.poll(self._lived_ms)

    def live_until(self, condition: Callable[[], object], what: str, seconds: float = 20.0) -> None:
        """Gives the node turns until the condition holds; AssertionError if it does not in time."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"{what} did not happen within {seconds:g} s."
            self.turn()
            time.sleep(0.005)

    def live_for(self, seconds: float) -> None:
        """So long by the installation's clock; returns when all windows of that time are acknowledged."""
        until = self.tick_ms + 1000 * seconds
        self.live_until(lambda: self.tick_ms >= until and self.core.facts.waiting == 0, "Time", 60)

    @property
    def acknowledged(self) -> int:
        """Reports that the daemon has acknowledged."""
        facts = self.core.facts
        return facts.next_seq - 1 - facts.waiting - facts.dropped


@contextmanager
def dialled(
    installation: Installation,
    node: str,
    sensors: Sequence[str],
    *,
    boot: int = 1,
    window_s: int = 60,
    readings: Callable[[int], Sequence[float]] = lambda _: (),
) -> Iterator[DialledNode]:
    """A node that has dialled in and knows the time."""
    found = DialledNode(installation, node, sensors, boot=boot, window_s=window_s, readings=readings)
    installation.adopt(found.core)
    found.dial()
    try:
        found.live_until(lambda: found.core.facts.timed, "The time message")
        yield found
    finally:
        if found.line is not None:
            found.line.close()
