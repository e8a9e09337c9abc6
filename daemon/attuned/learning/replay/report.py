"""The outcome of a replay as a JSON object and as a table for people."""

import resource
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime, tzinfo
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from attuned.learning.loop.run import LoopFigures
from attuned.learning.replay.following import HOLD_S, Delays
from attuned.learning.replay.run import Result
from attuned.learning.replay.scores import Scores, Steadiness

COLUMNS = {
    "windows": "windows",
    "accuracy": "acc.",
    "balanced_accuracy": "bal.\nacc.",
    "macro_f1": "macro\nF1",
    "brier": "Brier",
    "ece": "ECE",
    "unknown_share": "not\nknown",
    "changes_per_day": "changes\na day",
    "true_changes_per_day": "true\na day",
}
FOLLOWING = (
    "falsely\nfree",
    "falsely\nocc.",
    "missed\narr.",
    "missed\ndep.",
    "delay after\narrivals",
    "delay after\ndepartures",
)
FOLLOWING_TITLE = "Minutes a day falsely free or occupied; changes missed; delay: median, 90 %"
HOLD = f"  {HOLD_S // 60} min hold"


def peak_rss_mb() -> float:
    """The most memory that this process ever held, in MiB (Linux counts it in KiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def as_json(result: Result, peak_mb: float) -> dict[str, Any]:
    """The object that `attune replay --json` prints; its keys are a promise."""
    found = {
        "name": result.name,
        "head": result.head,
        "mode": result.mode,
        "labels": result.labels,
        "splits": {
            name: {**asdict(split.overall), "rooms": {room: asdict(scores) for room, scores in split.rooms.items()}}
            for name, split in result.splits.items()
        },
        "us_per_window": result.us_per_window,
        "head_bytes": result.head_bytes,
        "peak_rss_mb": peak_mb,
    }
    return found if result.loop is None else found | asdict(result.loop)


def as_screen(result: Result) -> Group:
    """How good the states were, and how they followed people.

    A line a split, and below it a line a room where it has several.
    """
    # Not titles of the tables, which would wrap at the width of a narrow table.
    first, second = (Text(title, style="italic") for title in (_title(result), FOLLOWING_TITLE))
    tables = (first, _scores_table(result), "", second, _following_table(result), "")
    return Group(*tables, *([] if result.loop is None else _loop_lines(result.loop, result.zone)))


def _loop_lines(loop: LoopFigures, zone: tzinfo) -> Iterator[str]:
    """What the loop did, in a line, and each thing that happened."""
    yield (
        f"{loop.labels_asked:,} labels asked, {loop.drift_events:,} drift events; "
        f"releases: {loop.releases:,} taken up, "
        f"{loop.refused:,} refused, {loop.undecided:,} with too little evidence; {loop.negative_flips:,} negative flips"
    )
    for one in loop.happenings:
        when = datetime.fromtimestamp(one.utc_ms / 1000, zone)
        yield f"  {when:%Y-%m-%d %H:%M}  {one.room or 'site':12}  {one.what:10}  {one.text}"
    yield ""


def _scores_table(result: Result) -> Table:
    table = _table(tuple(COLUMNS.values()))
    for name, scores in _lines(result):
        table.add_row(name, *(_cell(column, getattr(scores, column)) for column in COLUMNS), style=name.style)
    return table


def _title(result: Result) -> str:
    clock = ", with clock" if result.clock else ""
    late = f", labels {result.late_h:g} h late" if result.late_h else ""
    windows = "window" if result.labels == 1 else "windows"
    return f"{result.name}: {result.head}{clock}, {result.mode}{late}, {result.labels:,} labelled {windows}"


def _following_table(result: Result) -> Table:
    table = _table(FOLLOWING)
    for name, scores in _lines(result):
        table.add_row(name, *_following(scores), style=name.style)
        # A line for each room's hold timer would double a long table; JSON has them.
        if scores.hold_timer is not None and not name.style:
            table.add_row(Text(HOLD), *_following(scores.hold_timer), style="italic")
    return table


def _following(scores: Scores | Steadiness) -> list[str]:
    minutes = (scores.false_free_min_per_day, scores.false_occupied_min_per_day)
    changes = (scores.arrivals, scores.departures)
    missed = ["-" if some is None else f"{some.missed}/{some.changes}" for some in changes]
    return ["-" if some is None else f"{some:.1f}" for some in minutes] + missed + [_delay(some) for some in changes]


def _delay(delays: Delays | None) -> str:
    if delays is None or delays.median_s is None or delays.p90_s is None:
        return "-"
    return f"{_duration(delays.median_s)}, {_duration(delays.p90_s)}"


def _duration(seconds: float) -> str:
    """Two digits are enough to compare by: `48 s`, `10 min`, `1.6 h`."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 99.5 * 60 else f"{seconds / 3600:.1f} h"


def _table(headings: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False)
    # Where the terminal is too narrow for all, it is names that are cut, not figures.
    table.add_column("split", overflow="ellipsis")
    for heading in headings:
        table.add_column(heading, justify="right", vertical="bottom", no_wrap=True)
    return table


def _lines(result: Result) -> Iterator[tuple[Text, Scores]]:
    for name, split in result.splits.items():
        yield Text(name), split.overall
        for room, scores in split.rooms.items() if len(split.rooms) > 1 else ():
            yield Text(f"  {room}", style="dim"), scores


def cost_line(result: Result, peak_mb: float) -> str:
    """What it cost, in a line."""
    return f"{result.us_per_window:.1f} us a window, {result.head_bytes} bytes of head, {peak_mb:.0f} MiB of memory"


def _cells(scores: Scores) -> list[str]:
    return [_cell(name, getattr(scores, name)) for name in COLUMNS]


def _cell(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    if name == "windows":
        return f"{value:,}"
    return f"{value:.1f}" if name.endswith("per_day") else f"{value:.3f}"
