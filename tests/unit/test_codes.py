"""Codes of nodes: what the core writes and the daemon reads, against base64 and hashlib of Python."""

import base64
import hashlib

import pytest
from attune_core import code_psk, write_code
from attuned.errors import RequestError
from attuned.nodes.codes import LENGTH, read_code
from hypothesis import given
from hypothesis import strategies as st

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
HINT, BITS = bytes.fromhex("00a1b2c3"), bytes(range(16))
CODE = "ACQ3-FQYA-AEBA-GBAF-AYDQ-QCIK-BMGA-2DQP-V6"

hints = st.binary(min_size=4, max_size=4)
bits = st.binary(min_size=16, max_size=16)


def plain(code: str) -> str:
    return code.replace("-", "")


@given(hints, bits)
def test_a_code_is_base32_and_leads_to_its_secret(hint: bytes, secret: bytes) -> None:
    code = write_code(hint, secret)
    assert [len(group) for group in code.split("-")] == [4] * 8 + [2]
    assert base64.b32decode(plain(code)[:32]) == hint + secret
    psk = hashlib.blake2b(b"attune-commissioning-1" + hint + secret, digest_size=32).digest()
    assert code_psk(hint, secret) == psk
    assert (read_code(code).hint, read_code(code).psk) == (hint, psk)


def test_the_check_digits_by_hand() -> None:
    """A code of one digit: hint 08 00 00 00 is the base32 digits A E A A A..., digit 4 at place 1.

    c = 4 = E. d = 2 * 4 = 8 = I, the weight at place 1 being x = 2.
    """
    assert write_code(bytes([0x01, 0, 0, 0]), bytes(16)) == "AEAA-AAAA-AAAA-AAAA-AAAA-AAAA-AAAA-AAAA-EI"


def test_how_it_is_typed_does_not_matter() -> None:
    expected = read_code(CODE)
    assert write_code(HINT, BITS) == CODE
    for typed in (CODE.lower(), plain(CODE), f"  {CODE.replace('-', ' ')} ", CODE.replace("O", "0").replace("I", "1")):
        assert read_code(typed) == expected
    assert read_code(CODE.replace("B", "8")) == expected


def test_every_wrong_character_is_found_in_its_group() -> None:
    code = plain(CODE)
    for place in range(LENGTH):
        for character in set(ALPHABET) - {code[place]}:
            typed = code[:place] + character + code[place + 1 :]
            with pytest.raises(RequestError, match=rf"^Group {place // 4 + 1} of the code, \S+, is not right: compare"):
                read_code(typed)


@given(hints, bits, st.integers(0, LENGTH - 2))
def test_two_neighbours_changed_about_are_noticed(hint: bytes, secret: bytes, place: int) -> None:
    code = plain(write_code(hint, secret))
    typed = code[:place] + code[place + 1] + code[place] + code[place + 2 :]
    if typed != code:
        with pytest.raises(RequestError, match="is not right"):
            read_code(typed)


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("", "has 0 characters instead of 34"),
        (CODE[:-1], "has 33 characters instead of 34"),
        (CODE + "A", "has 35 characters instead of 34"),
        ("ACQ3-F9YA" + CODE[9:], "'9' in group 2 is in no code"),
        ("ACQ3-FQYA-ÄEBA" + CODE[14:], "'Ä' in group 3 is in no code"),
    ],
)
def test_what_is_no_code_gets_one_sentence(typed: str, says: str) -> None:
    with pytest.raises(RequestError, match=says) as caught:
        read_code(typed)
    assert str(caught.value).count("\n") == 0


def test_a_secret_is_not_shown() -> None:
    assert "psk" not in repr(read_code(CODE))
