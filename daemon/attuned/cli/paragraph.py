"""Paragraphs in lines that fit. What stands between backticks stays on one line: it is copied, and pasted."""

from __future__ import annotations

import re
import textwrap

# No space to a wrapper; it is none in what is shown.
_KEPT = "\u00a0"


def lines(text: str, width: int, *, first: str = "", others: str = "") -> list[str]:
    """The lines of a text, each begun by its margin; a word that is longer than the width has a line of its own."""
    held = re.sub(r"`[^`]*`", lambda command: command[0].replace(" ", _KEPT), text)
    wrapper = textwrap.TextWrapper(width, first, others, break_on_hyphens=False, break_long_words=False)
    return [line.replace(_KEPT, " ") for line in wrapper.wrap(held)]
