"""The outcome of a replay as a JSON object and as a table for people."""

import resource
from dataclasses import asdict
from typing import Any

from rich.table import Table
from rich.text import Text

from attuned.learning.replay.run import Result
from attuned.learning.replay.scores import Scores

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


def peak_rss_mb() -> float:
    """The most memory that this process ever held, in MiB (Linux counts it in KiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def as_json(result: Result, peak_mb: float) -> dict[str, Any]:
    """The object that `attune replay --json` prints; its keys are a promise."""
    return {
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


def as_table(result: Result) -> Table:
    """A line a split, and below it a line a room where it has several."""
    title = Text(f"{result.name}: {result.head}, {result.mode}, {result.labels:,} labelled windows")
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("split", no_wrap=True, overflow="ellipsis")
    for heading in COLUMNS.values():
        table.add_column(heading, justify="right", vertical="bottom")
    for name, split in result.splits.items():
        table.add_row(Text(name), *_cells(split.overall))
        for room, scores in split.rooms.items() if len(split.rooms) > 1 else ():
            table.add_row(Text(f"  {room}", style="dim"), *_cells(scores), style="dim")
    return table


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
