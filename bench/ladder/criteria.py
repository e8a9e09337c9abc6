"""What has to hold over all rows, each with what was measured."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.ladder import ours
from bench.ladder.forgetting import Forgetting
from bench.ladder.judged import Judged, Outcome
from bench.ladder.rows import LECTURES

SOFTMAX = "softmax"
RIDGE = "ridge"
AT_LEAST_SHARE = 0.5
MOST_BELOW = 0.02
MOST_ECE = 0.05
FEW_LABELS = 50
MOST_CHANGES = 1.5
MOST_FORGOTTEN = 0.01


@dataclass(frozen=True)
class Criterion:
    """A sentence, whether it holds (None where nothing was measured), and what was measured."""

    what: str
    met: bool | None
    measured: str


def criteria(outcomes: Sequence[Outcome], forgotten: Sequence[Forgetting]) -> list[Criterion]:
    """Every criterion over the rows that count; balanced accuracy where nothing else is said."""
    counted = [(one, attune) for one in outcomes if one.row.counted and (attune := one.of(ours.DEFAULT))]
    against = [(one, attune, peer) for one, attune in counted if (peer := one.of(one.chosen))]
    softmax = [(one, attune, peer) for one, attune in counted if (peer := one.of(SOFTMAX))]
    taught = [(one, attune) for one, attune in counted if _taught(one)]
    return [
        _targets(counted),
        _share_at_or_above(against),
        _never_far_below(against),
        _above(softmax),
        _all(
            f"ECE at most {MOST_ECE} in rows with {FEW_LABELS} labels or more",
            [(one, attune.mean.ece, MOST_ECE) for one, attune in taught],
        ),
        _all(
            f"changes a day at most {MOST_CHANGES} times the true number",
            [(one, attune.mean.changes, MOST_CHANGES * attune.mean.true_changes) for one, attune in counted],
        ),
        _forgotten(forgotten),
    ]


def reached(outcome: Outcome, attune: Judged) -> bool | None:
    """Whether the line's target is met, to the three digits in which it is written; None without one."""
    line = outcome.line
    if line.target is None:
        return None
    there = round(getattr(attune.mean, outcome.row.measure), 3) >= line.target
    return there and (line.worst is None or round(attune.worst, 3) >= line.worst)


def _taught(outcome: Outcome) -> bool:
    labels = outcome.row.labels
    return not outcome.row.stranger and (labels is None or labels >= FEW_LABELS)


def named(outcome: Outcome) -> str:
    return f"{outcome.row.name}, {outcome.line.shown}"


def _targets(counted: Sequence[tuple[Outcome, Judged]]) -> Criterion:
    met = [one for one, attune in counted if reached(one, attune)]
    wanted = [one for one, attune in counted if one.line.target is not None]
    return Criterion("every figure to reach is reached", _none(wanted, len(met) == len(wanted)), _of(met, wanted))


def _share_at_or_above(against: Sequence[tuple[Outcome, Judged, Judged]]) -> Criterion:
    met = [one for one, attune, peer in against if _ahead(attune, peer) >= 0]
    holds = len(met) >= AT_LEAST_SHARE * len(against)
    return Criterion(
        "at or above the chosen peer in at least half of the rows", _none(against, holds), _of(met, against)
    )


def _never_far_below(against: Sequence[tuple[Outcome, Judged, Judged]]) -> Criterion:
    gaps = sorted((_ahead(attune, peer), named(one)) for one, attune, peer in against)
    far = [f"{name} {-gap:.3f} below" for gap, name in gaps if gap < -MOST_BELOW]
    worst = "; ".join(far) or (f"least {gaps[0][0]:+.3f}, {gaps[0][1]}" if gaps else "")
    return Criterion(f"never more than {MOST_BELOW} below the chosen peer", _none(against, not far), worst)


def _ahead(attune: Judged, peer: Judged) -> float:
    return round(attune.mean.balanced_accuracy - peer.mean.balanced_accuracy, 6)


def _above(softmax: Sequence[tuple[Outcome, Judged, Judged]]) -> Criterion:
    below = [f"{named(one)} {_ahead(attune, peer):+.3f}" for one, attune, peer in softmax if _ahead(attune, peer) <= 0]
    text = "; ".join(below) or f"in all of {len(softmax)}"
    return Criterion("above softmax in each row", _none(softmax, not below), text)


def _all(what: str, values: Sequence[tuple[Outcome, float, float]]) -> Criterion:
    over = [f"{named(one)} {value:.3g} of {most:.3g}" for one, value, most in values if value > most]
    return Criterion(what, _none(values, not over), "; ".join(over) or f"in all of {len(values)}")


def _forgotten(forgotten: Sequence[Forgetting]) -> Criterion:
    lost = {one.head: round(one.lost, 6) for one in forgotten if one.first == LECTURES[0]}
    text = ", ".join(f"{head} {value:+.3f}" for head, value in lost.items())
    what = f"the second room's data cost the first at most {MOST_FORGOTTEN} with {RIDGE}; accuracy lost"
    return Criterion(what, lost[RIDGE] <= MOST_FORGOTTEN if RIDGE in lost else None, text)


def _none(measured: Sequence[object], holds: bool) -> bool | None:
    return holds if measured else None


def _of(met: Sequence[object], whole: Sequence[object]) -> str:
    return f"{len(met)} of {len(whole)}"
