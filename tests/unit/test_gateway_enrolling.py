"""Enrolling over real TLS, in one process: who is let in, who is not, and what is left on the disk."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from attune_gateway import config, enrolling, enrolment
from attune_gateway.enrolled_way import EnrolledWay
from attune_gateway.enrolment import EnrolmentError, key_pem, new_key
from attune_gateway.main import app
from attune_proto.v1 import gateways_pb2, gateways_pb2_grpc
from attuned.clock import SystemClock
from attuned.gateways import listening
from attuned.gateways.authority import Authority
from attuned.gateways.invitations import text_of
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from enrolled_world import DAYS, attach, enrolled, full_disk, refused, until
from gateway_world import GatewayDaemon, gateway_daemon
from typer.testing import CliRunner


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[GatewayDaemon]:
    async with gateway_daemon(tmp_path / "daemon") as found:
        yield found


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "gateway"


async def test_what_the_gateway_has_afterwards(daemon: GatewayDaemon, state: Path) -> None:
    async with daemon.listening():
        own = await enrolled(daemon, state)
    assert (own.name, own.daemon) == ("north", f"127.0.0.1:{daemon.port}")
    assert enrolment.load(state) == own
    assert state.stat().st_mode & 0o777 == 0o700  # noqa: ASYNC240
    assert [path.name for path in state.iterdir()] == ["enrolment.json"]  # noqa: ASYNC240
    assert (state / "enrolment.json").stat().st_mode & 0o777 == 0o600


async def test_a_daemon_of_another_authority_hears_nothing(daemon: GatewayDaemon, state: Path, tmp_path: Path) -> None:
    other = Authority(tmp_path, SystemClock())
    other.open()
    async with daemon.listening():
        await daemon.invite()
        invited = await daemon.gateways.invite("south", 60)
        heard: list[object] = []
        daemon.gateways.enrol = lambda *given: heard.append(given)  # type: ignore[method-assign,assignment]
        text = text_of(invited.token, other.public, "127.0.0.1", daemon.door.port)
        await refused(text, state, "is not the daemon that made the invitation; nothing was sent to it")
    assert heard == []


async def test_a_gateway_that_poses_as_the_daemon_hears_nothing(daemon: GatewayDaemon, state: Path) -> None:
    async with daemon.listening():
        own = await enrolled(daemon, state / "thief")
    pair = [(own.key.encode(), own.certificate.encode())]
    server = grpc.aio.server()
    server.add_secure_port(f"127.0.0.1:{daemon.door.port}", grpc.ssl_server_credentials(pair))
    server.add_secure_port(f"127.0.0.1:{daemon.port}", grpc.ssl_server_credentials(pair))
    await server.start()
    invited = await daemon.gateways.invite("south", 60)
    text = text_of(invited.token, invited.authority, "127.0.0.1", daemon.door.port)
    await refused(text, state, "is not the daemon that made the invitation")
    way = EnrolledWay(state, own)
    error = await attach(way)
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert "is not the one that this gateway is enrolled with" in await way.reason(error)
    await server.stop(None)


@pytest.mark.parametrize(
    ("name", "usage"),
    [("attuned", ExtendedKeyUsageOID.CLIENT_AUTH), ("north", ExtendedKeyUsageOID.SERVER_AUTH)],
)
async def test_only_the_daemons_own_certificate_will_do(
    daemon: GatewayDaemon, state: Path, name: str, usage: x509.ObjectIdentifier
) -> None:
    key = new_key()
    more = (x509.SubjectAlternativeName([x509.DNSName(name)]), x509.ExtendedKeyUsage([usage]))
    end = datetime.now(UTC) + DAYS
    certificate = daemon.authority._issue(key.public_key(), x509.Name([]), end, *more)
    pair = [(key_pem(key).encode(), certificate.public_bytes(Encoding.PEM))]
    server = grpc.aio.server()
    server.add_secure_port(f"127.0.0.1:{daemon.door.port}", grpc.ssl_server_credentials(pair))
    await server.start()
    text = text_of(bytes(16), daemon.authority.public, "127.0.0.1", daemon.door.port)
    await refused(text, state, "is not the daemon that made the invitation")
    await server.stop(None)


async def test_nobody_there(daemon: GatewayDaemon, state: Path) -> None:
    text = text_of(bytes(16), daemon.authority.public, "127.0.0.1", daemon.door.port)
    await refused(text, state, "listens there only while an invitation is valid")


async def test_somebody_who_speaks_no_tls(daemon: GatewayDaemon, state: Path) -> None:
    server = await asyncio.start_server(lambda _, writer: writer.write(b"HTTP/1.1 200\r\n\r\n"), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    await refused(text_of(bytes(16), daemon.authority.public, "127.0.0.1", port), state, "No daemon answers at")
    server.close()


async def test_the_daemons_words_reach_whoever_enrolls(daemon: GatewayDaemon, state: Path) -> None:
    async with daemon.listening():
        await enrolled(daemon, state / "first")
        text = text_of(bytes(16), daemon.authority.public, "127.0.0.1", daemon.door.port)
        await refused(text, state, "The daemon at .* refused: The daemon has made no such invitation")


async def test_a_clock_that_is_far_off(daemon: GatewayDaemon, state: Path) -> None:
    daemon.clock.shift = -100 * DAYS
    async with daemon.listening():
        await refused(await daemon.invite(), state, "see that the clocks of both machines are right")


async def test_an_answer_that_was_lost_is_asked_for_again(
    daemon: GatewayDaemon, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with daemon.listening():
        text = await daemon.invite()
        with monkeypatch.context() as patched:
            patched.setattr(enrolling, "save", full_disk)
            await refused(text, state, "The disk is full")
        own = await asyncio.to_thread(enrolling.enroll, text, state)
    assert own.name == "north"


async def test_strangers_who_wait_or_shout_are_not_in_the_way(
    daemon: GatewayDaemon, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurried = dict(listening._DOOR_OPTIONS) | {"grpc.server_handshake_timeout_ms": 300}
    monkeypatch.setattr(listening, "_DOOR_OPTIONS", tuple(hurried.items()))
    async with daemon.listening():
        text = await daemon.invite()
        address = ("127.0.0.1", daemon.door.port)
        strangers = [socket.create_connection(address, 5) for _ in range(3 * listening.DOOR_CONNECTIONS)]
        for stranger in strangers[::2]:
            with contextlib.suppress(OSError):
                stranger.sendall(b"\x16\x03\x01")
        # Each of them is hung up on.
        for stranger in strangers:
            with contextlib.suppress(ConnectionResetError):
                assert await asyncio.to_thread(stranger.recv, 1) == b""
            stranger.close()
        await _shout(daemon)
        assert (await asyncio.to_thread(enrolling.enroll, text, state)).name == "north"


async def test_the_door_is_open_only_while_somebody_is_invited(daemon: GatewayDaemon) -> None:
    await daemon.gateways.invite("north", 60)
    door = asyncio.create_task(daemon.door.run())
    await until(lambda: daemon.door._server is not None)
    daemon.clock.shift = timedelta(seconds=59.7)
    await daemon.door.open()
    await until(lambda: daemon.door._server is None, 2)
    # Refused, or reset where the kernel is just closing it.
    with pytest.raises(ConnectionError):
        await asyncio.open_connection("127.0.0.1", daemon.door.port)
    await daemon.invite("north", 60)
    await asyncio.open_connection("127.0.0.1", daemon.door.port)
    door.cancel()
    await until(lambda: daemon.door._server is None)


async def test_a_door_that_somebody_else_has(daemon: GatewayDaemon) -> None:
    with socket.create_server(("127.0.0.1", daemon.door.port)), pytest.raises(Exception, match="see which other"):
        await daemon.invite()


async def _shout(daemon: GatewayDaemon) -> None:
    """More than any request, to the door."""
    credentials = grpc.ssl_channel_credentials(daemon.authority.certificate.public_bytes(Encoding.PEM))
    options = (("grpc.ssl_target_name_override", "attuned"),)
    async with grpc.aio.secure_channel(f"127.0.0.1:{daemon.door.port}", credentials, options) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await gateways_pb2_grpc.EnrolmentStub(channel).Enrol(gateways_pb2.EnrolRequest(request=bytes(100_000)))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_one_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(
        EnrolmentError,
        match="is not there: run here what `attune gateway invite NAME` prints on the daemon's machine, with --state",
    ):
        enrolment.load(tmp_path)


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"name":"n","daemon":"d","authority":"","certificate":"","key":""}']
)
def test_one_that_holds_none(tmp_path: Path, content: str) -> None:
    (tmp_path / enrolment.FILE).write_text(content)
    with pytest.raises(EnrolmentError, match="holds no enrolment: enroll the gateway again"):
        enrolment.load(tmp_path)


def test_somebody_else_is_told_to_use_sudo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attune_gateway.enrolling.os.geteuid", lambda: 1000)
    monkeypatch.setattr("attune_gateway.enrolling.os.access", lambda *_: False)
    with pytest.raises(EnrolmentError, match=f"may not write to {tmp_path}: run the same command with sudo"):
        enrolling.become_owner(tmp_path)
    # A folder that is not there is for who makes it.
    enrolling.become_owner(tmp_path / "none")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ('state = "{state}"', "Nothing more is to be done: the gateway of this machine takes it up by itself."),
        ('daemon = "unix:/run/attune/gateway.sock"', 'Now write state = "{state}" in the place of daemon into {file}'),
        ('state = "/elsewhere"', 'Now write state = "{state}" in the place of daemon into {file}'),
        ("state = 7", 'Now write state = "{state}" in the place of daemon into {file}'),
    ],
)
def test_what_comes_next_depends_on_the_machines_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: str, said: str
) -> None:
    file, state = tmp_path / "gateway.toml", tmp_path / "state"
    file.write_text(settings.format(state=state) + '\ntcp.listen = ["127.0.0.1:0"]\n')
    made = enrolment.Enrolment(name="north", daemon="d:1", authority="", certificate="", key="")
    monkeypatch.setattr(config, "FILE", file)
    monkeypatch.setattr(enrolling, "enroll", lambda *_: made)
    answer = CliRunner().invoke(app, ["enroll", "INVITATION", "--state", str(state)])
    assert answer.exit_code == 0
    expected = "Enrolled as north with the daemon at d:1. " + said.format(state=state, file=file)
    assert answer.output.startswith(expected)


def test_a_write_that_fails_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    enrolment.write_secret(tmp_path / "f", b"old")
    for step in ("fsync", "fdopen"):
        with monkeypatch.context() as patched:
            patched.setattr(f"attune_gateway.enrolment.os.{step}", _fail)
            with pytest.raises(EnrolmentError, match="cannot be written"):
                enrolment.write_secret(tmp_path / "f", b"new")
        assert (tmp_path / "f").read_bytes() == b"old"


def _fail(*_: object) -> None:
    raise OSError(28, "No space left on device")
