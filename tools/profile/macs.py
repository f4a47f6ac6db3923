"""Multiply-accumulates of the operators that do the work of a network, from the shapes of one inference.

Counted are the products of weights or activations; additions of biases, activations and normalisation are not, as is
usual (the convention of the MAC counts in "MobileNetV2", Sandler et al. 2018, and of fvcore's flop counter).
"""

import math
from collections.abc import Callable, Iterable, Mapping

from onnx import NodeProto

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]


def _convolution(weight: int) -> Callable[[NodeProto, Shapes], int]:
    # Weight (out, in / group, kernel...): every output element sums over all but the first axis.
    return lambda node, shapes: math.prod(shapes[node.output[0]]) * math.prod(shapes[node.input[weight]][1:])


def _transposed_convolution(node: NodeProto, shapes: Shapes) -> int:
    # Weight (in, out / group, kernel...): every input element is spread over all but the first axis.
    return math.prod(shapes[node.input[0]]) * math.prod(shapes[node.input[1]][1:])


def _matrix_product(node: NodeProto, shapes: Shapes) -> int:
    return math.prod(shapes[node.output[0]]) * shapes[node.input[0]][-1]


def _gemm(node: NodeProto, shapes: Shapes) -> int:
    transposed = any(attribute.name == "transA" and attribute.i for attribute in node.attribute)
    return math.prod(shapes[node.output[0]]) * shapes[node.input[0]][0 if transposed else 1]


def _recurrent(node: NodeProto, shapes: Shapes) -> int:
    # W (directions, gates x hidden, input) and R (directions, gates x hidden, hidden) are applied at every step of
    # every sequence; X is (steps, batch, input), or (batch, steps, input) with layout=1: the product is the same.
    steps_times_batch = math.prod(shapes[node.input[0]][:2])
    return steps_times_batch * (math.prod(shapes[node.input[1]]) + math.prod(shapes[node.input[2]]))


RULES: Mapping[str, Callable[[NodeProto, Shapes], int]] = {
    "Conv": _convolution(1),
    "ConvInteger": _convolution(1),
    "FusedConv": _convolution(1),
    "QLinearConv": _convolution(3),
    "ConvTranspose": _transposed_convolution,
    "Gemm": _gemm,
    "FusedGemm": _gemm,
    "QGemm": _gemm,
    "MatMul": _matrix_product,
    "MatMulInteger": _matrix_product,
    "QLinearMatMul": _matrix_product,
    "LSTM": _recurrent,
    "GRU": _recurrent,
    "RNN": _recurrent,
}

# Operators that multiply too, by rules that are not written down here: a total with one of them is unknown.
UNCOUNTED = frozenset({"Einsum", "Attention", "MultiHeadAttention", "QAttention", "GroupQueryAttention", "DeformConv"})


def macs_of(nodes: Iterable[NodeProto], shapes: Shapes) -> int | None:
    """Return the multiply-accumulates of all `nodes`, `None` where a shape or a rule that matters is unknown."""
    total = 0
    for node in nodes:
        if node.op_type in UNCOUNTED:
            return None
        if node.op_type in RULES:
            try:
                total += RULES[node.op_type](node, shapes)
            except (KeyError, IndexError):
                return None
    return total
