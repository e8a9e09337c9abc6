"""Somebody between the daemon and its signing process who notes every update that is signed."""

import contextlib
import socket
import threading
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from attuned.updates import signer
from attuned.updates.envelope import Update, read_message


class SigningWitness:
    """Listens at `path` and asks at `signer`. `signed` are the messages of updates that were signed, in their order."""

    def __init__(self, path: Path, signer_path: Path) -> None:
        self.path = path
        self._signer_path = signer_path
        self._listening: socket.socket | None = None
        self.signed: list[bytes] = []

    def start(self) -> None:
        """Once; it outlives the signing process."""
        if self._listening is None:
            self._listening = socket.socket(socket.AF_UNIX)
            self._listening.bind(str(self.path))
            self._listening.listen()
            threading.Thread(target=self._serve, args=(self._listening,), name="witness", daemon=True).start()

    def stop(self) -> None:
        if self._listening is not None:
            self._listening.close()

    def updates(self, audience: bytes) -> dict[int, Update]:
        """By number, what was signed for one; AssertionError for two with one number, or a number below one before."""
        found: dict[int, Update] = {}
        for update in map(read_message, list(self.signed)):
            if update.audience == audience and found.get(update.sequence) != update:
                assert update.sequence > max(found, default=0), f"{update.sequence} came after {max(found)}."
                found[update.sequence] = update
        return found

    def _serve(self, listening: socket.socket) -> None:
        while True:
            try:
                connection = listening.accept()[0]
            except OSError:
                return
            # Daemons may die and signing processes be away in the middle of everything.
            with connection, contextlib.suppress(OSError):
                self._pass_on(connection)

    def _pass_on(self, connection: socket.socket) -> None:
        connection.settimeout(signer.PATIENCE_S)
        with socket.socket(socket.AF_UNIX) as asked:
            asked.settimeout(signer.PATIENCE_S)
            asked.connect(str(self._signer_path))
            what, body = _message(connection.recv)
            asked.sendall(signer.HEAD.pack(what, len(body)) + body)
            status, said = _message(asked.recv)
            if (what, status) == (signer.SIGN, signer.DONE):
                self.signed.append(body)
            connection.sendall(signer.HEAD.pack(status, len(said)) + said)


def _message(receive: Callable[[int], bytes]) -> tuple[int, bytes]:
    kind, size = signer.HEAD.unpack(signer.read_exactly(receive, signer.HEAD.size))
    return kind, signer.read_exactly(receive, size)


def by_node(witness: SigningWitness, audiences: dict[str, bytes]) -> dict[str, dict[int, Update]]:
    """What was signed for each of some nodes, and that nothing was signed for anybody else."""
    strangers = {read_message(message).audience for message in witness.signed} - set(audiences.values())
    assert not strangers
    found: dict[str, dict[int, Update]] = defaultdict(dict)
    for node, audience in audiences.items():
        found[node] = witness.updates(audience)
    return found
