"""river's detectors on the same nodes: hourly means of every level, one detector each."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from attune_core import MISSING, UNIT, Schema
from attuned.demo.layout import Node
from river import drift

from bench.drifting.buildings import CHANGE, PERIOD, Recorded, Values
from bench.drifting.cases import schema_of, windows

HOURS = 24
_MINUTES = PERIOD // HOURS

DETECTORS: dict[str, Callable[[], drift.ADWIN | drift.PageHinkley]] = {
    "river ADWIN": drift.ADWIN,
    # Its threshold is in units of the input, whose default is meant for errors that add up over thousands of rows.
    "river Page-Hinkley": lambda: drift.PageHinkley(min_instances=14 * HOURS, threshold=20.0),
}


@dataclass
class Alarms:
    """Alarms: days that alarm after three that did not; days in alarm; and the node-days that were looked at."""

    raised: int = 0
    days: int = 0
    judged: int = 0

    def add(self, days: Sequence[bool]) -> None:
        """A node's days, in order."""
        last = -9
        for number, alarm in enumerate(days):
            self.judged += 1
            if alarm:
                self.days += 1
                self.raised += number - last > 3
                last = number


def hourly(node: Node, values: Values, start_utc_ms: int) -> Values:
    """Hourly means of the levels' means, in units [hours, levels]; NaN where there was nothing."""
    schema = schema_of(node)
    x = windows(node, values, start_utc_ms).features[:, _means(schema)].astype(np.float64)
    x[x == MISSING] = np.nan
    parts = x.reshape(-1, _MINUTES, x.shape[1]) / UNIT
    count = (~np.isnan(parts)).sum(axis=1)
    return np.where(count > 0, np.nansum(parts, axis=1) / np.maximum(count, 1), np.nan)


def _means(schema: Schema) -> list[int]:
    return [number for number, name in enumerate(schema.features) if name.endswith(".mean")]


def alarm_days(detector: str, hours: Values) -> npt.NDArray[np.bool_]:
    """Whether any level's detector alarms on each day."""
    days = np.zeros(len(hours) // HOURS, np.bool_)
    for column in hours.T:
        for hour in _alarms(DETECTORS[detector](), column):
            days[hour // HOURS] = True
    return days


def _alarms(detector: drift.ADWIN | drift.PageHinkley, column: Values) -> Iterator[int]:
    for hour, value in enumerate(column.tolist()):
        if not np.isnan(value):
            detector.update(value)  # type: ignore[no-untyped-call]
            if detector.drift_detected:
                yield hour


def quiet(detector: str, building: Recorded, first: int) -> Alarms:
    """Alarms of a building without a change from day `first` on."""
    found = Alarms()
    for node in building.nodes:
        days = alarm_days(detector, hourly(node, building.values[node.index], building.life.start_utc_ms))
        found.add(days[first:].tolist())
    return found


def found_at_once(detector: str, building: Recorded, node: Node, after: Values) -> bool:
    """Whether it alarms on day CHANGE, whose values `after` are, and did not in the three days before."""
    days = alarm_days(detector, hourly(node, joined(building, node, after), building.life.start_utc_ms))
    return bool(days[CHANGE]) and not days[CHANGE - 3 : CHANGE].any()


def joined(building: Recorded, node: Node, after: Values) -> Values:
    """A node's values up to day CHANGE, and what followed then."""
    return np.concatenate([building.values[node.index][: CHANGE * PERIOD], after])
