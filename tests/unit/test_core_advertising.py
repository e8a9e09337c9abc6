"""Advertised hints of the core against hashlib and the golden file."""

import hashlib
from pathlib import Path

from attune_core import advertised_hint, advertising_key
from hypothesis import given
from hypothesis import strategies as st

GOLDEN = Path(__file__).parents[1] / "vectors" / "advertising.txt"


def sized(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size)


@given(sized(4), sized(16), sized(3))
def test_hints_are_those_of_hashlib(hint: bytes, bits: bytes, drawn: bytes) -> None:
    key = hashlib.blake2b(b"attune-advertising-1" + hint + bits, digest_size=32).digest()
    assert advertising_key(hint, bits) == key
    assert advertised_hint(key, drawn) == drawn + hashlib.blake2b(drawn, key=key, digest_size=32).digest()[:5]


def test_hints_are_those_of_the_golden_file() -> None:
    now: dict[str, bytes] = {}
    checked = 0
    for line in GOLDEN.read_text().splitlines():
        word, _, rest = line.partition("#")[0].strip().partition(" ")
        value = bytes.fromhex(rest)
        if word == "key":
            assert advertising_key(now["hint"], now["code"]) == value
        if word == "advertised":
            assert advertised_hint(now["key"], value[:3]) == value
            checked += 1
        now[word] = value
    assert checked == 6
