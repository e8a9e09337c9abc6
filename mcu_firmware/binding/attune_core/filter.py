"""The forward filter that turns the evidence of windows into a steady state."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from attune_core.library import RealArray, library

_LIMITS = library().lib.core_limits_of_build()

DWELL_S = (float(_LIMITS.dwell_free_s), float(_LIMITS.dwell_other_s))
"""Mean stay in class 0 (free) and in each other class, in seconds, where nothing better is known."""

DWELL_BOUNDS_S = (float(_LIMITS.min_dwell_s), float(_LIMITS.max_dwell_s))
"""Mean stays are held within these."""

STATE_TOLERANCE = 1e-3
"""How far the sum of a state's probabilities may be from one."""


class Filter:
    """A hidden Markov chain over `classes` states with steps of `step_s` seconds, begun at its stationary state.

    `dwell_s` is the mean stay in each class in seconds; DWELL_S without it. Evidence is what a head says: classes - 1
    log-likelihood ratios against class 0, in nats.
    """

    def __init__(
        self,
        classes: int = 2,
        step_s: int = 60,
        precision: str = "float32",
        dwell_s: Sequence[float] | None = None,
    ) -> None:
        self._core = library(precision)
        if not 2 <= classes <= self._core.max_classes:
            raise ValueError(f"A filter has 2 to {self._core.max_classes} classes, not {classes}.")
        if not 1 <= step_s <= 0xFFFF:
            raise ValueError(f"A step lasts 1 to 65535 seconds, not {step_s}.")
        self.classes = classes
        self.step_s = step_s
        # Held ready, because the daemon steps thousands of filters a second.
        self._memory = self._core.new("filter")
        self._pointer = self._memory.pointer
        self._evidence = self._core.ffi.new("attune_real[]", classes - 1)
        self._row = self._core.ffi.new("attune_real[]", classes)
        self._step = self._core.lib.core_filter_step
        self._nothing = self._core.ffi.NULL
        stays = self._nothing if dwell_s is None else self._core.ffi.new("uint32_t[]", _stays(dwell_s, classes))
        self._core.lib.core_filter_init(self._pointer, classes, step_s, stays)

    @property
    def limit(self) -> float:
        """Nats that one step's evidence may say for a class against the others: enough to turn any state around."""
        return float(self._core.lib.core_filter_limit(self._pointer))

    def predict(self) -> None:
        """One step in time without evidence."""
        self._core.lib.core_filter_predict(self._pointer)

    def update(self, evidence: Sequence[float]) -> None:
        """Weighs the probabilities with evidence[classes - 1]."""
        self._core.lib.core_filter_update(self._pointer, self._filled(evidence))

    def step(self, evidence: Sequence[float] | None) -> float:
        """predict(), then update(evidence) unless it is None; returns the probability of all classes but class 0."""
        weighed = self._nothing if evidence is None else self._filled(evidence)
        probability: float = self._step(self._pointer, weighed)
        return probability

    def _filled(self, evidence: Sequence[float]) -> object:
        if len(evidence) != self.classes - 1:
            raise ValueError(f"Evidence for {self.classes} classes is {self.classes - 1} values, not {len(evidence)}.")
        buffer = self._evidence
        for k, value in enumerate(evidence):
            buffer[k] = value
        return buffer

    def run(self, evidence: RealArray, known: npt.NDArray[np.bool_]) -> RealArray:
        """Steps through evidence real[n, K-1], which counts where known bool[n]; returns probabilities real[n, K]."""
        core = self._core
        values = np.ascontiguousarray(evidence, core.real)
        flags = np.ascontiguousarray(known, np.bool_)
        if flags.ndim != 1 or values.shape != (len(flags), self.classes - 1):
            raise ValueError(
                f"Evidence is n rows of {self.classes - 1} values and n flags, not {values.shape} and {flags.shape}."
            )
        probabilities = np.zeros((len(flags), self.classes), core.real)
        into = core.array("attune_real", values), core.array("uint8_t", flags)
        core.lib.core_filter_run(self._pointer, *into, len(flags), core.array("attune_real", probabilities))
        return probabilities

    @property
    def probabilities(self) -> tuple[float, ...]:
        """The probability of each class; they sum to one."""
        self._core.lib.core_filter_get(self._pointer, self._row)
        return tuple(self._core.ffi.unpack(self._row, self.classes))

    def log_odds(self, k: int = 1) -> float:
        """Log-odds of class k > 0 against class 0 in nats, within +-30."""
        if not 1 <= k < self.classes:
            raise ValueError(f"Log-odds are of a class from 1 to {self.classes - 1}, not {k}.")
        return float(self._core.lib.core_filter_log_odds(self._pointer, k))

    @property
    def state(self) -> tuple[float, ...]:
        """What a checkpoint has to hold; a filter of the same shape set to it goes on with the same bits."""
        return self.probabilities

    @state.setter
    def state(self, state: Sequence[float]) -> None:
        # Written so that a NaN anywhere, which makes the sum NaN, does not pass.
        good = len(state) == self.classes and min(state) >= 0 and abs(sum(state) - 1) <= STATE_TOLERANCE
        if not good:
            raise ValueError(f"A filter's state is {self.classes} probabilities that sum to one.")
        self._core.lib.core_filter_set(self._pointer, list(state))


def _stays(dwell_s: Sequence[float], classes: int) -> list[int]:
    """Whole seconds within the bounds, one for each class."""
    if len(dwell_s) != classes or not all(stay > 0 for stay in dwell_s):
        raise ValueError(f"Dwell times for {classes} classes are {classes} numbers of seconds above 0, not {dwell_s}.")
    least, most = DWELL_BOUNDS_S
    return [round(min(max(stay, least), most)) for stay in dwell_s]
