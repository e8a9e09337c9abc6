"""Every figure as CSV, with what it was measured with."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict

from bench.ladder import ours
from bench.ladder.answers import HOLD
from bench.ladder.judged import Judged, Outcome
from bench.output import results


def write(outcomes: Sequence[Outcome]) -> None:
    """A row for everyone on each line: the mean, then each seed and room."""
    rows = (row for outcome in outcomes for row in _rows(outcome))
    results.write("learners", rows, results.surroundings("numpy", "scikit-learn", "river"))


def _rows(outcome: Outcome) -> Iterator[dict[str, object]]:
    for who, judged in outcome.figures.items():
        named = {
            "row": outcome.row.name,
            "split": outcome.line.split,
            "target": outcome.line.target,
            "who": who,
            "role": _role(outcome, who),
        }
        yield {**named, "room": " ".join(outcome.line.rooms), "seed": "mean", **_mean(judged)}
        for (seed, room), figures in judged.each.items():
            yield {**named, "room": room, "seed": seed, **asdict(figures), **dict.fromkeys(_INTERVALS, "")}


_INTERVALS = ("accuracy_low", "accuracy_high", "balanced_low", "balanced_high")


def _mean(judged: Judged) -> dict[str, object]:
    ends = [*(judged.accuracy or ("", "")), *(judged.balanced or ("", ""))]
    return {**asdict(judged.mean), **dict(zip(_INTERVALS, ends, strict=True))}


def _role(outcome: Outcome, who: str) -> str:
    if who == ours.DEFAULT:
        return "default"
    if who in ours.HEADS:
        return "head"
    if who == HOLD:
        return "hold timer"
    marks = [word for word, name in (("chosen", outcome.chosen), ("oracle", outcome.oracle)) if name == who]
    return " ".join([*marks, "peer"])
