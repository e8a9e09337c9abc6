"""What a gateway has from its daemon: its certificate with its key, the daemon's authority, and where the daemon is.

All of it is one file, replaced wholly or not at all, that this user alone may read.
"""

import os
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from pydantic import BaseModel, ConfigDict, ValidationError

from attune_gateway.config import STATE, parse_host_port
from attune_gateway.errors import GatewayError
from attune_gateway.trouble import user

FILE = "enrolment.json"


class EnrolmentError(GatewayError):
    """An enrolment that cannot be read, written or trusted."""


class Enrolment(BaseModel):
    """daemon: HOST:PORT; the others but the name are PEM."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    daemon: str
    authority: str
    certificate: str
    key: str

    @property
    def ends(self) -> datetime:
        """When the certificate ends, UTC."""
        return x509.load_pem_x509_certificate(self.certificate.encode()).not_valid_after_utc

    def check(self) -> None:
        """ValueError or TypeError if it cannot be used."""
        parse_host_port(self.daemon)
        key = load_pem_private_key(self.key.encode(), None)
        x509.load_pem_x509_certificate(self.authority.encode())
        if x509.load_pem_x509_certificate(self.certificate.encode()).public_key() != key.public_key():
            raise ValueError("another key")

    def has_ended(self) -> bool:
        """By the clock of this machine."""
        return self.ends < datetime.now(UTC)

    def renewed(self, certificate: bytes, key: ec.EllipticCurvePrivateKey) -> "Enrolment":
        """With the next certificate (DER). EnrolmentError if it is not the authority's for this key."""
        authority = x509.load_pem_x509_certificate(self.authority.encode())
        return self.model_copy(update={"certificate": checked(certificate, authority, key), "key": key_pem(key)})


def checked(certificate: bytes, authority: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> str:
    """A certificate (DER) as PEM. EnrolmentError if it is not one of this key by this authority."""
    try:
        read = x509.load_der_x509_certificate(certificate)
        read.verify_directly_issued_by(authority)
        ours = read.public_key() == key.public_key()
    except (ValueError, TypeError, InvalidSignature):
        ours = False
    if not ours:
        raise EnrolmentError("The daemon sent a certificate that is not this gateway's: see the daemon's log.")
    return read.public_bytes(Encoding.PEM).decode()


def new_key() -> ec.EllipticCurvePrivateKey:
    """A key pair; it never leaves this machine."""
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def request_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A request for a certificate (PKCS #10, DER) that says nothing but the key: the name is the daemon's to give."""
    builder = x509.CertificateSigningRequestBuilder(subject_name=x509.Name([]))
    return builder.sign(key, SHA256()).public_bytes(Encoding.DER)


def load(state: Path) -> Enrolment:
    """Reads what `save` wrote. EnrolmentError."""
    path = state / FILE
    try:
        enrolment = Enrolment.model_validate_json(path.read_bytes())
        enrolment.check()
    except FileNotFoundError:
        more = "" if state == STATE else f", with --state {state}"
        raise EnrolmentError(
            f"{path} is not there: run here what `attune gateway invite NAME` prints on the daemon's machine{more}."
        ) from None
    except OSError as error:
        raise EnrolmentError(
            f"{path} cannot be read ({error.strerror}): it and its folder must belong to {user()}."
        ) from error
    except (ValidationError, ValueError, TypeError):
        raise EnrolmentError(f"{path} holds no enrolment: enroll the gateway again.") from None
    return enrolment


def save(state: Path, enrolment: Enrolment) -> None:
    """It is on the disk when this returns. EnrolmentError."""
    write_secret(state / FILE, enrolment.model_dump_json(indent=1).encode())


def write_secret(path: Path, secret: bytes) -> None:
    """Replaces a file, wholly or not at all, that this user alone may read. EnrolmentError."""
    half = path.with_suffix(".new")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(secret)
            file.flush()
            os.fsync(file.fileno())
        half.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise EnrolmentError(f"{path} cannot be written ({error.strerror}): check its folder and the disk.") from error
