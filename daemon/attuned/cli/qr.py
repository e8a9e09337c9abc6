"""A QR code (ISO/IEC 18004) in characters of a terminal: two modules above each other in each."""

from __future__ import annotations

import segno
from rich.text import Text

# What a scanner needs to see around the code, in modules (ISO/IEC 18004, 9.1).
QUIET_ZONE = 4

_BLOCKS = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}


# Between two codes: without it the ground of the one would be the quiet zone of the other.
_GAP = "  "

WHICH = "Twice the same: scan the first one where the screen is light, the second one where it is dark."


def drawn(text: str) -> Text:
    """Dark on light where there are colours, whatever those of the terminal are; up to 15 % of it may be damaged."""
    return Text("\n").join(Text(line, style="black on bright_white") for line in _lines(_modules(text)))


def drawn_plainly(text: str, width: int) -> Text:
    """Without colours, for dark letters on a light ground and for light ones on a dark ground, beside each other where
    so many columns are wide enough."""
    dark = _modules(text)
    light = [[not module for module in row] for row in dark]
    if width < 2 * len(dark[0]) + len(_GAP):
        return Text("\n".join([*_lines(dark), "", *_lines(light)]))
    return Text("\n".join(_GAP.join(pair) for pair in zip(_lines(dark), _lines(light), strict=True)))


def _modules(text: str) -> list[list[bool]]:
    """True is dark; an even number of rows."""
    rows = [[bool(dark) for dark in row] for row in segno.make_qr(text, error="m").matrix_iter(border=QUIET_ZONE)]
    return [*rows, *[[False] * len(rows[0])] * (len(rows) % 2)]


def _lines(rows: list[list[bool]]) -> list[str]:
    """Two rows in each line; what is True is drawn."""
    pairs = zip(rows[::2], rows[1::2], strict=True)
    return ["".join(_BLOCKS[pair] for pair in zip(upper, lower, strict=True)) for upper, lower in pairs]
