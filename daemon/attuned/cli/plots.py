"""Small plots of characters: shares as bars, a room's day as a curve. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import tzinfo

from attune_proto.v1 import admin_pb2
from rich.text import Text

from attuned.cli import clock, look

_EIGHTHS = " ▁▂▃▄▅▆▇█"
_UNKNOWN = "·"
# Longer than the longest window, so that only a real gap breaks the curve.
_HOLD_MS = 15 * 60_000


def bar(value: float, scale: float, half_width: int) -> Text:
    """A bar from a middle line, to the right where the value is positive; `scale` is the value at a half's end."""
    halves = round(min(abs(value) / scale, 1.0) * half_width * 2) if scale > 0 else 0
    full, half = divmod(halves, 2)
    if value >= 0:
        stroke = "━" * full + "╸" * half
        return Text(" " * half_width + "│").append(stroke, style=look.STATE_STYLES["occupied"])
    stroke = ("╺" * half + "━" * full).rjust(half_width)
    return Text().append(stroke, style=look.STATE_STYLES["free"]).append("│", style="")


def day_curve(points: Sequence[admin_pb2.BeliefPoint], start: int, end: int, width: int, rows: int = 3) -> list[Text]:
    """Mean probability of being occupied, as it is known now, in `width` stretches of [start, end) UTC ms.

    A point holds until the next one, at most a quarter of an hour. A stretch that is unknown for more than half of its
    length shows a dot on the ground line. Returns `rows` lines, the highest first.
    """
    means = list(_means(points, start, end, width))
    lines = []
    for row in reversed(range(rows)):
        line = Text()
        for mean in means:
            line.append(_cell(mean, row, rows), style=_style(mean))
        lines.append(line)
    return lines


def hour_ticks(start: int, end: int, width: int, zone: tzinfo) -> Text:
    """The line below a curve: every sixth full hour of the site's clock, written where it begins."""
    line = [" "] * width
    step = (end - start) / width
    hours = [clock.local(round(start + column * step), zone).hour for column in range(width)]
    for column in range(1, width - 4):
        if hours[column] != hours[column - 1] and hours[column] % 6 == 0:
            line[column : column + 5] = f"{hours[column]:02d}:00"
    return Text("".join(line).rstrip(), style="dim")


def time_in_states(points: Sequence[admin_pb2.BeliefPoint], start: int, end: int) -> dict[str, int]:
    """Milliseconds in each state as it is known now; what no point covers is unknown."""
    spent = dict.fromkeys(("occupied", "free", "unknown"), 0)
    for begin, stop, point in _stretches(points, start, end):
        spent[look.state_word(point.known)] += stop - begin
    spent["unknown"] += end - start - sum(spent.values())
    return spent


def _stretches(
    points: Sequence[admin_pb2.BeliefPoint], start: int, end: int
) -> Iterator[tuple[int, int, admin_pb2.BeliefPoint]]:
    ends = [point.utc_ms for point in points[1:]] + [end]
    for point, following in zip(points, ends, strict=False):
        begin, stop = max(point.utc_ms, start), min(following, point.utc_ms + _HOLD_MS, end)
        if begin < stop:
            yield begin, stop, point


def _means(points: Sequence[admin_pb2.BeliefPoint], start: int, end: int, width: int) -> Iterator[float | None]:
    step = (end - start) / width
    known, weight = [0.0] * width, [0.0] * width
    for begin, stop, point in _stretches(points, start, end):
        if point.known == admin_pb2.ROOM_STATE_UNKNOWN:
            continue
        for column in range(int((begin - start) / step), min(int((stop - start) / step) + 1, width)):
            part = min(stop, start + (column + 1) * step) - max(begin, start + column * step)
            known[column] += max(part, 0.0) * point.known_probability
            weight[column] += max(part, 0.0)
    for total, seen in zip(known, weight, strict=True):
        yield total / seen if seen * 2 >= step else None


def _cell(mean: float | None, row: int, rows: int) -> str:
    if mean is None:
        return _UNKNOWN if row == 0 else " "
    # The ground line always shows, so that an empty room does not look like a missing one.
    eighths = max(round(mean * rows * 8), 1) - row * 8
    return _EIGHTHS[min(max(eighths, 0), 8)]


def _style(mean: float | None) -> str:
    if mean is None:
        return look.STATE_STYLES["unknown"]
    return look.STATE_STYLES["occupied" if mean >= 0.5 else "free"]
