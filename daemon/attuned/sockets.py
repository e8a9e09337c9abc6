"""Sockets of this machine: who may use one is who may write to it, which is a group's business from the beginning."""

import errno
import grp
import os
import socket
import stat
from pathlib import Path

import grpc

from attuned.errors import AttuneError, ConfigError

# For user and group alone; while it is made, for the user alone.
MODE = 0o660
FOLDER_MODE = 0o750
_OTHERS = 0o177

# The longest wait for whoever listens on a socket already.
PROBE_S = 1.0


def listen(server: grpc.aio.Server, path: Path, group: str | None, table: str) -> None:
    """Has a server listen on a socket that the members of a group may use; None is the daemon's own group.

    `table` is where the configuration names the group. Raises OSError, RuntimeError, ConfigError for a group that
    cannot be given, and AttuneError for a folder that everybody may write to.
    """
    path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    mode = path.parent.stat().st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        raise AttuneError(
            f"The folder {path.parent} may be written by everybody, who could put another socket there: "
            f"`chmod o-w {path.parent}`."
        )
    number = _number_of(group, table) if group is not None else -1
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, "Permission denied")
    _check_free(path)
    before = os.umask(_OTHERS)
    try:
        server.add_insecure_port(f"unix:{path}")
    finally:
        os.umask(before)
    _give(path, number, f"The group {group!r} of [{table}]")
    path.chmod(MODE)


def _check_free(path: Path) -> None:
    """gRPC takes a socket away from whoever listens on it, and nothing else. Raises OSError."""
    if path.exists() and not path.is_socket():
        raise FileExistsError(errno.EEXIST, "something else than a socket lies there")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(PROBE_S)
        if probe.connect_ex(str(path)) == 0:
            raise OSError(errno.EADDRINUSE, "somebody listens there")


def _number_of(group: str, table: str) -> int:
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise ConfigError(
            f"The group {group!r} of [{table}] does not exist: `addgroup --system {group}`, or name another one."
        ) from None


def _give(path: Path, number: int, what: str) -> None:
    try:
        os.chown(path, -1, number)
    except PermissionError:
        raise ConfigError(
            f"{what} is none of the daemon's user, who cannot give {path} to it: make that user a member, and restart."
        ) from None
