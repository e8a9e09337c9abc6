"""Runs a program under the seccomp filters that systemd makes of a unit, as far as they need no system around them.

    under_filter.py UNIT PROGRAM [ARGUMENT]...

SystemCallFilter=, RestrictAddressFamilies= (one rule a family that is not allowed) and MemoryDenyWriteExecute= as of
systemd.exec(5) and systemd's seccomp-util.c, by libseccomp. Names of groups are those of this machine's systemd.
"""

import ctypes
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ALLOW, ERRNO = 0x7FFF0000, 0x00050000
EPERM, EAFNOSUPPORT = 1, 97

# enum scmp_compare of seccomp.h.
NE, EQ, MASKED_EQ = 1, 4, 7

PROT_WRITE, PROT_EXEC, SHM_EXEC = 2, 4, 0o100000

# More than there are: of <linux/socket.h>.
FAMILIES = 46


class Argument(ctypes.Structure):
    """struct scmp_arg_cmp."""

    _fields_ = (("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64))


LIBRARY = ctypes.CDLL("libseccomp.so.2")
LIBRARY.seccomp_init.restype = ctypes.c_void_p
LIBRARY.seccomp_rule_add_array.argtypes = (
    ctypes.c_void_p,
    ctypes.c_uint32,
    ctypes.c_int,
    ctypes.c_uint,
    ctypes.POINTER(Argument),
)
LIBRARY.seccomp_load.argtypes = (ctypes.c_void_p,)


def settings(unit: Path) -> dict[str, list[str]]:
    """The lines of each setting."""
    found: dict[str, list[str]] = {}
    for line in unit.read_text().replace("\\\n", " ").splitlines():
        name, _, value = line.partition("=")
        if value and not name.startswith(("#", "[")):
            found.setdefault(name, []).append(value)
    return found


def calls(words: str) -> set[str]:
    """The system calls of a line, with those of groups."""
    found: set[str] = set()
    for word in words.split():
        if not word.startswith("@"):
            found.add(word)
            continue
        shown = subprocess.run(["systemd-analyze", "syscall-filter", word], check=True, capture_output=True, text=True)
        lines = [line.strip() for line in shown.stdout.splitlines()[1:]]
        found |= calls(" ".join(line for line in lines if line and not line.startswith("#")))
    return found


def allowed(lines: Sequence[str]) -> set[str]:
    """What lines leave in turn, of which the first one allows."""
    found: set[str] = set()
    for line in lines:
        found = found - calls(line[1:]) if line.startswith("~") else found | calls(line)
    # What systemd allows to every service.
    return found | calls("@default")


def rule(context: object, name: str, action: int, *arguments: Argument) -> None:
    number = LIBRARY.seccomp_syscall_resolve_name(name.encode())
    if number == -1:  # a call that this machine does not have
        return
    many = (Argument * max(len(arguments), 1))(*arguments)
    LIBRARY.seccomp_rule_add_array(context, action, number, len(arguments), many)


def load(unit: Path) -> None:
    """From here on this process and its children are under the unit's filters."""
    told = settings(unit)
    filters = LIBRARY.seccomp_init(ERRNO | EPERM)
    for name in allowed(told["SystemCallFilter"]):
        rule(filters, name, ALLOW)
    more = LIBRARY.seccomp_init(ALLOW)
    for name, argument in (("mmap", 2), ("mprotect", 2), ("pkey_mprotect", 2), ("shmat", 2)):
        mask = {"mmap": PROT_EXEC | PROT_WRITE, "shmat": SHM_EXEC}.get(name, PROT_EXEC)
        if told.get("MemoryDenyWriteExecute") == ["yes"]:
            rule(more, name, ERRNO | EPERM, Argument(argument, MASKED_EQ, mask, mask))
    if told.get("RestrictAddressFamilies"):
        families = {int(getattr(socket, name)) for name in told["RestrictAddressFamilies"][0].split()}
        for family in set(range(1, FAMILIES)) - families:
            rule(more, "socket", ERRNO | EAFNOSUPPORT, Argument(0, EQ, family, 0))
    for each in (more, filters):
        if LIBRARY.seccomp_load(each):
            raise SystemExit("This machine lets nobody load a seccomp filter.")


if __name__ == "__main__":
    load(Path(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 (a program of this project)
