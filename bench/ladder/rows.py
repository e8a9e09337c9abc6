"""The rows of the table: recordings and conditions, with the accuracy to reach."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

SPECS = Path(__file__).parents[1] / "specs"
SEEDS = (0, 1, 2, 3, 4)


@dataclass(frozen=True)
class Line:
    """What is judged in one figure: the rooms of a split, each alone, and the mean over them.

    `target` is the share to reach, `worst` what the worst seed has to reach.
    """

    split: str
    rooms: tuple[str, ...]
    shown: str
    target: float | None = None
    worst: float | None = None


@dataclass(frozen=True)
class Row:
    """A recording (its spec) under a condition (what `attune replay` is asked for).

    `measure` says of what the targets speak. `stranger`: no label of the judged room is ever seen. Rows that are not
    `counted` demonstrate something, and take no part in the criteria over all rows.
    """

    name: str
    spec: str
    lines: tuple[Line, ...]
    train_days: float | None = None
    labels: int | None = None
    drop: tuple[str, ...] = ()
    clock: bool = False
    late_h: float | None = None
    seeds: tuple[int, ...] = (0,)
    measure: Literal["accuracy", "balanced_accuracy"] = "accuracy"
    stranger: bool = False
    counted: bool = True

    @property
    def path(self) -> Path:
        return SPECS / f"{self.spec}.toml"

    @property
    def streamed(self) -> bool:
        """Whether it is learned while it is judged."""
        return self.late_h is not None

    @property
    def command(self) -> str:
        """The same through `attune replay`, with the first seed."""
        words = [f"attune replay bench/specs/{self.spec}.toml"]
        words += [] if self.train_days is None else [f"--train-days {self.train_days:g}"]
        words += [] if self.labels is None else [f"--labels {self.labels}"]
        words += [f"--drop {sensor}" for sensor in self.drop]
        words += ["--clock"] if self.clock else []
        words += [] if self.late_h is None else [f"--mode online --late {self.late_h:g}"]
        return " ".join(words)


def _office(before: float, after: float, worst: float | None = None) -> tuple[Line, ...]:
    rooms = ("office",)
    return Line("before", rooms, "datatest", before, worst), Line("after", rooms, "datatest2", after, worst)


def _stream(target: float) -> tuple[Line, ...]:
    return (Line("stream", ("office",), "whole stream", target),)


def _shortcut() -> tuple[Line, ...]:
    return (Line("after", ("office",), "other hours"),)


LECTURES = ("lecture-1", "lecture-2")

ROWS = (
    Row("candanedo: all labels", "candanedo", _office(0.979, 0.993)),
    Row("candanedo: first 24 h", "candanedo", _office(0.975, 0.980), train_days=1),
    Row("candanedo: 10 labels", "candanedo", _office(0.975, 0.975, worst=0.95), labels=10, seeds=SEEDS),
    Row("candanedo: 50 labels", "candanedo", _office(0.978, 0.988), labels=50, seeds=SEEDS),
    Row("candanedo: no light", "candanedo", _office(0.94, 0.88), drop=("light",)),
    Row("candanedo: no light, clock", "candanedo", _office(0.960, 0.950), drop=("light",), clock=True),
    Row("candanedo: labels 24 h late", "candanedo-stream", _stream(0.960), late_h=24),
    Row("candanedo: labels 24 h late, no light", "candanedo-stream", _stream(0.895), drop=("light",), late_h=24),
    Row(
        "robod: first 14 days",
        "robod-14-days",
        (Line("test", LECTURES[:1], "room 1", 0.91), Line("test", LECTURES[1:], "room 2", 0.86)),
    ),
    Row(
        "robod: room 1 from room 2",
        "robod-1-from-2",
        (Line("test", ("lecture",), "room 1", 0.75),),
        measure="balanced_accuracy",
        stranger=True,
    ),
    Row(
        "robod: room 2 from room 1",
        "robod-2-from-1",
        (Line("test", ("lecture",), "room 2", 0.72),),
        measure="balanced_accuracy",
        stranger=True,
    ),
    Row(
        "robod: from nothing, labels 24 h late",
        "robod-stream",
        (Line("stream", LECTURES, "mean of rooms", 0.885),),
        late_h=24,
    ),
    Row("singh: seven nodes", "singh", (Line("second-day", ("lab",), "23 December", 0.995),)),
    Row("singh: one node, no light", "singh-one-node", (Line("second-day", ("lab",), "23 December", 0.985),)),
    Row("planted shortcut, no clock", "shortcut", _shortcut(), counted=False),
    Row("planted shortcut, clock", "shortcut", _shortcut(), clock=True, counted=False),
)

QUICK = ("singh",)


def chosen(names: tuple[str, ...]) -> tuple[Row, ...]:
    """The rows whose names contain one of these texts; all rows where no text is given."""
    return tuple(row for row in ROWS if not names or any(name in row.name for name in names))
