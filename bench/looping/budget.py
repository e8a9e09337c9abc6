"""Five labels a day, chosen by the daemon, beside a frozen model and one that is told every label a day late."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from attuned.learning.loop.run import LoopFigures
from attuned.learning.replay.core import CoreCode
from attuned.learning.replay.run import Options, Result, run
from attuned.learning.replay.spec import load_spec

from bench.looping.rooms import SPECS

ROWS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("robod", ()),
    ("robod", ("light",)),
    ("robod-2-from-1", ()),
    ("robod-1-from-2", ()),
    ("candanedo", ()),
    ("candanedo", ("light",)),
)

LATE_H = 24.0


@dataclass(frozen=True)
class Compared:
    """Balanced accuracy in one room and split; `labels` were asked for in all splits and rooms of the row."""

    row: str
    split: str
    room: str
    labels: int
    frozen: float
    online: float
    loop: float


def compared() -> Iterator[Compared]:
    for name, drop in ROWS:
        title = " without ".join([name, *drop])
        frozen, online = _run(name, Options(drop=drop)), _run(name, Options(drop=drop, mode="online", late_h=LATE_H))
        loop = _run(name, Options(drop=drop, mode="loop"))
        figures = loop.loop or LoopFigures()
        for split, scores in frozen.splits.items():
            for room in scores.rooms:
                reached = [
                    result.splits[split].rooms[room].balanced_accuracy or 0.0 for result in (frozen, online, loop)
                ]
                yield Compared(title, split, room, figures.labels_asked, *reached)


def _run(name: str, options: Options) -> Result:
    path = SPECS / f"{name}.toml"
    return run(load_spec(path), path, options, CoreCode(), clock=time.perf_counter)
