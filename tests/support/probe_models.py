"""Models that are awkward to feed, and data for them in the store of a workspace."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto
from onnx.helper import make_node as node
from onnx.helper import make_tensor_value_info as value
from onnx_models import I64, F, array, model, weights

from edgewright.state.artifacts import Artifact, Format, Recipe
from edgewright.state.evidence import Dataset
from edgewright.state.protocols import Protocol, ProtocolName
from edgewright.tools.workspace import Workspace

FEW_RUNS = Protocol(ProtocolName.QUICK, warmup_runs=3, warmup_s=0.0, runs=20, duration_s=0.0, processes=1)


Array = NDArray[np.generic]


def new_workspace(folder: Path) -> Workspace:
    """A workspace with an empty store beside it."""
    (folder / "job").mkdir()
    (folder / "objects").mkdir()
    return Workspace(folder / "job", folder / "objects")


def keep_array(values: Array, workspace: Workspace) -> str:
    path = workspace.scratch("array.npy")
    np.save(path, values)
    return workspace.keep(path)


def keep_index(inputs: Mapping[str, Mapping[str, str]], n: int, workspace: Workspace) -> Dataset:
    index = {"version": 1, "n": n, "inputs": inputs, "labels": None, "samples": "0" * 64}
    digest = workspace.keep_json(index, "index.json")
    return Dataset(digest, digest, n, {}, {}, digest)


def keep_regular(workspace: Workspace, inputs: Mapping[str, Array]) -> Dataset:
    """Keep one array an input, one row a sample."""
    specs = {
        name: {"kind": "regular", "dtype": rows.dtype.name, "values": keep_array(rows, workspace)}
        for name, rows in inputs.items()
    }
    return keep_index(specs, len(next(iter(inputs.values()))), workspace)


def keep_model(proto: ModelProto, workspace: Workspace, name: str = "model.onnx", precision: str = "fp32") -> Artifact:
    """Put a model into the workspace, named by its digest as in the store."""
    path = workspace.scratch(name)
    onnx.save(proto, path)
    recipe = Recipe("original")
    return Artifact(workspace.keep(path), name, Format.ONNX, precision, path.stat().st_size, None, recipe, (), ())


def keep_ragged(name: str, samples: Sequence[Array], workspace: Workspace) -> Dataset:
    """Keep samples of different shapes as one ragged input."""
    spec = {
        "kind": "ragged",
        "dtype": samples[0].dtype.name,
        "values": keep_array(np.concatenate([sample.ravel() for sample in samples]), workspace),
        "shapes": keep_array(np.array([sample.shape for sample in samples], dtype=np.int64), workspace),
    }
    return keep_index({name: spec}, len(samples), workspace)


def product(rows: int | str | None, width: int = 8, inside: int = 16) -> ModelProto:
    """Two matrix products: x (rows, width) -> y (rows, 3)."""
    return model(
        [node("MatMul", ["x", "a"], ["h"]), node("Relu", ["h"], ["r"]), node("MatMul", ["r", "b"], ["y"])],
        [value("x", F, [rows, width])],
        [value("y", F, [rows, 3])],
        [weights("a", width, inside), weights("b", inside, 3)],
    )


def sequence_gru() -> ModelProto:
    """A GRU over any number of steps: x (1, steps, 4) -> steps (1, steps, 5), last (1, 5)."""
    return model(
        [
            node("Transpose", ["x"], ["first"], perm=[1, 0, 2]),
            node("GRU", ["first", "W", "R"], ["all", "end"], hidden_size=5),
            node("Squeeze", ["all", "one"], ["flat"]),
            node("Transpose", ["flat"], ["steps"], perm=[1, 0, 2]),
            node("Squeeze", ["end", "zero"], ["last"]),
        ],
        [value("x", F, [1, "time", 4])],
        [value("steps", F, [1, "time", 5]), value("last", F, [1, 5])],
        [weights("W", 1, 15, 4), weights("R", 1, 15, 5), array("one", [1]), array("zero", [0])],
    )


def token_model() -> ModelProto:
    """Embeddings, averaged: ids (n, 6) int64 -> mean (n, 4), and the ids' maximum as int64 (n,)."""
    return model(
        [
            node("Gather", ["table", "ids"], ["embedded"]),
            node("ReduceMean", ["embedded"], ["mean"], axes=[1], keepdims=0),
            node("ReduceMax", ["ids"], ["highest"], axes=[1], keepdims=0),
        ],
        [value("ids", I64, ["batch", 6])],
        [value("mean", F, ["batch", 4]), value("highest", I64, ["batch"])],
        [weights("table", 50, 4)],
    )


def vector_model() -> ModelProto:
    """No batch dimension at all: x (8,) -> y (3,)."""
    return model([node("MatMul", ["x", "a"], ["y"])], [value("x", F, [8])], [value("y", F, [3])], [weights("a", 8, 3)])


def across_the_batch() -> ModelProto:
    """Its activation range is taken over everything in the inference, so a batch changes each sample's answer."""
    return model(
        [
            node("DynamicQuantizeLinear", ["x"], ["q", "scale", "zero"]),
            node("DequantizeLinear", ["q", "scale", "zero"], ["y"]),
        ],
        [value("x", F, ["batch", 8])],
        [value("y", F, ["batch", 8])],
    )


def logarithm() -> ModelProto:
    """NaN for negative numbers: x (n, 4) -> y (n, 4)."""
    return model([node("Log", ["x"], ["y"])], [value("x", F, ["batch", 4])], [value("y", F, ["batch", 4])])


def spelled() -> ModelProto:
    """Answers in text: x (n, 2) -> label (n, 2) string."""
    return model(
        [node("Cast", ["x"], ["label"], to=TensorProto.STRING)],
        [value("x", F, ["batch", 2])],
        [value("label", TensorProto.STRING, ["batch", 2])],
    )


def quantised(proto: ModelProto, tensor: str) -> ModelProto:
    """The same with a pointless pair of conversions behind `tensor`."""
    wrapped = ModelProto()
    wrapped.CopyFrom(proto)
    for at in wrapped.graph.node:
        for place, name in enumerate(at.input):
            if name == tensor:
                at.input[place] = "restored"
    pair = [
        node("QuantizeLinear", [tensor, "scale", "zero"], ["rounded"]),
        node("DequantizeLinear", ["rounded", "scale", "zero"], ["restored"]),
    ]
    place = next(i for i, at in enumerate(wrapped.graph.node) if tensor in at.output) + 1
    nodes = [*wrapped.graph.node]
    del wrapped.graph.node[:]
    wrapped.graph.node.extend([*nodes[:place], *pair, *nodes[place:]])
    wrapped.graph.initializer.extend([array("scale", 0.05, "float32"), array("zero", 128, "uint8")])
    return wrapped
