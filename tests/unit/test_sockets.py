"""Sockets of this machine belong to their group before anybody else could have used them."""

import grp
import os
import re
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from attuned import sockets
from attuned.errors import AttuneError, ConfigError, RequestError
from attuned.gateways.listening import Door

OWN = grp.getgrgid(os.getgid()).gr_name


@pytest.fixture
async def server() -> AsyncIterator[grpc.aio.Server]:
    made = grpc.aio.server()
    yield made
    await made.stop(None)


@pytest.fixture(params=[0o000, 0o022, 0o077])
def mask(request: pytest.FixtureRequest) -> int:
    return int(request.param)


async def test_a_socket_is_its_groups_from_the_beginning(
    server: grpc.aio.Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mask: int
) -> None:
    """Whatever mask the process was started with, which it has again afterwards."""
    path, given = tmp_path / "run" / "s", []

    def chown(path: Path, user: int, group: int) -> None:
        given.append((stat.S_IMODE(path.stat().st_mode), user, group))

    monkeypatch.setattr(os, "chown", chown)
    before = os.umask(mask)
    try:
        sockets.listen(server, path, OWN, "api")
    finally:
        assert os.umask(before) == mask
    assert given == [(0o600, -1, os.getgid())]
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert stat.S_ISSOCK(path.stat().st_mode)


@pytest.mark.skipif(os.getuid() != 0, reason="root alone is in every group")
async def test_a_socket_is_given_to_another_group(server: grpc.aio.Server, tmp_path: Path) -> None:
    another = next(entry for entry in grp.getgrall() if entry.gr_gid not in (0, os.getgid()))
    sockets.listen(server, tmp_path / "s", another.gr_name, "api")
    assert (tmp_path / "s").stat().st_gid == another.gr_gid


async def test_without_a_group_it_is_the_daemons_own(server: grpc.aio.Server, tmp_path: Path) -> None:
    sockets.listen(server, tmp_path / "s", None, "api")
    assert (tmp_path / "s").stat().st_gid == os.getgid()


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
async def test_a_port_for_invited_gateways_that_is_taken(host: str) -> None:
    """It is the one above that on which gateways attach, and is first opened for an invitation."""
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    with socket.create_server((host.strip("[]"), 0), family=family) as other:
        port = other.getsockname()[1]
        gateways: Any = SimpleNamespace(authority=object())
        with pytest.raises(RequestError, match=rf"The daemon cannot listen on {re.escape(host)}:{port}, where invited"):
            await Door(gateways, host, port - 1).open()


async def test_a_group_that_does_not_exist(server: grpc.aio.Server, tmp_path: Path) -> None:
    """Said before there is a socket that anybody could use."""
    said = r"^The group 'nobodys' of \[api\] does not exist: `addgroup --system nobodys`, or name another one\.$"
    with pytest.raises(ConfigError, match=said):
        sockets.listen(server, tmp_path / "s", "nobodys", "api")
    assert not (tmp_path / "s").exists()


async def test_a_group_that_the_daemon_is_not_in(
    server: grpc.aio.Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, user: int, group: int) -> None:
        raise PermissionError(1, "Operation not permitted", str(path))

    monkeypatch.setattr(os, "chown", refuse)
    said = rf"^The group '{OWN}' of \[gateways\] is none of the daemon's user, who cannot give .*/s to it"
    with pytest.raises(ConfigError, match=said):
        sockets.listen(server, tmp_path / "s", OWN, "gateways")
    assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o600


async def test_a_folder_of_everybodys(server: grpc.aio.Server, tmp_path: Path) -> None:
    os.chmod(tmp_path, 0o777)  # noqa: PTH101, S103 (in an event loop)
    with pytest.raises(AttuneError, match="may be written by everybody, who could put another socket there"):
        sockets.listen(server, tmp_path / "s", OWN, "api")
    os.chmod(tmp_path, 0o1777)  # noqa: PTH101, S103
    sockets.listen(server, tmp_path / "s", OWN, "api")
