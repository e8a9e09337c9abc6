"""The text of an invitation: base32 of what it says and of the first bytes of its SHA-256, as gateways.proto has it."""

import base64
import hashlib

from attune_proto.v1 import gateways_pb2

TOKEN_SIZE = 16
_CHECK_SIZE = 4


def text_of(token: bytes, authority: bytes, host: str, port: int) -> str:
    """What `attune-gateway enroll` takes; about 110 letters and digits."""
    said = gateways_pb2.Invitation(token=token, authority=authority, host=host, port=port).SerializeToString()
    check = hashlib.sha256(said).digest()[:_CHECK_SIZE]
    return base64.b32encode(said + check).decode().rstrip("=")


def fingerprint(token: bytes) -> bytes:
    """What is kept of a token: enough to know it again, and of no use to whoever reads the store."""
    return hashlib.sha256(token).digest()
