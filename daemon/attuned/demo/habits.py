"""What people do to a room: lamps, doors, windows and blinds, with the probabilities that were observed in offices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from attuned.demo.daylight import EFFICACY_LM_W
from attuned.demo.layout import NOWHERE, PASSAGES, Kind, Room
from attuned.demo.people import Move
from attuned.demo.physics import Floats, Ints
from attuned.demo.schedule import OUTSIDE

Flags = NDArray[np.bool_]

_PASSAGE_TIMER_S = 600.0
"""Lamps in passages follow motion and go out ten minutes after it, a usual setting."""

_GLARE_LX = 50.0 * EFFICACY_LM_W
"""Direct sun of 50 W/m2 makes people lower blinds (Reinhart and Voss 2003, Lighting Research and Technology 35)."""

_ABSENCE_H = (0.5, 1.0, 2.0, 4.0, 12.0)
_SWITCH_OFF = (0.086, 0.314, 0.386, 0.6, 0.96, 0.999)


def switch_on_probability(lux: float) -> float:
    """Probability that lamps are switched on by somebody who enters a room with this daylight.

    Hunt (1979), "The use of artificial lighting in relation to daylight levels and occupancy", Building and Environment
    14, in the form of Reinhart (2004), Solar Energy 77: -0.0175 + 1.0361 / (1 + exp(4.0835 (lg E - 1.8223))).
    """
    if lux <= 0:
        return 1.0
    probability = -0.0175 + 1.0361 / (1 + math.exp(4.0835 * (math.log10(lux) - 1.8223)))
    return min(1.0, max(0.0, probability))


def switch_off_probability(away_s: float) -> float:
    """Probability that the last to leave switches the lamps off, by the length of the absence.

    Pigg, Eilers and Reed (1996), ACEEE Summer Study 8.161, switch at the door, as used by Reinhart (2004).
    """
    return _SWITCH_OFF[sum(away_s >= hours * 3600 for hours in _ABSENCE_H)]


def window_open_probability(indoor_c: Floats, outdoor_c: float) -> Floats:
    """Share of windows open (Rijal et al. 2007, Energy and Buildings 39: logit p = 0.171 Tin + 0.166 Tout - 6.43)."""
    return np.asarray(1 / (1 + np.exp(6.43 - 0.171 * indoor_c - 0.166 * outdoor_c)))


@dataclass(frozen=True)
class DaylightIn:
    """Daylight that people judge by: `lux` indoors [R] and direct sun on the windows `beam` [R] in lux."""

    lux: Floats
    beam: Floats


class Habits:
    """Lamps, doors, windows and blinds of all rooms [R], moved by those who come, stay and go."""

    def __init__(self, rooms: Sequence[Room], rng: np.random.Generator) -> None:
        count = len(rooms)
        self.people: Ints = np.zeros(count, dtype=np.int64)
        self.lamps: Flags = np.zeros(count, dtype=np.bool_)
        self.doors: Flags = np.zeros(count, dtype=np.bool_)
        self.windows: Flags = np.zeros(count, dtype=np.bool_)
        self.blinds: Flags = np.zeros(count, dtype=np.bool_)
        self._rng = rng
        self._passage: Flags = np.array([room.kind in PASSAGES for room in rooms])
        self._glazed: Flags = np.array([room.window_m2 > 0 for room in rooms])
        self._lobby = next(room.index for room in rooms if room.towards == NOWHERE)
        self._open_habit = np.array([_open_habit(room.kind, rng) for room in rooms])
        self._last_seen: Floats = np.full(count, -math.inf)

    def follow(self, moves: Sequence[Move], light: DaylightIn) -> list[tuple[float, int]]:
        """Lets people react as they come and go; returns (time, room) of every opening and closing of a door."""
        events: list[tuple[float, int]] = []
        for move in moves:
            if move.origin >= 0:
                self._leave(move)
            if move.place >= 0:
                self._enter(move, light)
            for room in self._doors_crossed(move):
                events += [(time_s, room) for time_s in self._cross(move.time_s, room)]
        return events

    def stay(self, now_s: float, step_s: float, indoor_c: Floats, outdoor_c: float, light: DaylightIn) -> None:
        """Lets those who stay react to light and air for `step_s`, and lamps in passages to motion."""
        present = self.people > 0
        chance = self._rng.random((4, len(present)))
        self._switch(present, light.lux, chance[0], step_s)
        self._adjust_blinds(present, light.beam, chance[1], step_s)
        # About twice an hour somebody thinks of the window.
        thinks = present & self._glazed & (chance[2] < step_s / 1800)
        self.windows = np.where(thinks, chance[3] < window_open_probability(indoor_c, outdoor_c), self.windows)
        self._last_seen[present] = now_s
        lit = now_s - self._last_seen < _PASSAGE_TIMER_S
        self.lamps = np.where(self._passage, lit, self.lamps)

    def _switch(self, present: Flags, lux: Floats, chance: Floats, step_s: float) -> None:
        """Switching while present (Reinhart and Voss 2003): 2 % in five minutes below 257 lux, 0.3 % above.

        Lamps that nobody needs are put out about once in two hours, above 500 lux of daylight.
        """
        on = np.where(lux < 257, 0.0197, 0.0027) * step_s / 300
        off = np.where(lux > 500, step_s / 7200, 0.0)
        self.lamps = np.where(present, np.where(self.lamps, chance >= off, chance < on), self.lamps)

    def _adjust_blinds(self, present: Flags, beam: Floats, chance: Floats, step_s: float) -> None:
        dazzled = present & (beam > _GLARE_LX) & (chance < step_s / 600)
        self.blinds = self.blinds | dazzled

    def _leave(self, move: Move) -> None:
        room = move.origin
        self.people[room] -= 1
        if self.people[room] > 0 or self._passage[room]:
            return
        if self._rng.random() < switch_off_probability(move.away_s):
            self.lamps[room] = False
        if self._rng.random() < 0.7:
            self.windows[room] = False

    def _enter(self, move: Move, light: DaylightIn) -> None:
        room = move.place
        self.people[room] += 1
        if self.people[room] > 1 or self._passage[room]:
            return
        if light.beam[room] <= _GLARE_LX and self._rng.random() < 0.6:
            self.blinds[room] = False
        if self._rng.random() < switch_on_probability(float(light.lux[room])):
            self.lamps[room] = True

    def _doors_crossed(self, move: Move) -> list[int]:
        """Every room but a passage has a door; the lobby's is the one to the street."""
        ends = [place for place in (move.origin, move.place) if place >= 0 and not self._passage[place]]
        return [*ends, self._lobby] if OUTSIDE in (move.origin, move.place) else ends

    def _cross(self, time_s: float, room: int) -> list[float]:
        """Times at which a door opens or closes as somebody goes through it."""
        stays_open = self._open_habit[room] if self.people[room] > 0 else 0.3 * self._open_habit[room]
        if self.doors[room]:
            # Whoever finds it open mostly leaves it so.
            if self._rng.random() < 0.15 + 0.85 * stays_open:
                return []
            self.doors[room] = False
            return [time_s + self._rng.uniform(0.5, 2.0)]
        self.doors[room] = bool(self._rng.random() < stays_open)
        return [time_s] if self.doors[room] else [time_s, time_s + self._rng.uniform(2.0, 5.0)]


def _open_habit(kind: Kind, rng: np.random.Generator) -> float:
    """Probability that a door is left open; an assumption, by the use of the room."""
    return {
        Kind.OFFICE: rng.uniform(0.1, 0.9),
        Kind.MEETING: 0.15,
        Kind.KITCHEN: 0.8,
        Kind.CORRIDOR: 0.0,
        Kind.LOBBY: 0.05,
    }[kind]
