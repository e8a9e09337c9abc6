"""What float16 and int8 lose of a head: candanedo's train split learned, exported, imported, judged on its test splits.

Accuracy is that of each window's own evidence, without a filter. Learned are all labels, or 20 drawn at random.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from attune_core import Head, Schema
from attuned.learning.replay.core import CoreCode
from attuned.learning.replay.observed import observe
from attuned.learning.replay.recording import UNLABELLED
from attuned.learning.replay.spec import load_spec
from attuned.learning.replay.streams import Split, load_splits
from rich.console import Console
from rich.table import Table

from bench.output import results

SPEC = Path(__file__).parent / "specs" / "candanedo.toml"
FORMATS = ("float32", "float16", "int8")
FEW = 20
SEED = 0

Labelled = tuple[npt.NDArray[np.int16], npt.NDArray[np.int8]]


@dataclass(frozen=True)
class Row:
    """Accuracies by split, and by how many nats evidence differs from that of the head itself."""

    head: str
    labels: int
    format: str
    bytes: int
    before: float
    after: float
    largest: float
    mean: float


def labelled(split: Split, window_s: int) -> Labelled:
    """The labelled windows of the one node."""
    room = split.rooms[0]
    windows = observe(CoreCode(), room.nodes[0], window_s)
    labels = room.labels[np.searchsorted(room.ends_s, windows.ends_s)]
    return windows.features[labels != UNLABELLED], labels[labels != UNLABELLED]


def measure(kind: str, schema: Schema, train: Labelled, tests: dict[str, Labelled]) -> Iterator[Row]:
    for count in (FEW, len(train[1])):
        drawn = np.random.default_rng(SEED).permutation(len(train[1]))[:count]
        head = Head(kind, schema)
        head.learn(train[0][drawn], train[1][drawn])
        for state_format in FORMATS:
            other = Head(kind, schema)
            other.import_(head.export(state_format))
            nats = {name: other.predict(x)[0][:, 0] for name, (x, _) in tests.items()}
            accuracy = {name: float(np.mean((nats[name] > 0) == tests[name][1])) for name in tests}
            off = np.abs(np.concatenate([nats[name] - head.predict(x)[0][:, 0] for name, (x, _) in tests.items()]))
            size = head.size(state_format)
            yield Row(kind, count, state_format, size, **accuracy, largest=float(off.max()), mean=float(off.mean()))


def show(rows: list[Row]) -> None:
    table = Table(title="candanedo: a head after its journey")
    for column in ("head", "labels", "format", "bytes", "before", "after", "largest nats", "mean nats"):
        table.add_column(column, justify="left" if column in ("head", "format") else "right")
    for row in rows:
        accuracies = (f"{value:.4f}" for value in (row.before, row.after))
        off = (f"{value:.4f}" for value in (row.largest, row.mean))
        table.add_row(row.head, f"{row.labels:,}", row.format, str(row.bytes), *accuracies, *off)
    Console().print(table)


def main() -> int:
    """Prints the table and writes it to `results/`."""
    spec = load_spec(SPEC)
    splits = {split.name: split for split in load_splits(spec, SPEC, (), lambda _: None)}
    windows = {name: labelled(split, spec.window_s) for name, split in splits.items()}
    schema = Schema(splits["train"].rooms[0].nodes[0].kinds, spec.window_s)
    train = windows.pop("train")
    rows = [row for kind in Head.kinds for row in measure(kind, schema, train, windows)]
    show(rows)
    results.write("formats", map(asdict, rows), {"seed": SEED, **results.surroundings("numpy")})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
