"""The daemon's own certificate authority (X.509, RFC 5280), for mutual TLS with gateways on other machines.

Keys are of P-256, signatures ECDSA with SHA-256: what TLS on both sides takes. The authority's key is a file that only
the daemon's user may read, or a systemd credential; all else is made from it. The daemon's own certificate and its key
live in memory alone.
"""

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from attuned.clock import Clock
from attuned.errors import RequestError, UnusableStoreError
from attuned.key_files import read_key, write_key

KEY_FILE = "gateway-authority.key"
CREDENTIAL = "gateway-authority"

# How long a certificate is good, and how much of that is left when the next one is due.
VALID = timedelta(days=90)
DUE = VALID / 3

# What gateways expect the daemon's certificate to be for, wherever the daemon runs.
DAEMON_NAME = "attuned"

# When a certificate begins to count says nothing here, and a gateway whose clock is behind must not be shut out by it.
_BEGINNING = datetime(2025, 1, 1, tzinfo=UTC)
# RFC 5280, 4.1.2.5: no end.
_NO_END = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)

# A request with a key of P-256 and nothing else has 200 to 250 bytes.
_REQUEST_LIMIT = 4096


@dataclass(frozen=True)
class GatewayCertificate:
    """What a gateway's certificate says: its name, the enrolment that it comes from, and when it ends."""

    name: str
    enrolment: str
    expires_utc_ms: int


class Authority:
    """`clock` is the machine's: TLS goes by that one, whatever clock the site has."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._path = folder / KEY_FILE
        self._clock = clock
        self._key: ec.EllipticCurvePrivateKey
        self.certificate: x509.Certificate

    def open(self) -> None:
        """Reads the key, and makes it the first time. Raises StoreError."""
        if given := _given():
            self._path = given
        elif not self._path.exists():
            key = ec.generate_private_key(ec.SECP256R1())
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_key(self._path, _pem(key))
        self._key = _load(self._path)
        self.certificate = self._issue(self._key.public_key(), _name("Attune"), _NO_END, authority=True)

    @property
    def public(self) -> bytes:
        """Its public key, a compressed point (33 bytes): what invitations carry for a fingerprint."""
        return self._key.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)

    def for_gateway(self, name: str, enrolment: str, key: ec.EllipticCurvePublicKey) -> x509.Certificate:
        """A certificate by which a gateway may call the daemon."""
        subject = _name(name, x509.NameAttribute(NameOID.SERIAL_NUMBER, enrolment))
        return self._issue(key, subject, self._now() + VALID, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]))

    def for_daemon(self) -> tuple[bytes, bytes]:
        """A new key and its certificate for the daemon itself, both PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        names = x509.SubjectAlternativeName([x509.DNSName(DAEMON_NAME)])
        certificate = self._issue(key.public_key(), _name(DAEMON_NAME), self._now() + VALID, usage, names)
        return _pem(key), certificate.public_bytes(Encoding.PEM)

    def is_due(self, certificate: GatewayCertificate) -> bool:
        """Whether it is time for the next one."""
        return self._now() >= datetime.fromtimestamp(certificate.expires_utc_ms / 1000, UTC) - DUE

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.utc_ms() // 1000, UTC)

    def _issue(
        self,
        key: ec.EllipticCurvePublicKey,
        subject: x509.Name,
        end: datetime,
        *extensions: x509.ExtensionType,
        authority: bool = False,
    ) -> x509.Certificate:
        own = self._key.public_key()
        builder = (
            x509.CertificateBuilder(subject_name=subject, issuer_name=_name("Attune"), public_key=key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(_BEGINNING)
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=0 if authority else None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(own), critical=False)
            .add_extension(_usage(authority=authority), critical=True)
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=isinstance(extension, x509.ExtendedKeyUsage))
        return builder.sign(self._key, SHA256())


def read_request(request: bytes) -> ec.EllipticCurvePublicKey:
    """The key of a PKCS #10 request (DER). RequestError for one that asks for more than a certificate of its key."""
    if len(request) > _REQUEST_LIMIT:
        raise RequestError(f"A certificate request has at most {_REQUEST_LIMIT} bytes: use Attune's own gateway.")
    try:
        read = x509.load_der_x509_csr(request)
        key, signed = read.public_key(), read.is_signature_valid
        plain = not list(read.subject) and not list(read.extensions)
    except (ValueError, UnsupportedAlgorithm, InvalidSignature, x509.DuplicateExtension) as error:
        raise RequestError("That is no certificate request: use Attune's own gateway.") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1) or not signed:
        raise RequestError("A certificate request is made and signed with a key of P-256: use Attune's own gateway.")
    if not plain:
        raise RequestError("A certificate request names nobody and asks for nothing: names are the daemon's to give.")
    return key


def read_certificate(pem: bytes) -> GatewayCertificate:
    """What a certificate that TLS has checked says. RequestError if it is no gateway's."""
    certificate = x509.load_pem_x509_certificate(pem)
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    enrolments = certificate.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)
    if not names or not enrolments:
        raise RequestError("That certificate is no gateway's: invite the gateway, and enroll it.")
    expires = int(certificate.not_valid_after_utc.timestamp()) * 1000
    return GatewayCertificate(str(names[0].value), str(enrolments[0].value), expires)


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _given() -> Path | None:
    """The credential, loaded alone or with its folder, whose name systemd puts before it."""
    folder = Path(os.environ.get("CREDENTIALS_DIRECTORY", "/nowhere"))
    names = CREDENTIAL, f"secrets_{CREDENTIAL}"
    return next((folder / name for name in names if (folder / name).exists()), None)


def _name(name: str, *more: x509.NameAttribute[str]) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name), *more])


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _load(path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(read_key(path), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UnusableStoreError(f"{path} holds no key of an authority: restore it from a backup.") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise UnusableStoreError(f"The key {path} is not one of P-256: restore it from a backup.")
    return key
