"""People of a simulated building, and where each of them is: in one place at any time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from attuned.demo.layout import NOWHERE, PASSAGES, Kind, Room
from attuned.demo.physics import Ints, basal_rate
from attuned.demo.schedule import ELSEWHERE, HOUR, OUTSIDE, Person, plan_day

DAY_S = 86_400.0
_MONDAY = 4
"""Weekday of day 0 of the Unix era, a Thursday, is 3; adding this turns days into weekdays modulo seven."""

_ROOMS_PER_CLEANER = 8


@dataclass(frozen=True)
class Move:
    """A person goes from one place to the next at a time in seconds since the local midnight of the first day.

    `away_s` says how long it takes until the person is back where they came from, DAY_S if not on this day.
    """

    time_s: float
    person: int
    origin: int
    place: int
    away_s: float


class Crowd:
    """All people, moved along their days. `location` [people] holds a room index, OUTSIDE or ELSEWHERE."""

    def __init__(self, rooms: Sequence[Room], first_day: int, rng: np.random.Generator) -> None:
        """`first_day` is the first local day, in days of the Unix era."""
        self.people = settle(rooms, rng)
        self.location: Ints = np.full(len(self.people), OUTSIDE, dtype=np.int64)
        self._rooms = rooms
        self._rng = rng
        self._first_day = first_day
        self._planned_days = 0
        self._due: list[Move] = []
        self._next = 0

    def advance(self, until_s: float) -> list[Move]:
        """Carries out all moves up to and including `until_s`, and returns them in order of time."""
        while until_s >= self._planned_days * DAY_S:
            self._plan(self._planned_days)
        first = self._next
        while self._next < len(self._due) and self._due[self._next].time_s <= until_s:
            move = self._due[self._next]
            self.location[move.person] = move.place
            self._next += 1
        return self._due[first : self._next]

    def rehome(self, room: int, other: int) -> None:
        """From the next day that is planned on, people whose home is one of two rooms live in the other."""
        new = {room: other, other: room}
        self.people = tuple(replace(p, home=new.get(p.home, p.home)) for p in self.people)

    def _plan(self, day: int) -> None:
        """Adds a day's moves. Nobody's day runs past midnight, so days follow one another."""
        weekday = weekday_of(self._first_day + day)
        stays = plan_day(self.people, self._rooms, weekday, self._rng)
        moves = [m for who, plan in stays.items() for m in walk(who, plan, self._rooms, day * DAY_S, self._rng)]
        self._due = self._due[self._next :] + sorted(moves, key=lambda m: (m.time_s, m.person))
        self._next = 0
        self._planned_days += 1


def weekday_of(day: int) -> int:
    """Weekday of a day of the Unix era, Monday = 0."""
    return (day + _MONDAY - 1) % 7


def settle(rooms: Sequence[Room], rng: np.random.Generator) -> tuple[Person, ...]:
    """People for every office seat and the reception, visitors for the meeting rooms, and cleaners."""
    homes = [("worker", room.index) for room in rooms if room.kind is Kind.OFFICE for _ in range(room.seats)]
    homes += [("reception", room.index) for room in rooms if room.kind is Kind.LOBBY]
    homes += [("visitor", OUTSIDE) for room in rooms if room.kind is Kind.MEETING for _ in range(2)]
    homes += [("cleaner", OUTSIDE) for _ in range(-(-len(rooms) // _ROOMS_PER_CLEANER))]
    return tuple(_person(index, role, home, rng) for index, (role, home) in enumerate(homes))


def _person(index: int, role: str, home: int, rng: np.random.Generator) -> Person:
    female = bool(rng.random() < 0.5)
    mass_kg = rng.normal(70 if female else 83, 10)
    at_home = rng.choice(5, size=rng.choice(3, p=(0.4, 0.35, 0.25)), replace=False)
    return Person(
        index=index,
        role=role,
        home=home,
        basal_mj_day=basal_rate(mass_kg, female),
        arrival_s=rng.normal(7.5 if role == "reception" else 8.7, 0.1 if role == "reception" else 0.6) * HOUR,
        stay_s=rng.normal(8.4, 0.7) * HOUR,
        workdays=frozenset(range(5)) - (frozenset() if role == "reception" else frozenset(at_home.tolist())),
        breaks=rng.uniform(4, 9),
    )


def walk(
    person: int, stays: Sequence[tuple[float, int]], rooms: Sequence[Room], midnight_s: float, rng: np.random.Generator
) -> list[Move]:
    """A day's stays as moves, with the passages in between, each crossed in 10 to 40 s; no two at once."""
    steps: list[tuple[float, int]] = []
    here, clock = OUTSIDE, 0.0
    for start, place in stays:
        clock = max(clock, start)
        if place == here:
            continue
        for passage in _route(here, place, rooms):
            steps.append((clock, passage))
            clock += rng.uniform(10, 40)
        steps.append((clock, place))
        # Once there, everybody stays for a moment, also where plans overlap.
        here, clock = place, clock + 30.0
    return _as_moves(person, steps, midnight_s)


def _as_moves(person: int, steps: Sequence[tuple[float, int]], midnight_s: float) -> list[Move]:
    """Moves from steps, with the time until the return, worked out from the last to the first."""
    moves = []
    back: dict[int, float] = {}
    for number in range(len(steps) - 1, -1, -1):
        time_s, place = steps[number]
        origin = steps[number - 1][1] if number else OUTSIDE
        away = back.get(origin, time_s + DAY_S) - time_s
        back[place] = time_s
        moves.append(Move(midnight_s + time_s, person, origin, place, away))
    return moves[::-1]


def _route(origin: int, place: int, rooms: Sequence[Room]) -> list[int]:
    """Passages between two places: of the one's floor, then of the other's; the lobby is next to the street."""
    first, last = _passage(origin, rooms), _passage(place, rooms)
    first = last if first is None else first
    last = first if last is None else last
    between = [] if first is None or last is None else [first] if first == last else [first, last]
    return [passage for passage in between if passage not in (origin, place)]


def _passage(place: int, rooms: Sequence[Room]) -> int | None:
    """The passage from which a place is entered; None for ELSEWHERE, which is on every floor."""
    if place == ELSEWHERE:
        return None
    if place == OUTSIDE:
        return next(room.index for room in rooms if room.towards == NOWHERE)
    room = rooms[place]
    return place if room.kind in PASSAGES else room.towards
