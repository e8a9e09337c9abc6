"""The node's windowing, naive Bayes and filter in numpy float64: the independent check of the C core, for tests.

Written from the definitions (docstrings of schema.h, history.h, gnb.h and filter.h), not from the C code: batch mean
and variance instead of Welford, a matrix power of the transition instead of step-wise leaving.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain, pairwise

import numpy as np
import numpy.typing as npt
from attuned.learning.replay.nodes import Evidence, Samples

MISSING = -32768

Transform = Callable[[npt.ArrayLike], npt.NDArray[np.float64]]


def log_excess(ppm: npt.ArrayLike) -> npt.NDArray[np.float64]:
    return np.asarray(np.log1p(np.maximum(np.asarray(ppm) - 350, 0) / 50), np.float64)


# Transform, centre and scale: the coordinates that are wire format.
LEVELS: dict[str, tuple[Transform, float, float]] = {
    "temperature": (np.asarray, 22.0, 2.0),
    "humidity": (np.asarray, 45.0, 10.0),
    "light": (np.asarray, 200.0, 200.0),
    "co2": (log_excess, 2.0, 0.7),
    "voc": (np.log1p, 5.0, 1.0),
    "pm25": (np.log1p, 2.25, 0.75),
    "sound": (np.asarray, 45.0, 8.0),
    "power": (np.log1p, 3.5, 2.0),
    "level": (np.asarray, 0.0, 1.0),
}
EVENT_MEAN_S, LONG_S, SHORT_S = 900.0, 10_800.0, 1_800.0


def coordinates(
    values: npt.NDArray[np.float64], transform: Transform, centre: float, scale: float
) -> npt.NDArray[np.int64]:
    steps = np.clip(np.rint((transform(values) - centre) / scale * 1024), -32767, 32767)
    return np.where(np.isnan(values), MISSING, steps).astype(np.int64)


def average(values: np.ndarray, time_constant_s: float, window_s: float) -> np.ndarray:
    """Exponentially weighted, begun at the first value."""
    keep = float(np.exp(-window_s / time_constant_s))
    return np.array(list(accumulate(values.tolist(), lambda mean, x: keep * mean + (1 - keep) * x)))


def level_features(kind: str, ticks: np.ndarray, values: np.ndarray, windows: int, window_ms: int) -> list[list[int]]:
    """Mean, slope and variation; of `co2+mean` the mean alone."""
    name, _, more = kind.partition("+")
    transform, centre, scale = LEVELS[name]
    which = -(-ticks // window_ms) - 1
    here = which < windows
    seen, place = np.unique(which[here], return_inverse=True)
    means = np.bincount(place, values[here]) / np.bincount(place)
    rows = np.full((windows, 1 if more == "mean" else 3), MISSING)
    rows[seen, 0] = coordinates(means, transform, centre, scale)
    if more != "mean" and len(seen):
        units = rows[seen, 0] / 1024
        apart = units - average(units, SHORT_S, window_ms / 1000)
        deviation = np.sqrt(average(apart**2, SHORT_S, window_ms / 1000))
        rows[seen, 1] = coordinates(units - average(units, LONG_S, window_ms / 1000), np.asarray, 0.0, 1.0)
        rows[seen, 2] = coordinates(50 * deviation, np.log1p, 2.0, 2.0)
    return rows.tolist()


def event_features(ticks: np.ndarray, values: np.ndarray, windows: int, window_ms: int) -> list[list[int]]:
    activity, keep = 0.0, float(np.exp(-window_ms / 1000 / EVENT_MEAN_S))
    told = np.full((3, windows), np.nan)  # count, activity, and seconds since an event
    which = -(-ticks // window_ms) - 1
    for window in range(windows):
        if not (which <= window).any():
            continue  # the sensor has not spoken since the boot
        count = values[which == window].sum()
        activity = keep * activity + (1 - keep) * count * 60_000 / window_ms
        before = ticks[(which <= window) & (values > 0)]
        since = ((window + 1) * window_ms - before.max()) / 1000 if len(before) else 86_400.0
        told[:, window] = count, activity, min(since, 86_400.0)
    scales = ((0.5, 1.0), (0.5, 0.75), (6.0, 2.5))
    columns = [coordinates(each, np.log1p, *scale).tolist() for each, scale in zip(told, scales, strict=True)]
    return [list(row) for row in zip(*columns, strict=True)]


def clock_features(ticks: np.ndarray, values: np.ndarray, windows: int, window_ms: int) -> list[list[int]]:
    which = -(-ticks // window_ms) - 1
    rows = []
    for window in range(windows):
        said = values[which == window]
        if not len(said):
            rows.append([MISSING] * 3)
            continue
        angle = 2 * np.pi * said[-1] / 86_400
        weekend = said[-1] // 86_400 in (5, 6)
        rows.append([round(1024 * float(np.sin(angle))), round(1024 * float(np.cos(angle))), 1024 * weekend])
    return rows


@dataclass
class NumpyHead:
    """Gaussian naive Bayes over every sample that it was ever given."""

    features: list[np.ndarray] = field(default_factory=list)
    classes: list[int] = field(default_factory=list)
    fitted: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None

    def learn(self, features: np.ndarray, classes: np.ndarray) -> None:
        self.features.extend(features)
        self.classes.extend(classes.tolist())
        self.fitted = None

    def predict(self, features: np.ndarray) -> Evidence:
        if len(set(self.classes)) < 2:
            return Evidence(np.zeros(len(features)), np.zeros(len(features), dtype=bool))
        if self.fitted is None:
            self.fitted = self._fit()
        mean, variance, known = self.fitted
        x = features / 1024.0
        present = (features != MISSING) & known
        squares = np.minimum((x[None] - mean[:, None]) ** 2 / variance[:, None], 9)
        log = -0.5 * (squares + np.log(variance[:, None]))
        nats = np.where(present, log[1] - log[0], 0.0).sum(axis=1)
        return Evidence(np.clip(nats, -16, 16), present.any(axis=1))

    def run(self, features: np.ndarray, classes: np.ndarray) -> Evidence:
        nats, told = np.zeros(len(features)), np.zeros(len(features), dtype=bool)
        # Nothing is learned between two labels, so the windows up to and with the next label are judged at once.
        edges = [0, *(int(window) + 1 for window in np.flatnonzero(classes >= 0)), len(features)]
        for start, end in pairwise(edges):
            if start < end:
                evidence = self.predict(features[start:end])
                nats[start:end], told[start:end] = evidence.nats, evidence.told
                if classes[end - 1] >= 0:
                    self.learn(features[end - 1 : end], classes[end - 1 : end])
        return Evidence(nats, told)

    def _fit(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        taught = np.array(self.features)
        x = np.where(taught == MISSING, np.nan, taught / 1024.0)
        of = [x[np.array(self.classes) == label] for label in (0, 1)]
        known = np.all([(~np.isnan(part)).any(axis=0) for part in of], axis=0)
        filled = [np.where(known, part, 0.0) for part in of]
        mean = np.array([np.nanmean(part, axis=0) for part in filled])
        return mean, np.array([np.nanvar(part, axis=0) for part in filled]) + 1e-3, known

    @property
    def size_bytes(self) -> int:
        return 12 * 2 * len(self.features[0]) if self.features else 0


class NumpyCode:
    heads: tuple[str, ...] = ("gnb",)

    def windows(self, kinds: tuple[str, ...], window_s: int, samples: Samples, until_ms: int) -> np.ndarray:
        count = until_ms // (window_s * 1000)
        columns: list[list[list[int]]] = []
        for index, kind in enumerate(kinds):
            mine = samples.sensor == index
            ticks, values = samples.tick_ms[mine], samples.value[mine].astype(float)
            if kind.partition("+")[0] in LEVELS:
                columns.append(level_features(kind, ticks, values, count, window_s * 1000))
            elif kind == "clock":
                columns.append(clock_features(ticks, values, count, window_s * 1000))
            else:
                columns.append(event_features(ticks, values, count, window_s * 1000))
        rows = [list(chain.from_iterable(parts)) for parts in zip(*columns, strict=True)]
        return np.array(rows, dtype=np.int16)

    def head(self, name: str, kinds: tuple[str, ...], window_s: int) -> NumpyHead:
        return NumpyHead()

    def filter(
        self, nats: np.ndarray, told: np.ndarray, window_s: int, dwell_s: Sequence[float] | None = None
    ) -> np.ndarray:
        # A stay of mean length T in continuous time ends within a step with probability 1 - e^(-step / T).
        arrive, leave = (-np.expm1(-window_s / stay) for stay in (dwell_s or (14_400, 3_600)))
        transition = np.array([[1 - arrive, arrive], [leave, 1 - leave]])
        limit = 3 - np.log(min(arrive, leave))
        belief = np.linalg.matrix_power(transition, 1_000_000)[0]
        log_odds = np.empty(len(nats))
        for step, value in enumerate(np.where(told, np.clip(nats, -limit, limit), 0.0)):
            belief = belief @ transition * [1.0, np.exp(value)]
            belief /= belief.sum()
            log_odds[step] = np.log(belief[1] / belief[0])
        return log_odds
