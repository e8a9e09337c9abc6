"""What people do in a day: arrival, meetings, lunch, breaks, visits, departure.

The shape (one stay at work, interrupted by short absences of fixed kinds) follows Wang, Federspiel and Rubinstein
(2005), "Modeling occupancy in single person offices", Energy and Buildings 37, and Page et al. (2008), Energy and
Buildings 40; the figures are assumptions about an ordinary office, and stand here in one place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from attuned.demo.layout import Kind, Room

OUTSIDE = -1
"""Place of those who are not in the building."""

ELSEWHERE = -2
"""Place of those who are in the building and in none of its rooms: stairs, toilets, stores."""

HOUR = 3600.0
MINUTE = 60.0
_EARLIEST_S = 6 * HOUR
_LATEST_S = 20.5 * HOUR
_SETTLE_S = 4 * MINUTE
"""Least time in one place between two plans: shorter stays are not planned by anybody."""


@dataclass(frozen=True)
class Person:
    """A person of the building: home is a room index (OUTSIDE for visitors), workdays count from Monday = 0."""

    index: int
    role: str
    """worker, reception, visitor or cleaner."""
    home: int
    basal_mj_day: float
    arrival_s: float
    stay_s: float
    workdays: frozenset[int]
    breaks: float
    """Breaks and errands a day, on average."""


@dataclass
class Diary:
    """A person's day: at `home` from `arrive` to `leave` (seconds of the day), except in `plans`."""

    home: int
    arrive: float
    leave: float
    plans: list[tuple[float, float, int]] = field(default_factory=list)

    def add(self, start: float, end: float, place: int) -> bool:
        """Plans a stay elsewhere, unless it comes too close to another plan or to the ends of the day."""
        if start < self.arrive + _SETTLE_S or end > self.leave - _SETTLE_S:
            return False
        if any(start < e + _SETTLE_S and s < end + _SETTLE_S for s, e, _ in self.plans):
            return False
        self.plans.append((start, end, place))
        return True

    def stays(self) -> list[tuple[float, int]]:
        """(start, place) in order, from arrival to departure."""
        stays = [(self.arrive, self.home)]
        for start, end, place in sorted(self.plans):
            stays += [(start, place), (end, self.home)]
        return [*stays, (self.leave, OUTSIDE)]


def plan_day(
    people: Sequence[Person], rooms: Sequence[Room], weekday: int, rng: np.random.Generator
) -> dict[int, list[tuple[float, int]]]:
    """Stays of everybody who comes on a day, by person: (start in seconds of the day, place), in order of time."""
    diaries = {p.index: _diary(p, rng) for p in people if p.home != OUTSIDE and _comes(p, weekday, rng)}
    if weekday < 5:
        visitors = [p for p in people if p.role == "visitor"]
        _plan_meetings(diaries, visitors, rooms, rng)
    for index, diary in diaries.items():
        _plan_breaks(diary, people[index], rooms, rng)
    days = {index: diary.stays() for index, diary in diaries.items()}
    if weekday < 5:
        days |= _plan_cleaning([p for p in people if p.role == "cleaner"], rooms, rng)
    return days


def _comes(person: Person, weekday: int, rng: np.random.Generator) -> bool:
    """Illness, holidays and travel take one workday in eight; on a weekend one person in forty comes."""
    return bool(rng.random() < (0.875 if weekday in person.workdays else 0.025 if weekday >= 5 else 0.0))


def _diary(person: Person, rng: np.random.Generator) -> Diary:
    arrive = float(np.clip(person.arrival_s + rng.normal(0, 14 * MINUTE), _EARLIEST_S, 12 * HOUR))
    stay = max(2 * HOUR, person.stay_s + rng.normal(0, 35 * MINUTE))
    return Diary(person.home, arrive, min(arrive + stay, _LATEST_S))


def _plan_meetings(
    diaries: dict[int, Diary], visitors: Sequence[Person], rooms: Sequence[Room], rng: np.random.Generator
) -> None:
    """Fills the meeting rooms from a quarter to nine on, with gaps of about fifty minutes; some have visitors."""
    for room in (room for room in rooms if room.kind is Kind.MEETING):
        start = 8.75 * HOUR + rng.exponential(50 * MINUTE)
        while start < 17 * HOUR:
            # Meetings start at whole five minutes, more or less.
            start = round(start / 300) * 300 + rng.normal(0, 30)
            end = start + float(rng.choice((30, 45, 60, 90), p=(0.3, 0.2, 0.4, 0.1))) * MINUTE
            _invite(diaries, room, start, end, rng)
            if visitors and rng.random() < 0.25:
                guest = visitors[int(rng.integers(len(visitors)))].index
                visit = Diary(room.index, start + rng.normal(-120, 60), end + rng.normal(90, 40))
                diaries.setdefault(guest, visit)
            start = end + rng.exponential(50 * MINUTE)


def _invite(diaries: dict[int, Diary], room: Room, start: float, end: float, rng: np.random.Generator) -> None:
    """Between two and six people come, each a little early or late and out again a little after the others."""
    wanted = min(room.seats, 2 + int(rng.binomial(4, 0.4)), len(diaries))
    candidates = rng.permutation(np.array(list(diaries), dtype=np.int64))[: 3 * wanted]
    for index in candidates:
        if wanted == 0:
            return
        early, late = rng.normal(0, 70), rng.normal(0, 60)
        wanted -= diaries[int(index)].add(start + early, end + late, room.index)


def _plan_breaks(diary: Diary, person: Person, rooms: Sequence[Room], rng: np.random.Generator) -> None:
    if person.role == "visitor":
        return
    kitchen = nearest(rooms, rooms[person.home], Kind.KITCHEN)
    noon = 12.25 * HOUR + rng.normal(0, 25 * MINUTE)
    where = rng.choice((OUTSIDE, kitchen, person.home), p=(0.5, 0.35, 0.15))
    diary.add(noon, noon + max(15, rng.normal(38, 8)) * MINUTE, int(where))
    for _ in range(rng.poisson(person.breaks)):
        place, minutes = _break(kitchen, rooms, rng)
        start = rng.uniform(diary.arrive, diary.leave)
        diary.add(start, start + minutes * MINUTE, place)


def _break(kitchen: int, rooms: Sequence[Room], rng: np.random.Generator) -> tuple[int, float]:
    """Place and minutes of a break: coffee, toilet, a colleague's office, an errand outside."""
    kind = rng.random()
    if kind < 0.32:
        return kitchen, rng.uniform(3, 12)
    if kind < 0.68:
        return ELSEWHERE, rng.uniform(3, 8)
    if kind < 0.92:
        offices = [room.index for room in rooms if room.kind is Kind.OFFICE]
        return int(rng.choice(offices)), min(60.0, 3 + rng.exponential(10))
    return OUTSIDE, rng.uniform(10, 70)


def _plan_cleaning(
    cleaners: Sequence[Person], rooms: Sequence[Room], rng: np.random.Generator
) -> dict[int, list[tuple[float, int]]]:
    """Cleaners share the rooms and spend three to seven minutes in each, early in the evening."""
    days = {}
    for number, cleaner in enumerate(cleaners):
        start = 18 * HOUR + rng.uniform(0, 1) * HOUR
        stays = []
        for room in rooms[number :: len(cleaners)]:
            stays.append((start, room.index))
            start += rng.uniform(3, 7) * MINUTE
        days[cleaner.index] = [*stays, (start, OUTSIDE)]
    return days


def nearest(rooms: Sequence[Room], room: Room, kind: Kind) -> int:
    """Index of the room of a kind that is the fewest floors away, then the fewest doors."""
    return min((abs(r.floor - room.floor), abs(r.index - room.index), r.index) for r in rooms if r.kind is kind)[2]
