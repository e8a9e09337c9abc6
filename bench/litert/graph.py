"""A TensorFlow Lite model of one input and one output in a chain of float32 operators, written with flatbuffers.

Only what a head needs; names are those of the schema (package `tflite`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
import numpy.typing as npt
import tflite

IDENTIFIER = b"TFL3"
VERSION = 3

Floats = npt.NDArray[np.float32]


@dataclass
class Graph:
    """Operators in the order in which they run; a tensor is known by its index."""

    builder: Any = field(default_factory=lambda: flatbuffers.Builder(4096))
    _tensors: list[int] = field(default_factory=list)
    _buffers: list[int] = field(default_factory=list)
    _codes: list[int] = field(default_factory=list)
    _operators: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        # By convention the first buffer is empty, and that of every tensor without constants.
        self._buffers.append(self._table(tflite.BufferStart, tflite.BufferEnd))

    def constant(self, values: npt.ArrayLike) -> int:
        """A tensor of float32 constants [1, n] or [m, n]."""
        array = np.atleast_2d(np.asarray(values, np.float32))
        data = self.builder.CreateByteVector(array.tobytes())
        self._buffers.append(
            self._table(tflite.BufferStart, tflite.BufferEnd, lambda: tflite.BufferAddData(self.builder, data))
        )
        return self._tensor(array.shape, len(self._buffers) - 1)

    def variable(self, width: int) -> int:
        """A tensor [1, width] that is computed or given."""
        return self._tensor((1, width), 0)

    def apply(self, operator: int, inputs: Sequence[int], width: int, options: tuple[int, int] | None = None) -> int:
        """Adds an operator (tflite.BuiltinOperator); returns the tensor [1, width] that it computes.

        `options`: their type (tflite.BuiltinOptions) and where they were written.
        """
        output = self.variable(width)
        if operator not in self._codes:
            self._codes.append(operator)
        given, gives = self._numbers(inputs), self._numbers([output])

        def fill() -> None:
            tflite.OperatorAddOpcodeIndex(self.builder, self._codes.index(operator))
            tflite.OperatorAddInputs(self.builder, given)
            tflite.OperatorAddOutputs(self.builder, gives)
            if options is not None:
                tflite.OperatorAddBuiltinOptionsType(self.builder, options[0])
                tflite.OperatorAddBuiltinOptions(self.builder, options[1])

        self._operators.append(self._table(tflite.OperatorStart, tflite.OperatorEnd, fill))
        return output

    def options(self, name: str) -> tuple[int, int]:
        """An operator's options as they are by default: `AddOptions`."""
        start, end = getattr(tflite, f"{name}Start"), getattr(tflite, f"{name}End")
        return getattr(tflite.BuiltinOptions, name), self._table(start, end)

    def finish(self, given: int, said: int) -> bytes:
        """The file of a model with this input and output."""
        codes = [self._code(operator) for operator in self._codes]
        parts = [self._offsets(tables) for tables in (self._tensors, self._operators)]
        inputs, outputs = self._numbers([given]), self._numbers([said])

        def fill_graph() -> None:
            tflite.SubGraphAddTensors(self.builder, parts[0])
            tflite.SubGraphAddInputs(self.builder, inputs)
            tflite.SubGraphAddOutputs(self.builder, outputs)
            tflite.SubGraphAddOperators(self.builder, parts[1])

        graph = self._table(tflite.SubGraphStart, tflite.SubGraphEnd, fill_graph)
        lists = [self._offsets(tables) for tables in (codes, [graph], self._buffers)]

        def fill_model() -> None:
            tflite.ModelAddVersion(self.builder, VERSION)
            tflite.ModelAddOperatorCodes(self.builder, lists[0])
            tflite.ModelAddSubgraphs(self.builder, lists[1])
            tflite.ModelAddBuffers(self.builder, lists[2])

        self.builder.Finish(self._table(tflite.ModelStart, tflite.ModelEnd, fill_model), IDENTIFIER)
        return bytes(self.builder.Output())

    def _code(self, operator: int) -> int:
        def fill() -> None:
            tflite.OperatorCodeAddDeprecatedBuiltinCode(self.builder, operator)
            tflite.OperatorCodeAddBuiltinCode(self.builder, operator)
            tflite.OperatorCodeAddVersion(self.builder, 1)

        return self._table(tflite.OperatorCodeStart, tflite.OperatorCodeEnd, fill)

    def _tensor(self, shape: Sequence[int], buffer: int) -> int:
        sizes = self._numbers(shape)

        def fill() -> None:
            tflite.TensorAddShape(self.builder, sizes)
            tflite.TensorAddType(self.builder, tflite.TensorType.FLOAT32)
            tflite.TensorAddBuffer(self.builder, buffer)

        self._tensors.append(self._table(tflite.TensorStart, tflite.TensorEnd, fill))
        return len(self._tensors) - 1

    def _table(
        self, start: Callable[[Any], None], end: Callable[[Any], int], fill: Callable[[], None] = lambda: None
    ) -> int:
        start(self.builder)
        fill()
        return int(end(self.builder))

    def _numbers(self, values: Sequence[int]) -> int:
        return int(self.builder.CreateNumpyVector(np.asarray(values, np.int32)))

    def _offsets(self, tables: Sequence[int]) -> int:
        self.builder.StartVector(4, len(tables), 4)
        for table in reversed(tables):
            self.builder.PrependUOffsetTRelative(table)
        return int(self.builder.EndVector())
