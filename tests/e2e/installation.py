"""A whole installation in a temporary folder: broker, daemon and gateway as processes that may die at any moment.

With `updates` a signing process as well.

The daemon's clock starts at START_UTC_MS when the installation is made and runs `rate` times as fast as real time,
through every restart of the daemon.
"""

import contextlib
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
from attune_core import Keeper, Node
from attune_proto.v1 import admin_pb2, admin_pb2_grpc, nodes_pb2, nodes_pb2_grpc, rollouts_pb2_grpc
from attuned.demo.ports import free_port
from processes import Mosquitto, SigningProcess
from signing_witness import SigningWitness

START_UTC_MS = 1_772_434_800_000  # 2026-03-02T07:00:00Z
SITE = "site"
GATEWAY = "north"

START_S = 30.0
END_S = 10.0


def program(name: str) -> str:
    """One of ours: they stand beside the interpreter."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    assert found is not None, f"{name} is not installed; run `./dev setup`."
    return found


def wait_until(condition: Callable[[], object], what: str, seconds: float = START_S) -> None:
    """Returns once the condition holds; AssertionError if it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds:g} s."
        time.sleep(0.02)


@dataclass
class Installation:
    """`rooms` gives the nodes of each room; `daemon` is the command in the place of `attuned`.

    The store is a folder of its own, so that it may lie on another disk. `tls_port`, if any, is where gateways of other
    machines attach; they enroll on the one above. `radio` is the gateway's `--ble`. With `updates` a signing process
    comes as well, and with `witnessed` somebody notes what it signs. `by_itself`: it retrains rooms and sends releases
    out without being asked. `patience_s`: for processes to come up.
    """

    folder: Path
    rooms: Mapping[str, Sequence[str]]
    rate: float = 60.0
    step_s: int = 60
    daemon: Sequence[str] = ()
    serial: Sequence[str] = ()
    radio: str = ""
    quiet: Sequence[str] = ()
    updates: bool = False
    witnessed: bool = False
    by_itself: bool = True
    tls_port: int = 0
    patience_s: float = START_S
    node_port: int = field(default_factory=free_port)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    keepers: dict[str, Keeper] = field(default_factory=dict)
    codes: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.real_start_ms = time.time_ns() // 1_000_000
        self.folder.mkdir(parents=True, exist_ok=True)
        self.broker = Mosquitto(self.folder)
        self.signing = SigningProcess(self.folder / "signing")
        self.witness = SigningWitness(self.folder / "witness.sock", self.signing.socket)
        self.store = self.folder / "store"
        self.api_socket = self.folder / "api.sock"
        self.gateway_socket = self.folder / "gateway.sock"
        self.daemon = self.daemon or [program("attuned")]
        self.configure(self.rooms)

    def configure(self, rooms: Mapping[str, Sequence[str]]) -> None:
        """Writes the daemon's configuration, which counts from its next start."""
        self.rooms = rooms
        (self.folder / "attuned.toml").write_text(self._configuration())

    def now_utc_ms(self) -> int:
        """The daemon's clock."""
        return START_UTC_MS + int((time.time_ns() / 1_000_000 - self.real_start_ms) * self.rate)

    def start(self, *names: str) -> None:
        """Starts processes and waits until they answer; without names all in the order in which they depend."""
        for name in names or ("broker", *(["signer"] if self.updates else []), "daemon", "gateway"):
            self.launch(name)
            self.wait_ready(name)

    def launch(self, name: str) -> None:
        if name == "broker":
            self.broker.start()
            return
        if name == "signer":
            self.signing.start()
            if self.witnessed:
                self.witness.start()
            return
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                self._command(name), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def wait_ready(self, name: str) -> None:
        if name in ("broker", "signer"):
            return
        wait_until(lambda: self._answers(name), f"The start of the {name}", self.patience_s)

    def kill(self, name: str) -> None:
        """Ends a process as a power cut would: it is not asked."""
        self._end(name, signal.SIGKILL)

    def terminate(self, name: str) -> int:
        """Asks a process to end; returns its exit code."""
        return self._end(name, signal.SIGTERM)

    def restart(self, name: str) -> None:
        self.kill(name)
        self.start(name)

    def close(self) -> None:
        for name in list(self.processes):
            self.kill(name)
        self.signing.stop()
        self.witness.stop()
        if self.broker.process is not None:
            self.broker.kill()

    def log(self, name: str) -> str:
        path = self.folder / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    @contextlib.contextmanager
    def admin(self) -> Iterator[admin_pb2_grpc.AdminStub]:
        # A channel of its own, so that a dead daemon's connection does not make the next one wait.
        options = (("grpc.use_local_subchannel_pool", 1),)
        with grpc.insecure_channel(f"unix:{self.api_socket}", options) as channel:
            yield admin_pb2_grpc.AdminStub(channel)

    @contextlib.contextmanager
    def rollouts(self) -> Iterator[rollouts_pb2_grpc.RolloutsStub]:
        options = (("grpc.use_local_subchannel_pool", 1),)
        with grpc.insecure_channel(f"unix:{self.api_socket}", options) as channel:
            yield rollouts_pb2_grpc.RolloutsStub(channel)

    def status(self) -> admin_pb2.SiteStatus:
        with self.admin() as admin:
            return admin.GetStatus(admin_pb2.GetStatusRequest(), timeout=5)

    def node(self, node: str) -> admin_pb2.Node:
        with self.admin() as admin:
            return admin.ListNodes(admin_pb2.ListNodesRequest(nodes=[node]), timeout=5).nodes[0]

    def withdraw_label(self, number: int) -> admin_pb2.WithdrawLabelReply:
        """Takes a label back and waits until the room's nodes have forgotten it."""
        request = admin_pb2.WithdrawLabelRequest(number=number, author="test", wait_ms=10_000)
        with self.admin() as admin:
            return admin.WithdrawLabel(request, timeout=15)

    def add_label(
        self,
        room: str,
        class_name: str,
        from_utc_ms: int,
        to_utc_ms: int,
        *,
        author: str = "test",
        wait_ms: int = 10_000,
    ) -> admin_pb2.AddLabelReply:
        """Gives a label and waits until the room's nodes have learned it, at most so long."""
        request = admin_pb2.AddLabelRequest(
            room=room,
            class_name=class_name,
            from_utc_ms=from_utc_ms,
            to_utc_ms=to_utc_ms,
            source="person",
            author=author,
            wait_ms=wait_ms,
        )
        with self.admin() as admin:
            return admin.AddLabel(request, timeout=20)

    def add_node(self, code: str) -> None:
        """Has the daemon wait for a node, once; where it stands the configuration says."""
        if code in self.codes:
            return
        options = (("grpc.use_local_subchannel_pool", 1),)
        with grpc.insecure_channel(f"unix:{self.api_socket}", options) as channel:
            nodes_pb2_grpc.NodesStub(channel).AddNode(nodes_pb2.AddNodeRequest(code=code), timeout=10)
        self.codes.add(code)

    def keeper(self, node: str) -> Keeper:
        """What keeps the keys of a node through its restarts."""
        seed = hashlib.blake2b(node.encode(), digest_size=32).digest()
        return self.keepers.setdefault(node, Keeper(seed))

    def adopt(self, core: Node) -> None:
        """Has the daemon wait for a node that it does not own yet."""
        if not core.keeper.owned:
            self.add_node(core.code)

    def _end(self, name: str, number: signal.Signals) -> int:
        if name == "broker":
            self.broker.kill()
            return 0
        if name == "signer":
            self.signing.stop()
            return 0
        process = self.processes.pop(name)
        with contextlib.suppress(ProcessLookupError):
            # The daemon may run beneath another program, such as strace: both are one process group.
            os.killpg(process.pid, number)
        return process.wait(END_S)

    def _answers(self, name: str) -> bool:
        status = self.processes[name].poll()
        assert status is None, f"The {name} ended with {status}: {self.log(name)[-2000:]}"
        if name == "gateway":
            return _connects(socket.AF_INET, ("127.0.0.1", self.node_port))
        sockets = (self.gateway_socket, self.api_socket)
        return all(_connects(socket.AF_UNIX, str(path)) for path in sockets)

    def _command(self, name: str) -> list[str]:
        if name == "daemon":
            return [*self.daemon, "--config", str(self.folder / "attuned.toml")]
        assert name == "gateway"
        serial = [word for device in self.serial for word in ("--serial", device)]
        listen = ["--listen", f"127.0.0.1:{self.node_port}"]
        daemon = ["--daemon", f"unix:{self.gateway_socket}"]
        radio = ["--ble", self.radio] if self.radio else []
        return [program("attune-gateway"), "--name", GATEWAY, *daemon, *listen, *serial, *radio]

    def _configuration(self) -> str:
        tls = f', "tls://127.0.0.1:{self.tls_port}"' if self.tls_port else ""
        lines = [
            f'site = {{ name = "{SITE}", step_s = {self.step_s}, test_nodes = true }}',
            f'store = {{ path = "{self.store}" }}',
            f"mqtt = {{ port = {self.broker.port} }}",
            f'gateways = {{ listen = ["unix:{self.gateway_socket}"{tls}] }}',
            f'api = {{ socket = "{self.api_socket}" }}',
            *(self._updates() if self.updates else []),
            "[clock]",
            f"start = {_iso(START_UTC_MS)}",
            f"real_start = {_iso(self.real_start_ms)}",
            f"rate = {self.rate}",
        ]
        for room, nodes in self.rooms.items():
            names = ", ".join(f'"{node}"' for node in nodes)
            lines += ["[[rooms]]", f'id = "{room}"', f"nodes = [{names}]"]
        for node in self.quiet:
            lines += ["[[nodes]]", f'id = "{node}"', "quiet = true"]
        return "\n".join(lines) + "\n"

    def _updates(self) -> list[str]:
        signer = self.witness.path if self.witnessed else self.signing.socket
        if self.by_itself:
            return [f'updates = {{ signer = "{signer}" }}']
        return [f'updates = {{ signer = "{signer}", automatic = false }}', "retraining = { labels = 0, days = 0 }"]


@contextlib.contextmanager
def installed(folder: Path, rooms: Mapping[str, Sequence[str]], **more: Any) -> Iterator[Installation]:
    """An installation that has been started; ended with the block."""
    found = Installation(folder, rooms, **more)
    try:
        found.start()
        yield found
    finally:
        found.close()


def _connects(family: socket.AddressFamily, address: str | tuple[str, int]) -> bool:
    with socket.socket(family) as probe:
        probe.settimeout(1)
        return probe.connect_ex(address) == 0


def _iso(utc_ms: int) -> str:
    return datetime.fromtimestamp(utc_ms / 1000, UTC).isoformat(timespec="milliseconds")
