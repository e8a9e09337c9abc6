"""Attaching over real TLS, in one process: who is let in, who is not, and how certificates are renewed."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
from attune_gateway import enrolment, uplink
from attune_gateway.enrolled_way import EnrolledWay
from attune_gateway.enrolment import Enrolment, EnrolmentError, key_pem, new_key
from attune_proto.v1 import link_pb2_grpc
from attuned.clock import SystemClock
from attuned.gateways import listening
from attuned.gateways.authority import Authority
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from enrolled_world import DAYS, attach, certified, enrolled, full_disk, running, talk, until
from gateway_world import GatewayDaemon, gateway_daemon


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[GatewayDaemon]:
    async with gateway_daemon(tmp_path / "daemon") as found:
        yield found


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "gateway"


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
                await talk(call)
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
    monkeypatch.setattr("attune_gateway.enrolled_way.save", full_disk)
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
