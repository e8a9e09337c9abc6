"""Enrolling and attaching over real TLS, in one process: who is let in, who is not, and what each side says."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from attune_gateway import enrolling, enrolment, uplink
from attune_gateway.enrolled_way import EnrolledWay
from attune_gateway.enrolment import Enrolment, EnrolmentError, key_pem, new_key
from attune_gateway.links import Links
from attune_gateway.pacing import Backoff
from attune_gateway.uplink import Uplink
from attune_proto.v1 import gateways_pb2, gateways_pb2_grpc, link_pb2, link_pb2_grpc
from attuned.clock import SystemClock
from attuned.gateways import listening
from attuned.gateways.authority import Authority
from attuned.gateways.invitations import text_of
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID
from gateway_world import GatewayDaemon, gateway_daemon

DAYS = timedelta(days=1)


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[GatewayDaemon]:
    async with gateway_daemon(tmp_path / "daemon") as found:
        yield found


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "gateway"


async def enrolled(daemon: GatewayDaemon, state: Path, name: str = "north") -> Enrolment:
    return await asyncio.to_thread(enrolling.enroll, await daemon.invite(name), state)


async def refused(text: str, state: Path, match: str) -> None:
    with pytest.raises(EnrolmentError, match=match):
        await asyncio.to_thread(enrolling.enroll, text, state)
    assert not await asyncio.to_thread((state / enrolment.FILE).exists)


@contextlib.contextmanager
def running(way: EnrolledWay) -> Iterator[asyncio.Task[None]]:
    """A gateway's uplink by this way; it says that its name is another."""
    hello = link_pb2.GatewayHello(name="admin", version="0.1.0")
    task = asyncio.create_task(Uplink(Links(1500, time.monotonic), way, hello, Backoff(0.05, 0.1)).run())
    try:
        yield task
    finally:
        task.cancel()


async def until(condition: Any, seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 (what is waited for tells nobody)
            await asyncio.sleep(0.02)


async def attach(way: EnrolledWay) -> grpc.aio.AioRpcError:
    """How a stream ends that is begun by this way."""
    async with way.channel() as channel:
        call = link_pb2_grpc.NodeLinkStub(channel).Attach(timeout=10)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await _talk(call)
    return caught.value


async def _talk(call: Any) -> None:
    with contextlib.suppress(asyncio.InvalidStateError):
        await call.write(link_pb2.GatewayBatch(hello=link_pb2.GatewayHello(name="admin")))
    while await call.read() != grpc.aio.EOF:
        pass


def certified(own: Enrolment, by: Authority, **how: Any) -> Enrolment:
    """The same gateway with a certificate of another authority, or otherwise made."""
    key = new_key()
    certificate = by.for_gateway(how.get("name", own.name), "0" * 16, key.public_key())
    pem = certificate.public_bytes(Encoding.PEM).decode()
    return own.model_copy(update={"certificate": pem, "key": key_pem(key)})


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
            patched.setattr(enrolling, "save", _full_disk)
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
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", daemon.door.port)
    await daemon.invite("north", 60)
    await asyncio.open_connection("127.0.0.1", daemon.door.port)
    door.cancel()
    await until(lambda: daemon.door._server is None)


async def test_a_door_that_somebody_else_has(daemon: GatewayDaemon) -> None:
    with socket.create_server(("127.0.0.1", daemon.door.port)), pytest.raises(Exception, match="see which other"):
        await daemon.invite()


def _full_disk(*_: object) -> None:
    raise EnrolmentError("The disk is full: make room.")


async def _shout(daemon: GatewayDaemon) -> None:
    """More than any request, to the door."""
    credentials = grpc.ssl_channel_credentials(daemon.authority.certificate.public_bytes(Encoding.PEM))
    options = (("grpc.ssl_target_name_override", "attuned"),)
    async with grpc.aio.secure_channel(f"127.0.0.1:{daemon.door.port}", credentials, options) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await gateways_pb2_grpc.EnrolmentStub(channel).Enrol(gateways_pb2.EnrolRequest(request=bytes(100_000)))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_the_name_is_the_certificates(daemon: GatewayDaemon, state: Path) -> None:
    async with daemon.listening():
        own = await enrolled(daemon, state)
        with running(EnrolledWay(state, own)):
            await until(lambda: "north" in daemon.links.gateways)
            assert list(daemon.links.gateways) == ["north"]
            assert not daemon.links.gateways["north"].local
        await until(lambda: not daemon.links.gateways)
    assert daemon.gateways.rows["north"].heard_utc_ms > 0


@pytest.mark.parametrize("whose", ["another authority", "a gateway's own", "nobody's", "expired"])
async def test_certificates_that_tls_refuses(daemon: GatewayDaemon, state: Path, tmp_path: Path, whose: str) -> None:
    async with daemon.listening():
        own = await enrolled(daemon, state)
        way = EnrolledWay(state / "none", _forged(own, daemon, tmp_path, whose))
        error = await attach(way)
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        reason = await way.reason(error)
    expected = "takes no certificate that ended on" if whose == "expired" else "closed the connection"
    assert expected in reason
    assert "enroll this gateway again" in reason
    assert daemon.links.gateways == {}


async def test_an_enrolment_that_the_daemon_does_not_know(daemon: GatewayDaemon, state: Path) -> None:
    async with daemon.listening():
        own = await enrolled(daemon, state)
        way = EnrolledWay(state / "none", certified(own, daemon.authority, name="admin"))
        async with way.channel() as channel:
            with pytest.raises(grpc.aio.AioRpcError, match="certificate of gateway admin does not count here"):
                await way.renew(channel)
        assert (await attach(way)).code() in {grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.INTERNAL}
    assert daemon.links.gateways == {}


async def test_revoking_ends_the_stream_at_once(
    daemon: GatewayDaemon, state: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with daemon.listening():
        own = await enrolled(daemon, state)
        with running(EnrolledWay(state, own)):
            await until(lambda: daemon.links.gateways)
            await daemon.gateways.revoke("north")
            assert daemon.links.drop("north", "Gateway north has been revoked.")
            await until(lambda: not daemon.links.gateways, 1)
            await until(lambda: "refuses this gateway (Gateway north was revoked on" in caplog.text)
            assert daemon.links.gateways == {}
    assert "ended the stream (Gateway north has been revoked.)" in caplog.text


async def test_one_that_is_enrolled_anew_comes_back_by_itself(daemon: GatewayDaemon, state: Path) -> None:
    async with daemon.listening():
        with running(EnrolledWay(state, await enrolled(daemon, state))):
            await until(lambda: daemon.links.gateways)
            await daemon.gateways.revoke("north")
            daemon.links.drop("north", "Gateway north has been revoked.")
            await until(lambda: not daemon.links.gateways)
            await enrolled(daemon, state)
            await until(lambda: daemon.links.gateways)


async def test_one_that_is_revoked_before_it_says_anything(daemon: GatewayDaemon, state: Path) -> None:
    async with daemon.listening():
        own = await enrolled(daemon, state)
        async with EnrolledWay(state, own).channel() as channel:
            call = link_pb2_grpc.NodeLinkStub(channel).Attach(timeout=10)
            await call.wait_for_connection()
            await daemon.gateways.revoke("north")
            with pytest.raises(grpc.aio.AioRpcError):
                await _talk(call)
    assert daemon.links.gateways == {}


async def test_a_connection_that_outlives_its_certificate(daemon: GatewayDaemon, state: Path) -> None:
    async with daemon.listening():
        way = EnrolledWay(state, await enrolled(daemon, state))
        async with way.channel() as channel:
            assert not await way.renew(channel)
            daemon.clock.shift = 90 * DAYS
            with pytest.raises(grpc.aio.AioRpcError, match="The certificate of north has expired"):
                await way.renew(channel)


async def test_a_clock_that_is_far_ahead_of_the_daemons(daemon: GatewayDaemon, state: Path) -> None:
    async with daemon.listening():
        own = await enrolled(daemon, state)
    daemon.clock.shift = -100 * DAYS
    async with daemon.listening():
        way = EnrolledWay(state, own)
        reason = await way.reason(await attach(way))
    assert "a clock is wrong (certificate has expired)" in reason


async def test_the_stream_of_a_copy_is_ended(daemon: GatewayDaemon, state: Path) -> None:
    async with daemon.listening():
        own = await enrolled(daemon, state)
        first = asyncio.create_task(attach(EnrolledWay(state, own)))
        await until(lambda: daemon.links.gateways)
        with running(EnrolledWay(state, own)):
            error = await first
            assert "Another gateway has attached as north" in str(error.details())
            assert list(daemon.links.gateways) == ["north"]


async def test_a_stream_ends_with_its_certificate(daemon: GatewayDaemon, state: Path) -> None:
    async with daemon.listening():
        daemon.clock.shift = -90 * DAYS + timedelta(seconds=2.5)
        own = await _enrolled_without_checking(daemon)
        daemon.clock.shift = timedelta(0)
        error = await attach(EnrolledWay(state, own))
    assert (error.code(), error.details()) == (
        grpc.StatusCode.ABORTED,
        "The certificate of north has expired.",
    )


async def test_nobody_there_to_attach_to(daemon: GatewayDaemon, state: Path) -> None:
    async with daemon.listening():
        own = await enrolled(daemon, state)
    way = EnrolledWay(state, own)
    assert "is not reachable (Connection refused)" in await way.reason(await attach(way))


async def test_the_daemons_own_certificate_follows_its_age(
    daemon: GatewayDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = listening.OwnCertificate(daemon.authority)
    assert certificate._next() is None
    monkeypatch.setattr(certificate, "_made_s", time.monotonic() - 31 * 86_400)
    assert certificate._next() is not None
    assert certificate._next() is None


async def test_at_attaching(daemon: GatewayDaemon, state: Path) -> None:
    async with daemon.listening():
        daemon.clock.shift = -70 * DAYS
        own = await _enrolled_without_checking(daemon)
        daemon.clock.shift = timedelta(0)
        with running(EnrolledWay(state, own)):
            await until(lambda: daemon.links.gateways)
        renewed = await asyncio.to_thread(enrolment.load, state)
    assert renewed.ends - own.ends > 69 * DAYS
    assert renewed.key != own.key
    assert (renewed.name, renewed.daemon, renewed.authority) == (own.name, own.daemon, own.authority)


async def test_while_attached_and_the_old_one_counts_no_more(
    daemon: GatewayDaemon, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uplink, "RENEW_S", 0.1)
    async with daemon.listening():
        own = await enrolled(daemon, state)
        with running(EnrolledWay(state, own)):
            await until(lambda: daemon.links.gateways)
            before = daemon.links.gateways["north"]
            daemon.clock.shift = 60 * DAYS
            await until(lambda: daemon.links.gateways.get("north") not in {before, None})
            assert (await asyncio.to_thread(enrolment.load, state)).key != own.key
            error = await attach(EnrolledWay(state / "none", own))
            assert "has used a newer certificate than this one" in str(error.details()) or (
                error.code() is grpc.StatusCode.INTERNAL
            )
            assert list(daemon.links.gateways) == ["north"]


async def test_a_disk_that_is_full_changes_nothing(
    daemon: GatewayDaemon, state: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("attune_gateway.enrolled_way.save", _full_disk)
    async with daemon.listening():
        daemon.clock.shift = -70 * DAYS
        own = await _enrolled_without_checking(daemon)
        daemon.clock.shift = timedelta(0)
        with running(EnrolledWay(state, own)):
            await until(lambda: daemon.links.gateways)
    assert "The certificate is not renewed, trying again in an hour. The disk is full" in caplog.text


async def test_nobody_is_given_a_certificate_of_another_key(daemon: GatewayDaemon, state: Path) -> None:
    async with daemon.listening():
        own = await enrolled(daemon, state)
    other = daemon.authority.for_gateway("north", "00", new_key().public_key()).public_bytes(Encoding.DER)
    for certificate in (other, b"", b"\x30\x00"):
        with pytest.raises(EnrolmentError, match="not this gateway's"):
            own.renewed(certificate, new_key())


async def _enrolled_without_checking(daemon: GatewayDaemon) -> Enrolment:
    """An enrolment at the time of the daemon's clock, which a gateway's TLS would find wrong."""
    key = new_key()
    token = (await daemon.gateways.invite("north", 60)).token
    got = await daemon.gateways.enrol(token, enrolment.request_of(key))
    return Enrolment(
        name="north",
        daemon=f"127.0.0.1:{daemon.port}",
        authority=got.authority.public_bytes(Encoding.PEM).decode(),
        certificate=got.certificate.public_bytes(Encoding.PEM).decode(),
        key=key_pem(key),
    )


def _forged(own: Enrolment, daemon: GatewayDaemon, folder: Path, whose: str) -> Enrolment:
    if whose == "another authority":
        other = Authority(folder, SystemClock())
        other.open()
        return certified(own, other)
    if whose == "expired":
        daemon.clock.shift = -91 * DAYS
        try:
            return certified(own, daemon.authority)
        finally:
            daemon.clock.shift = timedelta(0)
    issuer, signer = own.certificate, load_pem_private_key(own.key.encode(), None)
    key = new_key()
    name = x509.load_pem_x509_certificate(issuer.encode()).subject
    if whose == "nobody's":
        signer = key
    builder = (
        x509.CertificateBuilder(subject_name=name, issuer_name=name, public_key=key.public_key())
        .serial_number(1)
        .not_valid_before(x509.load_pem_x509_certificate(issuer.encode()).not_valid_before_utc)
        .not_valid_after(own.ends)
    )
    chain = builder.sign(signer, SHA256()).public_bytes(Encoding.PEM).decode() + issuer  # type: ignore[arg-type]
    return own.model_copy(update={"certificate": chain, "key": key_pem(key)})


def test_one_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(EnrolmentError, match="run `attune-gateway enroll INVITATION --state"):
        enrolment.load(tmp_path)


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"name":"n","daemon":"d","authority":"","certificate":"","key":""}']
)
def test_one_that_holds_none(tmp_path: Path, content: str) -> None:
    (tmp_path / enrolment.FILE).write_text(content)
    with pytest.raises(EnrolmentError, match="holds no enrolment: enroll the gateway again"):
        enrolment.load(tmp_path)


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
