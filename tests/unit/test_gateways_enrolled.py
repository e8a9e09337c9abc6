"""Invitations, certificates and their end: what the daemon keeps, and what it refuses."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from attune_gateway.enrolment import new_key, request_of
from attune_gateway.invitation import InvitationError, read_invitation
from attuned.clock import SystemClock
from attuned.errors import NotFoundError, RequestError, StoreError
from attuned.gateways import authority as authority_module
from attuned.gateways.authority import Authority, read_certificate, read_request
from attuned.gateways.enrolled import OPEN_LIMIT
from attuned.gateways.invitations import text_of
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from gateway_world import HOUR_S, GatewayDaemon, gateway_daemon
from hypothesis import given
from hypothesis import strategies as st

MINUTE = timedelta(minutes=1)


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[GatewayDaemon]:
    async with gateway_daemon(tmp_path) as found:
        yield found


def pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def written_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob("attune.db*"))


def subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def test_by_hand() -> None:
    token, key = bytes(range(16)), bytes([2, *range(32)])
    # Tags and lengths of protobuf: 1 and 2 are bytes, 3 a text, 4 the number 7444 = 0x1D14.
    said = b"\x0a\x10" + token + b"\x12\x21" + key + b"\x1a\x05d.lan" + b"\x20\x94\x3a"
    text = base64.b32encode(said + hashlib.sha256(said).digest()[:4]).decode().rstrip("=")
    assert text_of(token, key, "d.lan", 7444) == text
    read = read_invitation(f" {text[:50].lower()}\n{text[50:]} ")
    assert (read.token, read.authority, read.host, read.port) == (token, key, "d.lan", 7444)


@given(st.integers(0), st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"))
def test_a_wrong_letter_is_noticed(place: int, letter: str) -> None:
    text = text_of(bytes(16), bytes([2, *range(32)]), "attune.lan", 7444)
    place %= len(text)
    # The last letter of base32 may carry bits that say nothing.
    if text[place] == letter or place == len(text) - 1:
        return
    with pytest.raises(InvitationError):
        read_invitation(text[:place] + letter + text[place + 1 :])


@given(st.text(max_size=700))
def test_what_is_none_is_a_sentence(text: str) -> None:
    with pytest.raises(InvitationError, match=r"\.$"):
        read_invitation(text)


@pytest.mark.parametrize(("token", "key"), [(15, 33), (16, 32)])
def test_one_of_another_version(token: int, key: int) -> None:
    with pytest.raises(InvitationError, match="another version"):
        read_invitation(text_of(bytes(token), bytes(key), "h", 1))


def test_its_key_is_kept_for_its_user_alone_and_read_again(tmp_path: Path) -> None:
    first, again = Authority(tmp_path, SystemClock()), Authority(tmp_path, SystemClock())
    first.open()
    again.open()
    assert first.public == again.public
    assert (tmp_path / "gateway-authority.key").stat().st_mode & 0o777 == 0o600
    certificate = first.for_gateway("north", "00", new_key().public_key())
    certificate.verify_directly_issued_by(again.certificate)


@pytest.mark.parametrize("name", ["gateway-authority", "secrets_gateway-authority"])
def test_a_credential_counts_before_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Loaded alone, or with the folder that it lies in."""
    given_key, own = Authority(tmp_path / "given", SystemClock()), Authority(tmp_path, SystemClock())
    given_key.open()
    (tmp_path / "given" / "gateway-authority.key").rename(tmp_path / "given" / name)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "given"))
    own.open()
    assert own.public == given_key.public
    assert not (tmp_path / "gateway-authority.key").exists()


@pytest.mark.parametrize("content", [b"", b"\xff", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_file_that_holds_no_key(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "gateway-authority.key").write_bytes(content)
    with pytest.raises(StoreError, match="holds no key of an authority: restore it from a backup"):
        Authority(tmp_path, SystemClock()).open()


def test_what_its_certificates_say(tmp_path: Path) -> None:
    authority = Authority(tmp_path, SystemClock())
    authority.open()
    certificate = authority.for_gateway("north", "0123456789abcdef", new_key().public_key())
    said = read_certificate(pem(certificate))
    assert (said.name, said.enrolment) == ("north", "0123456789abcdef")
    left = certificate.not_valid_after_utc - datetime.now(UTC)
    assert timedelta(days=90) - MINUTE < left <= timedelta(days=90)
    # A gateway whose clock is years behind still finds it valid.
    assert certificate.not_valid_before_utc.year == 2025
    assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    assert authority.certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0


def test_a_plain_one() -> None:
    key = new_key()
    assert read_request(request_of(key)) == key.public_key()


@given(st.binary(max_size=300))
def test_bytes_that_are_none(request_bytes: bytes) -> None:
    with pytest.raises(RequestError, match=r"\.$"):
        read_request(request_bytes)


def test_a_huge_one() -> None:
    builder = x509.CertificateSigningRequestBuilder(subject_name=subject("n" * 64))
    names = x509.SubjectAlternativeName([x509.DNSName(f"{number}.lan") for number in range(1000)])
    huge = builder.add_extension(names, critical=False).sign(new_key(), SHA256()).public_bytes(Encoding.DER)
    with pytest.raises(RequestError, match="at most 4096 bytes"):
        read_request(huge)


def test_one_that_names_itself() -> None:
    builder = x509.CertificateSigningRequestBuilder(subject_name=subject("admin"))
    with pytest.raises(RequestError, match="names nobody and asks for nothing"):
        read_request(builder.sign(new_key(), SHA256()).public_bytes(Encoding.DER))


def test_one_that_wants_to_be_an_authority() -> None:
    builder = x509.CertificateSigningRequestBuilder(subject_name=x509.Name([]))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    with pytest.raises(RequestError, match="names nobody and asks for nothing"):
        read_request(builder.sign(new_key(), SHA256()).public_bytes(Encoding.DER))


@pytest.mark.parametrize("key", [ec.generate_private_key(ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate()])
def test_another_kind_of_key(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> None:
    algorithm = SHA256() if isinstance(key, ec.EllipticCurvePrivateKey) else None
    builder = x509.CertificateSigningRequestBuilder(subject_name=x509.Name([]))
    with pytest.raises(RequestError, match="key of P-256"):
        read_request(builder.sign(key, algorithm).public_bytes(Encoding.DER))


def test_a_key_that_somebody_else_owns() -> None:
    mine, theirs = new_key(), new_key()
    own, other = (
        key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint) for key in (mine, theirs)
    )
    with pytest.raises(RequestError, match=r"signed with a key of P-256"):
        read_request(request_of(mine).replace(own, other))


async def test_an_invitation_is_good_for_one_key(daemon: GatewayDaemon) -> None:
    token = (await daemon.gateways.invite("north", HOUR_S)).token
    key = new_key()
    first = await daemon.gateways.enrol(token, request_of(key))
    assert first.name == "north"
    with pytest.raises(RequestError, match="has been used, and each is good once"):
        await daemon.gateways.enrol(token, request_of(new_key()))
    # The answer may have been lost.
    again = await daemon.gateways.enrol(token, request_of(key))
    assert daemon.gateways.admit(pem(again.certificate)).name == "north"


async def test_two_who_use_one_at_once(daemon: GatewayDaemon) -> None:
    token = (await daemon.gateways.invite("north", HOUR_S)).token
    both = [daemon.gateways.enrol(token, request_of(new_key())) for _ in range(2)]
    answers = await asyncio.gather(*both, return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == ["Enrolment", "RequestError"]


@pytest.mark.parametrize("token", [b"", bytes(16), bytes(15), bytes(4000)])
async def test_tokens_that_were_never_given(daemon: GatewayDaemon, token: bytes) -> None:
    await daemon.gateways.invite("north", HOUR_S)
    with pytest.raises(RequestError, match="has made no such invitation"):
        await daemon.gateways.enrol(token, request_of(new_key()))
    assert daemon.gateways.rows == {}


async def test_one_that_has_ended(daemon: GatewayDaemon) -> None:
    token = (await daemon.gateways.invite("north", 60)).token
    daemon.clock.shift += MINUTE
    with pytest.raises(RequestError, match="The invitation for north has ended"):
        await daemon.gateways.enrol(token, request_of(new_key()))


async def test_a_bad_request_does_not_use_it_up(daemon: GatewayDaemon) -> None:
    token = (await daemon.gateways.invite("north", HOUR_S)).token
    with pytest.raises(RequestError, match="no certificate request"):
        await daemon.gateways.enrol(token, b"\x30\x00")
    assert (await daemon.gateways.enrol(token, request_of(new_key()))).name == "north"


async def test_a_disk_that_fails_does_not_use_it_up(daemon: GatewayDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    token = (await daemon.gateways.invite("north", HOUR_S)).token

    async def fail(*_: object) -> None:
        raise StoreError("The disk is full: make room.")

    with monkeypatch.context() as patched:
        patched.setattr(daemon.store.gateways, "enrol", fail)
        with pytest.raises(StoreError):
            await daemon.gateways.enrol(token, request_of(new_key()))
    assert daemon.gateways.rows == {}
    assert (await daemon.gateways.enrol(token, request_of(new_key()))).name == "north"


async def test_a_newer_invitation_of_a_name_withdraws_the_older(daemon: GatewayDaemon) -> None:
    old = (await daemon.gateways.invite("north", HOUR_S)).token
    await daemon.gateways.invite("north", HOUR_S)
    with pytest.raises(RequestError, match="or a newer one"):
        await daemon.gateways.enrol(old, request_of(new_key()))


async def test_the_store_holds_no_token(daemon: GatewayDaemon, tmp_path: Path) -> None:
    token = (await daemon.gateways.invite("north", HOUR_S)).token
    stored = written_in(tmp_path)
    assert token not in stored
    assert hashlib.sha256(token).digest() in stored


@pytest.mark.parametrize(("name", "valid_s"), [("", 60), ("a b", 60), ("n" * 65, 60), ("n", 59), ("n", 604_801)])
async def test_what_cannot_be_invited(daemon: GatewayDaemon, name: str, valid_s: int) -> None:
    with pytest.raises(RequestError, match=r"\.$"):
        await daemon.gateways.invite(name, valid_s)


async def test_only_so_many_at_a_time(daemon: GatewayDaemon) -> None:
    for number in range(OPEN_LIMIT):
        await daemon.gateways.invite(f"n{number}", 60)
    with pytest.raises(RequestError, match="wait until some of them"):
        await daemon.gateways.invite("more", 60)
    await daemon.gateways.invite("n0", 60)
    daemon.clock.shift += MINUTE
    await daemon.gateways.invite("more", 60)


async def certified_one(daemon: GatewayDaemon, name: str = "north") -> bytes:
    token = (await daemon.gateways.invite(name, HOUR_S)).token
    return pem((await daemon.gateways.enrol(token, request_of(new_key()))).certificate)


async def test_enrolled_anew_shuts_out_the_certificate_before(daemon: GatewayDaemon) -> None:
    old = await certified_one(daemon)
    new = await certified_one(daemon)
    assert daemon.gateways.admit(new).name == "north"
    with pytest.raises(RequestError, match="does not count here any more"):
        daemon.gateways.admit(old)


async def test_revoked_through_a_restart_until_it_is_enrolled_anew(daemon: GatewayDaemon) -> None:
    old = await certified_one(daemon)
    waiting = (await daemon.gateways.invite("north", HOUR_S)).token
    await daemon.gateways.revoke("north")
    await daemon.gateways.open()
    with pytest.raises(RequestError, match="Gateway north was revoked on"):
        daemon.gateways.admit(old)
    with pytest.raises(RequestError, match="no such invitation"):
        await daemon.gateways.enrol(waiting, request_of(new_key()))
    assert daemon.gateways.admit(await certified_one(daemon)).name == "north"


async def test_revoking_one_that_is_only_invited_or_not_at_all(daemon: GatewayDaemon) -> None:
    await daemon.gateways.invite("south", HOUR_S)
    await daemon.gateways.revoke("south")
    assert daemon.gateways.invitations == {}
    with pytest.raises(NotFoundError, match="no enrolled gateway 'south'"):
        await daemon.gateways.revoke("south")


async def test_the_next_certificate_is_given_at_two_thirds(daemon: GatewayDaemon) -> None:
    said = daemon.gateways.admit(await certified_one(daemon))
    daemon.clock.shift = timedelta(days=60) - MINUTE
    assert daemon.gateways.renew(said, request_of(new_key())) is None
    daemon.clock.shift = timedelta(days=60)
    renewed = daemon.gateways.renew(said, request_of(key := new_key()))
    assert renewed is not None
    assert renewed.public_key() == key.public_key()
    assert read_certificate(pem(renewed)).enrolment == said.enrolment


async def test_both_count_until_the_next_one_is_used(daemon: GatewayDaemon) -> None:
    old = await certified_one(daemon)
    daemon.clock.shift = timedelta(days=70)
    renewed = daemon.gateways.renew(daemon.gateways.admit(old), request_of(new_key()))
    assert renewed is not None
    assert daemon.gateways.admit(old).name == "north"
    said = daemon.gateways.admit(pem(renewed))
    daemon.gateways.came(said.name, said.expires_utc_ms)
    await daemon.errands.next()
    for _ in ("now", "after a restart"):
        with pytest.raises(RequestError, match="has used a newer certificate than this one"):
            daemon.gateways.admit(old)
        await daemon.gateways.open()


async def test_a_store_from_before_the_renewal_takes_the_newer_certificate(daemon: GatewayDaemon) -> None:
    old = await certified_one(daemon)
    daemon.clock.shift = timedelta(days=70)
    renewed = daemon.gateways.renew(daemon.gateways.admit(old), request_of(new_key()))
    assert renewed is not None
    await daemon.gateways.open()
    assert daemon.gateways.admit(pem(renewed)).name == "north"


async def test_names_of_enrolled_gateways_are_taken(daemon: GatewayDaemon) -> None:
    await certified_one(daemon)
    daemon.gateways.check_local("south")
    with pytest.raises(RequestError, match="give this one another name"):
        daemon.gateways.check_local("north")


async def test_when_it_was_heard_is_kept(daemon: GatewayDaemon) -> None:
    await certified_one(daemon)
    daemon.gateways.left("north", 1_795_000_000_000)
    await daemon.errands.next()
    await daemon.gateways.open()
    assert daemon.gateways.rows["north"].heard_utc_ms == 1_795_000_000_000


def test_certificates_that_are_no_gateways(daemon: GatewayDaemon) -> None:
    _, own = daemon.authority.for_daemon()
    with pytest.raises(RequestError, match="no gateway's"):
        daemon.gateways.admit(own)


async def test_a_daemon_without_an_address_for_tls_says_so(daemon: GatewayDaemon) -> None:
    daemon.gateways.authority = None
    with pytest.raises(RequestError, match="`sudo attune setup` asks for a port for them"):
        await daemon.gateways.invite("north", HOUR_S)


def test_certificates_are_good_for_three_months_and_renewed_at_two_thirds() -> None:
    assert (authority_module.VALID.days, authority_module.DUE.days) == (90, 30)
