"""What probably happened, from which of a node's statistics moved."""

from enum import StrEnum

import numpy as np

from attuned.drift.judge import SITE, Finding

# Score of a sensor, in multiples of its reference's strangest day, from which it counts as one that moved.
MOVED = 1.15

# Spreads from which a share of stuck windows speaks for itself.
STUCK = 3.0

# Spreads by which a light sensor has to see less: what a cover takes away is far more than clouds do.
DARK = 2.0

_EVENTS = ("pir", "door", "event")


class Cause(StrEnum):
    """Likely causes, in words."""

    STUCK = "sensor stuck or covered"
    REPLACED = "sensor replaced or offset"
    MOVED = "node moved"
    SEASON = "season or weather"
    USE = "use of the room"


def moved_sensors(finding: Finding) -> list[int]:
    """Sensors that moved, the furthest first; at least one."""
    scores = finding.comparison.sensors
    order = np.argsort(-scores).tolist()
    return [s for s in order if scores[s] >= MOVED] or order[:1]


def likely_cause(finding: Finding) -> Cause:
    """The cause that fits best."""
    if finding.node == SITE:
        return Cause.SEASON
    sensors = moved_sensors(finding)
    if _stuck(finding, sensors[0]) or (len(sensors) == 1 and _dark(finding, sensors[0])):
        return Cause.STUCK
    if _only_people(finding, sensors):
        return Cause.USE
    return Cause.REPLACED if len(sensors) == 1 and finding.kinds[sensors[0]] not in _ROOM else Cause.MOVED


def _dark(finding: Finding, sensor: int) -> bool:
    """A light sensor that sees far less by day than it did, and than the site's others."""
    found = zip(finding.statistics, finding.comparison.apart, strict=True)
    by_day = [a for s, a in found if s.sensor == sensor and s.name in ("day", "high")]
    return finding.kinds[sensor].startswith("light") and max(by_day) < -DARK


# Sounds at night are the room's own: fans and the street.
_ROOM = ("sound", "light")


def _stuck(finding: Finding, sensor: int) -> bool:
    found = {s.name: a for s, a in zip(finding.statistics, finding.comparison.apart, strict=True) if s.sensor == sensor}
    return bool(found.get("stuck", 0.0) >= STUCK)


def _only_people(finding: Finding, sensors: list[int]) -> bool:
    """Nothing moved but what people do by day; the quiet hours are as they were."""
    apart = [
        abs(a)
        for s, a in zip(finding.statistics, finding.comparison.apart, strict=True)
        if s.sensor in sensors and s.name in ("night", "low") and finding.kinds[s.sensor] not in _EVENTS
    ]
    return not apart or max(apart) < STUCK
