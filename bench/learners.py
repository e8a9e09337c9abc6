"""Attune's default configuration and its single heads on recordings, beside everything that a user would pick instead.

`--ours` runs Attune alone (and shows no peer), `--quick` few rows and peers, `--row TEXT` the rows whose name contains it.
"""

import argparse
import sys
from collections.abc import Sequence

from rich.console import Console

from bench.ladder import ours, tables
from bench.ladder.answers import answers, jobs, row_peers
from bench.ladder.judged import Outcome, outcome
from bench.ladder.rows import QUICK, chosen


def arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench BENCH='learners ...'", description=__doc__)
    parser.add_argument("--ours", action="store_true", help="run Attune alone")
    parser.add_argument("--quick", action="store_true", help="few rows and few peers")
    parser.add_argument("--row", action="append", default=[], help="only the rows whose name contains this text")
    return parser.parse_args(words)


def measure(names: Sequence[str], quick: bool, ours_only: bool) -> list[Outcome]:
    """All lines of the rows with these names."""
    rows = chosen(tuple(names))
    todo = [job for row in rows for job in jobs(row, quick, ours_only)]
    found = answers(todo)
    peers = {row: () if ours_only else row_peers(row, quick) for row in rows}
    return [outcome(row, line, peers[row], found) for row in rows for line in row.lines]


def show(outcomes: Sequence[Outcome]) -> None:
    # A table is wider than most terminals: lines are cut by the pager, not folded here.
    console = Console(width=230)
    console.print(tables.as_table("Accuracy", tables.ACCURACY_HEADINGS, tables.accuracy_rows(outcomes)))
    console.print(tables.as_table("Detail", tables.DETAIL_HEADINGS, tables.detail_rows(outcomes)))
    console.print(tables.as_table("Heads", ("row", ours.DEFAULT, *ours.HEADS), tables.head_rows(outcomes)))


def main(words: Sequence[str] = ()) -> int:
    """Measures, prints, and writes what was asked for."""
    asked = arguments(words)
    names = asked.row or (list(QUICK) if asked.quick else [])
    show(measure(names, asked.quick, asked.ours))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
