"""A second implementation of Noise, Debian's golang-github-flynn-noise-dev: its published vectors and its program."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from build_lock import building_in

ROOT = Path(__file__).resolve().parents[2]
GO_PATH = Path("/usr/share/gocode")
VECTORS = GO_PATH / "src/github.com/flynn/noise/vectors.txt"

NAMES = {"KK": "Noise_KK_25519_ChaChaPoly_BLAKE2b", "XXpsk0": "Noise_XXpsk0_25519_ChaChaPoly_BLAKE2b"}


@dataclass(frozen=True)
class Vector:
    """One published conversation: keys by name, and messages as (payload, bytes on the wire), the last two sealed."""

    pattern: str
    keys: dict[str, bytes]
    messages: list[tuple[bytes, bytes]]


def vectors() -> list[Vector]:
    """All published conversations of the two patterns."""
    blocks = VECTORS.read_text().split("\n\n")
    wanted = {name: pattern for pattern, name in NAMES.items()}
    return [
        _vector(wanted, dict(_fields(block))) for block in blocks if dict(_fields(block)).get("handshake") in wanted
    ]


def _fields(block: str) -> Iterator[tuple[str, str]]:
    for line in block.splitlines():
        name, found, value = line.partition("=")
        if found:
            yield name, value


def _vector(wanted: dict[str, str], fields: dict[str, str]) -> Vector:
    pattern = wanted[fields.pop("handshake")]
    values = {name: bytes.fromhex(value) for name, value in fields.items()}
    count = sum(name.endswith("_ciphertext") for name in values)
    messages = [(values[f"msg_{i}_payload"], values[f"msg_{i}_ciphertext"]) for i in range(count)]
    return Vector(pattern, {name: value for name, value in values.items() if not name.startswith("msg_")}, messages)


@cache
def program() -> Path:
    """tests/noise_peer, built once."""
    built = ROOT / "build" / "noise_peer"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(built),
        "GO111MODULE": "off",
        "GOPATH": str(GO_PATH),
        "GOCACHE": str(built / "cache"),
        "CGO_ENABLED": "0",
    }
    built.mkdir(parents=True, exist_ok=True)
    command = ["go", "build", "-o", str(built / "peer"), str(ROOT / "tests/noise_peer/main.go")]
    with building_in(built):
        done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return built / "peer"


class RefusedError(Exception):
    """The program refused what it was asked."""


class Peer:
    """One side of a handshake, by the program."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def _ask(self, *words: str) -> bytes:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(" ".join(words) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().strip()
        if answer == "refused":
            raise RefusedError
        assert answer, "the program has died"
        return bytes.fromhex(answer.replace("-", ""))

    def write(self, payload: bytes = b"") -> bytes:
        return self._ask("write", payload.hex() or "-")

    def read(self, message: bytes) -> bytes:
        return self._ask("read", message.hex())

    def seal(self, counter: int, ad: bytes, text: bytes) -> bytes:
        return self._ask("seal", str(counter), ad.hex() or "-", text.hex() or "-")

    def open(self, counter: int, ad: bytes, sealed: bytes) -> bytes:
        return self._ask("open", str(counter), ad.hex() or "-", sealed.hex())

    def remote(self) -> bytes:
        return self._ask("remote")


@contextmanager
def peer(pattern: str, *, initiator: bool, secret: bytes, other: bytes, prologue: bytes) -> Iterator[Peer]:
    """The program on one side; it draws its own random numbers."""
    role = "initiator" if initiator else "responder"
    first = f"{pattern} {role} {secret.hex()} {other.hex()} {prologue.hex() or '-'}\n"
    with subprocess.Popen([program()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        process.stdin.write(first)
        yield Peer(process)
        process.stdin.close()
