"""Small real models, built in code: one for each thing that makes inspecting or rewriting a graph hard."""

from collections.abc import Sequence

import numpy as np
from onnx import FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper
from onnx.helper import make_node as node
from onnx.helper import make_tensor_value_info as value

F, I64 = TensorProto.FLOAT, TensorProto.INT64


def weights(name: str, *shape: int, scale: float = 0.4, seed: int = 0) -> TensorProto:
    """Normally distributed float32 numbers, the same for the same name and seed."""
    rng = np.random.default_rng([seed, *name.encode()])
    return numpy_helper.from_array((scale * rng.standard_normal(shape)).astype(np.float32), name)


def array(name: str, values: object, dtype: str = "int64") -> TensorProto:
    """A tensor of these values."""
    return numpy_helper.from_array(np.asarray(values, dtype), name)


def model(
    nodes: Sequence[NodeProto],
    inputs: Sequence[ValueInfoProto],
    outputs: Sequence[ValueInfoProto],
    stored: Sequence[TensorProto] = (),
    *,
    opset: int = 17,
    ir: int = 8,
    functions: Sequence[FunctionProto] = (),
) -> ModelProto:
    """Put a model together."""
    graph = helper.make_graph(nodes, "net", inputs, outputs, stored)
    opsets = [helper.make_opsetid("", opset)]
    opsets += [helper.make_opsetid(domain, 1) for domain in sorted({function.domain for function in functions})]
    return helper.make_model(
        graph, opset_imports=opsets, ir_version=ir, functions=functions, producer_name="tests", producer_version="1"
    )


def conv_net(opset: int = 17) -> ModelProto:
    """Two convolutions with a residual connection and a classifier: image (n, 3, 16, 16) -> logits (n, 10)."""
    return model(
        [
            node("Conv", ["image", "w1", "b1"], ["c1"], "first", pads=[1, 1, 1, 1]),
            node("Relu", ["c1"], ["r1"]),
            node("Conv", ["r1", "w2", "b2"], ["c2"], "second", pads=[1, 1, 1, 1]),
            node("Add", ["c2", "r1"], ["sum"]),
            node("Relu", ["sum"], ["r2"]),
            node("GlobalAveragePool", ["r2"], ["pooled"]),
            node("Flatten", ["pooled"], ["features"]),
            node("Gemm", ["features", "w3", "b3"], ["logits"], "head", transB=1),
        ],
        [value("image", F, ["batch", 3, 16, 16])],
        [value("logits", F, ["batch", 10])],
        [
            weights("w1", 8, 3, 3, 3),
            weights("b1", 8),
            weights("w2", 8, 8, 3, 3, scale=0.15),
            weights("b2", 8),
            weights("w3", 10, 8),
            weights("b3", 10),
        ],
        opset=opset,
    )


def padded_conv_net() -> ModelProto:
    """The same with an Identity, a dead branch and constants that fold: something for `simplify` to do."""
    padded = conv_net()
    padded.graph.node.insert(0, node("Identity", ["image"], ["same"]))
    padded.graph.node[1].input[0] = "same"
    padded.graph.node.insert(2, node("Add", ["b1", "b1"], ["unused"]))
    return padded


def batch_norm_net() -> ModelProto:
    """A convolution and a batch normalisation, which folds into it."""
    return model(
        [
            node("Conv", ["image", "w"], ["c"], pads=[1, 1, 1, 1]),
            node("BatchNormalization", ["c", "gain", "shift", "mean", "variance"], ["n"]),
            node("Relu", ["n"], ["out"]),
        ],
        [value("image", F, ["batch", 3, 8, 8])],
        [value("out", F, ["batch", 4, 8, 8])],
        [
            weights("w", 4, 3, 3, 3),
            array("gain", [1, 1, 2, 1], "float32"),
            weights("shift", 4),
            weights("mean", 4),
            array("variance", [1, 2, 1, 1], "float32"),
        ],
    )


def mlp() -> ModelProto:
    """MatMul and Add twice: x (n, 12) -> y (n, 5)."""
    return model(
        [
            node("MatMul", ["x", "w1"], ["m1"], "hidden"),
            node("Add", ["m1", "b1"], ["a1"]),
            node("Relu", ["a1"], ["h"]),
            node("MatMul", ["h", "w2"], ["m2"], "head"),
            node("Add", ["m2", "b2"], ["y"]),
        ],
        [value("x", F, ["batch", 12])],
        [value("y", F, ["batch", 5])],
        [weights("w1", 12, 32), weights("b1", 32), weights("w2", 32, 5), weights("b2", 5)],
    )


def gru() -> ModelProto:
    """One GRU over 6 steps of 4 numbers, batch fixed at 1: no MatMul, no Gemm."""
    return model(
        [node("GRU", ["x", "W", "R"], ["", "last"], hidden_size=5)],
        [value("x", F, [6, 1, 4])],
        [value("last", F, [1, 1, 5])],
        [weights("W", 1, 15, 4), weights("R", 1, 15, 5)],
    )


def lstm() -> ModelProto:
    """A bidirectional LSTM over 7 steps of 3 numbers, batch fixed at 1."""
    return model(
        [node("LSTM", ["x", "W", "R"], ["", "last"], hidden_size=4, direction="bidirectional")],
        [value("x", F, [7, 1, 3])],
        [value("last", F, [2, 1, 4])],
        [weights("W", 2, 16, 3), weights("R", 2, 16, 4)],
    )


def old_net(opset: int = 9) -> ModelProto:
    """IR version 3: weights are listed among the inputs, as every file of that time does."""
    stored = [weights("w1", 4, 3, 3, 3), weights("b1", 4), weights("w2", 6, 4), weights("b2", 6)]
    return model(
        [
            node("Conv", ["image", "w1", "b1"], ["c"], pads=[1, 1, 1, 1]),
            node("Relu", ["c"], ["r"]),
            node("GlobalAveragePool", ["r"], ["p"]),
            node("Flatten", ["p"], ["f"]),
            node("Gemm", ["f", "w2", "b2"], ["logits"], transB=1),
        ],
        [value("image", F, ["batch", 3, 8, 8]), *(value(t.name, F, t.dims) for t in stored)],
        [value("logits", F, ["batch", 6])],
        stored,
        opset=opset,
        ir=3,
    )


def constants_net() -> ModelProto:
    """Weights in Constant nodes; a rank-0 constant that is no parameter."""
    return model(
        [
            node("Constant", [], ["w"], value=weights("w", 12, 5)),
            node("Constant", [], ["b"], value_floats=[0.5] * 5),
            node("Constant", [], ["half"], value_float=0.5),
            node("MatMul", ["x", "w"], ["m"]),
            node("Add", ["m", "b"], ["a"]),
            node("Mul", ["a", "half"], ["y"]),
        ],
        [value("x", F, ["batch", 12])],
        [value("y", F, ["batch", 5])],
    )


def branch_net() -> ModelProto:
    """An If whose branches hold weights of their own."""

    def branch(name: str, scale: float) -> GraphProto:
        product = node("MatMul", ["x", f"{name}_w"], [f"{name}_y"])
        return helper.make_graph(
            [product], name, [], [value(f"{name}_y", F, ["batch", 3])], [weights(f"{name}_w", 4, 3, scale=scale)]
        )

    return model(
        [
            node("ReduceSum", ["x"], ["total"], keepdims=0),
            node("Greater", ["total", "zero"], ["positive"]),
            node("If", ["positive"], ["y"], then_branch=branch("yes", 0.4), else_branch=branch("no", 0.2)),
        ],
        [value("x", F, ["batch", 4])],
        [value("y", F, ["batch", 3])],
        [array("zero", 0, "float32")],
    )


def function_net() -> ModelProto:
    """A local function, called twice."""
    twice = helper.make_function(
        "tests.own",
        "Affine",
        ["v"],
        ["r"],
        [
            node("Constant", [], ["w"], value=weights("w", 4, 4)),
            node("MatMul", ["v", "w"], ["m"]),
            node("Relu", ["m"], ["r"]),
        ],
        [helper.make_opsetid("", 17)],
    )
    return model(
        [node("Affine", ["x"], ["h"], domain="tests.own"), node("Affine", ["h"], ["y"], domain="tests.own")],
        [value("x", F, ["batch", 4])],
        [value("y", F, ["batch", 4])],
        functions=[twice],
    )


def shared_net() -> ModelProto:
    """One weight used by two products."""
    return model(
        [node("MatMul", ["x", "w"], ["h"]), node("MatMul", ["h", "w"], ["y"])],
        [value("x", F, ["batch", 4])],
        [value("y", F, ["batch", 4])],
        [weights("w", 4, 4)],
    )


def one_conv(
    x: Sequence[int], w: Sequence[int], y: Sequence[int], op: str = "Conv", **attributes: object
) -> ModelProto:
    """One convolution of any rank."""
    return model(
        [node(op, ["x", "w"], ["y"], **attributes)],
        [value("x", F, ["batch", *x])],
        [value("y", F, ["batch", *y])],
        [weights("w", *w)],
    )


def seen_inside_net() -> ModelProto:
    """An If whose branches read what a Relu of the main graph reads: image (n, 3, 8, 8) -> y (n, 4, 8, 8)."""

    def branch(name: str, op: str) -> GraphProto:
        return helper.make_graph([node(op, ["c"], [f"{name}_y"])], name, [], [value(f"{name}_y", F, None)])

    return model(
        [
            node("Conv", ["image", "w", "b"], ["c"], pads=[1, 1, 1, 1]),
            node("Relu", ["c"], ["r"]),
            node("ReduceMax", ["r"], ["peak"], keepdims=0),
            node("Greater", ["peak", "zero"], ["positive"]),
            node("If", ["positive"], ["chosen"], then_branch=branch("yes", "Neg"), else_branch=branch("no", "Abs")),
            node("Add", ["chosen", "r"], ["sum"]),
            node("Conv", ["sum", "v"], ["y"], pads=[1, 1, 1, 1]),
        ],
        [value("image", F, ["batch", 3, 8, 8])],
        [value("y", F, ["batch", 4, 8, 8])],
        [weights("w", 4, 3, 3, 3), weights("b", 4), weights("v", 4, 4, 3, 3), array("zero", 0, "float32")],
    )


def large_bias_net() -> ModelProto:
    """A bias that overflows 32 bits of the scale that tiny weights make: image (n, 3, 8, 8) -> y (n, 4, 8, 8)."""
    return model(
        [node("Conv", ["image", "w", "b"], ["y"], pads=[1, 1, 1, 1])],
        [value("image", F, ["batch", 3, 8, 8])],
        [value("y", F, ["batch", 4, 8, 8])],
        [weights("w", 4, 3, 3, 3, scale=1e-8), array("b", [3, -2, 1, 0.5], "float32")],
    )


def recogniser(opset: int = 12) -> ModelProto:
    """A text recogniser of the PP-OCR kind: lines of any width -> a distribution over letters for each fourth column.

    Convolutions, the last one depthwise with HardSwish spelt out, columns as a sequence, attention over them, Softmax:
    line (n, 3, 32, width) -> letters (n, width / 4, 20).
    """
    return model(
        [
            node("Conv", ["line", "w1", "b1"], ["c1"], pads=[1, 1, 1, 1], strides=[2, 2]),
            node("Add", ["c1", "three"], ["a1"]),
            node("Clip", ["a1", "zero", "six"], ["k1"]),
            node("Mul", ["c1", "k1"], ["m1"]),
            node("Div", ["m1", "six"], ["h1"]),
            node("Conv", ["h1", "w2", "b2"], ["c2"], pads=[1, 1, 1, 1], strides=[2, 2], group=16),
            node("Relu", ["c2"], ["r2"]),
            node("ReduceMean", ["r2"], ["column"], axes=[2], keepdims=0),
            node("Transpose", ["column"], ["steps"], perm=[0, 2, 1]),
            node("MatMul", ["steps", "wq"], ["q"]),
            node("MatMul", ["steps", "wk"], ["k"]),
            node("Transpose", ["k"], ["kt"], perm=[0, 2, 1]),
            node("MatMul", ["q", "kt"], ["scores"]),
            node("Softmax", ["scores"], ["attention"], axis=2),
            node("MatMul", ["attention", "steps"], ["mixed"]),
            node("Add", ["mixed", "steps"], ["seen"]),
            node("MatMul", ["seen", "wh"], ["logits"]),
            node("Add", ["logits", "bh"], ["biased"]),
            node("Softmax", ["biased"], ["letters"], axis=2),
        ],
        [value("line", F, ["n", 3, 32, "width"])],
        [value("letters", F, ["n", "steps", 20])],
        [
            weights("w1", 16, 3, 3, 3),
            weights("b1", 16),
            weights("w2", 16, 1, 3, 3),
            weights("b2", 16),
            weights("wq", 16, 16, scale=0.2),
            weights("wk", 16, 16, scale=0.2),
            weights("wh", 16, 20),
            weights("bh", 20),
            array("three", 3, "float32"),
            array("zero", 0, "float32"),
            array("six", 6, "float32"),
        ],
        opset=opset,
    )
