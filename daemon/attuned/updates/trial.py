"""When a node's trial is over, and how: what the two models said of the same windows, and what people said of them.

The gate has judged the release on days that it had not seen, with the node's own code; what it cannot know is how
it does on this node today. So a trial does not prove that a release is better. It looks for what would show that
the gate was mistaken: people who say otherwise, or far more windows on which the models differ than on the gate's days.
"""

from dataclasses import dataclass

# An hour of minutes. Failures to start, and models that make no sense, show within it.
ENOUGH_WINDOWS = 60

# A quiet node reports hourly, and each report stands for the hour: six hours, with the changes in them.
ENOUGH_HOURS, ENOUGH_REPORTS = 6.0, 6

# At night all models say the same. Ten minutes in which at least one of the two said that somebody is there; of a quiet
# node one report.
BUSY_WINDOWS = 10

# After which a trial is decided by what there is, such as on a weekend: the node gives it up after 24 h.
LONGEST_HOURS = 20.0

# The gate compares rooms, whose filter smooths over windows; single windows flip more often. Measured against what
# it is to find: a release with its classes exchanged differs on nearly all windows.
DIFFERING_TIMES, DIFFERING_MORE = 3.0, 0.1

# Where the gate had nothing to compare by, half of the windows is as much as anybody would believe.
DIFFERING_UNKNOWN = 0.5

# Windows on which labels speak against the trial: as many as one label counts for at least.
AGAINST_WINDOWS = 5


@dataclass(frozen=True)
class Seen:
    """What a trial has shown so far, of `hours` of it.

    Of `windows`, the two models favour different classes in `differing`, and at least one of them another class than
    free in `busy`. Of the differing ones that people labelled, the trial's was right in `right` and the committed
    one in `wrong`.
    """

    hours: float
    windows: int
    differing: int
    busy: int
    right: int
    wrong: int


@dataclass(frozen=True)
class Judgement:
    """Whether to commit, and why, in a sentence without its end."""

    commit: bool
    reason: str


def judge(seen: Seen, expected: float | None) -> Judgement | None:
    """The decision on a trial, or None while it has to go on.

    `expected` is the share of windows that the gate saw differ, 0 to 1; None where it could not compare.
    """
    over = seen.hours >= LONGEST_HOURS
    if not seen.windows or not (over or _enough(seen)):
        return None
    if seen.wrong > seen.right and seen.wrong >= AGAINST_WINDOWS:
        return Judgement(
            False, f"people contradicted it in {seen.wrong} windows, and what the node ran before in {seen.right}"
        )
    share, most = seen.differing / seen.windows, most_differing(expected)
    if share <= most:
        return Judgement(True, f"{seen.differing} of {seen.windows} windows differed")
    # People coming once makes an hour in which everything differs: only the whole day tells.
    return (
        Judgement(False, f"{share:.0%} of its windows differed, and {most:.0%} were to be expected") if over else None
    )


def most_differing(expected: float | None) -> float:
    """The largest share of differing windows that is still believed."""
    return DIFFERING_UNKNOWN if expected is None else min(DIFFERING_TIMES * expected + DIFFERING_MORE, 1.0)


def _enough(seen: Seen) -> bool:
    many = seen.windows >= ENOUGH_WINDOWS
    long = seen.hours >= ENOUGH_HOURS and seen.windows >= ENOUGH_REPORTS
    return (many and seen.busy >= BUSY_WINDOWS) or (long and seen.busy > 0)
