"""Whether a head forgets: one node taught in the first lecture room, then in the second, judged in the first."""

import time
from dataclasses import dataclass, replace

from attuned.learning.replay.core import CoreCode
from attuned.learning.replay.run import Effort, Options, Replay
from attuned.learning.replay.scores import Scores, score
from attuned.learning.replay.spec import TRAIN, Spec, load_spec
from attuned.learning.replay.streams import Split, load_splits

from bench.ladder.rows import LECTURES, SPECS

SPEC = SPECS / "robod-14-days.toml"
NODE = "lecture"


@dataclass(frozen=True)
class Forgetting:
    """Figures of the first room: after its own labels, after the second room's on top, and of those alone."""

    head: str
    first: str
    own: Scores
    both: Scores
    other: Scores

    @property
    def lost(self) -> float:
        """Accuracy that the second room's labels cost the first."""
        return (self.own.accuracy or 0.0) - (self.both.accuracy or 0.0)


def forgetting(head: str | None) -> list[Forgetting]:
    """Both orders of the two rooms, with one head or the default."""
    spec = load_spec(SPEC)
    splits = {split.name: split for split in load_splits(spec, SPEC)}
    return [_forgetting(head, spec, splits, first, other) for first, other in (LECTURES, LECTURES[::-1])]


def _forgetting(head: str | None, spec: Spec, splits: dict[str, Split], first: str, other: str) -> Forgetting:
    own, next_room, test = (
        _room(splits[name], room) for name, room in ((TRAIN, first), (TRAIN, other), ("test", first))
    )
    name = head or Options().head
    replay = Replay(CoreCode(), spec, name, Effort(time.perf_counter))
    replay.learn(own)
    before = _judged(replay, test)
    replay.learn(next_room)
    after = _judged(replay, test)
    stranger = Replay(CoreCode(), spec, name, Effort(time.perf_counter))
    stranger.learn(next_room)
    return Forgetting(name, first, before, after, _judged(stranger, test))


def _judged(replay: Replay, test: Split) -> Scores:
    return score(list(replay.judge(test, "frozen").values()), replay.spec.window_s)


def _room(split: Split, room: str) -> Split:
    """A split with one room alone, whose node has the name that both rooms share, and so the head."""
    stream = next(one for one in split.rooms if one.room == room)
    return Split(split.name, (replace(stream, nodes=tuple(replace(node, node=NODE) for node in stream.nodes)),))
