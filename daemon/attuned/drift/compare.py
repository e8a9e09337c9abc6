"""One day of a node against its earlier days, judged by how much those differ among themselves.

Thresholds for independent samples alarm daily here: the windows of a day are one sample of the day. So each statistic
is measured in spreads between days of the reference; a sensor's score is the mean over its statistics; and it counts in
multiples of the largest one that a day of the reference reaches against the other days (leave one day out).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from attune_core import Schema, plain_kind

from attuned.drift.day import LEVELS, NodeDay, Values

FLOOR = 0.1
"""Spread that every statistic is granted: a tenth of a unit is 0.2 K or 0.8 dB, which sensors differ by anyway."""

MOST = 6.0
"""Spreads beyond which a statistic says no more: one wild number must not speak for its sensor."""

QUIET = 0.8
"""Score that a sensor's days are granted: what independent days reach on average."""

_MEAN = ("night", "day", "low")
_LIGHT = ("night", "day", "high")
_ACTIVITY = ("night", "day", "high")
_VARIATION = ("middle",)

# Lux at which the logarithm of light bends: below, a room is dark.
_DARK_LX = 10.0
_LIGHT_LX = 200.0


@dataclass(frozen=True)
class Statistic:
    """A number a day: `name` is a level of `feature`, or a share of windows (`stuck`, `missing`) of a whole sensor."""

    sensor: int
    feature: str
    name: str


@dataclass(frozen=True)
class Comparison:
    """How far a day is from its reference, in multiples of the strangest day of the reference.

    score: of the node. sensors [s]: by sensor. apart [k]: spreads by statistic, signed, NaN where a day lacks it.
    """

    score: float
    sensors: Values
    apart: Values


@cache
def statistics(kinds: tuple[str, ...], window_s: int) -> tuple[Statistic, ...]:
    """What days of a node with these sensors are compared by, chosen on `make bench BENCH=drift`."""
    schema = Schema(kinds, window_s)
    found = [
        Statistic(int(sensor), feature, name)
        for sensor, feature in zip(schema.sensors, schema.features, strict=True)
        for name in _kept(feature)
    ]
    shares = [Statistic(s, plain_kind(kind), name) for name in ("stuck", "missing") for s, kind in enumerate(kinds)]
    return tuple(found + shares)


def _kept(feature: str) -> Sequence[str]:
    kind, what = feature.partition("#")[0].partition(".")[0], feature.rpartition(".")[2]
    of = {"mean": _LIGHT if kind == "light" else _MEAN, "variation": _VARIATION, "activity": _ACTIVITY}
    return of.get(what, ())


def day_values(day: NodeDay, schema: Schema) -> Values:
    """The day's statistics [k], in the order of `statistics`."""
    place = {feature: number for number, feature in enumerate(schema.features)}
    shares = {"stuck": np.sqrt(day.stuck / day.windows), "missing": np.sqrt(day.missing / day.windows)}
    return np.array([
        shares[s.name][s.sensor] if s.name in shares else _level(day.levels[place[s.feature], LEVELS.index(s.name)], s)
        for s in statistics(schema.kinds, schema.window_s)
    ])  # fmt: skip


def _level(level: float, statistic: Statistic) -> float:
    """Light counts by its logarithm here: a cover takes a share of it, whatever the weather."""
    if statistic.feature.startswith("light") and statistic.feature.endswith(".mean"):
        return float(np.log1p(max(level + 1, 0) * _LIGHT_LX / _DARK_LX))
    return level


def compare(reference: Values, today: Values, sensors: npt.NDArray[np.int64]) -> Comparison:
    """A day [k] against a reference [days, k] of at least three days; `sensors` [k] numbers each statistic's sensor."""
    others = _left_out(reference, sensors)
    granted = np.maximum(others.max(axis=0), QUIET)
    known = ~np.isnan(reference)
    apart = (today - _mean(reference, known)) / (_deviation(reference, known) + FLOOR)
    found = _scores(apart, sensors) / granted
    strangest = float((others / granted).max())
    return Comparison(float(found.max() / max(strangest, QUIET)), found, apart)


def _scores(apart: Values, sensors: npt.NDArray[np.int64]) -> Values:
    """Mean number of spreads by sensor [..., s]; what a day lacks counts as nothing."""
    far = np.minimum(np.nan_to_num(np.abs(apart)), MOST)
    return np.stack([far[..., sensors == s].mean(axis=-1) for s in range(int(sensors.max()) + 1)], axis=-1)


def _left_out(reference: Values, sensors: npt.NDArray[np.int64]) -> Values:
    """The scores of each day of the reference against the others [days, s]."""
    parts = []
    for index, day in enumerate(reference):
        rest = np.delete(reference, index, axis=0)
        known = ~np.isnan(rest)
        parts.append((day - _mean(rest, known)) / (_deviation(rest, known) + FLOOR))
    return _scores(np.array(parts), sensors)


def _mean(values: Values, known: npt.NDArray[np.bool_]) -> Values:
    count = known.sum(axis=0)
    total = np.where(known, values, 0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _deviation(values: Values, known: npt.NDArray[np.bool_]) -> Values:
    apart = np.where(known, values - _mean(values, known), 0)
    return np.asarray(np.sqrt((apart**2).sum(axis=0) / np.maximum(known.sum(axis=0) - 1, 1)))
