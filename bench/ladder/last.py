"""The peers of the last whole run, so that a run of Attune alone can stand beside them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from bench.ladder.cache import FOLDER
from bench.ladder.days import Interval
from bench.ladder.figures import Figures
from bench.ladder.judged import Judged, Outcome

PATH = FOLDER / "last.json"


def keep(outcomes: Sequence[Outcome]) -> None:
    """Remembers the chosen and the oracle peer of each line, beside what is remembered of other lines."""
    known = _read()
    for one in outcomes:
        shown = {name: one.of(name) for name in (one.chosen, one.oracle)}
        peers = {name: _flat(judged) for name, judged in shown.items() if name and judged}
        known[_key(one)] = {"chosen": one.chosen, "oracle": one.oracle, "peers": peers}
    PATH.parent.mkdir(parents=True, exist_ok=True)
    PATH.write_text(json.dumps(known))


def beside(outcome: Outcome) -> Outcome:
    """The line with the peers that were remembered of it, if any were."""
    known = _read().get(_key(outcome))
    if known is None:
        return outcome
    peers = {name: _judged(flat) for name, flat in known["peers"].items()}
    figures = {**outcome.figures, **peers}
    return replace(outcome, figures=figures, chosen=known["chosen"], oracle=known["oracle"])


def _key(outcome: Outcome) -> str:
    return f"{outcome.row.name} | {outcome.line.split} | {' '.join(outcome.line.rooms)}"


def _read() -> dict[str, Any]:
    return dict(json.loads(PATH.read_text())) if PATH.exists() else {}


def _flat(judged: Judged) -> dict[str, Any]:
    return asdict(replace(judged, each={}))


def _judged(flat: Mapping[str, Any]) -> Judged:
    accuracy, balanced = (None if flat[name] is None else Interval(*flat[name]) for name in ("accuracy", "balanced"))
    return Judged(Figures(**flat["mean"]), {}, flat["worst"], accuracy, balanced)
