"""Heads: the incremental classifiers over a window's features."""

from typing import ClassVar, NoReturn, Self

import numpy as np
import numpy.typing as npt

from attune_core.library import Library, RealArray, library, rows
from attune_core.schema import Schema, new_schema

FORMATS = {"float32": 0, "float16": 1, "int8": 2}
"""Formats of an exported state, by the number on the wire."""

UNLABELLED = 255
"""What stands for a class where a window has none; as -1 in signed arrays."""

DIGEST_SIZE = 16


def _kinds() -> dict[str, int]:
    core = library()
    names = {number: core.lib.core_head_kind_name(number) for number in range(256)}
    return {core.ffi.string(name).decode(): number for number, name in names.items() if name != core.ffi.NULL}


def kind_name(number: int) -> str:
    """The name of a kind of this build."""
    core = library()
    return str(core.ffi.string(core.lib.core_head_kind_name(number)).decode())


_REASONS = {
    1: "A class is a number from 0 to 7.",
    2: "A weight has to be a number from 1e-6 to 1e6.",
    3: "The other head has another kind or another number of features; both have to be of one schema.",
    4: "The result is no valid state; only what was merged or learned before can be taken out.",
    5: "A head of this kind is no sum over windows: it can be neither merged nor taken out; learn the windows instead.",
}


def _fail(result: int, where: str = "") -> NoReturn:
    raise ValueError(_REASONS[result] + where)


def _format(name: str) -> int:
    if name not in FORMATS:
        raise ValueError(f"There is no format {name!r}; the formats are {', '.join(FORMATS)}.")
    return FORMATS[name]


class Head:
    """A head of `kind`; grows from 2 classes up to 8 as it is taught.

    Evidence for class k > 0 is the log-likelihood ratio of a window against class 0 in nats, every prior left out,
    clamped to +-6.
    """

    kinds: ClassVar[dict[str, int]] = _kinds()
    """The kinds of this build, by name, with their numbers on the wire."""

    factory_kind: ClassVar[str] = kind_name(library().lib.core_factory_head_kind())
    """The kind that a node without any other release runs."""

    def __init__(self, kind: str, features: int | Schema, precision: str = "float32") -> None:
        """A head that knows nothing, for windows of a schema or of so many features, each from a sensor of its own.

        precision: float32 (as on nodes) or float64 (for statistics).
        """
        if kind not in self.kinds:
            raise ValueError(f"There is no head {kind!r}; the heads are {', '.join(self.kinds)}.")
        self.kind = kind
        d, sensors = (len(features), features.sensors) if isinstance(features, Schema) else (features, None)
        self.features = d
        self._core: Library = library(precision)
        if not 1 <= d <= self._core.max_features:
            raise ValueError(f"A head has 1 to {self._core.max_features} features, not {d}.")
        self.memory = self._core.new("head")
        self._pointer = self.memory.pointer
        each = self._core.ffi.NULL if sensors is None else self._core.array("uint8_t", sensors)
        self._check(self._core.lib.core_head_init(self._pointer, self.kinds[kind], d, each))

    @classmethod
    def factory(cls, schema: Schema, kind: str = factory_kind, precision: str = "float32") -> tuple[Self, bytes]:
        """The release of this kind that a node of this schema starts on, and its 16-byte digest.

        Kinds that the factory release is not made for start without knowledge.
        """
        head = cls(kind, schema, precision)
        core = head._core
        twin = new_schema(core, schema.sensor_bytes, schema.window_s)
        digest = core.ffi.new("uint8_t[]", DIGEST_SIZE)
        head._check(core.lib.core_factory_load(head._pointer, cls.kinds[kind], twin.pointer, digest))
        return head, bytes(digest)

    @staticmethod
    def _check(result: int) -> None:
        if result:
            _fail(result)

    @property
    def precision(self) -> str:
        return self._core.precision

    @property
    def classes(self) -> int:
        """Classes that the head tells apart, 2 to 8."""
        return int(self._core.lib.core_head_classes(self._pointer))

    @property
    def size_bytes(self) -> int:
        """Bytes of the exported state in float32."""
        return self.size()

    def size(self, state_format: str = "float32") -> int:
        """Bytes of the exported state in a format: float32, float16 or int8."""
        return int(self._core.lib.core_head_size(self._pointer, _format(state_format)))

    def learn(
        self,
        features: npt.NDArray[np.int16],
        classes: npt.ArrayLike,
        weights: npt.ArrayLike | None = None,
    ) -> None:
        """Learns rows int16[n, d] of classes uint8[n], in order, with weights float32[n] (one each if None).

        Nothing is learned if a class or weight is out of range.
        """
        x = rows(features, self.features)
        labels = self._labels(classes, len(x))
        core = self._core
        weight = core.ffi.NULL if weights is None else core.array("float", self._weights(weights, len(x)))
        row = core.ffi.new("size_t *")
        out = core.array("int16_t", x), core.array("uint8_t", labels)
        result = core.lib.core_head_learn(self._pointer, *out, weight, len(x), row)
        if result:
            _fail(result, f" Row {row[0]} breaks this.")

    @staticmethod
    def _labels(classes: npt.ArrayLike, n: int) -> npt.NDArray[np.uint8]:
        labels = np.asarray(classes)
        if labels.shape != (n,):
            raise ValueError(f"Each of the {n} windows needs one class; the classes have the shape {labels.shape}.")
        if labels.size and (labels.min() < 0 or labels.max() > 255):
            _fail(1)
        return np.ascontiguousarray(labels, np.uint8)

    def run(
        self,
        features: npt.NDArray[np.int16],
        classes: npt.ArrayLike,
        weights: npt.ArrayLike | None = None,
    ) -> tuple[RealArray, npt.NDArray[np.bool_]]:
        """Test, then train: predicts each row int16[n, d] in turn, then learns it if it has a class.

        A class is a number from 0 to 7, or -1 or 255 for none. Evidence real[n, K-1] and known bool[n] as of
        `predict`, with K the classes of the head in the end; a class counts as never taught until it came.
        Nothing is learned if a class or weight is out of range.
        """
        x = rows(features, self.features)
        wide = np.asarray(classes, np.int64)
        labels = self._labels(np.where(wide == -1, UNLABELLED, wide), len(x))
        taught = labels[labels != UNLABELLED]
        others = max(self.classes, int(taught.max(initial=0)) + 1) - 1
        core = self._core
        weight = core.ffi.NULL if weights is None else core.array("float", self._weights(weights, len(x)))
        evidence, known = np.zeros((len(x), others), core.real), np.zeros(len(x), np.bool_)
        row = core.ffi.new("size_t *")
        out = core.array("attune_real", evidence), core.array("uint8_t", known), row
        given = core.array("int16_t", x), core.array("uint8_t", labels), weight
        result = core.lib.core_head_run(self._pointer, *given, len(x), others, *out)
        if result:
            _fail(result, f" Row {row[0]} breaks this.")
        return evidence, known

    @staticmethod
    def _weights(weights: npt.ArrayLike, n: int) -> npt.NDArray[np.float32]:
        array = np.ascontiguousarray(weights, np.float32)
        if array.shape != (n,):
            raise ValueError(f"Each of the {n} windows needs one weight; the weights have the shape {array.shape}.")
        return array

    def predict(self, features: npt.NDArray[np.int16]) -> tuple[RealArray, npt.NDArray[np.bool_]]:
        """Evidence real[n, K-1] of rows int16[n, d], and known bool[n]: false where the head can tell nothing."""
        x = rows(features, self.features)
        core = self._core
        evidence = np.zeros((len(x), self.classes - 1), core.real)
        known = np.zeros(len(x), np.bool_)
        out = core.array("attune_real", evidence), core.array("uint8_t", known)
        core.lib.core_head_predict(self._pointer, core.array("int16_t", x), len(x), *out)
        return evidence, known

    def solution(self) -> tuple[RealArray, RealArray]:
        """The regressions of a ridge head: weights real[K, d] and intercepts real[K], features in units of q / 1024."""
        self._only("ridge", "a regression")
        core = self._core
        weights, intercepts = np.zeros((self.classes, self.features), core.real), np.zeros(self.classes, core.real)
        for k in range(self.classes):
            out = core.array("attune_real", weights[k]), core.array("attune_real", intercepts[k : k + 1])
            core.lib.core_ridge_solution(self._pointer, k, *out)
        return weights, intercepts

    def forget(self, factor: float) -> None:
        """Scales the weight of all that a ridge head was taught by a factor up to 1: exponential forgetting."""
        self._only("ridge", "a forgetting factor")
        if not self._core.lib.core_ridge_forget(self._pointer, factor):
            raise ValueError(f"A head forgets by a factor above 0 and up to 1 that leaves it something, not {factor}.")

    def _only(self, kind: str, what: str) -> None:
        if self.kind != kind:
            raise ValueError(f"Only a {kind} head has {what}, not a {self.kind} head.")

    def merge(self, other: "Head") -> None:
        """self += other; unchanged if that is refused."""
        self._check(self._core.lib.core_head_merge(self._pointer, self._twin(other)))

    def unmerge(self, other: "Head") -> None:
        """self -= other, the inverse of merge but for rounding; unchanged if other was never part of it."""
        self._check(self._core.lib.core_head_unmerge(self._pointer, self._twin(other)))

    def _twin(self, other: "Head") -> object:
        if other.precision != self.precision:
            raise ValueError("The heads have different precisions; make both of one precision.")
        return other.memory.pointer

    def export(self, state_format: str = "float32") -> bytes:
        """Portable state in a format: float32, float16 or int8."""
        buffer = self._core.ffi.new("uint8_t[]", self.size(state_format))
        written = self._core.lib.core_head_export(self._pointer, _format(state_format), buffer, len(buffer))
        return bytes(buffer[0:written])

    def import_(self, state: bytes) -> None:
        """Takes an exported state of this kind and number of features in any format; unchanged if it is none."""
        if self._core.lib.core_head_import(self._pointer, state, len(state)):
            raise ValueError(f"These {len(state)} bytes are no {self.kind} state of {self.features} features.")

    def copy(self) -> "Head":
        """A head of its own with the same state."""
        twin = Head(self.kind, self.features, self.precision)
        self._core.ffi.memmove(twin.memory.pointer, self._pointer, self.memory.size)
        return twin
