"""The board in QEMU behind a real gateway: its UART is the socket that the gateway's serial transport opens."""

import queue
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from attune_proto.v1 import node_pb2
from attune_proto.v1.link_pb2 import DaemonBatch, Frame
from attune_proto.v1.link_pb2_grpc import NodeLinkServicer, add_NodeLinkServicer_to_server
from attuned.demo.ports import free_port
from attuned.nodes.codes import read_code
from firmware_build import firmware
from processes import end
from qemu_board import Board, code_of

from bench.daemon_side import DaemonSide

GATEWAY = [sys.executable, "-c", "from attune_gateway.main import main; main()"]
ANSWER_S = 30.0


def answer(message: node_pb2.NodeMessage) -> node_pb2.DaemonMessage | None:
    """What a daemon says to a hello or a report."""
    if message.HasField("hello"):
        return node_pb2.DaemonMessage(time=node_pb2.Time(echo_tick_ms=message.hello.tick_ms, utc_ms=1))
    if message.HasField("report"):
        return node_pb2.DaemonMessage(report_ack=node_pb2.ReportAck(through=message.report.seq))
    return None


class Daemon(NodeLinkServicer):
    """Answers at once, and keeps what nodes and gateway said."""

    def __init__(self) -> None:
        self.messages: queue.Queue[node_pb2.NodeMessage] = queue.Queue()
        self.transports: list[str] = []
        self.side = DaemonSide(self._psk)
        self.console: Path | None = None

    def _psk(self, hint: bytes) -> bytes:
        assert self.console is not None
        return read_code(code_of(self.console.read_text())).psk

    def _answers(self, frame: bytes) -> list[bytes]:
        replies, message = self.side.take(frame)
        if message is not None:
            self.messages.put(message)
            reply = answer(message)
            replies += [self.side.seal(reply)] if reply else []
        return replies

    def Attach(self, request_iterator: Any, context: grpc.ServicerContext) -> Iterator[DaemonBatch]:  # noqa: N802
        for batch in request_iterator:
            self.transports += [link.transport for link in batch.links_up]
            for frame in batch.frames:
                answers = self._answers(frame.data)
                yield DaemonBatch(frames=[Frame(link=frame.link, data=data) for data in answers])

    def wait_for(self, body: str) -> node_pb2.NodeMessage:
        while True:
            message = self.messages.get(timeout=ANSWER_S)
            if message.WhichOneof("body") == body:
                return message


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    server = grpc.server(ThreadPoolExecutor(2))
    double = Daemon()
    add_NodeLinkServicer_to_server(double, server)
    server.add_insecure_port(f"unix:{tmp_path}/daemon.sock")
    server.start()
    yield double
    server.stop(None).wait()


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Board]:
    port = free_port()
    board = Board(tmp_path, firmware() / "attune-node.elf", bytes(range(32)), tcp_port=port)
    settings = f'name = "lab"\ndaemon = "unix:{tmp_path}/daemon.sock"\n'
    settings += f'[[serial]]\ndevice = "socket://127.0.0.1:{port}"\n'
    (tmp_path / "gateway.toml").write_text(settings)
    gateway = subprocess.Popen([*GATEWAY, "--config", str(tmp_path / "gateway.toml")])
    try:
        yield board
    finally:
        end(gateway)
        board.close()


@pytest.mark.slow
def test_reports_pass_the_gateways_serial_transport(board: Board, daemon: Daemon) -> None:
    daemon.console = board.folder / "console"
    board.run()
    # A handshake that was begun before the gateway was there is tried again after five seconds.
    hello = daemon.wait_for("hello").hello
    assert hello.firmware.endswith("mps2-an386")
    daemon.wait_for("health")
    board.feed("".join(f"0 {tick_s * 1000} 0 {20 + tick_s / 600}\n" for tick_s in range(10, 1800, 20)) + "@1800000\n")
    reports: dict[int, int] = {}
    while len(reports) < 30:
        report = daemon.wait_for("report").report
        reports[report.seq] = report.end_s
    assert reports == {seq: 60 * seq for seq in range(1, 31)}
    assert daemon.transports == ["serial"]
