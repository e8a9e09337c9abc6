"""Addresses that the daemon listens on: whether one can be had, and what to do where it cannot.

gRPC says the same of every cause, and hides that in a log of its own: whoever asks the system first can tell people.
"""

import contextlib
import errno
import os
import pwd
import socket
from collections.abc import Iterator
from pathlib import Path

from attuned.errors import AttuneError, ConfigError

_ADVICE = {
    errno.EADDRINUSE: "stop the program that does (`ss -lxtnp` shows it), or choose another address",
    errno.EADDRNOTAVAIL: "this machine has no such address now; choose one of `ip address`",
    errno.EEXIST: "take it away, or choose another address",
    errno.ENOSPC: "make room on the disk",
}


def check_port(host: str, port: int) -> None:
    """Raises OSError unless a port can be listened on; `host` as gRPC takes it, an IPv6 address in brackets."""
    found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, number, _, address = found[0]
    with socket.socket(family, kind, number) as probe:
        # As gRPC does: connections that have just ended are in nobody's way.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)


@contextlib.contextmanager
def said(address: str) -> Iterator[None]:
    """Raises AttuneError, which says what to do, where an address cannot be listened on.

    ConfigError where this user never may, whatever else ends.
    """
    try:
        yield
    except PermissionError as error:
        raise ConfigError(f"{_user()} must not listen on {address}: {_permitted(address)}.") from error
    except OSError as error:
        # The words of gaierror are its own; those of the system may come with a path that is said already.
        why = error.strerror or str(error)
        advice = _ADVICE.get(error.errno or 0, "choose another address")
        raise AttuneError(f"Cannot listen on {address} ({why}): {advice}.") from error
    except RuntimeError as error:
        raise AttuneError(f"Cannot listen on {address}: see whether another program does (`ss -lxtnp`).") from error


def _permitted(address: str) -> str:
    if address.startswith("unix:"):
        folder = Path(address.removeprefix("unix:")).parent
        return f"let that user write to {folder} (`ls -ld {folder}`), or name a socket elsewhere"
    return "choose a port from 1024 on"


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"user {os.geteuid()}"
