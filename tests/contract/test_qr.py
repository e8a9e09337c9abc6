"""The QR code on the terminal, read as a scanner reads it: ISO/IEC 18004 for one small case, written anew here."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from attuned.cli.qr import QUIET_ZONE, drawn, drawn_plainly
from rich.console import Console
from rich.text import Text

# Version 2 has 25 modules a side; its 44 bytes at level M are 28 of data and 16 that correct (table 9).
SIDE, DATA_BYTES, ALL_BYTES = 25, 28, 44
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
MASKS = (
    lambda i, j: (i + j) % 2 == 0,
    lambda i, j: i % 2 == 0,
    lambda i, j: j % 3 == 0,
    lambda i, j: (i + j) % 3 == 0,
    lambda i, j: (i // 2 + j // 3) % 2 == 0,
    lambda i, j: i * j % 2 + i * j % 3 == 0,
    lambda i, j: (i * j % 2 + i * j % 3) % 2 == 0,
    lambda i, j: ((i + j) % 2 + i * j % 3) % 2 == 0,
)


def modules(lines: list[str]) -> list[list[int]]:
    """Dark is 1; the quiet zone is checked and taken off."""
    upper, lower = {"▀", "█"}, {"▄", "█"}
    rows = [[int(mark in half) for mark in line] for line in lines for half in (upper, lower)]
    inner = range(QUIET_ZONE, QUIET_ZONE + SIDE)
    assert all(not row[j] for i, row in enumerate(rows) for j in range(len(row)) if i not in inner or j not in inner)
    return [[rows[i][j] for j in inner] for i in inner]


def is_function(i: int, j: int) -> bool:
    """Finders with their borders and the format, timing, the alignment at 18, 18 (figure 17 and annex E)."""
    finder = (i < 9 and j < 9) or (i < 9 and j >= SIDE - 8) or (i >= SIDE - 8 and j < 9)
    return finder or i == 6 or j == 6 or (abs(i - 18) <= 2 and abs(j - 18) <= 2)


def format_of(grid: list[list[int]]) -> tuple[int, int]:
    """Level and mask, of the fifteen bits around the first finder (7.9)."""
    places = [(8, j) for j in (0, 1, 2, 3, 4, 5, 7, 8)] + [(i, 8) for i in (7, 5, 4, 3, 2, 1, 0)]
    bits = int("".join(str(grid[i][j]) for i, j in places), 2) ^ 0b101010000010010
    return bits >> 13, bits >> 10 & 7


def data_bytes(grid: list[list[int]], mask: int) -> bytes:
    """In pairs of columns from the right, up and down in turn, without the timing column (7.7.3)."""
    columns = [*range(SIDE - 1, 6, -1), *range(5, -1, -1)]
    bits = []
    for turn, pair in enumerate(zip(columns[::2], columns[1::2], strict=True)):
        rows = range(SIDE) if turn % 2 else range(SIDE - 1, -1, -1)
        bits += [grid[i][j] ^ MASKS[mask](i, j) for i in rows for j in pair if not is_function(i, j)]
    whole = "".join(str(int(bit)) for bit in bits[: 8 * ALL_BYTES])
    return int(whole, 2).to_bytes(ALL_BYTES, "big")


def times(a: int, b: int) -> int:
    """In GF(256) with x^8 + x^4 + x^3 + x^2 + 1 (7.5.2)."""
    product = 0
    while b:
        product ^= a if b & 1 else 0
        a = (a << 1) ^ (0x11D if a & 128 else 0)
        b >>= 1
    return product


def is_code_word(data: bytes) -> bool:
    """All sixteen syndromes of the Reed-Solomon code are zero."""
    root = 1
    for _ in range(ALL_BYTES - DATA_BYTES):
        syndrome = 0
        for byte in data:
            syndrome = times(syndrome, root) ^ byte
        if syndrome:
            return False
        root = times(root, 2)
    return True


def text_of(data: bytes) -> str:
    """Alphanumeric mode (7.4.4): 4 bits of mode, 9 of length, 11 bits for two characters, 6 for a last one."""
    bits = f"{int.from_bytes(data[:DATA_BYTES], 'big'):0{8 * DATA_BYTES}b}"
    assert bits[:4] == "0010"
    length, at, text = int(bits[4:13], 2), 13, ""
    while len(text) < length - 1:
        text += "".join(ALPHABET[part] for part in divmod(int(bits[at : at + 11], 2), 45))
        at += 11
    return text if len(text) == length else text + ALPHABET[int(bits[at : at + 6], 2)]


def printed(text: str, drawing: Callable[[str], Text] = drawn) -> list[str]:
    console = Console(width=80, no_color=True, color_system=None)
    with console.capture() as captured:
        console.print(drawing(text))
    return captured.get().splitlines()


def read(grid: list[list[int]]) -> str:
    level, mask = format_of(grid)
    # Level M is 00 in the format (table 12).
    assert level == 0
    data = data_bytes(grid, mask)
    assert is_code_word(data)
    return text_of(data)


def some_text(seed: int) -> str:
    return "".join(random.Random(seed).choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", k=34))


@pytest.mark.parametrize("seed", range(20))
def test_a_scanner_reads_what_was_drawn(seed: int) -> None:
    text = some_text(seed)
    assert read(modules(printed(text))) == text


def test_without_colours_there_is_one_for_light_screens_and_one_for_dark_screens() -> None:
    text = some_text(1)
    lines = printed(text, lambda letters: drawn_plainly(letters, 80))
    side = SIDE + 2 * QUIET_ZONE
    assert {len(line) for line in lines} == {2 * side + 2}
    other = {" ": "█", "█": " ", "▀": "▄", "▄": "▀"}
    assert read(modules([line[:side] for line in lines])) == text
    # Where letters are light, what is drawn is light, the quiet zone too.
    assert read(modules(["".join(other[mark] for mark in line[-side:]) for line in lines])) == text


def test_it_is_dark_on_light_whatever_the_terminal_is() -> None:
    console = Console(width=80, force_terminal=True, color_system="standard")
    with console.capture() as captured:
        console.print(drawn("A" * 34))
    # Black letters, bright white ground (ECMA-48 and the 16 colours of terminals).
    assert all(line.startswith("\x1b[30;107m") for line in captured.get().splitlines())
