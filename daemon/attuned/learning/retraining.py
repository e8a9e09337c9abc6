"""Retraining beside the running daemon: one process at a time, and its releases stored a room at a time."""

import asyncio
import contextlib
import logging
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from attune_service.journal import about
from attune_service.turns import LONG_S, turn
from pydantic import TypeAdapter

from attuned.clock import Clock
from attuned.config import RetrainingSettings, Settings
from attuned.errors import AttuneError, RequestError, StoreError
from attuned.learning.jobs import Answer, Check, Job, Report
from attuned.learning.releases import Release
from attuned.learning.verdict import BETTER, WORSE
from attuned.store.releases import CANDIDATE, REFUSED, ReleaseRow, ReleaseStore
from attuned.store.site import LabelRow

log = logging.getLogger(__name__)

# The longest line of an answer: a release lists thousands of windows at worst, some twenty bytes each.
LINE_LIMIT = 16 * 1024 * 1024

# How often it is looked whether rooms are due, in seconds of the daemon's clock.
LOOK_S = 600.0

DAY_MS = 24 * 3_600_000

REPORT = TypeAdapter(Report)

_BUSY = "A retraining is under way: wait until it is done, and ask again."


@dataclass(frozen=True)
class Retrained:
    """What became of a room: its releases as they are, or would be, stored; empty where nothing has changed."""

    room: str
    rows: Sequence[ReleaseRow]


class Retraining:
    """Starts retraining processes. `flush` commits the windows that have arrived."""

    def __init__(
        self, settings: Settings, clock: Clock, store: ReleaseStore, flush: Callable[[], Awaitable[None]]
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._store = store
        self._flush = flush
        self._busy = False
        self._asked: asyncio.Queue[tuple[str, str, int]] = asyncio.Queue()
        self._waiting: set[str] = set()
        self._tried: dict[str, int] = {}

    def ask(self, room: str, trigger: str, newest: int = 0) -> None:
        """Has a room retrained when its turn comes; `trigger` says why, for people. Once is enough until then.

        `newest` is the label up to which labels are no news any more once that is done.
        """
        if room not in self._waiting:
            self._waiting.add(room)
            self._asked.put_nowait((room, trigger, newest))

    async def watch(
        self, labels_of: Callable[[str], Sequence[LabelRow]], drifting: Callable[[], Collection[str]]
    ) -> None:
        """Asks for rooms that have got enough new labels, or some and an old release, for ever."""
        while True:
            await asyncio.sleep(LOOK_S / self._clock.rate)
            with turn():
                await self.look(labels_of, drifting())

    async def look(self, labels_of: Callable[[str], Sequence[LabelRow]], drifting: Collection[str] = ()) -> None:
        """Asks for the rooms that are due. `labels_of` gives the labels of a room that are in force; `drifting` are
        the rooms that have an open event."""
        try:
            last = await self._store.last()
        except StoreError as error:
            log.error("%s Retraining is looked at again later.", error)
            return
        for room in (settings.id for settings in self._settings.rooms):
            made, through = last.get(room, (0, 0))
            new = [row for row in labels_of(room) if row.number > through]
            age_ms = self._clock.utc_ms() - (made or min((row.told_utc_ms for row in new), default=0))
            # A release has no block of a label without windows, such as one from before the room had nodes.
            fresh = sum(row.number > self._tried.get(room, 0) for row in new)
            if trigger := due(self._settings.retraining, len(new), age_ms, fresh=fresh, drifting=room in drifting):
                self.ask(room, trigger, max(row.number for row in new))

    async def run(self) -> None:
        """Retrains what was asked for, for ever."""
        while True:
            room, trigger, newest = await self._asked.get()
            self._waiting.discard(room)
            try:
                with turn(LONG_S):
                    async for done in self.retrain([room], trigger):
                        _tell(done)
                self._tried[room] = max(newest, self._tried.get(room, 0))
            except RequestError:
                # Somebody retrains by hand: what he leaves out comes after.
                self.ask(room, trigger, newest)
                await asyncio.sleep(1)
            except AttuneError as error:
                log.error("Room %s was not retrained: %s", room, error, extra=about(room=room))

    async def retrain(
        self, rooms: Sequence[str], trigger: str, *, dry_run: bool = False
    ) -> AsyncGenerator[Retrained, None]:
        """Retrains rooms in turn, each stored in one transaction when it is done.

        Closing the iterator ends the process and leaves what is done. Raises RequestError while another retraining
        runs, StoreError, and AttuneError if the process fails.
        """
        await self._flush()
        async with contextlib.aclosing(self._answers(self._job("retrain", targets=tuple(rooms)))) as answers:
            async for answer in answers:
                rows = release_rows(answer, trigger, self._clock.utc_ms())
                yield Retrained(answer.room, rows if dry_run else await self._store.add(rows))

    async def compare(self, before: Release, now: Release) -> Report:
        """The gate's report on `now` against `before`, on today's labels."""
        answer = await self._one(self._job("compare", releases=(before, now)))
        if answer.report is None:
            raise AttuneError("The retraining process gave no report; see `sudo journalctl -u attuned`.")
        return answer.report

    async def rebuild(self, release: Release) -> Answer:
        """The release made anew, or the names of the blocks that are gone."""
        return await self._one(self._job("rebuild", releases=(release,)))

    async def prove(
        self,
        entries: Sequence[str],
        held: Mapping[str, Collection[int]],
        unlearning: Mapping[str, Collection[int]],
    ) -> Sequence[Check]:
        """What is in force beside what it would be had it never seen what these entries forgot."""
        job = self._job("prove", targets=tuple(entries)).model_copy(
            update={
                "now_utc_ms": self._clock.utc_ms(),
                "windows_from_utc_ms": self._clock.utc_ms() - self._settings.store.windows_days * DAY_MS,
                "held": {node: tuple(sorted(numbers)) for node, numbers in held.items()},
                "unlearning": {node: tuple(sorted(numbers)) for node, numbers in unlearning.items()},
            }
        )
        return (await self._one(job)).checks

    async def _one(self, job: Job) -> Answer:
        async with contextlib.aclosing(self._answers(job)) as answers:
            return await anext(answers)

    def _job(self, what: str, targets: tuple[str, ...] = (), releases: tuple[Release, ...] = ()) -> Job:
        settings = self._settings
        return Job.model_validate(
            {
                "what": what,
                "store": str(settings.store.path),
                "rooms": {room.id: list(room.nodes) for room in settings.rooms},
                "step_s": settings.site.step_s,
                "timezone": settings.site.timezone,
                "cost_ratio": settings.site.cost_ratio,
                "targets": targets,
                "releases": releases,
            }
        )

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Lets no retraining begin. Raises RequestError while one is under way."""
        if self._busy:
            raise RequestError(_BUSY)
        self._busy = True
        try:
            yield
        finally:
            self._busy = False

    async def _answers(self, job: Job) -> AsyncGenerator[Answer, None]:
        if self._busy:
            raise RequestError(_BUSY)
        self._busy = True
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "attuned.learning.worker"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=LINE_LIMIT,
            )
            try:
                async for answer in _lines(process, job):
                    yield answer
            finally:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.communicate()
        finally:
            self._busy = False


async def _lines(process: asyncio.subprocess.Process, job: Job) -> AsyncGenerator[Answer, None]:
    if process.stdin is None or process.stdout is None:
        raise AttuneError("The retraining process has no pipes; restart the daemon.")
    process.stdin.write(job.model_dump_json().encode() + b"\n")
    process.stdin.close()
    async for line in process.stdout:
        answer = Answer.model_validate_json(line)
        if answer.error:
            raise AttuneError(answer.error)
        yield answer
    if code := await process.wait():
        raise AttuneError(f"The retraining process ended with {code}; see `sudo journalctl -u attuned` and try again.")


def _tell(done: Retrained) -> None:
    for row in done.rows:
        told = about(room=row.room, node=row.node, release=row.id)
        log.info(
            "Room %s was retrained: release %s of node %s is %s.", row.room, row.id[:8], row.node, row.state, extra=told
        )


def due(settings: RetrainingSettings, new: int, age_ms: int, *, fresh: int, drifting: bool = False) -> str:
    """Why a room is to be retrained that has so many new labels since a release of that age; empty if it is not.

    `fresh` of them no retraining has seen yet. A room that is drifting waits for a release: a day's labels are enough.
    """
    if settings.labels and fresh >= settings.labels:
        return f"{fresh} new labels"
    if drifting and new and age_ms >= DAY_MS:
        return f"{new} new labels after drift"
    return "the schedule" if settings.days and new and age_ms >= settings.days * DAY_MS else ""


def release_rows(answer: Answer, trigger: str, now_utc_ms: int) -> list[ReleaseRow]:
    """A room's new releases as they are stored: what is worse is refused, the others wait."""
    report = answer.report
    if report is None:
        return []
    word, text = report.verdict.word, REPORT.dump_json(report).decode()
    state = REFUSED if word == WORSE else CANDIDATE
    return [
        ReleaseRow(
            each.id, each.room, each.node, now_utc_ms, state, word,
            each.running_digest, each.through_label, trigger, text, each.canonical(),
        )
        for each in answer.releases
    ]  # fmt: skip


def ready(row: ReleaseRow) -> bool:
    """Whether a release may be signed as it is: it is better, or somebody has given a word for it."""
    return row.state == CANDIDATE and (row.verdict == BETTER or bool(row.approved_by))


def check_approval(row: ReleaseRow) -> None:
    """Raises RequestError where a person's word changes nothing: it stands in for evidence, not against it."""
    number = row.id[:8]
    if row.state == REFUSED:
        raise RequestError(f"Release {number} is worse than what the nodes run: teach the room, and retrain it.")
    if row.state != CANDIDATE:
        raise RequestError(f"Release {number} is {row.state}: `attune release list` shows the candidates.")
    if ready(row):
        raise RequestError(f"Release {number} is ready to be signed already.")
