"""Models that are valid files and misbehave when they run: one never ends, one eats memory."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

Shape = list[int | str]


def never_ends(path: Path) -> None:
    """Write a classifier whose loop goes on as long as its condition, which is always true."""
    keep = helper.make_tensor_value_info("keep", TensorProto.BOOL, [])
    state = helper.make_tensor_value_info("state", TensorProto.FLOAT, ["n", 10])
    body = helper.make_graph(
        [helper.make_node("Identity", ["keep"], ["keep_out"]), helper.make_node("Identity", ["state"], ["state_out"])],
        "body",
        [helper.make_tensor_value_info("i", TensorProto.INT64, []), keep, state],
        [
            helper.make_tensor_value_info("keep_out", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state_out", TensorProto.FLOAT, ["n", 10]),
        ],
    )
    _save(path, [helper.make_node("Loop", ["", "always", "pooled"], ["logits"], body=body)])


def eats_memory(path: Path, gib: int = 3) -> None:
    """Write a classifier that first fills a tensor of this many GiB."""
    elements = gib << 28
    _save(
        path,
        [
            helper.make_node("ConstantOfShape", ["shape"], ["huge"]),
            helper.make_node("ReduceSum", ["huge", "axis"], ["sum"], keepdims=1),
            helper.make_node("Add", ["pooled", "sum"], ["logits"]),
        ],
        [
            helper.make_tensor("shape", TensorProto.INT64, [2], [1, elements]),
            helper.make_tensor("axis", TensorProto.INT64, [1], [1]),
        ],
    )


def _save(path: Path, nodes: list[onnx.NodeProto], more: list[onnx.TensorProto] | None = None) -> None:
    weights = np.random.default_rng(0).normal(size=(784, 10)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["image"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weights"], ["pooled"]),
            *nodes,
        ],
        "faulty",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 1, 28, 28])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 10])],
        [
            helper.make_tensor("weights", TensorProto.FLOAT, weights.shape, weights.ravel()),
            helper.make_tensor("always", TensorProto.BOOL, [], [True]),
            *(more or []),
        ],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
