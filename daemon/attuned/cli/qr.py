"""A QR code (ISO/IEC 18004) in characters of a terminal: two modules above each other in each."""

from __future__ import annotations

import segno
from rich.text import Text

# What a scanner needs to see around the code, in modules (ISO/IEC 18004, 9.1).
QUIET_ZONE = 4

_BLOCKS = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}


def drawn(text: str) -> Text:
    """Dark on light where there are colours, whatever those of the terminal are; up to 15 % of it may be damaged."""
    rows = [[bool(dark) for dark in row] for row in segno.make_qr(text, error="m").matrix_iter(border=QUIET_ZONE)]
    if len(rows) % 2:
        rows.append([False] * len(rows[0]))
    pairs = zip(rows[::2], rows[1::2], strict=True)
    lines = ["".join(_BLOCKS[pair] for pair in zip(upper, lower, strict=True)) for upper, lower in pairs]
    return Text("\n").join(Text(line, style="black on bright_white") for line in lines)
