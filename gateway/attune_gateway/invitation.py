"""The text of an invitation: base32 of what it says and of the first 4 bytes of its SHA-256 (gateways.proto)."""

import base64
import binascii
import hashlib
import re

from attune_proto.v1.gateways_pb2 import Invitation
from google.protobuf.message import DecodeError

from attune_gateway.errors import GatewayError

_CHECK_SIZE = 4
_TOKEN_SIZE = 16
_KEY_SIZE = 33

# The longest host has 253 characters, so an invitation at most 520.
_LONGEST = 600


class InvitationError(GatewayError):
    """A text that is no invitation."""


def read_invitation(text: str) -> Invitation:
    """Reads what `attune gateway invite` printed; small letters and white space do not matter."""
    letters = re.sub(r"\s", "", text).upper()
    if len(letters) > _LONGEST:
        raise InvitationError("That is longer than any invitation: copy what `attune gateway invite` printed.")
    try:
        data = base64.b32decode(letters + "=" * (-len(letters) % 8))
        invitation = Invitation.FromString(data[:-_CHECK_SIZE])
    except (binascii.Error, ValueError, DecodeError):
        raise InvitationError("That is no invitation: copy all that `attune gateway invite` printed.") from None
    if hashlib.sha256(data[:-_CHECK_SIZE]).digest()[:_CHECK_SIZE] != data[-_CHECK_SIZE:]:
        raise InvitationError("A letter of the invitation is wrong or missing: copy all of it.")
    if len(invitation.token) != _TOKEN_SIZE or len(invitation.authority) != _KEY_SIZE or not invitation.host:
        raise InvitationError("The invitation is of another version of Attune: install the daemon's version here.")
    return invitation
