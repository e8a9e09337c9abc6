"""Everyone on a row: Attune, its single heads, peers and hold timer; a job is what one process can do on its own."""

import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context

import numpy as np
import numpy.typing as npt
from attuned.learning.replay.following import OCCUPIED, held
from attuned.learning.replay.scores import Beliefs

from bench.ladder import ours, streams
from bench.ladder.choice import Standing, standing
from bench.ladder.inputs import Seen, drawn_labels, seen
from bench.ladder.peers import RULES, Peer, frozen, peers
from bench.ladder.rows import Row

WORKERS = 2
# Forests and BLAS would each start a thread a core in each of the processes.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
FOREST = "forest"
HOLD = "hold timer"
HOLD_RULE = next(rule for rule in RULES if rule.name == "best one-sensor rule")


@dataclass(frozen=True)
class Job:
    """Somebody on a row with a seed; a peer in one room, Attune in all."""

    row: Row
    who: str
    seed: int
    room: str | None = None


@dataclass(frozen=True)
class Answer:
    """What was said, by (split, room); and how a peer stands on its train split."""

    said: dict[tuple[str, str], Beliefs]
    standing: Standing | None = None


def rooms(row: Row) -> tuple[str, ...]:
    return tuple(dict.fromkeys(room for line in row.lines for room in line.rooms))


def row_peers(row: Row, quick: bool) -> tuple[Peer, ...]:
    return streams.stream_peers(row, quick) if row.streamed else peers(row, quick)


def jobs(row: Row, quick: bool, ours_only: bool) -> list[Job]:
    """Everything to be done for a row."""
    attune = [Job(row, who, seed) for who in (ours.DEFAULT, *ours.HEADS) for seed in row.seeds]
    names = [HOLD] if ours_only else [HOLD, *(peer.title for peer in row_peers(row, quick))]
    others = [Job(row, who, seed, room) for who in names for seed in row.seeds for room in rooms(row)]
    return [*attune, *others]


def answers(todo: list[Job]) -> dict[Job, Answer]:
    """Each job's answer, from processes that share the work."""
    # The longest first, or one process would end on them alone.
    todo = sorted(todo, key=lambda job: (not job.row.streamed, FOREST not in job.who))
    with workers() as pool:
        return dict(zip(todo, pool.map(answer, todo, chunksize=1), strict=True))


def workers() -> ProcessPoolExecutor:
    """Processes of their own, each of one thread."""
    os.environ.update(dict.fromkeys(THREADS, "1"))
    return ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn"))


def answer(job: Job) -> Answer:
    if job.room is None:
        return Answer(ours.attune(job.row, ours.head_of(job.who), job.seed))
    if job.who == HOLD:
        return Answer(_hold(job.row, job.room, job.seed))
    peer = next(peer for peer in row_peers(job.row, quick=False) if peer.title == job.who)
    return _peer(job.row, peer, job.room, job.seed)


def _peer(row: Row, peer: Peer, room: str, seed: int) -> Answer:
    if row.streamed:
        split = row.lines[0].split
        whole = seen(row, split, room)
        said = beliefs(whole, streams.streamed(row, peer, split, room))
        early = streams.first_days(whole)
        return Answer({(split, room): said}, standing(said.truth[early], said.probability[early]))
    labels = drawn_labels(row, room, seed)
    told = frozen(row, peer, room, seed)
    tests = {(split, room): beliefs(seen(row, split, room), said) for split, said in told.tests.items()}
    return Answer(tests, standing(labels[labels >= 0], told.held_out))


def _hold(row: Row, room: str, seed: int) -> dict[tuple[str, str], Beliefs]:
    """A hold timer after the last motion; without a motion sensor, after the best rule's last word of presence."""
    splits = {line.split for line in row.lines if room in line.rooms}
    if "pir" in seen(row, row.lines[0].split, room).inputs:
        motion = {split: seen(row, split, room).inputs["pir"][:, 0] > 0 for split in splits}
        said = {(split, room): beliefs(seen(row, split, room), moved.astype(float)) for split, moved in motion.items()}
    else:
        said = _peer(row, HOLD_RULE, room, seed).said
    return {key: _held(one) for key, one in said.items()}


def _held(trigger: Beliefs) -> Beliefs:
    return replace(trigger, probability=held(trigger.ends_s, trigger.said == OCCUPIED).astype(float))


def beliefs(room: Seen, probability: npt.NDArray[np.float64]) -> Beliefs:
    """What was said of a room in its labelled windows by someone who always says something."""
    judged, stream = room.labelled, room.room
    told = np.ones(int(judged.sum()), dtype=bool)
    return Beliefs(stream.ends_s[judged], stream.labels[judged], probability[judged], told, stream.stretch[judged])
