"""Proof of forgetting: everything learned or kept, beside what it would be had nothing of what was forgotten ever come.

Models are trained by the daemon's own code from the rows that are left, read through a filter that shows nothing of the
selections even if it were still there. Whatever was not forgotten makes a difference, and fails.
"""

import hashlib
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from attuned.drift.day import stretch_of
from attuned.drift.detector import day_of_windows
from attuned.drift.judge import REFERENCE_DAYS
from attuned.drift.rows import day_row
from attuned.drift.sketches import sketched_day
from attuned.labels.labels import KEPT_LABELS
from attuned.learning.from_labels import room_record, spans
from attuned.learning.gathering import Gathering, find_again
from attuned.learning.jobs import Check, Job
from attuned.learning.prequential import DAY_MS, Spoken, judge_day, label_days
from attuned.learning.releases import Release, build, rebuilt
from attuned.learning.rooms import learn_room
from attuned.nodes.facts import NodeFacts
from attuned.presence.model import RoomModel
from attuned.presence.rooms import KNOWN_UNKNOWN
from attuned.presence.timeline import HORIZON_MS
from attuned.store.audit import AuditEntry, Selection
from attuned.store.beliefs import HOUR_MS
from attuned.store.days import DayRow
from attuned.store.reading import Reader
from attuned.store.releases import CANDIDATE, DEPLOYED
from attuned.store.remaining import InForce, Remaining, speaks_of, was_said_of

NOTHING = "nothing"


def prove(job: Job) -> Iterator[Check]:
    """Compares everything that the entries could have left a trace in. Raises StoreError."""
    folder = Path(job.store)
    reader = Reader(folder)
    entries = [entry for entry in reader.entries() if entry.id in job.targets]
    proof = Proof(job, reader, Remaining(folder, entries), entries)
    for part in PARTS:
        yield from part(proof)


class Proof:
    """What is compared: the store as it is, and as one that never saw what the entries forgot."""

    def __init__(self, job: Job, reader: Reader, remaining: Remaining, entries: Sequence[AuditEntry]) -> None:
        self.job = job
        self.reader = reader
        self.remaining = remaining
        self.entries = entries
        self.in_force = InForce.of(reader)
        self.rooms = sorted({room for entry in entries for room in entry.selection.rooms} & job.rooms.keys())
        self.facts = {node: NodeFacts.from_json(text) for node, text in reader.facts().items()}
        self.zone = ZoneInfo(job.timezone)

    def left(self, name: str, rows: Iterable[object]) -> Check:
        """Rows of the selection that are still there, of which there should be none."""
        found = list(rows)
        return Check(name=name, in_force=digest(found) if found else NOTHING, never_saw=NOTHING)


def digest(value: object) -> str:
    """BLAKE2b-16 of how a value is written, hex digits."""
    return hashlib.blake2b(repr(value).encode(), digest_size=16).hexdigest()


def _windows(proof: Proof) -> Iterator[Check]:
    for entry in proof.entries:
        span = [(entry.selection.from_utc_ms, entry.selection.to_utc_ms)]
        found = Remaining(Path(proof.job.store), []).whole_windows(entry.selection.nodes, span)
        yield proof.left(f"windows of entry {entry.id}", found)


def _labels(proof: Proof) -> Iterator[Check]:
    rows = [row for row in proof.in_force.labels if any(speaks_of(row, entry) for entry in proof.entries)]
    yield proof.left("labels", rows)


def _sayings(proof: Proof) -> Iterator[Check]:
    said = proof.in_force.said.items()
    rows = [row for number, row in said if any(was_said_of(number, row, entry) for entry in proof.entries)]
    yield proof.left("what was said of rooms", rows)


def _known(proof: Proof) -> Iterator[Check]:
    """Hours within the stretch, but for the first: the filter carries into it what it knew before."""
    found = []
    for room, hour, known in proof.in_force.known:
        for selection in (entry.selection for entry in proof.entries):
            alone = not selection.node or list(proof.job.rooms.get(room, ())) == [selection.node]
            first, last = selection.from_utc_ms + HORIZON_MS, selection.to_utc_ms
            inside = first <= hour * HOUR_MS and (hour + 1) * HOUR_MS <= last
            if selection.takes_windows and alone and room in selection.rooms and inside:
                values = struct.unpack(f"<{len(known) // 2}h", known)
                found += [(room, hour, values)] if any(value != KNOWN_UNKNOWN for value in values) else []
    yield proof.left("known history of rooms", found)


def _sketches(proof: Proof) -> Iterator[Check]:
    every = Remaining(Path(proof.job.store), [])
    for entry in proof.entries:
        span = (entry.selection.from_utc_ms, entry.selection.to_utc_ms)
        yield proof.left("sketches", [row for node in entry.selection.nodes for row in every.sketches(node, span)])


def _summaries(proof: Proof) -> Iterator[Check]:
    every = Remaining(Path(proof.job.store), [])
    for entry in proof.entries:
        span = (entry.selection.from_utc_ms, entry.selection.to_utc_ms)
        yield proof.left("summaries", [node for node in entry.selection.nodes if every.summaries(node, span)])


def _node_days(proof: Proof) -> Iterator[Check]:
    for entry in proof.entries:
        selection = entry.selection
        for node in selection.nodes:
            rows = [
                row
                for row in proof.in_force.days
                if row.node == node and row.from_utc_ms < selection.to_utc_ms and row.to_utc_ms > selection.from_utc_ms
            ]
            rows = [row for row in rows if row.from_utc_ms >= proof.job.windows_from_utc_ms or _inside(row, selection)]
            again = [made for row in rows if (made := _day_again(proof, row))]
            yield Check(name=f"drift statistics of {node}", in_force=digest(rows), never_saw=digest(again))


def _inside(row: DayRow, selection: Selection) -> bool:
    return selection.from_utc_ms <= row.from_utc_ms and row.to_utc_ms <= selection.to_utc_ms


def _day_again(proof: Proof, row: DayRow) -> DayRow | None:
    if row.node not in proof.facts:
        return None
    day = date.fromisoformat(row.day)
    schema, stretch = proof.facts[row.node].make_schema(), stretch_of(day, proof.zone)
    sketches = proof.remaining.sketches(row.node, stretch)
    made = sketched_day(row.node, day, proof.zone, schema, sketches) if sketches else None
    if made is None:
        windows = proof.remaining.whole_windows([row.node], [stretch])
        made = day_of_windows(row.node, day, proof.zone, schema, windows)
    return day_row(made) if made else None


def _events(proof: Proof) -> Iterator[Check]:
    found = []
    for row in proof.in_force.events:
        rests = datetime.combine(date.fromisoformat(row.since), datetime.min.time(), UTC)
        first = int((rests - timedelta(days=REFERENCE_DAYS)).timestamp()) * 1000
        for entry in proof.entries:
            selection = entry.selection
            met = first < selection.to_utc_ms and row.changed_utc_ms > selection.from_utc_ms
            if selection.takes_windows and met and row.node in ("", *selection.nodes) and first < entry.utc_ms:
                found += [row] if row.raised_utc_ms <= entry.utc_ms else []
    yield proof.left("drift events", found)
    selections = [entry.selection for entry in proof.entries]
    mutes = [
        row
        for row in proof.in_force.mutes
        if any(row.node in s.nodes and s.covers(row.told_utc_ms) for s in selections)
    ]
    yield proof.left("muted nodes", mutes)


def _models(proof: Proof) -> Iterator[Check]:
    labels, step_s = proof.remaining.labels_in_force(), proof.job.step_s
    for room in proof.rooms:
        rows = [row for row in labels.get(room, []) if not row.weak][-KEPT_LABELS:]
        nodes = proof.job.rooms[room]
        windows = proof.remaining.whole_windows(nodes, spans(rows, proof.job.now_utc_ms))
        sensors = {node: proof.facts[node].make_schema().kinds if node in proof.facts else () for node in nodes}
        never_saw = learn_room(room_record(rows, windows, nodes, 1000 * step_s), sensors, step_s)
        text = proof.in_force.models.get(room)
        in_force = RoomModel.model_validate_json(text) if text else RoomModel()
        yield Check(name=f"model of room {room}", in_force=digest(in_force), never_saw=digest(never_saw))


def _accuracy(proof: Proof) -> Iterator[Check]:
    for room in proof.rooms:
        days = {
            day
            for day in range(_first_day(proof), _last_day(proof) + 1)
            if any(
                e.selection.from_utc_ms < (day + 1) * DAY_MS and day * DAY_MS < e.selection.to_utc_ms
                for e in proof.entries
            )
        }
        told = {day: rows for day, rows in label_days(proof.remaining.words(room)).items() if day in days}
        said = proof.remaining.said(room, (0, (max(told) + 1) * DAY_MS)) if told else []
        spoken = Spoken.of(said, tuple(proof.remaining.room_releases(room)))
        judged = [
            row for day in sorted(told) for row in judge_day(room, day, told[day], spoken, 1000 * proof.job.step_s)
        ]
        stored = [row for row in proof.in_force.accuracy if row.room == room and row.day in days]
        never_saw = sorted(judged, key=lambda row: (row.day, row.release))
        yield Check(name=f"accuracy of room {room}", in_force=digest(stored), never_saw=digest(never_saw))


def _first_day(proof: Proof) -> int:
    """The first day that anything is known of."""
    known = [row.day for row in proof.in_force.accuracy]
    told = [row.from_utc_ms // DAY_MS for row in proof.in_force.labels]
    return min([*known, *told], default=0)


def _last_day(proof: Proof) -> int:
    return max((entry.selection.to_utc_ms // DAY_MS for entry in proof.entries), default=-1)


def _next_releases(proof: Proof) -> Iterator[Check]:
    """What the rooms' nodes would get if they were retrained now: head and room's model from all the blocks."""
    job, zone = proof.job, ZoneInfo(proof.job.timezone)
    here, there = (Gathering(each, job.rooms, job.step_s, zone) for each in (proof.reader, proof.remaining))
    for room in proof.rooms:
        pairs = zip(build(here.room(room)), build(there.room(room)), strict=True)
        for now, never in pairs:
            yield Check(name=f"next release for {now.node}", in_force=now.id, never_saw=never.id)


def _releases(proof: Proof) -> Iterator[Check]:
    """Releases as they are stored: those that lost inputs hold nothing that was learned, others can be built anew."""
    numbers = {row.number for row in proof.in_force.labels}
    for row in proof.in_force.releases:
        release = Release.model_validate_json(row.body)
        if row.forgotten != "[]":
            yield Check(name=f"release {row.id[:8]}, head", in_force=release.state or NOTHING, never_saw=NOTHING)
        # Motion teaches without a label, under the number 0.
        gone = sorted({number for block in release.blocks for number in block.labels} - numbers - {0})
        if gone:
            yield proof.left(f"release {row.id[:8]}, labels", gone)
        elif row.forgotten == "[]" and row.state in (CANDIDATE, DEPLOYED) and release.room in proof.rooms:
            yield _built_again(proof, row.id, release)


def _built_again(proof: Proof, number: str, release: Release) -> Check:
    found = find_again(proof.remaining, release)
    people = [name for name in found.missing if _of_people(name)]
    if found.missing and not people:
        # Windows of weak labels go with their time, which takes nothing out of a release.
        return Check(name=f"release {number[:8]}, blocks that are left", in_force=NOTHING, never_saw=NOTHING)
    never_saw = digest(people) if people else rebuilt(found.inputs, release).id
    return Check(name=f"release {number[:8]}", in_force=number, never_saw=never_saw)


def _of_people(name: str) -> bool:
    """Whether a block of this name holds windows that live as long as their label."""
    return name.startswith(("label ", "before ", "cohort "))


def _heads(proof: Proof) -> Iterator[Check]:
    """What nodes say that they have learned, as far as this run of the daemon has heard of it."""
    numbers = {row.number for row in proof.in_force.labels}
    for node in sorted(node for room in proof.rooms for node in proof.job.rooms[room]):
        held = proof.job.held.get(node, ())
        still = proof.job.unlearning.get(node, ())
        name = f"head of {node}" + (f", which has yet to unlearn {len(still)} labels" if still else "")
        left = [number for number in held if number in numbers and number not in still]
        yield Check(name=name, in_force=digest((sorted(held), sorted(still))), never_saw=digest((sorted(left), [])))


PARTS: tuple[Callable[[Proof], Iterator[Check]], ...] = (
    _windows,
    _labels,
    _sayings,
    _known,
    _sketches,
    _summaries,
    _node_days,
    _events,
    _models,
    _accuracy,
    _next_releases,
    _releases,
    _heads,
)
