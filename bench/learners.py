"""Attune's default configuration and its single heads on recordings, beside everything that a user would pick instead.

Rows are recordings under a condition (bench/ladder/rows.py). The first whole run takes five minutes on two
cores; later ones take what peers said from build/, as far as their inputs are the same.
"""

import argparse
import sys
from collections.abc import Sequence

from rich.console import Console

from bench.ladder import criteria, last, ours, page, shortcut, tables, written
from bench.ladder.answers import answers, jobs, row_peers, workers
from bench.ladder.crossed import crossed
from bench.ladder.forgetting import Forgetting, forgetting
from bench.ladder.judged import Outcome, outcome
from bench.ladder.rows import QUICK, Row, chosen

# Tables are wider than most terminals, and folded cells are harder to read than long lines.
WIDTH = 250


def arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.run learners", description=__doc__)
    parser.add_argument("--ours", action="store_true", help="run Attune alone, beside the peers of the last whole run")
    parser.add_argument("--quick", action="store_true", help="few rows and few peers")
    parser.add_argument(
        "--row", action="append", default=[], help="only rows whose name contains this; may be repeated"
    )
    parser.add_argument("--choose", action="store_true", help="cross-validate heads over days inside train splits")
    parser.add_argument("--page", action="store_true", help="write the tables into docs/learning.md, too")
    return parser.parse_args(words)


def measure(rows: Sequence[Row], quick: bool, ours_only: bool) -> list[Outcome]:
    """All lines of the rows."""
    found = answers([job for row in rows for job in jobs(row, quick, ours_only)])
    peers = {row: () if ours_only else row_peers(row, quick) for row in rows}
    outcomes = [outcome(row, line, peers[row], found) for row in rows for line in row.lines]
    return [last.beside(one) for one in outcomes] if ours_only else outcomes


def choose(rows: Sequence[Row]) -> dict[str, tables.Sheet]:
    """By what the default may be chosen."""
    able = [row for row in rows if not row.streamed and row.counted]
    people = (ours.DEFAULT, *ours.HEADS)
    with workers() as pool:
        todo = {(row, who): pool.submit(crossed, row, ours.head_of(who)) for row in able for who in people}
        found = {row.name: {who: todo[row, who].result() for who in people} for row in able}
    return {"choice": tables.crossed(found)}


def forgotten() -> list[Forgetting]:
    return [one for head in ours.HEADS for one in forgetting(head)]


def show(sheets: Sequence[tables.Sheet]) -> None:
    console = Console(width=WIDTH)
    for sheet in sheets:
        console.print(tables.printed(sheet))
        console.print()


def compare(rows: Sequence[Row], quick: bool, ours_only: bool) -> dict[str, tables.Sheet]:
    """Everyone on test splits, each figure as CSV, too."""
    outcomes = measure(rows, quick, ours_only)
    lost = forgotten()
    written.write(outcomes)
    if not ours_only and not quick:
        last.keep(outcomes)
    return {
        "accuracy": tables.accuracy(outcomes),
        "detail": tables.detail(outcomes),
        "heads": tables.heads(outcomes),
        "forgetting": tables.forgetting(lost),
        "criteria": tables.criteria(criteria.criteria(outcomes, lost)),
    }


def main(words: Sequence[str] = ()) -> int:
    """Measures, prints, and writes CSV and, if asked, the page."""
    asked = arguments(words)
    rows = chosen(tuple(asked.row or (QUICK if asked.quick else ())))
    shortcut.write()
    sheets = choose(rows) if asked.choose else compare(rows, asked.quick, asked.ours)
    show(list(sheets.values()))
    if asked.page:
        page.write({name: page.markdown(sheet.headings, sheet.rows) for name, sheet in sheets.items()})
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
