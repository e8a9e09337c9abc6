"""The outcome as tables for people."""

from collections.abc import Sequence
from math import isinf, isnan

from rich.table import Table

from bench.ladder import ours
from bench.ladder.answers import HOLD
from bench.ladder.days import Interval
from bench.ladder.judged import Judged, Outcome

SOFTMAX = "softmax"


def share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def minutes(value: float) -> str:
    if isnan(value):
        return "-"
    return "never" if isinf(value) else f"{value:.0f}"


def span(interval: Interval | None) -> str:
    return "one day" if interval is None else f"{interval.low:.3f}-{interval.high:.3f}"


def condition(outcome: Outcome) -> str:
    return f"{outcome.row.name}, {outcome.line.shown}"


def both(judged: Judged | None) -> str:
    """Accuracy and balanced accuracy."""
    return "-" if judged is None else f"{judged.mean.accuracy:.3f} {judged.mean.balanced_accuracy:.3f}"


def accuracy_rows(outcomes: Sequence[Outcome]) -> list[list[str]]:
    """Target, Attune, its intervals, chosen and oracle peer, softmax."""
    return [_accuracy_row(outcome) for outcome in outcomes]


ACCURACY_HEADINGS = (
    "row",
    "to reach",
    "Attune",
    "95 %",
    "balanced",
    "95 %",
    "worst seed",
    "chosen peer",
    "acc. bal.",
    "oracle peer",
    "acc. bal.",
    "softmax",
)


def _accuracy_row(outcome: Outcome) -> list[str]:
    line, attune = outcome.line, outcome.of(ours.DEFAULT)
    target = share(line.target) + (" bal." if outcome.row.measure == "balanced_accuracy" else "")
    worst = "" if line.worst is None else f" / {line.worst}"
    several = attune is not None and len(outcome.row.seeds) > 1
    return [
        condition(outcome),
        target + worst,
        share(attune and attune.mean.accuracy),
        span(attune.accuracy) if attune else "-",
        share(attune and attune.mean.balanced_accuracy),
        span(attune.balanced) if attune else "-",
        share(attune.worst) if several and attune else "",
        outcome.chosen or "-",
        both(outcome.of(outcome.chosen)),
        outcome.oracle or "-",
        both(outcome.of(outcome.oracle)),
        both(outcome.of(SOFTMAX)),
    ]


DETAIL_HEADINGS = (
    "row",
    "who",
    "ECE",
    "Brier",
    "falsely free min/day",
    "falsely occupied min/day",
    "changes/day",
    "true",
    "arrival median",
    "90 %",
    "departure median",
    "90 %",
)


def detail_rows(outcomes: Sequence[Outcome]) -> list[list[str]]:
    """Calibration, minutes wrong, changes and delays: of Attune, the chosen peer and a hold timer."""
    found = []
    for outcome in outcomes:
        for who in (ours.DEFAULT, outcome.chosen, HOLD):
            judged = outcome.of(who)
            if judged is not None and who is not None:
                found.append([condition(outcome), who, *_detail(judged)])
    return found


def _detail(judged: Judged) -> list[str]:
    mean = judged.mean
    delays = (mean.arrival_median, mean.arrival_90, mean.departure_median, mean.departure_90)
    return [
        share(mean.ece),
        share(mean.brier),
        f"{mean.free_min:.0f}",
        f"{mean.occupied_min:.0f}",
        f"{mean.changes:.1f}",
        f"{mean.true_changes:.1f}",
        *map(minutes, delays),
    ]


def head_rows(outcomes: Sequence[Outcome]) -> list[list[str]]:
    """Accuracy and balanced accuracy of the default and of each single head."""
    return [[condition(one), *(both(one.of(who)) for who in (ours.DEFAULT, *ours.HEADS))] for one in outcomes]


def as_table(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for index, heading in enumerate(headings):
        table.add_column(heading, justify="left" if index == 0 else "right", no_wrap=index == 0)
    for row in rows:
        table.add_row(*row)
    return table
