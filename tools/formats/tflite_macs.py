"""Multiply-accumulates of a TFLite graph; the convention is that of `edgewright.tools.profile.macs`.

Layouts of weights: TensorFlow Lite's operator documentation (OHWI for convolutions, 1HWC for depthwise ones).
"""

import math
from collections.abc import Callable, Mapping

from edgewright.tools.formats.tflite_graph import indices, operator_name, shape_of
from edgewright.tools.runtimes.litert.schema import Model, Operator

Shapes = tuple[tuple[int, ...], ...]
"""Of an operator's inputs; one that is left out has none."""


def _convolution(inputs: Shapes, output: tuple[int, ...]) -> int:
    return math.prod(output) * math.prod(inputs[1][1:])


def _depthwise(inputs: Shapes, output: tuple[int, ...]) -> int:
    return math.prod(output) * math.prod(inputs[1][1:3])


def _transposed(inputs: Shapes, _output: tuple[int, ...]) -> int:
    # Inputs: output shape, weights OHWI, activations: every activation is spread over output channels and kernel.
    return math.prod(inputs[2]) * math.prod(inputs[1][:3])


def _matrix_product(inputs: Shapes, output: tuple[int, ...]) -> int:
    # The summed axis is what both operands have and the output has not.
    return math.isqrt(math.prod(inputs[0][-2:]) * math.prod(inputs[1][-2:]) // math.prod(output[-2:])) * math.prod(
        output
    )


_RULES: Mapping[str, Callable[[Shapes, tuple[int, ...]], int]] = {
    "CONV_2D": _convolution,
    "CONV_3D": lambda inputs, output: math.prod(output) * math.prod(inputs[1][:-1]),  # DHWIO
    "DEPTHWISE_CONV_2D": _depthwise,
    "TRANSPOSE_CONV": _transposed,
    "FULLY_CONNECTED": lambda inputs, output: math.prod(output) * inputs[1][-1],
    "BATCH_MATMUL": _matrix_product,
}
# Operators that multiply too, by rules that are not written down here, or as often as the data decides.
_UNCOUNTED = frozenset(
    {"LSTM", "RNN", "UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN", "BIDIRECTIONAL_SEQUENCE_LSTM"}
    | {"BIDIRECTIONAL_SEQUENCE_RNN", "SVDF", "CUSTOM", "WHILE", "IF", "CALL", "CONV_3D_TRANSPOSE"}
)


def macs_of(model: Model) -> int | None:
    """Return the multiply-accumulates of one inference, `None` where a rule that matters is unknown."""
    graph = model.subgraphs[0]
    shapes = [shape_of(tensor) for tensor in graph.tensors]
    total = 0
    for operator in graph.operators or []:
        name = operator_name(model.operatorCodes[operator.opcodeIndex])
        if name in _UNCOUNTED or name.startswith("STABLEHLO_"):
            return None
        if name in _RULES:
            try:
                total += _count(_RULES[name], operator, shapes)
            except (IndexError, ZeroDivisionError):  # an operator that lacks what it multiplies; LiteRT will refuse it
                return None
    return total


def _count(rule: Callable[[Shapes, tuple[int, ...]], int], operator: Operator, shapes: list[tuple[int, ...]]) -> int:
    inputs = tuple(shapes[index] if index >= 0 else () for index in indices(operator.inputs))
    return rule(inputs, shapes[indices(operator.outputs)[0]])
