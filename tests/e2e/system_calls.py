"""A daemon under strace: what it wrote, synced and sent, in order."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

CALLS = "pwrite64,write,fdatasync,fsync,sendmsg,sendto"

_BEGUN = re.compile(r"^(?P<thread>\d+) +(?P<call>\w+)\((?P<descriptor>\d+)<(?P<file>[^>]*)>(?P<rest>.*)$")
_RESUMED = re.compile(r"^(?P<thread>\d+) +<\.\.\. (?P<call>\w+) resumed>(?P<rest>.*)$")
_DATA = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


@dataclass(frozen=True)
class Call:
    """A system call; `begun` and `ended` are lines of the trace. A sync counts once ended, a message as begun."""

    name: str
    file: str
    data: bytes
    begun: int
    ended: int


def traced(trace: Path, command: list[str], which: str = CALLS) -> list[str]:
    """The command under strace, which notes these calls; skips the test where that is not permitted."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed.")
    trial = subprocess.run([strace, "-o", "/dev/null", "true"], capture_output=True, text=True, check=False)
    if trial.returncode != 0:
        pytest.skip(f"This machine lets nobody trace system calls: {trial.stderr.strip()}")
    return [
        strace,
        "-f",
        "-y",
        "-xx",
        "-s",
        "100000",
        "-e",
        f"trace={which}",
        "-e",
        "signal=none",
        "-o",
        str(trace),
        *command,
    ]


def calls(trace: Path) -> list[Call]:
    """The calls on files and sockets that were ended, in the order in which they began."""
    return sorted(_calls(trace.read_text(errors="replace").splitlines()), key=lambda call: call.begun)


def _calls(lines: list[str]) -> Iterator[Call]:
    under_way: dict[str, tuple[int, re.Match[str]]] = {}
    for number, line in enumerate(lines):
        if begun := _BEGUN.match(line):
            if begun["rest"].endswith("<unfinished ...>"):
                under_way[begun["thread"]] = number, begun
            else:
                yield _call(begun, number, number)
        elif (resumed := _RESUMED.match(line)) and resumed["thread"] in under_way:
            at, begun = under_way.pop(resumed["thread"])
            yield _call(begun, at, number)


def _call(begun: re.Match[str], at: int, ended: int) -> Call:
    data = b"".join(bytes.fromhex(piece.replace("\\x", "")) for piece in _DATA.findall(begun["rest"]))
    # With -xx paths are in hexadecimal, too.
    file = (
        bytes.fromhex(begun["file"].replace("\\x", "")) if begun["file"].startswith("\\x") else begun["file"].encode()
    )
    return Call(begun["call"], file.decode(errors="replace"), data, at, ended)
