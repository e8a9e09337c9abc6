"""Changes of the signing key: statements in which one key names the next, and the chain of all of them."""

import struct
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from attuned.updates.envelope import SIGNATURE_SIZE, EnvelopeError

FORMAT = 1
DOMAIN = b"attune-rotate-01"
KEY_SIZE = 32

# Statements that a node follows in one message (ATTUNE_MAX_CHAIN in the core).
LONGEST_MESSAGE = 4

_HEAD = struct.Struct("<BI")
_STATEMENT = struct.Struct(f"<BI{KEY_SIZE}s{SIGNATURE_SIZE}s")

STATEMENT_SIZE = _STATEMENT.size


@dataclass(frozen=True)
class SigningKey:
    """A key with its number, counted from 1."""

    number: int
    private: Ed25519PrivateKey

    @property
    def public(self) -> bytes:
        return self.private.public_key().public_bytes_raw()


def statement(old: SigningKey, new: bytes) -> bytes:
    """`old` names the key after it."""
    head = _HEAD.pack(FORMAT, old.number + 1)
    return head + new + old.private.sign(DOMAIN + head + old.public + new)


@dataclass(frozen=True)
class Chain:
    """The first key and every statement since: nodes that slept through some are told from where they are."""

    first: bytes
    statements: tuple[bytes, ...] = ()

    @property
    def number(self) -> int:
        """Of the last key."""
        return 1 + len(self.statements)

    @property
    def last(self) -> bytes:
        """The public key that counts."""
        return self.statements[-1][_HEAD.size : _HEAD.size + KEY_SIZE] if self.statements else self.first

    @property
    def stored(self) -> bytes:
        """The chain as it is kept."""
        return self.first + b"".join(self.statements)

    @classmethod
    def of_stored(cls, stored: bytes) -> "Chain":
        """EnvelopeError unless every statement follows from the key before it."""
        if len(stored) < KEY_SIZE or (len(stored) - KEY_SIZE) % STATEMENT_SIZE:
            raise EnvelopeError("This is no chain of signing keys; restore it from a backup.")
        chain = cls(stored[:KEY_SIZE])
        for at in range(KEY_SIZE, len(stored), STATEMENT_SIZE):
            chain = chain.followed_by(stored[at : at + STATEMENT_SIZE])
        return chain

    def followed_by(self, said: bytes) -> "Chain":
        """The chain with one more statement. EnvelopeError if it is not what the last key said of the next."""
        number_of_format, number, new, signature = _STATEMENT.unpack(said)
        try:
            Ed25519PublicKey.from_public_bytes(self.last).verify(
                signature, DOMAIN + said[: _HEAD.size] + self.last + new
            )
        except InvalidSignature:
            raise EnvelopeError(f"The statement of signing key {number} is not signed by the key before it.") from None
        if (number_of_format, number) != (FORMAT, self.number + 1):
            raise EnvelopeError(f"The statement of signing key {number} does not follow key {self.number}.")
        return Chain(self.first, (*self.statements, said))

    def message_for(self, number: int) -> bytes:
        """What a node that goes by key `number` is told next; empty if it knows the last one."""
        return b"".join(self.statements[number - 1 : number - 1 + LONGEST_MESSAGE])
