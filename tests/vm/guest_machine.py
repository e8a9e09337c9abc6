"""A virtual machine with a system of its own and no network: boots, runs commands, dies at any moment, boots again.

Software emulation: about ten times slower than the machine that it runs on.
"""

import random
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from guest_agent import PORT, Done, GuestAgent, GuestError
from guest_disk import CachedDisk, Lost
from guest_image import Image

# Seconds from power to an agent that answers: a quarter of a minute where nobody else works.
BOOT_S = 240.0
COMMAND_S = 120.0
SHUT_DOWN_S = 60.0

MEMORY_MB = 1024
CORES = 2

# The rest of the machine goes first: an emulator takes all that it gets.
NICENESS = "10"

_KERNEL = "root=/dev/vda rw console=ttyS0 quiet mitigations=off panic=-1 systemd.show_status=no"


class Machine:
    """`folder` holds its disk, its console's text and its socket. `disks` are further images, read only: /dev/vdb...

    The disk is a copy of the image's that lives as long as the folder. `kill` is SIGKILL to the emulator: what the
    system had handed to its disk by then is on it, what it still had in memory is gone. `lines` are serial lines,
    /dev/ttyS1..., whose other ends are `line(0)`... With `forgetful` the disk has a cache of its own, for `cut_power`.
    """

    def __init__(
        self, folder: Path, image: Image, disks: Sequence[Path] = (), *, lines: int = 0, forgetful: bool = False
    ) -> None:
        self.folder, self._image, self._disks, self._lines = folder, image, disks, lines
        self._disk = folder / "root.img"
        self._process: subprocess.Popen[bytes] | None = None
        self._agent: GuestAgent | None = None
        if not self._disk.exists():
            subprocess.run(["cp", "--sparse=always", "--reflink=auto", image.root, self._disk], check=True)
        self._cached = CachedDisk(self._disk) if forgetful else None

    def __enter__(self) -> Self:
        try:
            self.boot()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.kill()

    @property
    def console(self) -> str:
        """All that the system has said on its serial console, through all its starts."""
        path = self.folder / "console.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def boot(self, seconds: float = BOOT_S) -> None:
        """Power on; returns once commands can be run."""
        self.power_on()
        self.wait_ready(seconds)

    def power_on(self) -> None:
        """Returns at once."""
        (self.folder / "agent.sock").unlink(missing_ok=True)
        with (self.folder / "qemu.log").open("ab") as log:
            self._process = subprocess.Popen(self._command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def wait_ready(self, seconds: float = BOOT_S) -> None:
        """Returns once commands can be run, at once where they can be already."""
        if self._agent is not None:
            return
        deadline = time.monotonic() + seconds
        socket = self.folder / "agent.sock"
        self._until(socket.exists, "The start of the emulator", seconds)
        agent = GuestAgent(socket)
        while not agent.answers(1.0):
            if time.monotonic() > deadline:
                agent.close()
                self._fail(f"The machine's agent did not answer within {seconds:g} s.")
            self._check_alive()
        self._agent = agent

    def wait_for_line(self, part: str, seconds: float = BOOT_S) -> None:
        """Returns once a line with this part stands on the console."""
        self._until(lambda: part in self.console, f"{part!r} on the console", seconds)

    def run(
        self,
        *command: str,
        stdin: bytes = b"",
        environment: Mapping[str, str] | None = None,
        seconds: float = COMMAND_S,
        check: bool = True,
    ) -> Done:
        """Runs a program as root and returns when it has ended. GuestError if it fails and `check` is set, or hangs."""
        if self._agent is None:
            raise GuestError("The machine is not running; boot it first.")
        done = self._agent.run(command, stdin=stdin, environment=environment, seconds=seconds)
        if check and done.exit_code != 0:
            raise GuestError(f"{' '.join(command)} ended with {done.exit_code}: {done.stderr}{done.stdout}")
        return done

    def write(self, path: str, content: bytes) -> None:
        """A file of the machine, with its folder."""
        self.run("install", "-D", "/dev/stdin", path, stdin=content)

    def read(self, path: str) -> str:
        return self.run("cat", path).stdout

    def kill(self) -> None:
        """As if its plug were pulled."""
        if self._agent is not None:
            self._agent.close()
            self._agent = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def cut_power(self, draw: random.Random, share: float) -> Lost:
        """`kill`, and what the disk was not told to flush is gone, each write with this chance."""
        if self._cached is None:
            raise GuestError("The disk has no cache; make the machine with forgetful=True.")
        self.kill()
        return self._cached.lose(draw, share)

    def line(self, number: int) -> socket.socket:
        """A connection to the other end of a serial line. Raises OSError where the machine is off."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(str(self._line(number)))
        except OSError:
            connection.close()
            raise
        return connection

    def shut_down(self, seconds: float = SHUT_DOWN_S) -> None:
        """In order, by its own init system; returns when it is off."""
        if self._agent is None or self._process is None:
            raise GuestError("The machine is not running; boot it first.")
        self._agent.tell("guest-shutdown", {"mode": "powerdown"})
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._fail(f"The machine did not shut down within {seconds:g} s.")
        self.kill()
        if self._cached is not None:
            self._cached.keep()

    def _command(self) -> list[str]:
        command = ["nice", "-n", NICENESS, "qemu-system-x86_64", "-nodefaults", "-no-reboot", "-display", "none"]
        command += [
            "-accel",
            "tcg,thread=multi",
            "-cpu",
            "max",
            "-smp",
            str(CORES),
            "-m",
            str(MEMORY_MB),
            "-net",
            "none",
        ]
        command += ["-kernel", str(self._image.kernel), "-initrd", str(self._image.initrd), "-append", _KERNEL]
        console = f"file,id=console,path={self.folder / 'console.log'},append=on"
        command += ["-chardev", console, "-serial", "chardev:console", "-device", "virtio-rng-pci"]
        for number in range(self._lines):
            end = f"socket,id=line{number},path={self._line(number)},server=on,wait=off"
            command += ["-chardev", end, "-serial", f"chardev:line{number}"]
        agent = f"socket,id=agent,path={self.folder / 'agent.sock'},server=on,wait=off"
        command += ["-chardev", agent, "-device", "virtio-serial-pci"]
        command += ["-device", f"virtserialport,chardev=agent,name={PORT}"]
        # This machine's own disk need not sync for what dies with the folder.
        plain = ["-drive", f"file={self._disk},if=virtio,format=raw,cache=unsafe"]
        command += self._cached.drive() if self._cached else plain
        for disk in self._disks:
            command += ["-drive", f"file={disk},if=virtio,format=raw,readonly=on"]
        return command

    def _line(self, number: int) -> Path:
        return self.folder / f"line{number}.sock"

    def _until(self, condition: Callable[[], bool], what: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            self._check_alive()
            if time.monotonic() > deadline:
                self._fail(f"{what} did not come within {seconds:g} s.")
            time.sleep(0.1)

    def _check_alive(self) -> None:
        if self._process is None or self._process.poll() is not None:
            self._fail("The emulator has ended.")

    def _fail(self, sentence: str) -> None:
        log = (self.folder / "qemu.log").read_text(errors="replace")
        raise GuestError(f"{sentence}\n{log}{self.console[-2000:]}")
