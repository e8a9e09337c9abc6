"""How right rooms are, as people's labels show: kept a day a row, and summed up for each room, release and the site."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from attuned.clock import Clock
from attuned.learning.effective import DAY_S
from attuned.learning.figures import CONFUSION, UNKNOWN, Reals, recall
from attuned.learning.prequential import DAY_MS, Spoken, by_day, fingerprint, judge_day, label_days
from attuned.store.accuracy import AccuracyDay, AccuracyStore, RoomRelease
from attuned.store.beliefs import BeliefStore
from attuned.store.site import LabelRow, SiteStore

# Days below which nothing is said of how days differ.
LEAST_DAYS = 5

# Draws of days, and the percentiles between which 95 % of them lie (Efron and Tibshirani, 1993, chapter 13).
DRAWS, SEED = 2000, 1
COVERED = (2.5, 97.5)


@dataclass(frozen=True)
class Accuracy:
    """How right a room, or the site, was while it ran a release.

    `free_s` and `occupied_s` are the labelled seconds that were judged, on so many days. Everything else is None where
    there is nothing to tell it from: without labels; `balanced_accuracy`, the mean of the shares of free and of
    occupied time that were recognised, where one of the two was never labelled; its 95 % interval on fewer than
    LEAST_DAYS days. Time of which nothing was known is not recognised, and .5 in `calibration_error`. False minutes are
    of 24 labelled hours.
    """

    release: str = ""
    days: int = 0
    free_s: int = 0
    occupied_s: int = 0
    balanced_accuracy: float | None = None
    interval: tuple[float, float] | None = None
    calibration_error: float | None = None
    false_free_min_per_day: float | None = None
    false_occupied_min_per_day: float | None = None
    unknown_share: float | None = None


def accuracy(release: str, sums: Reals) -> Accuracy:
    """The figures of days [n, SUMS]."""
    whole = sums.sum(axis=0)
    cells = CONFUSION[0] * CONFUSION[1]
    seconds = whole[:cells].reshape(CONFUSION)
    labelled_s = float(seconds.sum())
    if not labelled_s:
        return Accuracy(release)
    free_s, occupied_s = seconds.sum(axis=1).tolist()
    both = bool(free_s and occupied_s)
    return Accuracy(
        release,
        len(sums),
        round(free_s),
        round(occupied_s),
        float(np.mean(recall(seconds))) if both else None,
        _interval(sums[:, :cells].reshape(-1, *CONFUSION)) if both and len(sums) >= LEAST_DAYS else None,
        float(np.abs(whole[cells:]).sum()) / labelled_s,
        float(seconds[1, 0]) / 60 / (labelled_s / DAY_S),
        float(seconds[0, 1]) / 60 / (labelled_s / DAY_S),
        float(seconds[:, UNKNOWN].sum()) / labelled_s,
    )


def _interval(seconds: Reals) -> tuple[float, float]:
    """Between which values balanced accuracy lies when whole days [n, 2, 3] are drawn anew, in 95 % of the draws."""
    count = len(seconds)
    times = np.random.default_rng(SEED).multinomial(count, np.full(count, 1 / count), size=DRAWS)
    drawn = np.mean(recall(np.tensordot(times, seconds, axes=1)), axis=1)
    # A draw without one of the classes says nothing.
    low, high = np.nanpercentile(drawn, COVERED).tolist()
    return low, high


class AccuracyBook:
    """Judges rooms anew when their labels change, beside the event loop; answers from memory."""

    def __init__(self, clock: Clock, *, site: SiteStore, beliefs: BeliefStore, step_ms: int) -> None:
        self._clock = clock
        self._site = site
        self._store: AccuracyStore = site.accuracy
        self._beliefs = beliefs
        self._step_ms = step_ms
        self._days: dict[str, dict[int, list[AccuracyDay]]] = defaultdict(dict)
        self._releases: dict[str, list[RoomRelease]] = defaultdict(list)
        self._rooms: dict[str, list[Accuracy]] = {}
        self._whole: Accuracy | None = None
        self._version = 0

    async def load(self) -> list[str]:
        """Reads what was judged; the rooms whose labels have changed since."""
        await self._read()
        for release in await self._store.releases():
            self._releases[release.room].append(release)
        labels: dict[str, list[LabelRow]] = defaultdict(list)
        for label in await self._site.words():
            labels[label.room].append(label)
        for room in self._days:
            self._adopt(room, self._summed_up(room))
        return [room for room in sorted({*labels, *self._days}) if self._changed(room, labels[room])]

    async def forget(self, rooms: Collection[str]) -> None:
        """Days of these rooms went: those that still have labels are judged anew."""
        for room in rooms:
            self._days.pop(room, None)
        await self._read(rooms)
        for room in rooms:
            await self.refresh(room)
            self._adopt(room, self._summed_up(room))

    async def _read(self, rooms: Collection[str] = ()) -> None:
        """Takes up what the store holds of these rooms, or of all."""
        for row in await self._store.days():
            if not rooms or row.room in rooms:
                self._days[row.room].setdefault(row.day, []).append(row)

    async def refresh(self, room: str) -> None:
        """Judges the days of a room whose labels have changed."""
        labels = await self._site.words(room)
        changed = await asyncio.to_thread(self._changed, room, labels)
        if not changed:
            return
        first, last = min(changed) * DAY_MS, (max(changed) + 1) * DAY_MS
        spoken = Spoken.of(await self._beliefs.said(room, first, last), tuple(self._releases[room]))
        judged = await asyncio.to_thread(self._judge, room, changed, spoken)
        await self._store.replace(room, changed, [row for rows in judged.values() for row in rows])
        for day in changed:
            self._days[room].pop(day, None)
        self._days[room].update(judged)
        self._adopt(room, await asyncio.to_thread(self._summed_up, room))

    async def note_release(self, room: str, releases: Iterable[str]) -> None:
        """The nodes of a room run these releases from now on."""
        name = "+".join(sorted(set(releases)))
        if name == self._release(room):
            return
        row = RoomRelease(room, self._clock.utc_ms(), name)
        await self._store.add_release(row)
        self._releases[room].append(row)
        self._adopt(room, await asyncio.to_thread(self._summed_up, room))

    def room(self, room: str) -> Sequence[Accuracy]:
        """The room's figures by release: the present one, without labels perhaps, then those before it."""
        return self._rooms.get(room) or [Accuracy(self._release(room))]

    def labelled(self, rooms: Iterable[str]) -> int:
        """How many of these rooms have been judged under their present release."""
        return sum(self.room(room)[0].days > 0 for room in rooms)

    async def whole(self, rooms: Collection[str]) -> Accuracy:
        """The figures of these rooms together, each under its present release."""
        while self._whole is None:
            version, rows = self._version, [row for room in rooms for row in self._rows(room, self._release(room))]
            found = await asyncio.to_thread(_together, rows)
            if version == self._version:
                self._whole = found
        return self._whole

    def _changed(self, room: str, labels: Sequence[LabelRow]) -> dict[int, list[LabelRow]]:
        """The labels of each day that has to be judged anew; none where there are none any more."""
        days = label_days(labels)
        known = {day: rows[0].labels for day, rows in self._days.get(room, {}).items()}
        changed = {day: told for day, told in days.items() if known.get(day) != fingerprint(told)}
        return changed | {day: [] for day in known if day not in days}

    def _judge(self, room: str, changed: dict[int, list[LabelRow]], spoken: Spoken) -> dict[int, list[AccuracyDay]]:
        return {day: judge_day(room, day, told, spoken, self._step_ms) for day, told in changed.items() if told}

    def _summed_up(self, room: str) -> list[Accuracy]:
        present = self._release(room)
        spoke = {row.release for rows in self._days[room].values() for row in rows if sum(row.seconds)}
        before = [row.release for row in reversed(self._releases[room]) if row.release in spoke]
        names = dict.fromkeys([present, *before, *sorted(spoke)])
        return [accuracy(name, by_day(self._rows(room, name))[1]) for name in names]

    def _adopt(self, room: str, figures: list[Accuracy]) -> None:
        self._rooms[room] = figures
        self._whole = None
        self._version += 1

    def _release(self, room: str) -> str:
        releases = self._releases.get(room)
        return releases[-1].release if releases else ""

    def _rows(self, room: str, release: str) -> list[AccuracyDay]:
        return [row for rows in self._days.get(room, {}).values() for row in rows if row.release == release]


def _together(rows: Iterable[AccuracyDay]) -> Accuracy:
    return accuracy("", by_day(rows)[1])
