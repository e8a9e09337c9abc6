"""`attune-gateway` as a process: start, signals, systemd's notifications, exit codes."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from attune_gateway.framing import encode
from attune_proto.v1.link_pb2 import DaemonBatch, Frame
from attune_proto.v1.link_pb2_grpc import NodeLinkServicer, add_NodeLinkServicer_to_server

PROGRAM = [sys.executable, "-c", "from attune_gateway.main import main; main()"]


class Echo(NodeLinkServicer):
    """Sends every frame back to where it came from, once it has no more reasons to refuse."""

    def __init__(self, refusals: list[grpc.StatusCode]) -> None:
        self.refusals = refusals

    def Attach(self, request_iterator: Any, context: grpc.ServicerContext) -> Iterator[DaemonBatch]:  # noqa: N802
        if self.refusals:
            context.abort(self.refusals.pop(0), "not now")
        for batch in request_iterator:
            if batch.frames:
                yield DaemonBatch(frames=[Frame(link=frame.link, data=frame.data) for frame in batch.frames])


@contextlib.contextmanager
def echoing(tmp_path: Path, refusals: list[grpc.StatusCode]) -> Iterator[str]:
    target = f"unix:{tmp_path}/daemon.sock"
    server = grpc.server(ThreadPoolExecutor(2))
    add_NodeLinkServicer_to_server(Echo(refusals), server)
    server.add_insecure_port(target)
    server.start()
    try:
        yield target
    finally:
        server.stop(None).wait()


def ask(node: socket.socket) -> bytes:
    """Says the same until there is an answer, as nodes do: a daemon that refuses loses what it was sent."""
    for _ in range(20):
        node.sendall(encode(b"hello"))
        with contextlib.suppress(TimeoutError):
            return node.recv(100)
    raise TimeoutError


def attempt(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PROGRAM, *arguments], capture_output=True, text=True, timeout=20, check=False)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_life_under_systemd(tmp_path: Path, number: signal.Signals) -> None:
    with echoing(tmp_path, []) as daemon:
        lead_a_life(tmp_path, daemon, number)


@pytest.mark.parametrize("code", [grpc.StatusCode.CANCELLED, grpc.StatusCode.ALREADY_EXISTS, grpc.StatusCode.UNKNOWN])
def test_daemon_that_refuses_is_asked_again(tmp_path: Path, code: grpc.StatusCode) -> None:
    with echoing(tmp_path, [code, code]) as daemon:
        log = lead_a_life(tmp_path, daemon, signal.SIGTERM)
    # A refusal that crosses a write reaches gRPC's asyncio side as an internal error, without the daemon's words.
    reasons = (f"{code.name}: not now", "INTERNAL: Internal error from Core")
    assert any(f"The daemon at {daemon} refused the stream ({reason}); trying again" in log for reason in reasons), log


FED = r"WATCHDOG=1\nSTATUS=Gateway north: links [0-9]+, (attached to|without) the daemon at unix:/\S+\."


def lead_a_life(tmp_path: Path, daemon: str, number: signal.Signals) -> str:
    """Starts a gateway, sends frames there and back, ends it with a signal; returns what it logged."""
    notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notices.bind(str(tmp_path / "notify.sock"))
    notices.settimeout(20)
    path = tmp_path / "gateway.toml"
    path.write_text(f'name = "north"\ndaemon = "{daemon}"\n[tcp]\nlisten = ["127.0.0.1:0"]\n')
    environment = os.environ | {"NOTIFY_SOCKET": str(tmp_path / "notify.sock")}
    process = subprocess.Popen(
        [*PROGRAM, "--config", str(path)], env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert notices.recv(100) == b"READY=1"
        assert process.stderr is not None
        listening = process.stderr.readline()
        assert listening.startswith("Listening for nodes on 127.0.0.1:")
        port = int(listening.rstrip(".\n").rpartition(":")[2])
        nodes = [socket.create_connection(("127.0.0.1", port), timeout=0.5) for _ in range(20)]
        for node in nodes:
            assert ask(node).startswith(encode(b"hello"))
        began = time.monotonic()
        process.send_signal(number)
        assert process.wait(10) == 0
        assert time.monotonic() - began < 1.0
        while (notice := notices.recv(200)) != b"STOPPING=1":
            assert re.fullmatch(FED, notice.decode())
        log = process.stderr.read()
        assert log.endswith("Stopped.\n")
        for node in nodes:
            node.close()
        return log
    finally:
        process.kill()
        process.communicate()
        notices.close()


def test_wrong_configuration_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text('[tcp]\nlisten = ["7011"]\n')
    result = attempt("--config", str(path))
    expected = """tcp.listen[0] must be an address such as "0.0.0.0:7011" or "[::]:7011", not '7011'."""
    assert (result.returncode, result.stdout, result.stderr) == (2, "", f"{path}: {expected}\n")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--config", "x.toml", "--listen", "127.0.0.1:0"], "command line: --config stands alone"),
        (["--config", "/nowhere/x.toml"], "/nowhere/x.toml: cannot be read"),
        ([], "command line: there is nothing to take frames from; give --listen, --serial or --ble."),
        (
            ["--listen", "127.0.0.1:0", "--daemon", "127.0.0.1:9"],
            "command line: --daemon must be a socket of this machine",
        ),
        (["--listen", "127.0.0.1:0", "--daemon", "tls://d:1"], "command line: a daemon on another machine needs"),
        (["enroll"], "Missing argument 'INVITATION'; see `attune-gateway enroll --help`."),
        (["enroll", "A", "B"], "Nothing is expected where `B` stands; see `attune-gateway enroll --help`."),
        (["--listen", "here"], "command line: --listen must be an address"),
        (["--verbose"], "No such option: --verbose; see `attune-gateway --help`."),
    ],
)
def test_wrong_usage(arguments: list[str], expected: str) -> None:
    result = attempt(*arguments)
    assert result.returncode == 2
    assert result.stderr.startswith(expected)
    assert len(result.stderr.splitlines()) == 1


def test_address_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        host, port = taken.getsockname()
        address = f"{host}:{port}"
        result = attempt("--listen", address, "--daemon", "unix:/nowhere/s")
    assert result.returncode == 1
    assert result.stderr.startswith(f"The gateway cannot listen on {address} (")
    assert "Traceback" not in result.stderr
