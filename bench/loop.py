"""The loop: what chosen labels are worth, five of them a day against drift, and recovery after a change.

About five minutes on one core. `make bench BENCH=loop`.
"""

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from rich.console import Console

from bench.ladder.tables import Sheet, printed
from bench.looping.budget import Compared, compared
from bench.looping.curves import COUNTS, SEEDS, WHO, Point, across, area, points, rows, shifts
from bench.looping.recovery import JUDGED, LABELS, LOOPED, Recovered, recovered
from bench.output.results import surroundings, write


class Record(NamedTuple):
    """A line of the CSV: `figure` is a balanced accuracy, or hours."""

    part: str
    row: str
    who: str
    seed: int
    labels: int
    figure: float


def means(found: Sequence[Point], who: str) -> list[float]:
    """Mean accuracy after each count of labels."""
    return [float(np.mean([one.accuracy for one in found if (one.who, one.labels) == (who, n)])) for n in COUNTS]


def needed(level: float, reached: Sequence[float]) -> int | None:
    """The fewest of COUNTS that reach a level."""
    return next((count for count, one in zip(COUNTS, reached, strict=True) if one >= level), None)


def curves(title: str, by_row: dict[str, list[Point]]) -> Sheet:
    """A line a row and way of choosing; the level is what random labels reach with the most."""
    lines = []
    for name, found in by_row.items():
        level = means(found, "random")[-1]
        for who in WHO:
            reached = means(found, who)
            few = needed(level, reached)
            figures = [f"{one:.3f}" for one in (*reached, area(COUNTS, reached))]
            lines.append([name, who, *figures, str(few) if few else f"over {COUNTS[-1]}"])
    headings = ("row", "labels", *map(str, COUNTS), "area", f"labels for random's {COUNTS[-1]}")
    return Sheet(title, headings, lines)


def budgets(found: Sequence[Compared]) -> Sheet:
    lines = [
        [one.row, one.split, one.room, str(one.labels), *(f"{x:.3f}" for x in (one.frozen, one.online, one.loop)),
         f"{one.loop - one.frozen:+.3f}"]
        for one in found
    ]  # fmt: skip
    mean = [float(np.mean([getattr(one, what) for one in found])) for what in ("frozen", "online", "loop")]
    lines.append(["mean", "", "", "", *(f"{one:.3f}" for one in mean), f"{mean[2] - mean[0]:+.3f}"])
    headings = ("row", "split", "room", "labels", "frozen", "every label, 24 h late", "loop, 5 a day", "gain")
    return Sheet("Balanced accuracy with five labels a day", headings, lines)


def recoveries(found: Sequence[Recovered]) -> Sheet:
    who, detectors = list(found[0].accuracy), list(found[0].detectors)
    titles = [_broken(name) for name in (*who, *detectors)]
    lines = [
        [one.room, one.change, str(one.labels), _when(one.event), *(f"{one.accuracy[name]:.3f}" for name in who),
         *(_when(one.detectors[name]) for name in detectors)]
        for one in found
    ]  # fmt: skip
    headings = ("room", "change", "labels", "found\nafter h", *titles)
    title = f"Recovery: {LABELS} labels in {LOOPED} days after a change, judged on {JUDGED} more (alarms before it)"
    return Sheet(title, headings, lines)


def _broken(name: str) -> str:
    """A heading in lines that are short enough for a terminal."""
    return name.replace("river ", "river\n").replace(", ", ",\n").replace(" by", "\nby")


def _when(alarm: tuple[float | None, int]) -> str:
    delay, early = alarm
    return ("never" if delay is None else f"{delay:.0f}") + (f" ({early})" if early else "")


def main() -> int:
    """Measures, prints the tables and writes every figure to `results/loop.csv`."""
    start = time.perf_counter()
    same = {stretch.name: points(stretch) for stretch in rows()}
    over = {train.name: across(train, test) for train, test in shifts()}
    beside, back = list(compared()), list(recovered())
    sheets = (
        curves(f"Balanced accuracy on held-back days of the same stretch, mean of {SEEDS} seeds; area over log", same),
        curves("The same across a shift", over),
        budgets(beside),
        recoveries(back),
    )
    console = Console(width=200)
    for sheet in sheets:
        console.print(printed(sheet))
        console.print()
    console.print(f"{time.perf_counter() - start:.0f} s")
    records = [*_points("same stretch", same), *_points("shift", over), *_compared(beside), *_recovered(back)]
    write("loop", (record._asdict() for record in records), surroundings("numpy", "river"))
    return 0


def _points(part: str, by_row: dict[str, list[Point]]) -> list[Record]:
    every = (one for found in by_row.values() for one in found)
    return [Record(part, one.row, one.who, one.seed, one.labels, one.accuracy) for one in every]


def _compared(found: Sequence[Compared]) -> list[Record]:
    return [
        Record("budget", f"{one.row}, {one.split}, {one.room}", who, 0, one.labels, getattr(one, who))
        for one in found
        for who in ("frozen", "online", "loop")
    ]


def _recovered(found: Sequence[Recovered]) -> list[Record]:
    records: list[Record] = []
    for one in found:
        row = f"{one.room}, {one.change}"
        records += [Record("recovery", row, who, 0, one.labels, figure) for who, figure in one.accuracy.items()]
        for who, (delay, _) in {"event": one.event, **one.detectors}.items():
            records.append(Record("hours to the first alarm", row, who, 0, 0, np.nan if delay is None else delay))
    return records


if __name__ == "__main__":
    raise SystemExit(main())
