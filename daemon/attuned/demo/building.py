"""A whole building: people, physics and sensors, moved on together in steps of ten seconds."""

from __future__ import annotations

import math

import numpy as np

from attuned.demo.behaviour import Behaviour
from attuned.demo.climate import Climate, fabric_of
from attuned.demo.events import Doors, Motion
from attuned.demo.faults import FaultRates
from attuned.demo.habits import Habits
from attuned.demo.layout import DemoError, place_nodes, plan_rooms
from attuned.demo.people import Crowd, weekday_of
from attuned.demo.physics import Floats, Ints, co2_generation
from attuned.demo.sensors import SAMPLE, Levels, Samples
from attuned.demo.weather import DAY_MS, HOUR_MS, Site, Weather

STEP_S = 10

START_UTC_MS = 1_710_230_400_000
"""Tuesday, 12 March 2024, 08:00 UTC: nine in the morning in the building, and people arrive."""


class Building:
    """A simulated building. Two of the same seed and size give the same samples, however `advance` cuts the time.

    `rooms` and `nodes` describe it; `climate`, `habits` and `outdoors` are the physical truth at the present.
    """

    def __init__(
        self,
        seed: int,
        rooms: int = 12,
        nodes: int = 16,
        start_utc_ms: int = START_UTC_MS,
        *,
        site: Site | None = None,
        faults: FaultRates | None = None,
        step_s: int = STEP_S,
        main_type: str = "",
    ) -> None:
        """Lives through the first day up to `start_utc_ms` without giving samples. Raises DemoError for odd sizes.

        `step_s`: longer steps, up to a minute, simulate long stretches sooner; levels then have one reading a step.
        `main_type`: every room has a node of this type (layout.NODE_TYPES), in place of what its use asks for.
        """
        self.step_s = step_s
        self._step_ms = 1000 * step_s
        plan, people, weather, fabric, habits, behaviour, levels, events = (
            np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(8)
        )
        self.site = site or Site()
        self.start_utc_ms = start_utc_ms
        self.rooms = plan_rooms(rooms, plan)
        self.nodes = place_nodes(self.rooms, nodes, plan, main_type)
        self._index = {room.id: room.index for room in self.rooms}
        self._begin(people, weather, fabric, habits, behaviour)
        self._equip(faults or FaultRates(), levels, events)
        while self._tick_ms < 0:
            self._live()

    def _begin(
        self,
        people: np.random.Generator,
        weather: np.random.Generator,
        fabric: np.random.Generator,
        habits: np.random.Generator,
        behaviour: np.random.Generator,
    ) -> None:
        """Starts at the first step after the local midnight before the start, when nobody is in."""
        local_ms = self.start_utc_ms + self.site.utc_offset_ms
        self._day = local_ms // DAY_MS
        self._tick_ms = -(local_ms % DAY_MS // self._step_ms * self._step_ms)
        self._midnight_tick_ms = -(local_ms % DAY_MS)
        self._crowd = Crowd(self.rooms, self._day, people)
        self._breath = co2_generation([p.basal_mj_day for p in self._crowd.people], met=1.0)
        self._weather = Weather(self.site, weather)
        self.outdoors = self._weather.step(self.start_utc_ms + self._tick_ms, self.step_s)
        self.climate = Climate(fabric_of(self.rooms, fabric), self.outdoors)
        self.habits = Habits(self.rooms, habits)
        self._behaviour = Behaviour(self.rooms, behaviour)

    def _equip(self, faults: FaultRates, levels: np.random.Generator, events: np.random.Generator) -> None:
        room_of = [self._index[node.room] for node in self.nodes]
        self._levels = Levels(self.nodes, room_of, faults, levels)
        self._motion = Motion(self.nodes, room_of, faults, self._step_ms, events)
        self._doors = Doors(self.nodes, room_of, faults, self._step_ms, events)

    @property
    def tick_ms(self) -> int:
        """Milliseconds since the start."""
        return self._tick_ms

    @property
    def utc_ms(self) -> int:
        """The present, in UTC."""
        return self.start_utc_ms + self._tick_ms

    @property
    def people(self) -> Ints:
        """Number of people in each room, in the order of `rooms`."""
        return self.habits.people.copy()

    def people_in(self, room: str) -> int:
        """Number of people in a room, by its id, at the present."""
        return int(self.habits.people[self._index[room]])

    def occupied(self, room: str) -> bool:
        """True if anybody is in the room at the present."""
        return self.people_in(room) > 0

    def devices(self, node: int) -> dict[str, tuple[float, float]]:
        """(gain, offset) of each level sensor of a node, by kind."""
        return self._levels.devices(node)

    def cover(self, node: int) -> None:
        """From now on something lies over a node's light sensor: tape, or a box that was put in front of it."""
        self._levels.cover(node)

    def rehome(self, room: str, other: str) -> None:
        """From their next day on, the people of two rooms have changed places: each room is used as the other was."""
        self._crowd.rehome(self._index[room], self._index[other])

    def advance(self, seconds: int) -> Samples:
        """Lives on for a multiple of `step_s` seconds and returns all readings of that time, by tick, node and sensor.

        Their ticks lie after the old present, up to and including the new one. Raises DemoError for other durations.
        """
        if seconds < 0 or seconds % self.step_s:
            raise DemoError(f"A building advances by multiples of {self.step_s} s, not by {seconds}: round the time.")
        parts = [part for _ in range(seconds // self.step_s) for part in self._sense()]
        samples = np.concatenate([np.empty(0, dtype=SAMPLE), *parts])
        return samples[np.lexsort((samples["sensor"], samples["node"], samples["tick_ms"]))]

    def _live(self) -> list[tuple[int, int]]:
        """One step of people and physics; returns the doors' events as (tick in ms, room)."""
        self._tick_ms += self._step_ms
        since_midnight_s = (self._tick_ms - self._midnight_tick_ms) / 1000
        moves = self._crowd.advance(since_midnight_s)
        self.outdoors = self._weather.step(self.utc_ms, self.step_s)
        crossings = self.habits.follow(moves, self.climate.daylight)
        self.habits.stay(
            since_midnight_s, self.step_s, self.climate.air, self.outdoors.temperature_c, self.climate.daylight
        )
        self._behaviour.step(self.step_s, self.habits, moves)
        self.climate.shine(self.outdoors, self.habits)
        self.climate.breathe(
            self.step_s,
            self.outdoors,
            self.habits,
            self._breath_by_room(),
            working=self._between(6.5, 19.0),
            warm=self._between(5.0, 18.5),
        )
        return [(self._midnight_tick_ms + math.ceil(time_s * 1000), room) for time_s, room in crossings]

    def _sense(self) -> list[Samples]:
        start_ms = self._tick_ms
        crossings = self._live()
        levels = self._levels.step(self._truth(), start_ms, self._step_ms)
        motion = self._motion.step(self._behaviour.motion_rate(self.habits), start_ms)
        return [levels, motion, self._doors.step(crossings, start_ms, self._step_ms)]

    def _truth(self) -> Floats:
        """Levels as they are, [kinds, rooms], in the order of the level sensors' kinds."""
        climate = self.climate
        sound = self._behaviour.sound(self.habits, self._between(6.5, 19.0), self._street_db())
        truth = {
            "temperature": climate.air,
            "humidity": climate.humidity,
            "light": climate.lux,
            "co2": climate.co2,
            "sound": sound,
        }
        return np.stack([truth[kind] for kind in self._levels.kinds])

    def _breath_by_room(self) -> Floats:
        """CO2 breathed out in each room at 1 met, in m3/s."""
        inside = self._crowd.location >= 0
        where, breath = self._crowd.location[inside], self._breath[inside]
        return np.bincount(where, weights=breath, minlength=len(self.rooms)).astype(np.float64)

    def _hour(self) -> float:
        return (self.utc_ms + self.site.utc_offset_ms) % DAY_MS / HOUR_MS

    def _between(self, start_h: float, end_h: float) -> bool:
        """True between two hours of a working day: the plant runs by the clock."""
        day = (self.utc_ms + self.site.utc_offset_ms) // DAY_MS
        return weekday_of(day) < 5 and start_h <= self._hour() < end_h

    def _street_db(self) -> float:
        """Traffic in front of the building: 52 dBA at three in the night, 64 at three in the afternoon."""
        return 58.0 - 6.0 * math.cos(2 * math.pi * (self._hour() - 3) / 24)
