"""Windows a second of each head through the binding, beside River's samples a second.

One stream of 24 features and two classes for all. `predict` is what a replay of frozen heads takes, `predict, learn` is
test-then-train with every label. River takes a dictionary a sample, made beforehand, and scales as the ladder has it.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from attune_core import Head
from rich.console import Console
from rich.table import Table
from river import linear_model, naive_bayes, preprocessing

from bench.ladder import page
from bench.output import results
from bench.replay_core import fastest

HEADS = ("gnb", "ridge", "mixture")
WINDOWS = 100_000
RIVER_SAMPLES = 2_000
FEATURES = 24
SEED = 11
UNIT = 1024
TARGETS = {"gnb": 1_000_000, "ridge": 200_000, "mixture": 200_000}
HEADINGS = ("who", "work", "a second", "at least")

Labelled = tuple[npt.NDArray[np.int16], npt.NDArray[np.uint8]]


@dataclass(frozen=True)
class Row:
    """Windows or samples a second, of the fastest of three runs."""

    who: str
    work: str
    a_second: float
    target: int | None = None


def stream() -> Labelled:
    source = np.random.default_rng(SEED)
    classes = source.integers(0, 2, WINDOWS, dtype=np.uint8)
    centres = source.normal(0, 1000, (2, FEATURES))
    return (centres[classes] + source.normal(0, UNIT, (WINDOWS, FEATURES))).astype(np.int16), classes


def rate(count: int, work: Callable[[], object]) -> float:
    return count / fastest(work)


def ours(kind: str, windows: Labelled) -> Iterator[Row]:
    x, classes = windows
    taught = Head(kind, FEATURES)
    taught.learn(x[:1000], classes[:1000])
    yield Row(kind, "predict", rate(len(x), lambda: taught.predict(x)), TARGETS[kind])
    yield Row(kind, "predict, learn", rate(len(x), lambda: Head(kind, FEATURES).run(x, classes)), TARGETS[kind])


def river(name: str, build: Callable[[], Any], windows: Labelled) -> Row:
    samples = [dict(enumerate(row)) for row in (windows[0][:RIVER_SAMPLES] / UNIT).tolist()]
    labels = windows[1][:RIVER_SAMPLES].astype(bool).tolist()

    def run() -> None:
        model = build()
        for sample, label in zip(samples, labels, strict=True):
            model.predict_proba_one(sample)
            model.learn_one(sample, label)

    return Row(name, "predict, learn", rate(RIVER_SAMPLES, run))


def measure() -> list[Row]:
    windows = stream()
    rows = [row for kind in HEADS for row in ours(kind, windows)]
    rows.append(river("River Gaussian NB", naive_bayes.GaussianNB, windows))
    scaled = preprocessing.StandardScaler, linear_model.LogisticRegression
    rows.append(river("River logistic regression, scaler", lambda: scaled[0]() | scaled[1](), windows))
    return rows


def cells(row: Row) -> list[str]:
    return [row.who, row.work, f"{row.a_second:,.0f}", "" if row.target is None else f"{row.target:,}"]


def show(rows: list[Row]) -> None:
    table = Table(title=f"Windows a second through the binding, {FEATURES} features, 2 classes")
    for heading in HEADINGS:
        table.add_column(heading, justify="left" if heading in ("who", "work") else "right")
    for row in rows:
        table.add_row(*cells(row))
    Console().print(table)


def main(words: Sequence[str] = ()) -> int:
    """Prints the table and writes it to `results/`, and to the page if asked."""
    parser = argparse.ArgumentParser(prog="python -m bench.run speed", description=__doc__)
    parser.add_argument("--page", action="store_true", help="write the table into docs/learning.md, too")
    asked = parser.parse_args(words)
    rows = measure()
    show(rows)
    results.write("speed", map(asdict, rows), {"seed": SEED, **results.surroundings("river")})
    if asked.page:
        page.write({"speed": page.markdown(HEADINGS, [cells(row) for row in rows])})
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
