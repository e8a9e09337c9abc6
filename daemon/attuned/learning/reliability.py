"""How far weak sources of labels are to be believed: by how often people said the same of the same time."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from attuned.store.site import LONGEST_MS, LabelRow

# A source that nobody has checked is held to be right in three of four labels, as if four had been compared.
PRIOR_RIGHT, PRIOR_WRONG = 3.0, 1.0


@dataclass(frozen=True)
class Reliability:
    """The share of each source's labels that are right, where people can tell."""

    right: Mapping[str, float]

    @classmethod
    def of(cls, labels: Iterable[LabelRow]) -> "Reliability":
        """From the labels in force of all rooms: every weak label that overlaps somebody's word is compared once.

        The share has a beta prior, and is its mean afterwards.
        """
        rows = list(labels)
        people: dict[str, list[LabelRow]] = {}
        for row in sorted(rows, key=_start):
            if row.weight >= 1:
                people.setdefault(row.room, []).append(row)
        counts: dict[str, list[float]] = {}
        for row in rows:
            if row.weight < 1:
                tally = counts.setdefault(row.source, [PRIOR_RIGHT, PRIOR_WRONG])
                agreed = _agreement(row, _around(row, people.get(row.room, ())))
                if agreed is not None:
                    tally[0] += agreed
                    tally[1] += 1 - agreed
        return cls({source: right / (right + wrong) for source, (right, wrong) in counts.items()})

    def weight(self, source: str) -> float:
        """What a label of the source counts: 0 where it is right by chance, 1 where it always is."""
        prior = PRIOR_RIGHT / (PRIOR_RIGHT + PRIOR_WRONG)
        return max(0.0, 2 * self.right.get(source, prior) - 1)


def _start(row: LabelRow) -> int:
    return row.from_utc_ms


def _around(weak: LabelRow, people: Sequence[LabelRow]) -> Sequence[LabelRow]:
    """Those of some labels, by their beginnings, that may overlap another: an import may have a million rows."""
    first = bisect_left(people, weak.from_utc_ms - LONGEST_MS, key=_start)
    return people[first : bisect_left(people, weak.to_utc_ms, key=_start)]


def _agreement(weak: LabelRow, people: Sequence[LabelRow]) -> float | None:
    """The share of the time in which both speak that they say the same; None if there is none."""
    same = both = 0
    for row in people:
        overlap = min(row.to_utc_ms, weak.to_utc_ms) - max(row.from_utc_ms, weak.from_utc_ms)
        if overlap > 0:
            both += overlap
            same += overlap * (row.class_name == weak.class_name)
    return same / both if both else None
