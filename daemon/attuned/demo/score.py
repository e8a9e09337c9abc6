"""How right a room was: what was said of it at the time, minute by minute, against who was there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

FREE, OCCUPIED = 1, 2
"""As in attune.v1.RoomState."""

IN_USE, EMPTY, WRONG = "█", "·", "x"
"""Marks of a strip: rightly occupied, rightly free, and wrong."""


@dataclass(frozen=True)
class Score:
    """Minutes that were free and occupied, and how many of each were recognised."""

    free: int = 0
    occupied: int = 0
    free_right: int = 0
    occupied_right: int = 0

    def __add__(self, other: Score) -> Score:
        return Score(
            self.free + other.free,
            self.occupied + other.occupied,
            self.free_right + other.free_right,
            self.occupied_right + other.occupied_right,
        )

    @property
    def accuracy(self) -> float:
        """Share of the minutes that were right; 0 without any."""
        return (self.free_right + self.occupied_right) / max(self.free + self.occupied, 1)

    @property
    def recognised(self) -> float:
        """Share of the occupied minutes that were recognised; 0 without any."""
        return self.occupied_right / max(self.occupied, 1)


def score(room: str, said: Iterable[tuple[int, int]], truth: Mapping[int, frozenset[str]]) -> Score:
    """Of (UTC in ms, state) of minutes; those of which the truth is not known are left out."""
    total = Score()
    for utc_ms, state in said:
        if utc_ms in truth:
            there = room in truth[utc_ms]
            total += Score(not there, there, not there and state == FREE, there and state == OCCUPIED)
    return total


def strip(
    room: str, said: Iterable[tuple[int, int]], truth: Mapping[int, frozenset[str]], ends_utc_ms: Sequence[int]
) -> str:
    """A mark for each stretch between two of these times: what most of its minutes were; a blank for none."""
    minutes = [(utc_ms, score(room, [(utc_ms, state)], truth)) for utc_ms, state in said]
    pairs = pairwise(ends_utc_ms)
    return "".join(_mark([one for utc_ms, one in minutes if first < utc_ms <= last]) for first, last in pairs)


def _mark(minutes: Sequence[Score]) -> str:
    whole = sum(minutes, Score())
    if not whole.free + whole.occupied:
        return " "
    if whole.accuracy < 1 / 2:
        return WRONG
    return IN_USE if whole.occupied > whole.free else EMPTY
