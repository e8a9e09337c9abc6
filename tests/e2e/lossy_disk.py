"""A disk that loses what was not synced: what a program did to a folder, and what a power cut would leave of it.

Worse than any file system: a file's name is on the disk when its folder has been synced, its content when the file has.
"""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

CALLS = "openat,pwrite64,write,ftruncate,fsync,fdatasync,rename,unlink,mkdir"

_LINE = re.compile(r"^(?P<thread>\d+) +(?P<name>\w+)\((?P<rest>.*)$")
_RESUMED = re.compile(r"^(?P<thread>\d+) +<\.\.\. \w+ resumed>(?P<rest>.*)$")
_RESULT = re.compile(r"\) += (?P<number>-?\d+)")
_HEX = re.compile(r"((?:\\x[0-9a-f]{2})+)")

State = dict[str, bytes]  # content by path below the folder


def _bytes(text: str) -> list[bytes]:
    """What stands in hexadecimal in a call: paths, those of its descriptors as well, and data."""
    return [bytes.fromhex(found.replace("\\x", "")) for found in _HEX.findall(text)]


def _calls(trace: Path) -> Iterator[tuple[str, str]]:
    """(name, arguments) of the calls that succeeded, in the order in which they ended."""
    under_way: dict[str, tuple[str, str]] = {}
    for line in trace.read_text().splitlines():
        if resumed := _RESUMED.match(line):
            name, rest = under_way.pop(resumed["thread"])
            rest += resumed["rest"]
        elif begun := _LINE.match(line):
            name, rest = begun["name"], begun["rest"]
            if rest.endswith("<unfinished ...>"):
                under_way[begun["thread"]] = name, rest.removesuffix("<unfinished ...>")
                continue
        else:
            continue
        result = _RESULT.search(rest)
        if result and int(result["number"]) >= 0:
            yield name, rest[: result.start()]


@dataclass
class _File:
    """`now` is what programs read, `kept` what is on the disk, `pending` the writes between them: where, and what."""

    now: bytes = b""
    kept: bytes = b""
    pending: list[tuple[int, bytes]] = field(default_factory=list)

    def write(self, at: int, data: bytes) -> None:
        self.now = _written(self.now, at, data)
        self.pending.append((at, data))

    def cut(self, size: int) -> None:
        self.now = self.now[:size].ljust(size, b"\0")
        self.pending.append((size, b""))

    def sync(self) -> None:
        self.kept, self.pending = self.now, []

    def torn(self, chance: random.Random) -> bytes:
        """Some of the writes have reached the disk, in any order."""
        found = self.kept
        for at, data in self.pending:
            if chance.random() < 0.5:
                found = _written(found, at, data) if data else found[:at].ljust(at, b"\0")
        return found


def _written(before: bytes, at: int, data: bytes) -> bytes:
    return before[:at].ljust(at, b"\0") + data + before[at + len(data) :]


class LossyDisk:
    """A folder; what is in it at the beginning is on the disk."""

    def __init__(self, folder: Path) -> None:
        self._root = str(folder)
        content = [(str(path), path.read_bytes()) for path in folder.rglob("*") if path.is_file()]
        self._names: dict[str, _File | None] = {str(path): None for path in folder.rglob("*") if path.is_dir()}
        self._names |= {path: _File(data, data) for path, data in content}
        self._kept = dict(self._names)
        self._chance = random.Random(1)

    def follow(self, trace: Path) -> Iterator[str]:
        """Does what was traced: yields what the program has said before each change that a cut may come before."""
        said = ""
        for name, arguments in _calls(trace):
            found = _bytes(arguments)
            if name == "write" and arguments.startswith("1<"):
                said += found[-1].decode()
            elif any(each.startswith(self._root.encode()) for each in found[:2]):
                yield said
                self._do(name, arguments, [each.decode(errors="replace") for each in found[:2]], found[-1])
        yield said

    def _do(self, name: str, arguments: str, paths: list[str], data: bytes) -> None:
        file = self._names.get(paths[0])
        match name:
            case "openat":
                self._open(paths[-1], arguments)
            case "mkdir":
                self._names[paths[0]] = None
            case "rename":
                self._names[paths[1]] = self._names.pop(paths[0])
            case "unlink":
                self._names.pop(paths[0], None)
            case "fsync" | "fdatasync" if file is None:
                self._sync_names(paths[0])
            case "fsync" | "fdatasync" if file is not None:
                file.sync()
            case "ftruncate" if file is not None:
                file.cut(int(arguments.rsplit(",", 1)[1], 0))
            case "pwrite64" if file is not None:
                file.write(int(arguments.rsplit(",", 1)[1], 0), data)
            case "write" if file is not None:
                file.write(len(file.now), data)

    def _open(self, path: str, arguments: str) -> None:
        if "O_CREAT" in arguments and path not in self._names:
            self._names[path] = _File()
        file = self._names.get(path)
        if "O_TRUNC" in arguments and file is not None:
            file.cut(0)

    def _sync_names(self, folder: str) -> None:
        def inside(path: str) -> bool:
            return str(Path(path).parent) == folder

        self._kept = {path: file for path, file in self._kept.items() if not inside(path)}
        self._kept |= {path: file for path, file in self._names.items() if inside(path)}

    def left(self) -> list[State]:
        """What a power cut may leave now: what was synced alone; under all names that there are; and some more."""
        synced = {path: file.kept for path, file in self._kept.items() if file and self._reached(path)}
        named = {path: file.kept for path, file in self._names.items() if file}
        torn = {path: file.torn(self._chance) for path, file in self._names.items() if file}
        # SQLite's index of its log is made anew by whoever opens it first.
        states = [synced, named, torn]
        return [{p: data for p, data in state.items() if not p.endswith("-shm")} for state in states]

    def _reached(self, path: str) -> bool:
        above = [
            str(each) for each in Path(path).parents if str(each).startswith(self._root) and str(each) != self._root
        ]
        return all(each in self._kept for each in above)
