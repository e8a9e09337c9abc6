"""The retraining process: reads a job from standard input, and writes a line for each part of it that is done.

A process of its own, so that the daemon's event loop and its memory know nothing of the work; it only reads the store,
and what it has not said when it ends has not happened.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

from attuned.errors import AttuneError, RequestError
from attuned.learning.crossing import RoomEvidence
from attuned.learning.flips import Flips
from attuned.learning.gates import Contest, Findings
from attuned.learning.gathering import Gathering, Source, find_again
from attuned.learning.jobs import FACTORY, Answer, Job, Report
from attuned.learning.proof import prove
from attuned.learning.releases import Release, RoomInputs, build, rebuilt
from attuned.learning.verdict import decide
from attuned.store.reading import Reader

# Reports have the right of way.
NICENESS = 10

# Where memory runs out, this process goes and not the daemon (proc(5)): what it has not said can be asked for again.
OOM_SCORE, EXPENDABLE = Path("/proc/self/oom_score_adj"), "1000"

_NOTHING = Findings(0, 0, (), Flips(0, 0, 0, 0, 1.0))


def main() -> int:
    """Runs the job on standard input. A reader that has gone away ends it."""
    os.nice(NICENESS)
    with contextlib.suppress(OSError):
        OOM_SCORE.write_text(EXPENDABLE)
    job = Job.model_validate_json(sys.stdin.readline())
    try:
        for answer in work(job, Reader(Path(job.store))):
            print(answer.model_dump_json(), flush=True)
    except AttuneError as error:
        print(Answer(error=str(error)).model_dump_json(), flush=True)
    except BrokenPipeError:
        return 1
    return 0


def work(job: Job, reader: Source) -> Iterator[Answer]:
    """The answers to a job, each as soon as it is known. Raises StoreError and RequestError."""
    if job.what == "retrain":
        gathering = Gathering(reader, job.rooms, job.step_s, ZoneInfo(job.timezone))
        deployed = {node: Release.model_validate_json(body) for node, body in reader.deployed().items()}
        for room in job.targets:
            yield _retrain(job, gathering, room, [deployed[node] for node in job.rooms[room] if node in deployed])
    elif job.what == "compare":
        yield _compare(job, reader)
    elif job.what == "prove":
        yield Answer(checks=tuple(prove(job)))
    else:
        yield _rebuild(reader, job.releases[0])


def _retrain(job: Job, gathering: Gathering, room: str, deployed: list[Release]) -> Answer:
    inputs = gathering.room(room)
    # Nodes of a room get their releases together; the newest of them knows the most blocks.
    newest = max(deployed, key=lambda release: release.through_label, default=None)
    before = find_again(gathering.reader, newest).inputs if newest else RoomInputs(room, job.step_s, {})
    report = _judged(job, before, inputs, inputs, newest.id if newest else FACTORY)
    return Answer(room=room, releases=tuple(build(inputs)), report=report)


def _compare(job: Job, reader: Source) -> Answer:
    """The second release as the candidate, the first as what is deployed, on today's labels of their room."""
    before, now = job.releases
    if before.room != now.room:
        raise RequestError(f"These releases are of the rooms {before.room} and {now.room}: compare two of one room.")
    today = Gathering(reader, job.rooms, job.step_s, ZoneInfo(job.timezone)).room(now.room)
    inputs = [find_again(reader, release).inputs for release in (before, now)]
    return Answer(room=now.room, report=_judged(job, inputs[0], inputs[1], today, before.id))


def _judged(job: Job, before: RoomInputs, now: RoomInputs, today: RoomInputs, against: str) -> Report:
    said = RoomEvidence.of(today.own, job.step_s)
    if said is None:
        return Report(against, _NOTHING, decide(_NOTHING))
    findings = Contest(before, now, said, ZoneInfo(job.timezone), job.cost_ratio).findings()
    return Report(against, findings, decide(findings))


def _rebuild(reader: Source, release: Release) -> Answer:
    found = find_again(reader, release)
    if found.missing:
        return Answer(room=release.room, missing=found.missing)
    return Answer(room=release.room, releases=(rebuilt(found.inputs, release),))


if __name__ == "__main__":
    sys.exit(main())
