"""The daemon's end of one node's serial line, for tests: frames, hello and time, reports, acknowledgements, labels."""

import binascii
import contextlib
import socket
import time
from collections.abc import Callable

from attune_proto.v1 import node_pb2
from cobs import cobs

from bench.daemon_side import DaemonSide

UTC_MS = 1_700_000_000_000
ANSWER_S = 20.0


def stream_of(frame: bytes) -> bytes:
    """A frame as it goes over a stream: COBS of frame and CRC-16, and a zero."""
    return bytes(cobs.encode(frame + binascii.crc_hqx(frame, 0xFFFF).to_bytes(2, "little"))) + b"\0"


def frame_of(stream: bytes) -> bytes:
    """The frame in what stood before a zero; AssertionError if it is damaged."""
    data = bytes(cobs.decode(stream))
    frame, crc = data[:-2], data[-2:]
    assert binascii.crc_hqx(frame, 0xFFFF) == int.from_bytes(crc, "little")
    return frame


class SilenceError(Exception):
    """The node said nothing more in time."""


class DaemonDouble:
    """Speaks with the node at the other end of a connected socket, as the daemon of `side`."""

    def __init__(self, line: socket.socket, side: DaemonSide) -> None:
        self.line = line
        self.side = side
        self.hello = node_pb2.Hello()
        self.health = node_pb2.Health()
        self._received = b""
        self._reports: list[node_pb2.Report] = []
        # Ends what an earlier connection may have left in the node's decoder.
        line.sendall(b"\0")

    def send(self, message: node_pb2.DaemonMessage) -> None:
        self.line.sendall(stream_of(self.side.seal(message)))

    def receive(self, seconds: float = ANSWER_S) -> node_pb2.NodeMessage:
        """The next message; SilenceError if none comes in time. Handshakes are answered; remembers the last health."""
        end = time.monotonic() + seconds
        message = None
        while message is None:
            replies, message = self.side.take(self._next_frame(end))
            for reply in replies:
                self.line.sendall(stream_of(reply))
        if message.HasField("health"):
            self.health = message.health
        return message

    def _next_frame(self, end: float) -> bytes:
        while b"\0" not in self._received:
            self.line.settimeout(max(0.01, end - time.monotonic()))
            try:
                self._received += self.line.recv(4096)
            except TimeoutError:
                raise SilenceError from None
        stream, _, self._received = self._received.partition(b"\0")
        return frame_of(stream) if stream else self._next_frame(end)

    def wait_for(self, body: str, seconds: float = ANSWER_S) -> node_pb2.NodeMessage:
        """The next message of a kind; reports that come before it are kept."""
        while True:
            message = self.receive(seconds)
            if message.WhichOneof("body") == body:
                return message
            if message.HasField("report"):
                self._reports.append(message.report)

    def listen_until_silent(self, seconds: float) -> None:
        """Passes over whatever the node says, until it says nothing for so long."""
        with contextlib.suppress(SilenceError):
            while True:
                self.receive(seconds)

    def ask_for_hello(self) -> None:
        """As anybody may: the node begins a handshake."""
        self.line.sendall(stream_of(self.side.call()))

    def greet(self) -> node_pb2.Hello:
        """Waits for a hello, answers with the time, and waits until the node has it and has told its health."""
        self.hello = self.wait_for("hello").hello
        self.send(node_pb2.DaemonMessage(time=node_pb2.Time(echo_tick_ms=self.hello.tick_ms, utc_ms=UTC_MS)))
        answer = self.wait_for("time_ack").time_ack
        assert answer.echo_tick_ms == self.hello.tick_ms
        assert answer.tick_ms >= answer.echo_tick_ms
        self.health = self.wait_for("health").health
        return self.hello

    def acknowledge(self, through: int) -> None:
        self.send(node_pb2.DaemonMessage(report_ack=node_pb2.ReportAck(through=through)))

    def reports(self, count: int) -> list[node_pb2.Report]:
        """The next count reports in the order of their numbers, each acknowledged as it comes, repeats left out."""
        reports = self._collect(lambda found: len(found) >= count)
        assert len(reports) == count
        return reports

    def reports_to(self, end_s: int) -> list[node_pb2.Report]:
        """All reports up to the one of the window that ended at end_s."""
        return self._collect(lambda found: bool(found) and found[-1].end_s >= end_s)

    def _collect(self, enough: Callable[[list[node_pb2.Report]], bool]) -> list[node_pb2.Report]:
        found: list[node_pb2.Report] = []
        while not enough(found):
            report = self._reports.pop(0) if self._reports else self.wait_for("report").report
            if not found or report.seq == found[-1].seq + 1:
                found.append(report)
            self.acknowledge(found[-1].seq)
        return found
