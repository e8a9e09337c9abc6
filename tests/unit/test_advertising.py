"""Who advertises: hints of nodes made out by their keys, in bounded work and memory."""

from pathlib import Path

import pytest
from attuned.nodes import advertising
from attuned.nodes.advertising import HintBook, advertised, advertising_key, is_of
from attuned.nodes.codes import read_code

VECTORS = Path(__file__).parents[1] / "vectors" / "advertising.txt"
CODE = "ACQ3-FQYA-AEBA-GBAF-AYDQ-QCIK-BMGA-2DQP-V6"

KEYS = [bytes([number]) * 32 for number in range(4)]


def golden() -> list[tuple[bytes, bytes, list[bytes]]]:
    """(hint and random bytes of a code, its key, what its node may advertise) of each case."""
    cases: list[tuple[bytes, bytes, list[bytes]]] = []
    for line in VECTORS.read_text().splitlines():
        word, _, digits = line.partition(" ")
        if word == "hint":
            data = bytes.fromhex(digits)
        elif word == "code":
            data += bytes.fromhex(digits)
        elif word == "key":
            cases.append((data, bytes.fromhex(digits), []))
        elif word == "advertised":
            cases[-1][2].append(bytes.fromhex(digits))
    return cases


@pytest.mark.parametrize(("data", "key", "hints"), golden())
def test_golden_hints(data: bytes, key: bytes, hints: list[bytes]) -> None:
    assert advertising_key(data) == key
    assert hints
    for hint in hints:
        assert advertised(key, hint[:3]) == hint
        assert is_of(key, hint)
        assert not is_of(key, hint[:-1] + bytes([hint[-1] ^ 1]))


def test_a_code_has_the_key_of_what_its_node_advertises() -> None:
    assert read_code(CODE).advertising == golden()[0][1]
    assert read_code(CODE).advertising.hex() not in repr(read_code(CODE))


def test_hints_are_made_out_by_whoever_has_the_key_and_nobody_else() -> None:
    book = HintBook()
    assert book.know(KEYS[:2]) == {}
    for key in KEYS[:2]:
        assert book.find(advertised(key, b"abc"), "gw", 0) == key
    assert book.find(advertised(KEYS[2], b"abc"), "gw", 0) == b""
    assert book.find(b"", "gw", 0) == b""


def test_a_key_that_comes_makes_out_who_was_a_stranger_and_one_that_goes_is_one_again() -> None:
    book = HintBook()
    hint = advertised(KEYS[2], b"abc")
    assert book.find(hint, "gw", 0) == b""
    assert book.know(KEYS) == {hint: KEYS[2]}
    assert book.find(hint, "gw", 0) == KEYS[2]
    book.know(KEYS[:2])
    assert book.find(hint, "gw", 0) == b""


def test_made_up_hints_cost_a_bounded_number_of_tries_of_each_source(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = 0

    def counted(key: bytes, random: bytes) -> bytes:
        nonlocal tried
        tried += 1
        return bytes(8)

    book = HintBook()
    book.know([number.to_bytes(32, "big") for number in range(1000)])
    monkeypatch.setattr(advertising, "advertised", counted)
    # Ten seconds of 500 new hints a second each, one every two milliseconds.
    answers = [book.find(number.to_bytes(8, "big"), "loud", number * 2) for number in range(1, 5001)]
    assert None in answers
    assert tried <= advertising.TRIES_AT_ONCE + 10 * advertising.TRIES_A_SECOND
    # Another gateway has an allowance of its own, and what is known costs nothing.
    tried = 0
    assert book.find(bytes(7) + b"\xff", "quiet", 10_000) == b""
    assert tried == 1000
    assert book.find((1).to_bytes(8, "big"), "loud", 10_000) == b""
    assert tried == 1000


def test_made_up_hints_fill_no_memory_and_push_out_none_of_ours() -> None:
    book = HintBook()
    book.know(KEYS)
    ours = advertised(KEYS[0], b"abc")
    assert book.find(ours, "gw", 0) == KEYS[0]
    for number in range(3 * advertising.REMEMBERED):
        book.find(number.to_bytes(8, "little"), "gw", number * 1000)
    assert len(book._strange) == advertising.REMEMBERED
    assert list(book._found) == [ours]
