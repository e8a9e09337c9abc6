"""The code that a node shows: base32 of its hint and 16 random bytes, and two check digits (core/session/code.h)."""

import base64
import hashlib
import re
from dataclasses import dataclass, field

from attuned.errors import RequestError
from attuned.nodes.advertising import advertising_key
from attuned.nodes.frames import HINT_SIZE

# Characters of a code without its hyphens, and of one group.
LENGTH = 34
GROUP = 4

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_DATA = 32
_LIKE = str.maketrans("018", "OIB")  # digits that the alphabet has not, and what they were read from
_GIVEN = "codes have eight groups of four letters and digits, and a ninth of two"


@dataclass(frozen=True)
class Code:
    """What a code says: whose it is, the secret that commissioning begins with, and the key of what is advertised."""

    hint: bytes
    psk: bytes = field(repr=False)
    advertising: bytes = field(repr=False)


def read_code(text: str) -> Code:
    """Reads what somebody has typed, or scanned. RequestError as `letters_of`."""
    data = base64.b32decode(letters_of(text)[:_DATA])
    return Code(data[:HINT_SIZE], psk_of(data), advertising_key(data))


def grouped(letters: str) -> str:
    """As nodes show their codes."""
    return "-".join(letters[at : at + GROUP] for at in range(0, len(letters), GROUP))


def letters_of(text: str) -> str:
    """The 34 letters and digits of a code: spaces, hyphens and small letters do not matter.

    RequestError for what is no code, with the group that is wrong if one is.
    """
    typed = re.sub(r"[\s\-]", "", text).upper().translate(_LIKE)
    for place, character in enumerate(typed):
        if character not in _ALPHABET:
            raise RequestError(
                f"{character!r} in group {place // GROUP + 1} is in no code: compare it with the node's."
            )
    if len(typed) != LENGTH:
        raise RequestError(f"That code has {len(typed)} characters instead of {LENGTH}: {_GIVEN}.")
    wrong = wrong_group([_ALPHABET.index(character) for character in typed])
    if wrong:
        group = typed[GROUP * (wrong - 1) : GROUP * wrong]
        raise RequestError(f"Group {wrong} of the code, {group}, is not right: compare it with the node's.")
    return typed


def psk_of(data: bytes) -> bytes:
    """The secret of hint and random bytes."""
    return hashlib.blake2b(b"attune-commissioning-1" + data, digest_size=32).digest()


def wrong_group(digits: list[int]) -> int:
    """The number of the group, from 1, in which a character differs; 0 if none does. Sure for one, likely for more."""
    weights = _weights()
    plain, weighted = digits[_DATA], digits[_DATA + 1]
    for digit, weight in zip(digits, weights, strict=False):
        plain ^= digit
        weighted ^= _times(digit, weight)
    if plain == 0 or weighted == 0:
        return LENGTH // GROUP + 1 if plain or weighted else 0
    return next(place for place, weight in enumerate(weights) if _times(plain, weight) == weighted) // GROUP + 1


def _weights() -> list[int]:
    weights = [1]
    while len(weights) < _DATA - 1:
        weights.append(_times(weights[-1], 2))
    return [*weights, weights[-2]]


def _times(a: int, b: int) -> int:
    """In GF(32) with x^5 + x^2 + 1."""
    product = 0
    while b:
        product ^= a if b & 1 else 0
        a = (a << 1) ^ (0b100101 if a & 16 else 0)
        b >>= 1
    return product
