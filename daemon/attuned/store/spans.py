"""Stretches of time."""

from collections.abc import Iterable

Span = tuple[int, int]  # (from, to] of UTC in ms


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same time in stretches that do not overlap, in order of time."""
    found: list[Span] = []
    for first, last in sorted(spans):
        if found and first <= found[-1][1]:
            found[-1] = found[-1][0], max(last, found[-1][1])
        else:
            found.append((first, last))
    return found
