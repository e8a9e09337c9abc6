"""How long the core takes for 100,000 windows of 24 features: predict and filter, as a replay does, in both builds.

The budget is one second for the float32 build. The rows are what a replay calls; `step` is the daemon's way, one window
at a time from Python.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
from attune_core import Filter, Head
from rich.console import Console
from rich.table import Table

from bench.output import results

WINDOWS = 100_000
FEATURES = 24
LABELS = 1000
BUDGET_S = 1.0
SEED = 11


@dataclass(frozen=True)
class Row:
    """One line of the table: the fastest of three runs."""

    what: str
    precision: str
    windows: int
    seconds: float
    budget_s: float | None = None


def fastest(work: Callable[[], object]) -> float:
    """Seconds of the fastest of three runs."""

    def once() -> float:
        began = time.perf_counter()
        work()
        return time.perf_counter() - began

    return min(once() for _ in range(3))


def measure(precision: str) -> list[Row]:
    """Learn 1,000 windows, then predict and filter 100,000 others."""
    source = np.random.default_rng(SEED)
    classes = source.integers(0, 2, LABELS, dtype=np.uint8)
    centres = source.normal(0, 1500, (2, FEATURES))
    taught = (centres[classes] + source.normal(0, 1000, (LABELS, FEATURES))).astype(np.int16)
    seen = source.normal(0, 1500, (WINDOWS, FEATURES)).astype(np.int16)
    head = Head("gnb", FEATURES, precision)
    learning = fastest(lambda: head.learn(taught, classes))
    evidence, known = head.predict(seen)
    rows = [tuple(row) for row in evidence.tolist()]
    one = Filter(2, 60, precision)
    budget = BUDGET_S if precision == "float32" else None
    return [
        Row("learn", precision, LABELS, learning),
        Row("predict", precision, WINDOWS, fastest(lambda: head.predict(seen))),
        Row("filter, batch", precision, WINDOWS, fastest(lambda: Filter(2, 60, precision).run(evidence, known))),
        Row("filter, step by step", precision, WINDOWS, fastest(lambda: [one.step(row) for row in rows])),
        Row("replay: predict and filter", precision, WINDOWS, fastest(lambda: replay(head, seen)), budget),
    ]


def replay(head: Head, seen: "np.ndarray[tuple[int, ...], np.dtype[np.int16]]") -> None:
    evidence, known = head.predict(seen)
    Filter(2, 60, head.precision).run(evidence, known)


def show(rows: list[Row]) -> None:
    table = Table(title=f"Core from Python, {FEATURES} features, 2 classes")
    table.add_column("what")
    for column in ("build", "windows", "seconds", "us a window", "budget s"):
        table.add_column(column, justify="right")
    for row in rows:
        budget = "" if row.budget_s is None else f"{row.budget_s:.1f}"
        each = f"{row.seconds / row.windows * 1e6:.2f}"
        table.add_row(row.what, row.precision, f"{row.windows:,}", f"{row.seconds:.4f}", each, budget)
    Console().print(table)


def main() -> int:
    """Prints the table and writes it to `results/`."""
    rows = [row for precision in ("float32", "float64") for row in measure(precision)]
    show(rows)
    results.write("replay_core", map(asdict, rows), {"seed": SEED, **results.surroundings("numpy")})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
