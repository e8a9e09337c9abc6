"""Tries what a service must not be able to do, and prints what went as one line of JSON: {name: "done" or the error}.

Needs nothing but Python. Whoever starts it says where it may write: PROBE_STATE is a folder of its own.
"""

import ctypes
import errno
import json
import mmap
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

libc = ctypes.CDLL(None, use_errno=True)

CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000


def call(result: int) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def write(path: str) -> Callable[[], None]:
    """A file that was not there, and is gone again if it could be made."""

    def attempt() -> None:
        Path(path).write_text("probe")
        Path(path).unlink()

    return attempt


def read(path: str) -> Callable[[], None]:
    def attempt() -> None:
        with Path(path).open("rb") as file:
            file.read(1)

    return attempt


def run_what_was_written() -> None:
    mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()


def open_packets() -> None:
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()


def be_somebody_else() -> None:
    """In a child, since there is no way back."""
    _in_child(lambda: os.setuid(1) if os.getuid() == 0 else os.setuid(0))


def have_a_namespace() -> None:
    _in_child(lambda: call(libc.unshare(CLONE_NEWNS)))


def have_users() -> None:
    _in_child(lambda: call(libc.unshare(CLONE_NEWUSER)))


def mount() -> None:
    call(libc.mount(b"none", b"/mnt", b"tmpfs", 0, None))
    call(libc.umount(b"/mnt"))


def set_clock() -> None:
    import time

    time.clock_settime(time.CLOCK_REALTIME, time.time())


def be_urgent() -> None:
    _in_child(lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)))


def leave_a_door() -> None:
    """A program that runs as its owner, whoever starts it."""
    path = Path(os.environ["PROBE_STATE"]) / "door"
    try:
        path.touch()
        path.chmod(0o4755)
    finally:
        with suppress(OSError):
            path.unlink()


def see_others() -> None:
    """A process of another user: pid 1 is root's. systemd hides it by ProtectProc."""
    Path("/proc/1/stat").stat()


def signal_others() -> None:
    os.kill(1, signal.SIGCONT)


def _in_child(attempt: Callable[[], object]) -> None:
    child = os.fork()
    if child == 0:
        try:
            attempt()
        except OSError as error:
            os._exit(error.errno or 255)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if number := os.waitstatus_to_exitcode(status):
        raise OSError(number, os.strerror(number) if number > 0 else f"signal {-number}")


def attempts() -> Iterator[tuple[str, Callable[[], None]]]:
    yield "write into its own state", write(os.environ["PROBE_STATE"] + "/probe")
    for folder in (
        "/etc",
        "/etc/attune",
        "/usr/lib/attune",
        "/usr/local",
        "/home/ann",
        "/root",
        "/srv",
        "/var/log",
        "/boot",
    ):
        yield f"write into {folder}", write(f"{folder}/attune-probe")
    for state in ("/var/lib/attune", "/var/lib/attune-gateway", "/var/lib/attune-signer", "/var/backups/attune"):
        if state != os.environ["PROBE_STATE"]:
            yield f"write into {state}", write(f"{state}/attune-probe")
    for secret in ("/etc/shadow", "/etc/attune/secrets/probe", "/etc/attune/signing/signing-key", "/home/ann/secret"):
        yield f"read {secret}", read(secret)
    yield "read the disk", read("/dev/vda")
    yield "read the kernel's log", read("/dev/kmsg")
    yield "change the kernel", write_again("/proc/sys/kernel/printk_ratelimit")
    yield "move into another control group", write_pid
    for attempt in (
        run_what_was_written, open_packets, be_somebody_else, have_a_namespace, have_users, mount, set_clock, be_urgent,
        leave_a_door, see_others, signal_others,
    ):  # fmt: skip
        yield attempt.__name__.replace("_", " "), attempt


def write_again(path: str) -> Callable[[], None]:
    """What is there already."""

    def attempt() -> None:
        Path(path).write_text(Path(path).read_text())

    return attempt


def write_pid() -> None:
    """Into the control group where it is already, which would allow any other."""
    own = Path("/proc/self/cgroup").read_text().strip().split(":")[-1]
    Path(f"/sys/fs/cgroup{own}/cgroup.procs").write_text(str(os.getpid()))


def tried(attempt: Callable[[], None]) -> str:
    try:
        attempt()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    return "done"


if __name__ == "__main__":
    print(json.dumps({name: tried(attempt) for name, attempt in attempts()}))
