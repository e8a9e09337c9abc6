"""`attune-gateway enroll`: from an invitation to a certificate.

The invitation carries the public key of the daemon's authority. The gateway asks whoever answers for a certificate, and
says nothing until it has found that it was signed by this key; then it speaks to the owner of that certificate alone.
"""

import contextlib
import os
import socket
import ssl
from datetime import UTC, datetime
from pathlib import Path

import grpc
from attune_proto.v1.gateways_pb2 import EnrolReply, EnrolRequest, Invitation
from attune_proto.v1.gateways_pb2_grpc import EnrolmentStub
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from attune_gateway.config import HostPort
from attune_gateway.enrolment import (
    Enrolment,
    EnrolmentError,
    checked,
    key_pem,
    new_key,
    request_of,
    save,
    write_secret,
)
from attune_gateway.invitation import read_invitation
from attune_gateway.trouble import user

# The name in the daemon's own certificates, wherever it runs.
DAEMON_NAME = "attuned"

# A daemon answers in milliseconds; a network that needs longer than this is no network.
_PATIENCE_S = 10.0

# The key of an enrolment under way: the invitation is good for one key, and an answer may be lost.
_PENDING = "enrolling.key"

_CLOCK = "see that the clocks of both machines are right"


def become_owner(state: Path) -> None:
    """Has root go on as the user of the folder, who has to read what is written there. EnrolmentError for others.

    Root itself would follow whatever links that user has laid there.
    """
    try:
        owner = state.stat()
    except OSError:
        return
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.setgroups([])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)
    elif not os.access(state, os.W_OK):
        raise EnrolmentError(f"{user()} may not write to {state}: run the same command with sudo.")


def enroll(text: str, state: Path) -> Enrolment:
    """Uses an invitation and keeps what comes of it in the folder. GatewayError; what was there before is kept then.

    After an error the same invitation may be tried again as long as it is valid.
    """
    invitation = read_invitation(text)
    key = _pending_key(state / _PENDING)
    address = HostPort(invitation.host, invitation.port)
    shown = _certificate_at(address)
    _check_daemon(shown, invitation, address)
    reply = _ask(address, shown, EnrolRequest(token=invitation.token, request=request_of(key)))
    authority = _authority_of(reply, invitation)
    enrolment = Enrolment(
        name=reply.name,
        daemon=str(HostPort(invitation.host, reply.port)),
        authority=authority.public_bytes(Encoding.PEM).decode(),
        certificate=checked(reply.certificate, authority, key),
        key=key_pem(key),
    )
    save(state, enrolment)
    with contextlib.suppress(OSError):
        (state / _PENDING).unlink()
    return enrolment


def _pending_key(path: Path) -> ec.EllipticCurvePrivateKey:
    with contextlib.suppress(OSError, ValueError):
        key = load_pem_private_key(path.read_bytes(), None)
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return key
    fresh = new_key()
    write_secret(path, key_pem(fresh).encode())
    return fresh


def _certificate_at(address: HostPort) -> x509.Certificate:
    """The certificate of whoever answers, who has proved to own its key, and nothing more."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2"])
    try:
        with (
            socket.create_connection(address, _PATIENCE_S) as connection,
            context.wrap_socket(connection, server_hostname=DAEMON_NAME) as tls,
        ):
            return x509.load_der_x509_certificate(tls.getpeercert(binary_form=True) or b"")
    except ValueError:
        raise EnrolmentError(_stranger(address)) from None
    except OSError as error:
        why = error.strerror or str(error)
        raise EnrolmentError(
            f"No daemon answers at {address} ({why}). It listens there only while an invitation is valid: see whether "
            "this one has ended, and whether a firewall stands between."
        ) from error


def _check_daemon(shown: x509.Certificate, invitation: Invitation, address: HostPort) -> None:
    try:
        authority = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), invitation.authority)
        algorithm = shown.signature_hash_algorithm
        if algorithm is None:
            raise InvalidSignature
        authority.verify(shown.signature, shown.tbs_certificate_bytes, ec.ECDSA(algorithm))
        names = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        usage = shown.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (InvalidSignature, ValueError, x509.ExtensionNotFound):
        raise EnrolmentError(_stranger(address)) from None
    if DAEMON_NAME not in names.get_values_for_type(x509.DNSName) or ExtendedKeyUsageOID.SERVER_AUTH not in usage:
        raise EnrolmentError(_stranger(address))
    if not shown.not_valid_before_utc <= datetime.now(UTC) <= shown.not_valid_after_utc:
        raise EnrolmentError(f"By this machine's clock the daemon's certificate does not count now: {_CLOCK}.")


def _ask(address: HostPort, shown: x509.Certificate, request: EnrolRequest) -> EnrolReply:
    # With this one certificate as the only root, nobody else can take the call.
    credentials = grpc.ssl_channel_credentials(shown.public_bytes(Encoding.PEM))
    options = (("grpc.ssl_target_name_override", DAEMON_NAME), ("grpc.enable_http_proxy", 0))
    try:
        with grpc.secure_channel(str(address), credentials, options) as channel:
            return EnrolmentStub(channel).Enrol(request, timeout=_PATIENCE_S)
    except grpc.RpcError as error:
        code, details = error.code(), error.details() or ""
        if code in {grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.FAILED_PRECONDITION}:
            raise EnrolmentError(f"The daemon at {address} refused: {details}") from None
        raise EnrolmentError(
            f"The daemon at {address} did not answer ({code.name}): try the same invitation again."
        ) from None


def _authority_of(reply: EnrolReply, invitation: Invitation) -> x509.Certificate:
    try:
        authority = x509.load_der_x509_certificate(reply.authority)
        point = authority.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    except ValueError:
        point = b""
    if point != invitation.authority:
        raise EnrolmentError("The daemon sent the certificate of another authority: see the daemon's log.")
    return authority


def _stranger(address: HostPort) -> str:
    return (
        f"Who answers at {address} is not the daemon that made the invitation; nothing was sent to it. See whether "
        "that address is the daemon's, and ask for a new invitation."
    )
