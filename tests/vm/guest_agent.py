"""Commands in a virtual machine, by the QEMU guest agent that runs in it, over the socket of a serial port of its own.

The protocol is JSON, a line a message: QEMU Guest Agent Protocol Reference. Nothing needs a network.
"""

import base64
import json
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

PORT = "org.qemu.guest_agent.0"
"""The name of the serial port on which the agent listens."""

# Seconds for the answer to one message; commands themselves are asked after again and again.
ANSWER_S = 30.0

# Seconds between two questions whether a command has ended: at first, and at most.
ASK_AGAIN_S = 0.1
SELDOM_S = 2.0


class GuestError(Exception):
    """The machine did not do as it was told; a sentence that says what, and what it said itself."""


@dataclass(frozen=True)
class Done:
    """A command that has ended. `exit_code` is 128 more than the signal that ended it, as a shell has it."""

    exit_code: int
    stdout: str
    stderr: str


class GuestAgent:
    """The line to the agent of one running machine."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.connect(str(path))
        self._rest = b""
        self._numbers = count(1)

    def close(self) -> None:
        self._socket.close()

    def answers(self, seconds: float) -> bool:
        """Whether the agent answers within so long. Whatever it had still to say to earlier questions is dropped."""
        number = next(self._numbers)
        self._send({"execute": "guest-sync", "arguments": {"id": number}})
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if self._receive(deadline).get("return") == number:
                    return True
            except TimeoutError:
                break
        return False

    def run(
        self,
        command: Sequence[str],
        *,
        stdin: bytes = b"",
        environment: Mapping[str, str] | None = None,
        seconds: float,
    ) -> Done:
        """Runs a program as root and returns once it has ended. GuestError if it has not after so long."""
        arguments: dict[str, Any] = {"path": command[0], "arg": list(command[1:]), "capture-output": True}
        arguments["input-data"] = base64.b64encode(stdin).decode()
        if environment is not None:
            arguments["env"] = [f"{name}={value}" for name, value in environment.items()]
        process = self._ask("guest-exec", arguments)["pid"]
        deadline, pause_s = time.monotonic() + seconds, ASK_AGAIN_S
        while not (status := self._ask("guest-exec-status", {"pid": process}))["exited"]:
            if time.monotonic() > deadline:
                raise GuestError(f"{' '.join(command)} has not ended within {seconds:g} s.")
            time.sleep(pause_s)
            pause_s = min(1.2 * pause_s, SELDOM_S)
        return _done(status)

    def tell(self, what: str, arguments: Mapping[str, Any]) -> None:
        """A message that has no answer, such as `guest-shutdown`."""
        self._send({"execute": what, "arguments": dict(arguments)})

    def _ask(self, what: str, arguments: Mapping[str, Any]) -> Any:
        self.tell(what, arguments)
        try:
            answer = self._receive(time.monotonic() + ANSWER_S)
        except TimeoutError:
            raise GuestError(f"The machine's agent did not answer {what} within {ANSWER_S:g} s.") from None
        if "return" not in answer:
            raise GuestError(f"The machine's agent refused {what}: {answer.get('error')}.")
        return answer["return"]

    def _send(self, message: Mapping[str, Any]) -> None:
        self._socket.settimeout(ANSWER_S)
        try:
            self._socket.sendall(json.dumps(message).encode() + b"\n")
        except ConnectionError:
            raise GuestError("The machine has ended.") from None

    def _receive(self, deadline: float) -> dict[str, Any]:
        while b"\n" not in self._rest:
            self._socket.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                data = self._socket.recv(65536)
            except ConnectionError:
                data = b""
            if not data:
                raise GuestError("The machine has ended.")
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        found: dict[str, Any] = json.loads(line)
        return found


def _done(status: Mapping[str, Any]) -> Done:
    texts = [base64.b64decode(status.get(name, "")).decode(errors="replace") for name in ("out-data", "err-data")]
    exit_code = status["exitcode"] if "exitcode" in status else 128 + int(status["signal"])
    return Done(exit_code, *texts)
