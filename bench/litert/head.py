"""A mixture head of two classes as a TensorFlow Lite model that says the same of a whole window, without what learning
needs: the weights of its linear part, and means and variances of its naive Bayes."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import tflite
from ai_edge_litert.interpreter import Interpreter
from attune_core import UNIT
from attune_core.update import Model

from bench.litert.graph import Floats, Graph

# Of the core: learner/mixture.h, gnb.h, head.h, means.h.
PART, SHARE, LIMIT, SQUARE, LEAST_VARIANCE = 12.0, 0.3, 16.0, 9.0, 1e-3

OPERATOR = tflite.BuiltinOperator


@dataclass(frozen=True)
class Numbers:
    """What a mixture of two classes is made of where it only predicts: x in units of q / 1024, all float64."""

    weights: npt.NDArray[np.float64]
    bias: float
    means: npt.NDArray[np.float64]
    variances: npt.NDArray[np.float64]

    @classmethod
    def of(cls, model: Model) -> "Numbers":
        """Read out of the exported state (learner/gnb.h), and its linear part out of what the model says."""
        d, sensors = len(model.schema), np.asarray(model.schema.sensors)
        state = np.frombuffer(model.head.export()[4:], np.float32)
        size = int(sensors.max()) + 1 + 2 * d
        sums = state[-2 * size :].reshape(2, size).astype(float)
        n, m2, means = sums[:, : size - 2 * d][:, sensors], sums[:, size - 2 * d : size - d], sums[:, size - d :]
        # What a class does not know is compared with nothing: alike in both.
        known = (n > 0).all(axis=0)
        means = np.where(known, means, 0.0)
        variances = np.where(known, m2 / np.maximum(n, 1e-9) + LEAST_VARIANCE, 1.0)
        weights, bias = _linear(model, means, variances)
        return cls(weights, bias, means, variances)


def _linear(
    model: Model, means: npt.NDArray[np.float64], variances: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], float]:
    """Least squares over windows near the means, where no part is at its bounds."""
    d = means.shape[1]
    source, middle = np.random.default_rng(0), means.mean(axis=0)
    x = np.rint((middle + 0.3 * source.normal(size=(40 * d, d)) * np.sqrt(variances.min(axis=0))) * UNIT)
    evidence = model.head.predict(x.astype(np.int16))[0][:, 0].astype(float)
    bayes = _bayes(x / UNIT, means, variances)
    ridge = evidence - SHARE * np.clip(bayes, -PART, PART)
    free = np.abs(evidence) < PART / 2
    rows = np.column_stack([x[free] / UNIT, np.ones(free.sum())])
    found = np.linalg.lstsq(rows, ridge[free], rcond=None)[0]
    return found[:-1], float(found[-1])


def _bayes(
    x: npt.NDArray[np.float64], means: npt.NDArray[np.float64], variances: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    squares = np.minimum((x[:, None] - means) ** 2 / variances, SQUARE) + np.log(variances)
    difference: npt.NDArray[np.float64] = 0.5 * (squares[:, 0] - squares[:, 1]).sum(axis=1)
    return difference


def head_file(numbers: Numbers) -> bytes:
    """The .tflite: float32 [1, d] of a window in, its evidence [1, 1] out."""
    graph, d = Graph(), numbers.weights.size
    x = graph.variable(d)
    ridge = _bounded(graph, _dense(graph, x, numbers.weights, numbers.bias), PART)
    squares = [_squares(graph, x, numbers.means[k], numbers.variances[k], d) for k in range(2)]
    constant = 0.5 * float(np.log(numbers.variances[0] / numbers.variances[1]).sum())
    difference = graph.apply(OPERATOR.SUB, squares, d, graph.options("SubOptions"))
    bayes = _bounded(graph, _dense(graph, difference, np.full(d, 0.5), constant), PART)
    scaled = graph.apply(OPERATOR.MUL, [bayes, graph.constant(SHARE)], 1, graph.options("MulOptions"))
    both = graph.apply(OPERATOR.ADD, [ridge, scaled], 1, graph.options("AddOptions"))
    return graph.finish(x, _bounded(graph, both, LIMIT))


def _dense(graph: Graph, x: int, weights: npt.NDArray[np.float64], bias: float) -> int:
    inputs = [x, graph.constant(weights), graph.constant(bias)]
    return graph.apply(OPERATOR.FULLY_CONNECTED, inputs, 1, graph.options("FullyConnectedOptions"))


def _bounded(graph: Graph, x: int, limit: float) -> int:
    upper = graph.apply(OPERATOR.MINIMUM, [x, graph.constant(limit)], 1, graph.options("MaximumMinimumOptions"))
    return graph.apply(OPERATOR.MAXIMUM, [upper, graph.constant(-limit)], 1, graph.options("MaximumMinimumOptions"))


def _squares(graph: Graph, x: int, means: npt.NDArray[np.float64], variances: npt.NDArray[np.float64], d: int) -> int:
    centred = graph.apply(OPERATOR.SUB, [x, graph.constant(means)], d, graph.options("SubOptions"))
    scale = graph.constant(1 / np.sqrt(variances))
    scaled = graph.apply(OPERATOR.MUL, [centred, scale], d, graph.options("MulOptions"))
    squared = graph.apply(OPERATOR.SQUARE, [scaled], d, graph.options("SquareOptions"))
    limit = graph.constant(SQUARE)
    return graph.apply(OPERATOR.MINIMUM, [squared, limit], d, graph.options("MaximumMinimumOptions"))


def said_by(file: bytes, features: npt.NDArray[np.int16]) -> Floats:
    """What the run time says of windows int16 [n, d] without a missing sensor."""
    runtime = Interpreter(model_content=file)
    runtime.allocate_tensors()
    given, said = runtime.get_input_details()[0]["index"], runtime.get_output_details()[0]["index"]
    evidence = np.zeros(len(features), np.float32)
    for row, window in enumerate(features):
        runtime.set_tensor(given, (window[np.newaxis] / UNIT).astype(np.float32))
        runtime.invoke()
        evidence[row] = runtime.get_tensor(said)[0, 0]
    return evidence
