"""Drift: false alarms of buildings without a change, what is found of injected changes, and what cause is named.

Buildings are simulated once and kept in build/ (about ten minutes); then a run takes about five minutes on two cores.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
from attuned.drift.life import DriftEvent
from rich.console import Console

from bench.drifting import index, peers
from bench.drifting.buildings import AFTER, CHANGE, LIVES, PERIOD, Life, recorded
from bench.drifting.cases import CHANGES
from bench.drifting.measured import FIRST, PROMISED, Found, Measured, measure
from bench.drifting.recordings import SPECS, Heard, heard
from bench.ladder.tables import Sheet, printed
from bench.output import results

WORKERS = 2
MONTH_DAYS = 30

SEEDS = 20
CAUSES = {
    "sensor stuck": "sensor stuck or covered",
    "sensor replaced": "sensor replaced or offset",
    "node moved": "node moved",
    "season": "season or weather",
    "use of room": "use of the room",
}
"""Injected causes, and the word that is right for each."""


@dataclass(frozen=True)
class Peer:
    """Another detector in one building: alarms without a change, and (found, tried) of the promised changes."""

    quiet: peers.Alarms
    found: Mapping[str, tuple[int, int]]


def peer(life: Life, detector: str) -> Peer:
    """Ten nodes after each change: rates come out of few, and every one costs a second."""
    building = recorded(life)
    # Indices and river's detectors are asked alike.
    asked = peers if detector in peers.DETECTORS else index
    found = {}
    for name in PROMISED:
        rng, hits = np.random.default_rng(life.seed), []
        for node in building.nodes[:10]:
            before = building.values[node.index][(CHANGE - 1) * PERIOD : (CHANGE + AFTER) * PERIOD].copy()
            after = CHANGES[name](building, node, before, rng)
            if after is not None:
                hits.append(asked.found_at_once(detector, building, node, after[PERIOD : 2 * PERIOD]))
        found[name] = (sum(hits), len(hits))
    return Peer(asked.quiet(detector, building, FIRST), found)


def false_alarms(measured: Sequence[Measured], beside: Mapping[str, Sequence[Peer]]) -> Sheet:
    headings = (
        "detector",
        "node-months",
        "alarms",
        "a node-month",
        "days in alarm",
        *(f"{name} in 24 h" for name in PROMISED),
    )
    events = [event for one in measured for event in one.quiet.events if event.node]
    months = sum(one.quiet.judged for one in measured) / MONTH_DAYS
    shares = [f"{_all(measured, name).share(1):.2f}" for name in PROMISED]
    rows = [["Attune", f"{months:.1f}", str(len(events)), f"{len(events) / months:.2f}", "", *shares]]
    for name, found in beside.items():
        raised, alarmed, judged = (
            sum(getattr(one.quiet, what) for one in found) for what in ("raised", "days", "judged")
        )
        hits = [[one.found[change] for one in found] for change in PROMISED]
        shares = [f"{sum(h for h, _ in pairs) / sum(n for _, n in pairs):.2f}" for pairs in hits]
        months = judged / MONTH_DAYS
        rows.append([name, f"{months:.1f}", str(raised), f"{raised / months:.2f}", f"{alarmed / judged:.2f}", *shares])
    return Sheet("Alarms without a change, and what the same thresholds find on the first day", headings, rows)


def _all(measured: Sequence[Measured], name: str, *, at_noon: bool = False) -> Found:
    total = Found()
    for one in measured:
        found = (one.noon if at_noon else one.midnight)[name]
        total.tried += found.tried
        total.after += found.after
        total.causes += found.causes
    return total


def detections(measured: Sequence[Measured]) -> Sheet:
    headings = ("change", "tried", "within 24 h", "3 days", "7 days", "at noon: same day", "next day")
    rows = []
    for name in [*CHANGES, "season"]:
        found = _all(measured, name)
        noon = _all(measured, name, at_noon=True) if name in PROMISED else None
        late = [f"{noon.share(1):.2f}", f"{noon.share(2):.2f}"] if noon else ["", ""]
        rows.append([name, str(found.tried), *(f"{found.share(days):.2f}" for days in (1, 3, 7)), *late])
    return Sheet(
        "Share of changes that raise an event; changes begin at midnight, the last columns at noon", headings, rows
    )


def confusion(measured: Sequence[Measured]) -> Sheet:
    """Of each cause SEEDS trials, drawn from all that were made; of the season there is one a building."""
    words = list(CAUSES.values())
    rows = []
    for number, (name, right) in enumerate(CAUSES.items()):
        found = _all(measured, name)
        named = [*found.causes.elements(), *["not found"] * (found.tried - found.causes.total())]
        drawn = np.random.default_rng(number).permutation(np.array(named))[:SEEDS].tolist()
        counts = Counter(drawn)
        share = f"{counts[right] / max(len(drawn) - counts['not found'], 1):.2f}"
        rows.append([name, *(str(counts[word]) for word in [*words, "not found"]), str(len(drawn)), share])
    headings = ("injected", *words, "not found", "trials", "right of those found")
    return Sheet(f"Likely cause of {SEEDS} trials each, drawn with a seed", headings, rows)


def site_alarms(measured: Sequence[Measured]) -> Sheet:
    rows = [
        [str(life.seed), str(sum(not e.node for e in one.quiet.events))]
        for life, one in zip(LIVES, measured, strict=True)
    ]
    return Sheet("Events of whole sites without a change", ("building", "events"), rows)


def recordings(found: Sequence[Heard]) -> Sheet:
    rows = [
        [
            one.name,
            str(one.days),
            str(one.judged),
            f"{event.node} {event.since} {event.cause}: {', '.join(event.sensors)}",
        ]
        for one in found
        for event in one.events
    ]
    rows += [[one.name, str(one.days), str(one.judged), "no event"] for one in found if not one.events]
    return Sheet("Recordings", ("recording", "node-days", "judged", "event"), rows)


def _told(event: DriftEvent) -> str:
    return f"{event.node} {event.since} {event.cause}: {', '.join(event.sensors)} ({event.score:.2f})"


def main() -> int:
    """Prints the tables and writes them to `results/`."""
    with ProcessPoolExecutor(WORKERS) as pool:
        buildings = [pool.submit(measure, life) for life in LIVES]
        others = {
            name: [pool.submit(peer, life, name) for life in LIVES] for name in (*peers.DETECTORS, *index.INDICES)
        }
        measured = [one.result() for one in buildings]
        beside = {name: [one.result() for one in found] for name, found in others.items()}
    listed = recordings([heard(name) for name in SPECS])
    sheets = (false_alarms(measured, beside), detections(measured), confusion(measured), site_alarms(measured), listed)
    console = Console(width=200)
    for sheet in sheets:
        console.print(printed(sheet))
        console.print()
    _write(sheets)
    return 0


def _write(sheets: Sequence[Sheet]) -> None:
    """A line a cell: the tables have different columns."""
    cells = (
        {"table": sheet.title, "line": number, "of": row[0], "what": heading, "value": value}
        for sheet in sheets
        for number, row in enumerate(sheet.rows)
        for heading, value in zip(sheet.headings[1:], row[1:], strict=True)
    )
    seeds = " ".join(str(life.seed) for life in LIVES)
    results.write("drift", cells, {"seeds": seeds, **results.surroundings("numpy", "river", "scipy")})


if __name__ == "__main__":
    raise SystemExit(main())
