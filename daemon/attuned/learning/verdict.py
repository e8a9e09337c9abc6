"""What follows from the gate's findings: a verdict, a recommendation, and its two strongest reasons, in plain words."""

from collections.abc import Sequence
from dataclasses import dataclass

from attuned.learning.days import Compared
from attuned.learning.gates import ALL, Findings, SliceFigures

BETTER, WORSE, TOO_LITTLE = "better", "worse", "too little evidence"

# Fewer held-back days or changes of state show nothing: one odd day would decide.
LEAST_DAYS, LEAST_CHANGES = 5, 10

# A slice refuses a candidate only where it loses more balanced accuracy than this for certain: there are many slices.
SLICE_LOSS = 0.02

# Flips that chance would part so unevenly less often than this are no chance.
SIGNIFICANT = 0.01

# The measures that a verdict is about; the others are there to be read.
_DECIDING = ("balanced accuracy", "Brier score")

Reason = tuple[float, str]  # strength, sentence


@dataclass(frozen=True)
class Verdict:
    """`word` is one of better, worse and too little evidence; the reasons are the two strongest."""

    word: str
    recommendation: str
    reasons: tuple[str, ...]


def decide(findings: Findings) -> Verdict:
    """Worse where anything that counts is lost for certain, better where nothing is and something is won."""
    if lacking := _lacking(findings):
        return _verdict(TOO_LITTLE, lacking)
    whole = next(each for each in findings.slices if each.name == ALL)
    if losses := [*_losses(whole), *_slice_losses(findings), *_lost_flips(findings)]:
        return _verdict(WORSE, losses)
    if gains := [*_gains(whole), *_won_flips(findings, whole)]:
        return _verdict(BETTER, gains)
    return _verdict(TOO_LITTLE, _undecided(whole))


_RECOMMENDATIONS = {
    BETTER: "Let it go out: it is ready to be signed.",
    WORSE: "Refuse it: the nodes keep what they run.",
    TOO_LITTLE: "Keep it back until more labels can tell, or give your word for it with `attune release approve`.",
}


def _verdict(word: str, reasons: Sequence[Reason]) -> Verdict:
    strongest = sorted(reasons, key=lambda reason: -reason[0])[:2]
    return Verdict(word, _RECOMMENDATIONS[word], tuple(sentence for _, sentence in strongest))


def _lacking(findings: Findings) -> list[Reason]:
    found = []
    if findings.days < LEAST_DAYS:
        share = 1 - findings.days / LEAST_DAYS
        found.append(
            (share, f"People have labelled {_count(findings.days, 'day')}; it takes {LEAST_DAYS} to judge by.")
        )
    if findings.changes < LEAST_CHANGES:
        share = 1 - findings.changes / LEAST_CHANGES
        seen = _count(findings.changes, "change")
        found.append((share, f"The labels show {seen} between free and occupied; it takes {LEAST_CHANGES}."))
    return found


def _losses(whole: SliceFigures) -> list[Reason]:
    return [(_strength(each), _sentence(each)) for each in whole.measures if _decides(each) and each.gain[1] < 0]


def _gains(whole: SliceFigures) -> list[Reason]:
    return [(_strength(each), _sentence(each)) for each in whole.measures if _decides(each) and each.gain[0] > 0]


def _slice_losses(findings: Findings) -> list[Reason]:
    found = []
    for part in findings.slices:
        # Where people always are, whoever always says so is right: such a slice is there to be read.
        if part.name != ALL and part.both and part.days >= LEAST_DAYS:
            balanced = part.measures[0]
            if balanced.gain[1] < -SLICE_LOSS:
                found.append((_strength(balanced), f"{_place(part.name)}: {_sentence(balanced)}"))
    return found


def _lost_flips(findings: Findings) -> list[Reason]:
    flips = findings.flips
    if flips.negative_runs <= flips.positive_runs or flips.p >= SIGNIFICANT:
        return []
    return [(1 / max(flips.p, 1e-4) ** 0.25, _flips(findings))]


def _won_flips(findings: Findings, whole: SliceFigures) -> list[Reason]:
    flips, balanced = findings.flips, whole.measures[0]
    if flips.positive_runs <= flips.negative_runs or flips.p >= SIGNIFICANT or balanced.difference <= 0:
        return []
    return [(1 / max(flips.p, 1e-4) ** 0.25, _flips(findings))]


def _undecided(whole: SliceFigures) -> list[Reason]:
    return [
        (1 / (1 + index), f"{_sentence(each)} Both better and worse are possible.")
        for index, each in enumerate(whole.measures)
        if _decides(each)
    ]


def _decides(measure: Compared) -> bool:
    return measure.measure in _DECIDING


def _strength(measure: Compared) -> float:
    """How many half widths of its interval a difference is away from nothing."""
    return abs(measure.difference) / max((measure.high - measure.low) / 2, 1e-6)


def _sentence(each: Compared) -> str:
    return (
        f"{_place(each.measure)} on days that were held back goes from {_number(each.deployed)} "
        f"to {_number(each.candidate)} (by {each.low:+.3f} to {each.high:+.3f})."
    )


def _flips(findings: Findings) -> str:
    flips = findings.flips
    return (
        f"{flips.negative:,} windows that were right are wrong now and {flips.positive:,} the other way round, in "
        f"{flips.negative_runs:,} and {flips.positive_runs:,} runs; chance does that {_chance(flips.p)}."
    )


def _chance(p: float) -> str:
    return "less than once in a million times" if p < 1e-6 else f"with a probability of {p:.2g}"


def _place(name: str) -> str:
    return name[0].upper() + name[1:]


def _number(value: float) -> str:
    return f"{value:.3f}"


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}" + ("" if number == 1 else "s")
