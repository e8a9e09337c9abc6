"""The outcome as tables: headings and rows of text, for the terminal and for the page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan

from attuned.learning.replay.scores import Scores
from rich.table import Table
from rich.text import Text

from bench.ladder import ours
from bench.ladder.answers import HOLD
from bench.ladder.criteria import SOFTMAX, Criterion, named, reached
from bench.ladder.days import Interval
from bench.ladder.forgetting import Forgetting
from bench.ladder.judged import Judged, Outcome

YES_NO = {True: "yes", False: "no", None: ""}


@dataclass(frozen=True)
class Sheet:
    """A table; the first column is text, the others stand to the right unless they are `text`, too."""

    title: str
    headings: tuple[str, ...]
    rows: list[list[str]]
    text: bool = False


def printed(sheet: Sheet) -> Table:
    table = Table(title=Text(sheet.title), title_justify="left", box=None, pad_edge=False)
    for index, heading in enumerate(sheet.headings):
        table.add_column(
            heading,
            justify="right" if index and not sheet.text else "left",
            no_wrap=not (index and sheet.text),
            vertical="bottom",
        )
    for row in sheet.rows:
        table.add_row(*map(Text, row))
    return table


def accuracy(outcomes: Sequence[Outcome]) -> Sheet:
    headings = (
        "row",
        "to reach",
        "reached",
        "Attune: accuracy",
        "balanced accuracy",
        "worst seed",
        "chosen peer",
        "acc. bal.",
        "oracle peer",
        "acc. bal.",
        "softmax",
    )
    title = (
        "Accuracy, with 95 % intervals from resampling whole days; peers, and softmax: accuracy and balanced accuracy"
    )
    return Sheet(title, headings, [_accuracy(outcome) for outcome in outcomes])


def _accuracy(outcome: Outcome) -> list[str]:
    attune = outcome.of(ours.DEFAULT)
    peers = [cell for name in (outcome.chosen, outcome.oracle) for cell in (name or "-", _both(outcome.of(name)))]
    return [named(outcome), _target(outcome), *_ours(outcome, attune), *peers, _both(outcome.of(SOFTMAX))]


def _ours(outcome: Outcome, attune: Judged | None) -> list[str]:
    if attune is None:
        return ["", "-", "-", ""]
    worst = f"{attune.worst:.3f}" if len(outcome.row.seeds) > 1 else ""
    shares = (attune.mean.accuracy, attune.accuracy), (attune.mean.balanced_accuracy, attune.balanced)
    return [YES_NO[reached(outcome, attune)], *(f"{share:.3f} {_span(span)}" for share, span in shares), worst]


def _target(outcome: Outcome) -> str:
    line = outcome.line
    if line.target is None:
        return ""
    worst = "" if line.worst is None else f", worst {line.worst:.2f}"
    return f"{line.target:.3f}{' bal.' if outcome.row.measure == 'balanced_accuracy' else ''}{worst}"


def _span(interval: Interval | None) -> str:
    return "(one day)" if interval is None else f"({interval.low:.3f}-{interval.high:.3f})"


def _both(judged: Judged | None) -> str:
    return "-" if judged is None else f"{judged.mean.accuracy:.3f} {judged.mean.balanced_accuracy:.3f}"


def detail(outcomes: Sequence[Outcome]) -> Sheet:
    headings = (
        "row",
        "who",
        "ECE",
        "Brier",
        "falsely free",
        "falsely occupied",
        "changes",
        "true",
        "arrivals: missed",
        "median, 90 %",
        "departures: missed",
        "median, 90 %",
    )
    title = "Calibration; minutes wrong and changes of state a day; delays after true changes, in minutes"
    people = [(one, who) for one in outcomes for who in (ours.DEFAULT, one.chosen, HOLD)]
    rows = [[named(one), who, *_detail(judged)] for one, who in people if who and (judged := one.of(who))]
    return Sheet(title, headings, rows)


def _detail(judged: Judged) -> list[str]:
    mean = judged.mean
    return [
        f"{mean.ece:.3f}",
        f"{mean.brier:.3f}",
        f"{mean.free_min:.0f}",
        f"{mean.occupied_min:.0f}",
        f"{mean.changes:.1f}",
        f"{mean.true_changes:.1f}",
        *_delay(mean.arrivals_missed, mean.arrival_median, mean.arrival_90),
        *_delay(mean.departures_missed, mean.departure_median, mean.departure_90),
    ]


def _delay(missed: float, median: float, most: float) -> list[str]:
    return ["-" if isnan(missed) else f"{missed:.0%}", "-" if isnan(median) else f"{median:.0f}, {most:.0f}"]


def heads(outcomes: Sequence[Outcome]) -> Sheet:
    people = (ours.DEFAULT, *ours.HEADS)
    rows = [[named(one), *(_both(one.of(who)) for who in people)] for one in outcomes]
    return Sheet("Heads: accuracy and balanced accuracy", ("row", *people), rows)


def forgetting(found: Sequence[Forgetting]) -> Sheet:
    headings = ("head", "judged in", "taught there", "then in the other room too", "lost", "in the other room alone")
    rows = [
        [one.head, one.first, *(_scores(one.own), _scores(one.both)), f"{one.lost:+.3f}", _scores(one.other)]
        for one in found
    ]
    return Sheet("Forgetting: accuracy and balanced accuracy of one node in two rooms", headings, rows)


def _scores(scores: Scores) -> str:
    return f"{scores.accuracy:.3f} {scores.balanced_accuracy:.3f}"


def criteria(found: Sequence[Criterion]) -> Sheet:
    rows = [[one.what, YES_NO[one.met] or "not measured", one.measured] for one in found]
    return Sheet("Criteria over all rows that count", ("criterion", "met", "measured"), rows, text=True)


def crossed(found: Mapping[str, Mapping[str, Scores]]) -> Sheet:
    """Figures by row and head."""
    people = list(dict.fromkeys(head for row in found.values() for head in row))
    rows = [[name, *(_with_brier(row[head]) for head in people)] for name, row in found.items()]
    means = [sum(row[head].balanced_accuracy or 0.0 for row in found.values()) / len(found) for head in people]
    rows.append(["mean of balanced accuracy", *(f"{mean:.3f}" for mean in means)])
    return Sheet("Inside train splits, whole days left out: accuracy, balanced accuracy, Brier", ("row", *people), rows)


def _with_brier(scores: Scores) -> str:
    return f"{_scores(scores)} {scores.brier:.3f}"
