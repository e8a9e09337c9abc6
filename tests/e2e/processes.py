"""Programs that tests start: each on free ports of this machine, each ended by its own process id."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from attuned.demo.ports import free_port

# Time for a program to come up or to end, in seconds; generous: machines may be busy. An emulated one asks for more.
START_S = float(os.environ.get("ATTUNE_TEST_PATIENCE", "10"))


def program(name: str) -> str:
    """The path of an installed program; Debian keeps servers where not every user looks."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin")
    assert path is not None, f"{name} is not installed: run packaging/bootstrap.sh."
    return path


def wait_for_port(port: int, seconds: float = START_S) -> None:
    """Returns when somebody listens on a port of 127.0.0.1. Raises TimeoutError."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise TimeoutError(f"Nobody listens on port {port} after {seconds} s.")


def end(process: subprocess.Popen[bytes], seconds: float = START_S) -> int:
    """Ends a process that was started here: SIGTERM, then SIGKILL; returns its exit code."""
    if process.poll() is None:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait(seconds)


def wait_for_socket(path: Path, seconds: float = START_S) -> None:
    """Returns when somebody listens on a Unix socket. Raises TimeoutError."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(path)) == 0:
                return
        time.sleep(0.02)
    raise TimeoutError(f"Nobody listens on {path} after {seconds} s.")


@dataclass
class SigningProcess:
    """attune-signer with a key of its own in a folder of its own."""

    folder: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        return self.folder / "signer.sock"

    def start(self) -> None:
        """Starts it, or starts it again with the key of then; returns when it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.folder / "signing-chain").exists():
            self._run("create")
        command = ["serve", "--key", str(self.folder / "signing-key"), "--chain", str(self.folder / "signing-chain")]
        with (self.folder / "signer.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*self._program, *command, "--socket", str(self.socket)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_for_socket(self.socket)

    def rotate(self) -> None:
        """The next key; it counts from the next start."""
        self._run("rotate")

    def stop(self) -> None:
        if self.process is not None:
            end(self.process)

    def _run(self, command: str) -> None:
        subprocess.run([*self._program, command, str(self.folder)], check=True, capture_output=True)

    @property
    def _program(self) -> list[str]:
        return [sys.executable, "-m", "attuned.updates.signer"]


@dataclass
class Mosquitto:
    """A broker on a port of its own. `users` (name and password) makes it ask who is there."""

    folder: Path
    port: int = field(default_factory=free_port)
    users: dict[str, str] = field(default_factory=dict)
    more: Sequence[str] = ()
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts the broker, or starts it again on the same port; returns when it listens."""
        config = self.folder / "mosquitto.conf"
        config.write_text("\n".join([*self._lines(), *self.more, ""]))
        with (self.folder / "mosquitto.log").open("ab") as log:
            self.process = subprocess.Popen([program("mosquitto"), "-c", str(config)], stdout=log, stderr=log)
        wait_for_port(self.port)

    def stop(self) -> None:
        """SIGTERM; nothing that it retained is kept."""
        if self.process is not None:
            end(self.process)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(START_S)

    def freeze(self) -> None:
        """The broker stops in its tracks, but its connections stay open."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def _lines(self) -> list[str]:
        lines = [f"listener {self.port} 127.0.0.1", "persistence false", "user root", "log_type error"]
        if not self.users:
            return [*lines, "allow_anonymous true"]
        passwords = self.folder / "passwords"
        passwords.write_text("".join(f"{name}:{word}\n" for name, word in self.users.items()))
        passwords.chmod(0o600)
        subprocess.run([program("mosquitto_passwd"), "-U", str(passwords)], check=True, capture_output=True)
        return [*lines, "allow_anonymous false", f"password_file {passwords}"]
