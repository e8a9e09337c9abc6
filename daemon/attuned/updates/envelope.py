"""Envelopes: what is signed, what is sent, and what the signer takes for one (docs/protocol.md, Updates).

Bytes alone: no key, no I/O, and nothing of the core, since the signing process loads this file too.
"""

import hashlib
import struct
from dataclasses import dataclass
from enum import IntEnum

from attuned.errors import AttuneError

FORMAT = 1
DOMAIN = b"attune-update-01"
AUDIENCE_DOMAIN = b"attune-audience1"

DIGEST_SIZE = 16
AUDIENCE_SIZE = 32
ID_SIZE = 8
SCHEMA_HASH_SIZE = 8
SIGNATURE_SIZE = 64
LARGEST_SEQUENCE = 2**32 - 1

# What a node has room for (ATTUNE_MAX_ENVELOPE in the core).
LARGEST = 2304

_SIGNED = struct.Struct(f"<{len(DOMAIN)}sB{AUDIENCE_SIZE}sI{DIGEST_SIZE}s{DIGEST_SIZE}sB")
_SENT = struct.Struct(f"<BBI{DIGEST_SIZE}s")
_COHORT = 0x80

PAYLOAD_AT = _SENT.size
"""Where an envelope's payload begins."""

AROUND = _SENT.size + SIGNATURE_SIZE
"""Bytes of an envelope beside its payload."""


class EnvelopeError(AttuneError):
    """Bytes or values that no envelope has."""


class Kind(IntEnum):
    """What an envelope changes; the numbers are wire format."""

    HEAD = 1
    CALIBRATION = 2
    NORMALISER = 3
    MODEL = 4


@dataclass(frozen=True)
class Audience:
    """Whom an envelope is for: one node, or the nodes of one cohort, with one schema and one kind of hardware."""

    ident: bytes
    schema_hash: bytes
    hardware: str
    cohort: bool = False

    @property
    def digest(self) -> bytes:
        """32 bytes; as attune_audience in the core."""
        scope = b"\x02" if self.cohort else b"\x01"
        named = AUDIENCE_DOMAIN + scope + self.ident + self.schema_hash + self.hardware.encode()
        return hashlib.blake2b(named).digest()[:AUDIENCE_SIZE]

    def __post_init__(self) -> None:
        if len(self.ident) != ID_SIZE or len(self.schema_hash) != SCHEMA_HASH_SIZE:
            raise EnvelopeError("An audience has an id and a schema's hash of eight bytes each.")


@dataclass(frozen=True)
class Update:
    """An envelope before it is signed. `audience`, `base` and `result` are digests of 32, 16 and 16 bytes; `sequence`
    counts from 1. EnvelopeError for values that no envelope has."""

    kind: Kind
    audience: bytes
    cohort: bool
    sequence: int
    base: bytes
    result: bytes
    payload: bytes

    def __post_init__(self) -> None:
        sizes = len(self.audience), len(self.base), len(self.result)
        if sizes != (AUDIENCE_SIZE, DIGEST_SIZE, DIGEST_SIZE):
            raise EnvelopeError("An envelope names its audience in 32 bytes, its base and its result in 16 each.")
        if not 1 <= self.sequence <= LARGEST_SEQUENCE:
            raise EnvelopeError(f"A sequence number is from 1 to {LARGEST_SEQUENCE}, not {self.sequence}.")
        if not 1 <= len(self.payload) <= LARGEST - AROUND:
            raise EnvelopeError(f"A payload has 1 to {LARGEST - AROUND} bytes, not {len(self.payload)}.")

    @property
    def message(self) -> bytes:
        """What is signed."""
        named = DOMAIN, FORMAT, self.audience, self.sequence, self.base, self.result, self._kind_byte
        return _SIGNED.pack(*named) + self.payload

    def envelope(self, signature: bytes) -> bytes:
        """What is sent."""
        if len(signature) != SIGNATURE_SIZE:
            raise EnvelopeError(f"A signature has {SIGNATURE_SIZE} bytes, not {len(signature)}.")
        return _SENT.pack(FORMAT, self._kind_byte, self.sequence, self.result) + self.payload + signature

    @property
    def _kind_byte(self) -> int:
        return self.kind | (_COHORT if self.cohort else 0)


def result_of(envelope: bytes) -> bytes:
    """The digest of what a node runs that has taken an envelope."""
    return envelope[PAYLOAD_AT - DIGEST_SIZE : PAYLOAD_AT]


def read_message(message: bytes) -> Update:
    """The update that a message to be signed says. EnvelopeError if it is none of a format that is known here."""
    if len(message) < _SIGNED.size:
        raise EnvelopeError("These bytes are too short for an update.")
    domain, number, audience, sequence, base, result, kind = _SIGNED.unpack_from(message)
    if domain != DOMAIN or number != FORMAT:
        raise EnvelopeError(f"This is no update of format {FORMAT}.")
    if kind & ~_COHORT not in set(Kind):
        raise EnvelopeError(f"There is no update of kind {kind & ~_COHORT}.")
    cohort = bool(kind & _COHORT)
    return Update(Kind(kind & ~_COHORT), audience, cohort, sequence, base, result, message[_SIGNED.size :])
