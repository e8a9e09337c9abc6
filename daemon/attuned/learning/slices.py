"""Parts of the labelled time in which models like to fail: at night, when people have just come, in low light."""

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo

import numpy as np
import numpy.typing as npt
from attune_core import MISSING, UNIT, Schema, plain_kind

from attuned.learning.crossing import RoomEvidence

Flags = npt.NDArray[np.bool_]

# Local hours of the night, from and until.
NIGHT_FROM, NIGHT_UNTIL = 22, 6

# How long people count as having just come, in seconds.
FIRST_S = 3600

# Lux: an office that is lit has several hundred, one with its blinds down in daylight about this.
LOW_LIGHT_LX = 50.0

_LOGARITHM = 1  # of Schema.transforms


def slices(room: RoomEvidence, schemas: Mapping[str, Schema], zone: tzinfo) -> dict[str, Flags]:
    """The steps [n] of each slice, by its name for people; slices without a step are left out."""
    found = {
        "night": night(room.ends_s, zone),
        "first hour of presence": first_hour(room),
        "low light": low_light(room, schemas),
    }
    return {name: steps for name, steps in found.items() if steps.any()}


def night(ends_s: npt.NDArray[np.int64], zone: tzinfo) -> Flags:
    """Steps that begin between 22 and 6 o'clock, local time."""
    quarters, which = np.unique((ends_s - 1) // 900, return_inverse=True)
    hours = [datetime.fromtimestamp(quarter * 900, UTC).astimezone(zone).hour for quarter in quarters.tolist()]
    dark = np.array([hour >= NIGHT_FROM or hour < NIGHT_UNTIL for hour in hours], dtype=bool)
    return dark[which]


def first_hour(room: RoomEvidence) -> Flags:
    """Steps in use that end within an hour after the end of the last free step before them."""
    free = np.where(room.classes == 0, room.ends_s, np.iinfo(np.int64).min // 2)
    last = np.maximum.accumulate(free)
    same: Flags = (room.classes == 1) & (room.ends_s - last <= FIRST_S)
    return same


def low_light(room: RoomEvidence, schemas: Mapping[str, Schema]) -> Flags:
    """Steps in which some node measures light, and none more than LOW_LIGHT_LX."""
    brightest = np.full(len(room.ends_s), -np.inf)
    for node, windows in room.windows.items():
        schema = schemas[node]
        for feature in _light_features(schema):
            q = windows.features[:, feature]
            x = q / UNIT * float(schema.scale[feature]) + float(schema.centre[feature])
            lux = np.expm1(x) if schema.transforms[feature] == _LOGARITHM else x
            np.maximum.at(brightest, room.rows[node], np.where(q == MISSING, -np.inf, lux))
    dark: Flags = np.isfinite(brightest) & (brightest < LOW_LIGHT_LX)
    return dark


def _light_features(schema: Schema) -> list[int]:
    kinds = [plain_kind(kind) for kind in schema.kinds]
    names = enumerate(zip(schema.features, schema.sensors.tolist(), strict=True))
    return [i for i, (name, sensor) in names if kinds[sensor] == "light" and name.endswith(".mean")]
