"""Build the factory release: what a node knows of free and occupied rooms before anybody has labelled anything.

    python -m attuned.demo.factory [OUTPUT]

Simulated buildings give class means and variances of every feature; the C table that holds them is
written to OUTPUT (mcu_firmware/core/learner/factory_release.c unless given). It is a prior worth two windows a class
and no evidence of accuracy.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import attune_core
import numpy as np
from numpy.typing import NDArray

from attuned.demo.building import STEP_S, Building
from attuned.demo.faults import NO_FAULTS
from attuned.demo.habits import Flags
from attuned.demo.layout import Node
from attuned.demo.physics import Floats
from attuned.demo.sensors import DEVICES, Samples
from attuned.demo.weather import DAY_MS

OUTPUT = Path("mcu_firmware/core/learner/factory_release.c")

WINDOW_S = 60
_LABELLED_H = (7, 20)
"""Hours of the day that count. People label by day; nights would make free rooms dark, cold and silent."""

_SMALLEST_VARIANCE = 1e-3
"""The floor of the gnb head (core/learner/gnb.h): less would say more than a head can use."""

_SIMULATION_VARIANCE = 0.5
"""What the simulation leaves out, on top of each level's variance in units of q / 1024: air conditioning, other
sensors, other walls, and that a level's features say much the same. Without it a humidity that jumps as no simulated
one does outweighs everything else. From 0.1 on, without a label, the Brier score falls in each room of the recordings'
train splits and in unseen simulated buildings; from 1 on the release teaches less than it should beside ten labels."""

Coordinates = NDArray[np.int16]


@dataclass(frozen=True)
class Plan:
    """One simulated building: its seed, size, first midnight, and days."""

    seed: int
    start_utc_ms: int
    days: int = 4
    rooms: int = 24
    nodes: int = 32


_FRIDAY_UTC_MS = 1_705_014_000_000
"""Friday, 12 January 2024, 00:00 in the building."""

PLANS = tuple(Plan(200 + number, _FRIDAY_UTC_MS + number * 42 * DAY_MS) for number in range(8))
"""Eight buildings, each from a Friday to a Monday, six weeks apart. What differs between buildings (fans or none, sun,
noise, heating) weighs more than what differs between days."""


@dataclass
class Moments:
    """Sums over windows of one feature in units of q / 1024, by class (free, occupied), each [2]."""

    count: Floats
    total: Floats
    squares: Floats

    @classmethod
    def none(cls) -> Moments:
        """No windows."""
        return cls(np.zeros(2), np.zeros(2), np.zeros(2))

    def add(self, coordinates: Coordinates, occupied: Flags) -> None:
        """Counts windows [w] of one feature; missing ones do not count."""
        for number, of_class in enumerate((~occupied, occupied)):
            x = coordinates[of_class & (coordinates != attune_core.MISSING)] / attune_core.UNIT
            self.count[number] += len(x)
            self.total[number] += x.sum()
            self.squares[number] += np.square(x).sum()

    @property
    def mean(self) -> Floats:
        """Mean by class [2]."""
        return self.total / self.count

    @property
    def variance(self) -> Floats:
        """Variance by class [2], at least the smallest that a head uses."""
        return np.maximum(self.squares / self.count - np.square(self.mean), _SMALLEST_VARIANCE)


def features(node: Node, samples: Samples, end_ms: int) -> tuple[tuple[str, ...], Coordinates]:
    """Names and coordinates [w, d] of a node's windows up to `end_ms`, as the node itself computes them.

    Levels give all that they can, so that the table serves every node type.
    """
    kinds = [kind + "+spread" if kind in DEVICES else kind for kind in node.sensors]
    windower = attune_core.Windower(attune_core.Schema(kinds, WINDOW_S))
    mine = samples[samples["node"] == node.index]
    _, first = windower.samples(mine["sensor"], mine["tick_ms"], mine["value"])
    _, last = windower.advance(end_ms)
    return windower.schema.features, np.concatenate([first, last])


def observe(plan: Plan) -> Iterator[tuple[str, Coordinates, Flags]]:
    """(name, coordinates [w], occupied [w]) of each feature of each node of a building."""
    building = Building(plan.seed, plan.rooms, plan.nodes, plan.start_utc_ms, faults=NO_FAULTS)
    parts, present = [], []
    for _ in range(plan.days * DAY_MS // (1000 * STEP_S)):
        parts.append(building.advance(STEP_S))
        present.append(building.people > 0)
    samples = np.concatenate(parts)
    # A window counts as occupied if somebody was there for half of it or more.
    steps = np.array(present).reshape(-1, WINDOW_S // STEP_S, len(building.rooms))
    occupied = dict(zip((room.id for room in building.rooms), (steps.mean(axis=1) >= 0.5).T, strict=True))
    hour = np.arange(len(steps)) * WINDOW_S / 3600 % 24
    counts = (hour >= _LABELLED_H[0]) & (hour < _LABELLED_H[1])
    for node in building.nodes:
        names, rows = features(node, samples, building.tick_ms)
        for name, column in zip(names, rows.T, strict=True):
            yield name, column[counts], occupied[node.room][counts]


def gather(plans: Iterable[Plan]) -> dict[str, Moments]:
    """Moments of every feature, by name (`co2.mean`), over the buildings of all plans; says on stderr how far it is."""
    moments: dict[str, Moments] = {}
    for plan in plans:
        print(f"Simulating building {plan.seed}: {plan.rooms} rooms, {plan.days} days ...", file=sys.stderr)
        for name, column, occupied in observe(plan):
            moments.setdefault(name, Moments.none()).add(column, occupied)
    return moments


def render(moments: Mapping[str, Moments]) -> str:
    """The C source of the table. Rows are in the order of the kinds' numbers on the wire."""
    numbers = attune_core.KINDS
    names = sorted(moments, key=lambda name: (numbers[name.split(".")[0]], name))
    rows = "\n".join(_row(name, moments[name]) for name in names)
    return _HEAD + rows + _TAIL


def _row(name: str, moments: Moments) -> str:
    kind, statistic = name.split(".")
    wider = moments.variance + (_SIMULATION_VARIANCE if kind in DEVICES else 0.0)
    mean, variance = (", ".join(f"{x:.3f}f" for x in pair) for pair in (moments.mean, wider))
    return f"    {{ATTUNE_{kind.upper()}, ATTUNE_{statistic.upper()}, {{{mean}}}, {{{variance}}}}},"


_HEAD = """\
/* The factory release. Written by `python -m attuned.demo.factory`; do not edit by hand.
 *
 * Means and variances are in units of q / 1024 (window/schema.c). */
#include "learner/factory.h"

const attune_factory_row attune_factory_rows[] = {
    /* kind, statistic, mean free, occupied, variance free, occupied */
"""

_TAIL = """
};

const uint8_t attune_factory_row_count = sizeof attune_factory_rows / sizeof attune_factory_rows[0];
"""


def main(arguments: list[str]) -> int:
    """Writes the table; 2 if there is no folder to write it to."""
    output = Path(arguments[0]) if arguments else OUTPUT
    if len(arguments) > 1 or not output.parent.is_dir():
        print(
            f"There is no folder {output.parent}: run this in the repository, or name the file to write.",
            file=sys.stderr,
        )
        return 2
    output.write_text(render(gather(PLANS)), encoding="ascii")
    print(f"Wrote {output}: rebuild the C core to use it.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
