"""An MPS2 board in QEMU, as the tests handle it: two serial lines, a console with keys, reset, flash and seed."""

import fcntl
import json
import re
import socket
import subprocess
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

FLASH_BEGIN = 0x2100_0000
FLASH_IMAGE = 0x2110_0000
FLASH_SIZE = 67 * 4096
SEED_BEGIN = 0x2120_0000

START_S = 20.0


def wait_until(condition: Callable[[], bool], what: str, seconds: float = START_S) -> None:
    """Returns once condition holds; AssertionError if it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what} did not happen within {seconds} s"
        time.sleep(0.02)


def dial(path: Path) -> socket.socket:
    """Connects to a socket that QEMU listens on, or is about to."""
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)

    def connected() -> bool:
        return line.connect_ex(str(path)) == 0

    wait_until(connected, f"listening on {path.name}")
    return line


def code_of(console: str) -> str:
    """The newest code in what a board has said, once its line is whole: it is written character by character."""
    codes: list[str] = re.findall(r"Code: (\S+)\s", console)
    return codes[-1]


def shows_code(console: str) -> bool:
    """Whether there is one."""
    return re.search(r"Code: \S+\s", console) is not None


class Board:
    """One board. UART0 is the socket `link` in its folder, or a TCP port of 127.0.0.1 if one is named; UART1 is fed by
    `feed`, UART2 is the text of `console` and takes keys. The image with Bluetooth is fed by UART0, and UART1, `link`,
    is the one to its controller."""

    def __init__(
        self, folder: Path, image: Path, seed: bytes | None, flash: bytes | None = None, tcp_port: int = 0
    ) -> None:
        self.folder = folder
        self.link_path = folder / "link"
        command = ["qemu-system-arm", "-M", "mps2-an386", "-nographic", "-monitor", "none"]
        link = f"tcp:127.0.0.1:{tcp_port}" if tcp_port else f"unix:{self.link_path}"
        lines = [link, f"unix:{folder / 'feed'}"]
        for line in reversed(lines) if image.stem == "attune-node-ble" else lines:
            command += ["-serial", f"{line},server=on,wait=off"]
        keyboard = f"socket,id=keyboard,path={folder / 'keyboard'},server=on,wait=off,logfile={folder / 'console'}"
        command += ["-chardev", keyboard, "-serial", "chardev:keyboard"]
        command += ["-qmp", f"unix:{folder / 'qmp'},server=on,wait=off", "-S", "-kernel", str(image)]
        command += self._blob("seed", seed, SEED_BEGIN) + self._blob("image", flash, FLASH_IMAGE)
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        try:
            self._connect()
        except BaseException:
            self._process.kill()
            raise

    def _connect(self) -> None:
        self._qmp = dial(self.folder / "qmp").makefile("rwb", buffering=0)
        json.loads(self._qmp.readline())
        self._do("qmp_capabilities")
        self._feed = dial(self.folder / "feed")
        self._keyboard = dial(self.folder / "keyboard")

    def _blob(self, name: str, content: bytes | None, address: int) -> list[str]:
        if content is None:
            return []
        path = self.folder / name
        path.write_bytes(content)
        return ["-device", f"loader,file={path},addr={address:#x},force-raw=on"]

    def _do(self, command: str, **arguments: Any) -> None:
        """One QMP command; events that come before its answer are passed over."""
        self._qmp.write(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        while True:
            answer = json.loads(self._qmp.readline())
            if "event" not in answer:
                assert "return" in answer, answer
                return

    def run(self) -> None:
        """Lets the processor go; until then it stands before its first instruction."""
        self._do("cont")

    def dial_link(self) -> socket.socket:
        """The other end of UART0. One connection at a time."""
        return dial(self.link_path)

    def feed(self, lines: str) -> None:
        """Sends lines to UART1; waits while the board cannot take them."""
        self._feed.settimeout(60)
        self._feed.sendall(lines.encode())

    def is_fed(self) -> bool:
        """True once the board has taken all lines but what its ring holds."""
        waiting = fcntl.ioctl(self._feed, termios.TIOCOUTQ, bytes(4))
        return waiting == bytes(4)

    def type(self, key: str) -> None:
        """Presses a key on the console."""
        self._keyboard.sendall(key.encode())

    def reset(self) -> None:
        """Presses the reset button."""
        self._do("system_reset")

    def flash(self) -> bytes:
        """What the emulated flash holds now."""
        dump = self.folder / "dump"
        self._do("pmemsave", val=FLASH_BEGIN, size=FLASH_SIZE, filename=str(dump))
        return dump.read_bytes()

    def console(self) -> str:
        return (self.folder / "console").read_text()

    def code(self) -> str:
        """The code that the board has shown last."""
        return code_of(self.console())

    def close(self) -> None:
        self._qmp.close()
        self._feed.close()
        self._keyboard.close()
        self._process.kill()
        self._process.wait()
