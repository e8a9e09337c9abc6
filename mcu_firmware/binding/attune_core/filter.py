"""The forward filter that turns the evidence of windows into a steady state."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from attune_core.library import RealArray, library

STATE_TOLERANCE = 1e-3
"""How far the sum of a state's probabilities may be from one."""


class Filter:
    """A hidden Markov chain over `classes` states with steps of `step_s` seconds, begun at its stationary state.

    Class 0 (free) lasts 240 min on average, each other class 60 min. Evidence is what a head says: classes - 1
    log-likelihood ratios against class 0, in nats.
    """

    def __init__(self, classes: int = 2, step_s: int = 60, precision: str = "float32") -> None:
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
        self._core.lib.core_filter_init(self._pointer, classes, step_s)

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
