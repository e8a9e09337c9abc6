"""A whole installation in a temporary folder: broker, signing process, daemon, gateway and the nodes of a building."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Protocol

import grpc
from attune_proto.v1 import nodes_pb2, nodes_pb2_grpc

from attuned.demo.ports import free_port, is_free
from attuned.errors import RequestError

SITE = "demo"
TIMEZONE = "Etc/GMT-1"  # POSIX counts westward: this is UTC+1, where the building stands

# The port at which MQTT tools look first.
MQTT_PORT = 1883

WINDOW_S = 60

# The site's clock shows the building's start this long after the first process was started, in real milliseconds, so
# that the nodes are there when it begins.
HEAD_START_MS = 2_500

# The nodes' keys follow from it: they are test nodes.
IDENTITY_SEED = "1"

# Time for the daemon to write down the codes of a thousand nodes, in seconds.
COMMISSION_S = 60.0

# Time for a process to come up, and to end by itself, in seconds.
START_S = 15.0
STOP_S = 5.0


class PlannedRoom(Protocol):
    """A room of the configuration."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def floor(self) -> int: ...


class PlannedNode(Protocol):
    """A node: 16 hex digits, the id of its room, and its sensor kinds in wire order."""

    @property
    def node_id(self) -> str: ...
    @property
    def room(self) -> str: ...
    @property
    def sensors(self) -> Sequence[str]: ...


class Plan(Protocol):
    """What is to be installed, and the time at which the site's clock starts."""

    @property
    def start_utc_ms(self) -> int: ...
    @property
    def rooms(self) -> Sequence[PlannedRoom]: ...
    @property
    def nodes(self) -> Sequence[PlannedNode]: ...


class Stage:
    """Runs the processes of an installation, and ends them in the order in which data flows.

    `rate` is how much faster than real time the site's clock runs; `node_options` go to the simulator of the nodes.
    `automatic`: releases that are ready go out by themselves.
    """

    def __init__(
        self,
        plan: Plan,
        rate: float,
        window_s: int = WINDOW_S,
        node_options: Sequence[str] = ("--drain", "5"),
        *,
        automatic: bool = True,
    ) -> None:
        self.plan = plan
        self.rate = rate
        self._window_s = window_s
        self._node_options = node_options
        self._automatic = automatic
        # Short: the names of sockets in it may have 107 bytes, with all folders.
        self.folder = Path(tempfile.mkdtemp(prefix="attune-"))
        self.mqtt_port = MQTT_PORT
        self.node_port = free_port()
        self.store = self.folder / "store"
        self.api_socket = self.folder / "api.sock"
        self.gateway_socket = self.folder / "gateway.sock"
        self.signer_socket = self.folder / "signer.sock"
        self.real_start_ms = 0
        self._processes: list[tuple[str, subprocess.Popen[bytes]]] = []

    @property
    def feed(self) -> IO[bytes]:
        """Where the nodes take their samples from."""
        pipe = self._processes[-1][1].stdin
        if pipe is None:
            raise RequestError("The nodes have not been started: start the stage first.")
        return pipe

    def start(self) -> None:
        """Starts everything; returns when the gateway takes nodes. Raises RequestError if something does not start."""
        self._start_broker()
        self._write_files()
        self._start_signer()
        self._run("attuned", ["--config", str(self.folder / "attuned.toml")])
        self._wait_for_socket("attuned", self.api_socket)
        gateway = ["--daemon", f"unix:{self.gateway_socket}", "--listen", f"127.0.0.1:{self.node_port}"]
        self._run("attune-gateway", [*gateway, "--name", "demo-gateway"])
        self._wait_for_port("attune-gateway", self.node_port)
        nodes = ["--nodes", str(self.folder / "nodes.txt"), "--identity-seed", IDENTITY_SEED]
        self._commission(nodes)
        gateway = ["--gateway", f"127.0.0.1:{self.node_port}"]
        self._run("attune-sim", [*gateway, *nodes, *self._node_options], stdin=subprocess.PIPE)

    def _start_signer(self) -> None:
        """With a key that lasts as long as the folder."""
        keys = self.folder / "signing"
        made = subprocess.run(
            [_program("attune-signer"), "create", str(keys)],
            capture_output=True,
            text=True,
            timeout=START_S,
            check=False,
        )
        if made.returncode:
            raise RequestError(f"The signing process makes no key: {made.stderr.strip()}")
        files = ["--key", str(keys / "signing-key"), "--chain", str(keys / "signing-chain")]
        self._run("attune-signer", ["serve", *files, "--socket", str(self.signer_socket)])
        self._wait_for_socket("attune-signer", self.signer_socket)

    def _commission(self, nodes: Sequence[str]) -> None:
        """Gives the daemon the code of each node, as people do with `attune node add`."""
        answer = subprocess.run(
            [_program("attune-sim"), *nodes, "--codes"], capture_output=True, text=True, timeout=START_S, check=False
        )
        if answer.returncode:
            raise RequestError(f"The nodes do not tell their codes: {answer.stderr.strip()}")
        codes = [line.split()[1] for line in answer.stdout.splitlines()]
        with grpc.insecure_channel(f"unix:{self.api_socket}") as channel:
            stub = nodes_pb2_grpc.NodesStub(channel)
            for call in [stub.AddNode.future(nodes_pb2.AddNodeRequest(code=code)) for code in codes]:
                call.result(timeout=COMMISSION_S)

    def stop(self) -> None:
        """Ends everything and removes the folder."""
        for _, process in reversed(self._processes):
            if process.stdin is not None:
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.close()
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    def end_feed(self, timeout_s: float) -> str:
        """Lets the nodes finish, and returns what they said last. Raises RequestError if they do not end in time."""
        self.feed.close()
        try:
            self._processes[-1][1].wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            raise RequestError(f"The nodes did not end within {timeout_s:.0f} s: give them more time.") from error
        return self._last_words("attune-sim")

    def pid(self, name: str) -> int:
        """The process id of one of the programs."""
        return next(process.pid for program, process in self._processes if program == name)

    def check(self) -> None:
        """Raises RequestError if a process has ended by itself."""
        for name, process in self._processes:
            if process.poll() is not None:
                raise RequestError(f"{name} has ended by itself: {self._last_words(name)}")

    def _start_broker(self) -> None:
        """On the port that tools expect, else on a free one, also when another demonstration takes it this moment."""
        if not is_free(self.mqtt_port) or not self._broker_runs():
            self.mqtt_port = free_port()
            if not self._broker_runs():
                raise RequestError(f"mosquitto did not come up: {self._last_words('mosquitto')}")

    def _broker_runs(self) -> bool:
        """Starts the broker; False if it has ended because it could not listen."""
        configuration = self.folder / "mosquitto.conf"
        configuration.write_text(
            f"listener {self.mqtt_port} 127.0.0.1\nallow_anonymous true\npersistence false\nlog_type information\n"
        )
        self._run("mosquitto", ["-c", str(configuration)])
        _, broker = self._processes[-1]
        deadline = time.monotonic() + START_S
        # Its own word, because on the port somebody else may answer.
        while " running" not in (self.folder / "mosquitto.log").read_text(errors="replace"):
            if broker.poll() is not None or time.monotonic() > deadline:
                self._processes.pop()
                broker.kill()
                return False
            time.sleep(0.02)
        return True

    def _run(self, name: str, arguments: Sequence[str], stdin: int = subprocess.DEVNULL) -> None:
        log = (self.folder / f"{name}.log").open("wb")
        with log:
            # A session of its own, so that Ctrl-C reaches the demonstration alone, which then ends the others in order.
            process = subprocess.Popen(
                [_program(name), *arguments], stdin=stdin, stdout=log, stderr=log, start_new_session=True
            )
        self._processes.append((name, process))

    def _wait_for_port(self, name: str, port: int) -> None:
        for _ in self._attempts(name):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                return

    def _wait_for_socket(self, name: str, path: Path) -> None:
        for _ in self._attempts(name):
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
                probe.connect(str(path))
                return

    def _attempts(self, name: str) -> Iterator[None]:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            yield
            self.check()
            time.sleep(0.05)
        raise RequestError(f"{name} did not come up within {START_S:.0f} s: {self._last_words(name)}")

    def _last_words(self, name: str) -> str:
        lines = (self.folder / f"{name}.log").read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing."

    def _write_files(self) -> None:
        self.real_start_ms = time.time_ns() // 1_000_000 + HEAD_START_MS
        nodes = [f"{node.node_id} {self._window_s} {','.join(node.sensors)}" for node in self.plan.nodes]
        (self.folder / "nodes.txt").write_text("\n".join(nodes) + "\n")
        (self.folder / "attuned.toml").write_text(self._configuration())

    def _configuration(self) -> str:
        lines = [
            f'site = {{ name = "{SITE}", timezone = "{TIMEZONE}", step_s = {self._window_s}, test_nodes = true }}',
            f'store = {{ path = "{self.store}" }}',
            f"mqtt = {{ port = {self.mqtt_port} }}",
            f'gateways = {{ listen = ["unix:{self.gateway_socket}"] }}',
            f'updates = {{ signer = "{self.signer_socket}", automatic = {str(self._automatic).lower()} }}',
            f'api = {{ socket = "{self.api_socket}" }}',
            "[clock]",
            f"start = {_toml_time(self.plan.start_utc_ms)}",
            f"real_start = {_toml_time(self.real_start_ms)}",
            f"rate = {self.rate}",
        ]
        for room in self.plan.rooms:
            nodes = ", ".join(f'"{node.node_id}"' for node in self.plan.nodes if node.room == room.id)
            lines += [
                "[[rooms]]",
                f'id = "{room.id}"',
                f'name = "{room.name}"',
                f'floor = "{room.floor}"',
                f"nodes = [{nodes}]",
            ]
        return "\n".join(lines) + "\n"


def _program(name: str) -> str:
    """Ours stand beside the interpreter; the broker is the system's."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if found is None:
        raise RequestError(f"The program {name} is not installed: run `./dev setup`.")
    return found


def _toml_time(utc_ms: int) -> str:
    return datetime.fromtimestamp(utc_ms / 1000, UTC).isoformat(timespec="milliseconds")
