"""The few words, marks and styles in which states and numbers appear. Pure: values in, rich texts out."""

from __future__ import annotations

from collections.abc import Sequence

from attune_proto.v1 import admin_pb2
from rich.text import Text

STATE_WORDS: dict[int, str] = {
    admin_pb2.ROOM_STATE_UNKNOWN: "unknown",
    admin_pb2.ROOM_STATE_FREE: "free",
    admin_pb2.ROOM_STATE_OCCUPIED: "occupied",
}
STATE_STYLES = {"unknown": "yellow", "free": "green", "occupied": "bold cyan"}
_MARKS = {"unknown": "?", "free": "○", "occupied": "●"}

NOT_TAUGHT = "not yet taught"
BEFORE = "earlier windows"

# Hex digits of a release's id that people are shown, and type.
ID_SHOWN = 8


def state_word(state: int) -> str:
    """`occupied`, `free` or `unknown`; states of a newer daemon count as unknown."""
    return STATE_WORDS.get(state, "unknown")


def state(state: int) -> Text:
    """Mark and word in the state's style."""
    word = state_word(state)
    return Text(f"{_MARKS[word]} {word}", style=STATE_STYLES[word])


def percent(probability: float) -> str:
    """Whole percent; what is not certain is never shown as 0 or 100."""
    if 0 < probability < 0.01:
        return "<1 %"
    if 0.99 < probability < 1:
        return ">99 %"
    return f"{probability * 100:.0f} %"


def signed(value: float) -> str:
    """Two decimals with a sign."""
    return f"{value:+.2f}"


def count(number: int, singular: str, plural: str = "") -> str:
    """`1 room`, `12,345 rooms`."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def floor(name: str) -> str:
    """A floor's heading: a bare number is not understood without its word."""
    return f"Floor {name}" if name.removeprefix("-").isdecimal() else name


def source(share_source: str) -> str:
    """The name under which a part of a room's log-odds is shown."""
    return BEFORE if share_source == "before" else share_source


def hundredths_that_add_up(values: Sequence[float], total: float) -> list[float]:
    """Values rounded to hundredths so that their sum is the rounded total (largest remainder).

    Where they are off by more than rounding explains, each is rounded for itself: the screen must not hide it.
    """
    exact = [value * 100 for value in values]
    whole = [round(value) for value in exact]
    missing = round(total * 100) - sum(whole)
    if abs(total * 100 - sum(exact)) > 0.5 or abs(missing) > len(whole):
        return [value / 100 for value in whole]
    step = 1 if missing > 0 else -1
    order = sorted(range(len(whole)), key=lambda i: (whole[i] - exact[i]) * step)
    for index in order[: abs(missing)]:
        whole[index] += step
    return [value / 100 for value in whole]
