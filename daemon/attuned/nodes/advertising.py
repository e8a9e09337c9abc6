"""Who advertises: the daemon makes the hints of its nodes out, and nobody else can (docs/protocol.md, "Bluetooth").

An advertised hint is 3 random bytes r and the first 5 of keyed BLAKE2b-256 of r; the key is of the node's code. No I/O.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Collection

ADVERTISED_SIZE = 8
KEY_SIZE = 32
_RANDOM_SIZE = 3

# What the hints of one source may cost, in keys tried: two percent of a core for a source that makes them up without
# end, and at once as much as 100 hints of a site of a thousand nodes, which is a tenth of a second.
TRIES_A_SECOND = 20_000
TRIES_AT_ONCE = 100_000

# Hints that are remembered, of ours and of others each: all that a dozen gateways hear.
REMEMBERED = 4_096


def advertising_key(data: bytes) -> bytes:
    """The key of a code: node hint (4 bytes), then its 16 random bytes."""
    return hashlib.blake2b(b"attune-advertising-1" + data, digest_size=KEY_SIZE).digest()


def advertised(key: bytes, random: bytes) -> bytes:
    """The 8 bytes that a node with this key advertises beside 3 random ones."""
    return random + hashlib.blake2b(random, key=key, digest_size=32).digest()[: ADVERTISED_SIZE - _RANDOM_SIZE]


def is_of(key: bytes, hint: bytes) -> bool:
    """Whether an advertised hint is one of this key."""
    return advertised(key, hint[:_RANDOM_SIZE]) == hint


class HintBook:
    """Hints that were made out, of the keys that are known now. Sources are named: each has an allowance of its own."""

    def __init__(self) -> None:
        self._keys: frozenset[bytes] = frozenset()
        self._found: OrderedDict[bytes, bytes] = OrderedDict()
        self._strange: OrderedDict[bytes, None] = OrderedDict()
        self._allowance: dict[str, tuple[int, float]] = {}

    def know(self, keys: Collection[bytes]) -> dict[bytes, bytes]:
        """From now on these keys count, and no others; hints of strangers that they turn out to be of, with the key."""
        added, self._keys = frozenset(keys) - self._keys, frozenset(keys)
        for hint in [hint for hint, key in self._found.items() if key not in self._keys]:
            del self._found[hint]
        turned = {hint: key for key in added for hint in self._strange if is_of(key, hint)}
        for hint, key in turned.items():
            del self._strange[hint]
            self._remember(self._found, hint, key)
        return turned

    def find(self, hint: bytes, source: str, now_ms: int) -> bytes | None:
        """The key of a hint; empty if it is of none, None if the source has brought too many for now."""
        if hint in self._found:
            self._found.move_to_end(hint)
            return self._found[hint]
        if hint in self._strange:
            self._strange.move_to_end(hint)
            return b""
        if len(hint) != ADVERTISED_SIZE:
            return b""
        if not self._may_try(source, now_ms):
            return None
        key = next((key for key in self._keys if is_of(key, hint)), b"")
        if key:
            self._remember(self._found, hint, key)
        else:
            self._remember(self._strange, hint, None)
        return key

    def _may_try(self, source: str, now_ms: int) -> bool:
        since_ms, left = self._allowance.get(source, (now_ms, float(TRIES_AT_ONCE)))
        left = min(left + TRIES_A_SECOND * (now_ms - since_ms) / 1000, TRIES_AT_ONCE)
        cost = min(max(len(self._keys), 1), TRIES_AT_ONCE)
        self._allowance[source] = now_ms, left - cost if left >= cost else left
        return left >= cost

    @staticmethod
    def _remember(book: "OrderedDict[bytes, bytes] | OrderedDict[bytes, None]", hint: bytes, key: bytes | None) -> None:
        book[hint] = key  # type: ignore[assignment]
        if len(book) > REMEMBERED:
            book.popitem(last=False)
