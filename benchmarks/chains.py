"""Chains of equal convolutions: models whose time is set by their depth, and data for them in a workspace."""

from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, helper, numpy_helper

from edgewright.state.artifacts import Artifact, Format, Recipe
from edgewright.state.evidence import Dataset
from edgewright.tools.workspace import Workspace

SAMPLES = 64


def chain(channels: int, depth: int, size: int) -> ModelProto:
    """3x3 convolutions with ReLU, `depth` of them, over an image of `size` x `size` with `channels` channels."""
    rng = np.random.default_rng(0)
    nodes, stored, tensor = [], [], "x"
    for number in range(depth):
        weight = rng.standard_normal((channels, channels, 3, 3)).astype(np.float32) * 0.1
        stored.append(numpy_helper.from_array(weight, f"w{number}"))
        nodes.append(helper.make_node("Conv", [tensor, f"w{number}"], [f"c{number}"], pads=[1, 1, 1, 1]))
        nodes.append(helper.make_node("Relu", [f"c{number}"], [f"r{number}"]))
        tensor = f"r{number}"
    nodes.append(helper.make_node("GlobalAveragePool", [tensor], ["y"]))
    graph = helper.make_graph(
        nodes,
        "chain",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", channels, size, size])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", channels, 1, 1])],
        stored,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def keep_chain(workspace: Workspace, channels: int, depth: int, size: int) -> Artifact:
    """Put a chain into the workspace."""
    path = workspace.scratch("model.onnx")
    onnx.save(chain(channels, depth, size), path)
    name, size_bytes = f"chain-{depth}.onnx", path.stat().st_size
    return Artifact(workspace.keep(path), name, Format.ONNX, "fp32", size_bytes, None, Recipe("original"), (), ())


def keep_images(workspace: Workspace, channels: int, size: int) -> tuple[Dataset, Path]:
    """Put random images into the workspace; return them as a dataset and the file of the array."""
    path = workspace.scratch("x.npy")
    images = np.random.default_rng(1).standard_normal((SAMPLES, channels, size, size)).astype(np.float32)
    np.save(path, images)
    spec = {"kind": "regular", "dtype": "float32", "values": workspace.keep(path)}
    index = workspace.keep_json({"version": 1, "n": SAMPLES, "inputs": {"x": spec}}, "index.json")
    return Dataset(index, index, SAMPLES, {}, {}, index), path
