"""What people give away by being there: speech, small noises and movement."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from attuned.demo import physics
from attuned.demo.habits import Flags, Habits
from attuned.demo.layout import Kind, Room
from attuned.demo.people import Move
from attuned.demo.physics import Floats

SPEECH_DB = 68.4
"""A-weighted sound power of normal speech (ISO 3382-3, table 1)."""

_QUIET_WORK_DB = 41.0
"""Sound power of keys, paper and a chair, per person."""

_APPLIANCE_DB = 62.0
_STEPS_DB = 58.0
_TALK_S = 90.0
_FIDGET_S = 240.0
_FIDGETING = 0.3
"""People sit still most of the time, and move often for a few minutes in between."""

_PIR_RATE = {
    Kind.OFFICE: 1 / 60,
    Kind.MEETING: 1 / 50,
    Kind.KITCHEN: 1 / 10,
    Kind.CORRIDOR: 1 / 3,
    Kind.LOBBY: 1 / 40,
}
"""Hits of a motion sensor per person and second, on average. Hits of one restless spell are a Poisson process."""


def switch_states(on: Flags, share: Floats, spell_s: float, step_s: float, rng: np.random.Generator) -> Flags:
    """One step of two-state Markov chains with this stationary share of `on` [R] and mean length of spells of it."""
    leave = step_s / spell_s
    enter = leave * share / np.maximum(1 - share, 1e-6)
    chance = rng.random(len(on))
    return np.asarray(np.where(on, chance >= leave, chance < enter) & (share > 0))


class Behaviour:
    """Speech, restlessness and steps in all rooms [R]."""

    def __init__(self, rooms: Sequence[Room], rng: np.random.Generator) -> None:
        count = len(rooms)
        volume = np.array([room.volume_m3 for room in rooms])
        self._rng = rng
        self._absorption = physics.sabine_absorption(volume, rng.uniform(0.4, 0.7, count))
        # Background in offices lies between noise criteria 25 and 45 (ASHRAE Handbook, chapter on noise control).
        self._fan_db = rng.uniform(32, 50, count)
        self._kitchen = np.array([room.kind is Kind.KITCHEN for room in rooms])
        self._pir_rate = np.array([_PIR_RATE[room.kind] for room in rooms])
        self._chatter = np.array([[_talking(room.kind, alone) for room in rooms] for alone in (True, False)])
        self._towards = np.array([max(room.towards, 0) for room in rooms])
        self.talking: Flags = np.zeros(count, dtype=np.bool_)
        self.restless: Flags = np.zeros(count, dtype=np.bool_)
        self.walkers: Floats = np.zeros(count)

    def step(self, step_s: float, habits: Habits, moves: Sequence[Move]) -> None:
        """Moves talk and restlessness on, and counts who walks in or out."""
        alone, several = self._chatter
        share = np.where(habits.people > 1, several, np.where(habits.people == 1, alone, 0.0))
        self.talking = switch_states(self.talking, share, _TALK_S, step_s, self._rng)
        fidgeting = np.where(habits.people > 0, _FIDGETING, 0.0)
        self.restless = switch_states(self.restless, fidgeting, _FIDGET_S, step_s, self._rng)
        ends = [place for move in moves for place in (move.origin, move.place) if place >= 0]
        self.walkers = np.bincount(np.array(ends, dtype=np.int64), minlength=len(self.walkers)).astype(np.float64)

    def motion_rate(self, habits: Habits) -> Floats:
        """Motion hits a second that a sensor of sensitivity 1 sees in each room [R]."""
        vigour = np.where(self.restless, 2.4, 0.4)
        return np.asarray(habits.people * self._pir_rate * vigour + 0.3 * self.walkers)

    def sound(self, habits: Habits, working: bool, street_db: float) -> Floats:
        """Sound level in dBA in each room [R], as an average over a second or so."""
        noise = self._rng.standard_normal((4, len(self.talking)))
        inside = self._sources(habits, noise)
        passage = inside[self._towards]
        heard = passage - np.where(habits.doors, 12.0, 32.0)
        fans = np.where(working, self._fan_db, self._fan_db - 8.0)
        windows = street_db - np.where(habits.windows, 15.0, 32.0)
        return physics.add_levels(inside, heard, fans, windows + 2 * noise[3])

    def _sources(self, habits: Habits, noise: Floats) -> Floats:
        """Level of all that people do in a room; speech varies by some 4 dB from one moment to the next."""
        silent = -100.0
        people = np.maximum(habits.people, 1e-9)
        speech = np.where(self.talking, SPEECH_DB + 4 * noise[0], silent)
        work = _QUIET_WORK_DB + 10 * np.log10(people) + 5 * noise[1]
        steps = np.where(self.walkers > 0, _STEPS_DB + 3 * noise[2], silent)
        machine = np.where(self._kitchen & self.restless, _APPLIANCE_DB, silent)
        return physics.reverberant_level(physics.add_levels(speech, work, steps, machine), self._absorption)


def _talking(kind: Kind, alone: bool) -> float:
    """Share of time in which somebody speaks; alone, on the telephone."""
    if alone:
        return 0.0 if kind is Kind.CORRIDOR else 0.07
    return {Kind.OFFICE: 0.2, Kind.MEETING: 0.85, Kind.KITCHEN: 0.6, Kind.CORRIDOR: 0.5, Kind.LOBBY: 0.6}[kind]
