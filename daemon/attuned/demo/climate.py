"""Air, heat, moisture and light of all rooms, moved on in steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from attuned.demo import physics
from attuned.demo.daylight import EFFICACY_LM_W, beam_on_windows, daylight_factor
from attuned.demo.habits import DaylightIn, Flags, Habits
from attuned.demo.layout import NOWHERE, PASSAGES, Kind, Room
from attuned.demo.physics import AIR_DENSITY, AIR_HEAT, Floats, Flows, Ints
from attuned.demo.weather import Outdoors

SENSIBLE_W = 75.0
LATENT_W = 55.0
"""Heat of a person at moderately active office work (ASHRAE Handbook of Fundamentals, chapter 18, table 1)."""

COMPUTER_W = 60.0
LAMPS_W_M2 = 8.0
_FURNITURE = 4.0
"""Heat capacity of the air node in multiples of that of the air: furniture follows within minutes."""

_MOISTURE_STORE = 10.0
"""Moisture capacity in multiples of that of the air: paper, plaster (the effective capacitance model of EnergyPlus)."""

_MASS_J_K_M2 = 165_000.0
_MASS_W_K_M2 = 3.45 * 4.5
"""Heat capacity and coupling of walls and floors per floor area (EN ISO 13790, class medium; 7.2.2.2, 12.3.1.2)."""

_HEAT_RECOVERY = 0.75
_NIGHT_FLOW = 0.1
_UNDERCUT_M3_S = 0.004
"""Air each way past a closed door."""

_STAIRWELL_M3_S = 0.03
"""Air each way between the passages of neighbouring floors."""


@dataclass(frozen=True)
class Fabric:
    """Constants of all rooms, each [R]. Flows in m3/s, conductances in W/K."""

    towards: Ints
    has_door: Flags
    area_m2: Floats
    volume_m3: Floats
    window_m2: Floats
    facing_deg: Floats
    design_flow: Floats
    leakage_cm2: Floats
    window_w_k: Floats
    wall_w_k: Floats
    setpoint_c: Floats
    daylight: Floats
    beam: Floats
    lamp_lx: Floats
    met: Floats


def fabric_of(rooms: Sequence[Room], rng: np.random.Generator) -> Fabric:
    """Draws what the plan of the rooms leaves open."""
    area = np.array([room.area_m2 for room in rooms])
    height = np.array([room.height_m for room in rooms])
    window = np.array([room.window_m2 for room in rooms])
    facade = np.where(window > 0, np.sqrt(area) * height, 0.0)
    surfaces = 2 * area + 4 * np.sqrt(area) * height
    seats = np.array([room.seats for room in rooms])
    return Fabric(
        towards=np.array([room.index if room.towards == NOWHERE else room.towards for room in rooms]),
        has_door=np.array([room.kind not in PASSAGES for room in rooms]),
        area_m2=area,
        volume_m3=area * height,
        window_m2=window,
        facing_deg=np.array([room.facing_deg for room in rooms]),
        # EN 16798-1, category II: 7 l/s a person and 0.35 l/s m2 in a very low-polluting building.
        design_flow=(7.0 * seats + 0.35 * area) / 1000 * _delivered(len(rooms), rng),
        leakage_cm2=facade * rng.uniform(1.0, 5.0, len(rooms)),
        window_w_k=1.3 * window,
        wall_w_k=0.3 * np.maximum(facade - window, 0.0),
        setpoint_c=rng.normal(21.8, 0.5, len(rooms)),
        daylight=daylight_factor(window, surfaces),
        # Flux through the window, once reflected and spread over all surfaces (the split-flux method's second term).
        beam=0.65 * window / surfaces,
        lamp_lx=rng.uniform(180, 420, len(rooms)),
        met=np.array([_met(room.kind) for room in rooms]),
    )


def _delivered(rooms: int, rng: np.random.Generator) -> Floats:
    """Share of the design flow that reaches each room: two buildings in five have no fans at all."""
    building = 0.0 if rng.random() < 0.4 else rng.uniform(0.2, 0.9)
    return building * rng.uniform(0.7, 1.2, rooms)


def _met(kind: Kind) -> float:
    """Activity in met: seated office work, standing, walking (ASHRAE Handbook of Fundamentals, chapter 9, table 4)."""
    return {Kind.OFFICE: 1.2, Kind.MEETING: 1.2, Kind.KITCHEN: 1.6, Kind.CORRIDOR: 2.0, Kind.LOBBY: 1.4}[kind]


class Climate:
    """State of all rooms [R]: `co2` ppm, `moisture` kg/kg, `air`, `mass` degC, `lux` with lamps, `daylight` without."""

    def __init__(self, fabric: Fabric, outdoors: Outdoors) -> None:
        count = len(fabric.area_m2)
        self.fabric = fabric
        self.co2: Floats = np.full(count, outdoors.co2_ppm + 20.0)
        self.moisture: Floats = np.full(count, outdoors.humidity_ratio + 0.0005)
        self.air: Floats = fabric.setpoint_c - 1.0
        self.mass: Floats = fabric.setpoint_c - 0.7
        self.daylight = DaylightIn(np.zeros(count), np.zeros(count))
        self.lux: Floats = np.zeros(count)

    @property
    def humidity(self) -> Floats:
        """Relative humidity in % [R]."""
        return physics.relative_humidity(self.air, self.moisture)

    def shine(self, outdoors: Outdoors, habits: Habits) -> None:
        """Sets daylight and lamps for this step."""
        blinds = np.where(habits.blinds, 0.2, 1.0)
        beam = beam_on_windows(outdoors.sky, outdoors.sun, self.fabric.facing_deg) * (self.fabric.window_m2 > 0)
        inside = (outdoors.sky.diffuse * self.fabric.daylight + beam * self.fabric.beam) * blinds
        self.daylight = DaylightIn(inside, beam)
        self.lux = inside + habits.lamps * self.fabric.lamp_lx

    def breathe(
        self, step_s: float, outdoors: Outdoors, habits: Habits, breath: Floats, *, working: bool, warm: bool
    ) -> None:
        """Moves air, heat and moisture on.

        `breath` [R]: CO2 breathed out at 1 met in m3/s; `working`: fans run; `warm`: heating is not set back.
        """
        fabric = self.fabric
        mechanical = fabric.design_flow * (1.0 if working else _NIGHT_FLOW)
        free = self._free_flow(outdoors, habits)
        doors = self._door_flow(habits)
        flows = Flows(mechanical + free, doors, fabric.towards)
        co2 = physics.balance(self.co2, outdoors.co2_ppm, breath * fabric.met * 1e6, flows)
        vapour = habits.people.astype(np.float64) * LATENT_W / physics.VAPORISATION / AIR_DENSITY
        moisture = physics.balance(self.moisture, outdoors.humidity_ratio, vapour, flows)
        # Recovered heat is the same as less air to warm.
        warmed = replace(flows, to_outside=free + (1 - _HEAT_RECOVERY) * mechanical)
        exchange = physics.balance(self.air, outdoors.temperature_c, np.zeros_like(self.air), warmed)
        self._warm(step_s, outdoors, habits, exchange * AIR_DENSITY * AIR_HEAT, warm)
        self.co2 = self.co2 + co2 / fabric.volume_m3 * step_s
        self.moisture = self.moisture + moisture / (fabric.volume_m3 * _MOISTURE_STORE) * step_s

    def _free_flow(self, outdoors: Outdoors, habits: Habits) -> Floats:
        """Leaks and open windows in m3/s; people tilt a window, which opens about a twelfth of it."""
        difference = self.air - outdoors.temperature_c
        tilted = habits.windows * self.fabric.window_m2 / 12
        leaks = physics.infiltration(self.fabric.leakage_cm2, difference, outdoors.wind_m_s)
        return leaks + physics.window_flow(tilted, difference, outdoors.wind_m_s)

    def _door_flow(self, habits: Habits) -> Floats:
        towards = self.fabric.towards
        opened = np.where(habits.doors, physics.door_flow(self.air - self.air[towards]), _UNDERCUT_M3_S)
        flow = np.where(self.fabric.has_door, opened, _STAIRWELL_M3_S)
        return np.where(towards == np.arange(len(towards)), 0.0, flow)

    def _warm(self, step_s: float, outdoors: Outdoors, habits: Habits, exchange_w: Floats, warm: bool) -> None:
        """Two nodes, air with furniture and mass, with convective gains to the one and radiant ones to the other."""
        fabric = self.fabric
        people = habits.people * (SENSIBLE_W + COMPUTER_W * fabric.has_door)
        lamps = habits.lamps * LAMPS_W_M2 * fabric.area_m2
        sun = self._sun(outdoors, habits)
        to_mass = _MASS_W_K_M2 * fabric.area_m2 * (self.air - self.mass)
        through_window = fabric.window_w_k * (self.air - outdoors.temperature_c)
        gains = exchange_w - through_window - to_mass + 0.6 * people + 0.5 * lamps + 0.3 * sun + self._plant(warm)
        stored = 0.4 * people + 0.5 * lamps + 0.7 * sun - fabric.wall_w_k * (self.mass - outdoors.temperature_c)
        self.air = self.air + gains * step_s / (_FURNITURE * AIR_DENSITY * AIR_HEAT * fabric.volume_m3)
        self.mass = self.mass + (stored + to_mass) * step_s / (_MASS_J_K_M2 * fabric.area_m2)

    def _sun(self, outdoors: Outdoors, habits: Habits) -> Floats:
        """Heat of the sun through the glass in W: solar factor 0.5, or 0.25 behind blinds; walls see half the sky."""
        on_window = (self.daylight.beam + outdoors.sky.diffuse / 2) / EFFICACY_LM_W
        return np.asarray(on_window * self.fabric.window_m2 * np.where(habits.blinds, 0.25, 0.5))

    def _plant(self, warm: bool) -> Floats:
        """Radiators (70 W/m2, in proportion within 1 K, set back by 3.5 K at night) and cooling above 25 degC, in W."""
        target = self.fabric.setpoint_c - (0.0 if warm else 3.5)
        heating = np.clip(target + 0.5 - self.air, 0.0, 1.0) * 70.0
        cooling = np.clip(self.air - 25.0, 0.0, 1.0) * (40.0 if warm else 0.0)
        return (heating - cooling) * self.fabric.area_m2
