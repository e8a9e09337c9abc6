"""What systemd would hear: the other end of NOTIFY_SOCKET (sd_notify(3))."""

import os
import socket
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self


class Notices:
    """A socket in a folder of its own, in the environment of this process while it is open."""

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory()
        self.path = Path(self._folder.name) / "notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.path))
        self._socket.setblocking(False)
        self._before = os.environ.get("NOTIFY_SOCKET")
        os.environ["NOTIFY_SOCKET"] = str(self.path)
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        if self._before is None:
            del os.environ["NOTIFY_SOCKET"]
        else:
            os.environ["NOTIFY_SOCKET"] = self._before
        self._socket.close()
        self._folder.cleanup()

    def heard(self) -> list[str]:
        """What has come since the last time, a line of NAME=VALUE each."""
        lines: list[str] = []
        while True:
            try:
                lines += self._socket.recv(4096).decode().splitlines()
            except BlockingIOError:
                return lines

    def next(self, seconds: float) -> list[str]:
        """Waits for one message; its lines. TimeoutError."""
        self._socket.settimeout(seconds)
        try:
            return self._socket.recv(4096).decode().splitlines()
        finally:
            self._socket.setblocking(False)
