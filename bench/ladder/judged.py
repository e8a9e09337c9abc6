"""The lines of the table: everyone's figures over seeds and rooms, and which peer is chosen."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo

import numpy as np
from attuned.learning.replay.scores import Beliefs
from attuned.learning.replay.spec import load_spec

from bench.ladder.answers import Answer, Job
from bench.ladder.choice import best, standing
from bench.ladder.days import Interval, interval
from bench.ladder.figures import Figures, figures
from bench.ladder.peers import Peer, may_be_chosen
from bench.ladder.rows import Line, Row

# What was said with one seed in one room.
Groups = dict[tuple[int, str], Beliefs]


@dataclass(frozen=True)
class Judged:
    """Mean figures over seeds and rooms, the accuracy of the worst seed, and 95 % intervals from resampling days."""

    mean: Figures
    each: Mapping[tuple[int, str], Figures]
    worst: float
    accuracy: Interval | None
    balanced: Interval | None


@dataclass(frozen=True)
class Outcome:
    """A line: everyone's figures by name; the peer that the train split chooses, and the test split's."""

    row: Row
    line: Line
    figures: Mapping[str, Judged]
    chosen: str | None
    oracle: str | None

    def of(self, name: str | None) -> Judged | None:
        return None if name is None else self.figures.get(name)


def judge(groups: Groups, window_s: int, zone: tzinfo) -> Judged:
    """Figures of what somebody said."""
    everything = list(groups.values())
    each = {key: figures([beliefs], window_s) for key, beliefs in groups.items()}
    by_seed = [
        np.mean([one.accuracy for (own, _), one in each.items() if own == seed]) for seed in {seed for seed, _ in each}
    ]
    return Judged(
        mean=figures(everything, window_s),
        each=each,
        worst=float(min(by_seed)),
        accuracy=interval(everything, "accuracy", window_s, zone),
        balanced=interval(everything, "balanced_accuracy", window_s, zone),
    )


def outcome(row: Row, line: Line, peers: tuple[Peer, ...], answers: Mapping[Job, Answer]) -> Outcome:
    """A line from everyone's answers on its row."""
    spec = load_spec(row.path)
    mine = {job: answer for job, answer in answers.items() if job.row == row and job.room in (None, *line.rooms)}
    said: dict[str, Groups] = {}
    for job, answer in mine.items():
        for (split, room), beliefs in answer.said.items():
            if split == line.split and room in line.rooms:
                said.setdefault(job.who, {})[job.seed, room] = beliefs
    names = [peer.title for peer in peers if may_be_chosen(row, peer) and peer.title in said]
    on_train = {name: [one.standing for job, one in mine.items() if job.who == name and one.standing] for name in names}
    on_test = {name: [standing(one.truth, one.probability) for one in said[name].values()] for name in names}
    return Outcome(
        row,
        line,
        {who: judge(groups, spec.window_s, spec.zone) for who, groups in said.items()},
        chosen=best(on_train) if names else None,
        oracle=best(on_test) if names else None,
    )
