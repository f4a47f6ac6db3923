"""The values inside a model while samples pass through it, one sample's at a time."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper
from onnxruntime import GraphOptimizationLevel, InferenceSession, RunOptions, SessionOptions

from edgewright.tools.probe.onnxruntime_session import ERROR_SEVERITY
from edgewright.tools.profile.graphs import within
from edgewright.tools.runtimes.onnxruntime.quantization import OPERATORS

Array = NDArray[np.generic]
Feed = Mapping[str, Array]
Feeds = Callable[[], Iterable[Feed]]
"""Called once a pass over the samples; a feed maps input names to the arrays of one inference."""

Take = Callable[[str, Array], None]

_CLIPPING = frozenset({"Clip", "Relu"})


def calibrated_tensors(model: ModelProto) -> tuple[str, ...]:
    """Return the float32 values that the quantiser may ask a range for, in the order in which they are computed.

    Left out is what it overwrites (`BaseQuantizer.adjust_tensor_ranges`): what goes into a Clip or Relu and nowhere
    else takes the range of what comes out, and a Softmax reaches from 0 to 1.

    Args:
        model: With inferred types.
    """
    graph = model.graph
    stored = {tensor.name for tensor in graph.initializer}
    infos = (*graph.input, *graph.value_info, *graph.output)
    floats = {info.name for info in infos if info.type.tensor_type.elem_type == TensorProto.FLOAT} - stored
    overwritten = {*_clipped(model), *(node.output[0] for node in graph.node if node.op_type == "Softmax")}
    names = [name for node in graph.node if node.op_type in OPERATORS for name in (*node.input, *node.output)]
    return tuple(dict.fromkeys(name for name in names if name in floats and name not in overwritten))


def with_overwritten(model: ModelProto, ranges: Mapping[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
    """Return the ranges with those of the tensors that `calibrated_tensors` left out."""
    known = dict(ranges) | {node.output[0]: (0.0, 1.0) for node in model.graph.node if node.op_type == "Softmax"}
    for before, after in _clipped(model).items():
        if after in known:
            known[before] = known[after]
    return known


def _clipped(model: ModelProto) -> dict[str, str]:
    """Return each value that only one Clip or Relu reads, with what comes out of that; the last of a chain first."""
    readers = Counter(name for graph in within(model.graph) for node in graph.node for name in node.input)
    readers.update(output.name for graph in within(model.graph) for output in graph.output)
    return {
        node.input[0]: node.output[0]
        for node in reversed(model.graph.node)
        if node.op_type in _CLIPPING and readers[node.input[0]] == 1
    }


def stream(model: ModelProto, names: Sequence[str], feeds: Feeds, folder: Path, take: Take) -> None:
    """Hand over the values of these tensors, one inference after another; no two inferences' are held at once.

    Args:
        model: The model; it is not changed.
        names: Float32 tensors, inputs among them too.
        feeds: Gives the samples.
        folder: Where the model with more outputs may be written.
        take: Called with each tensor's name and values; it must not keep the values.
    """
    inputs = {value.name for value in model.graph.input}
    inside = [name for name in names if name not in inputs]
    session = open_session(_with_outputs(model, inside), folder / "activations.onnx")
    for feed in feeds():
        for name in inputs.intersection(names):
            take(name, np.asarray(feed[name]))
        if inside:
            _run(session, inside, feed, take)


def _run(session: InferenceSession, names: Sequence[str], feed: Feed, take: Take) -> None:
    """Run one inference; a function of its own, so that nothing of it outlives it."""
    for name, values in zip(names, session.run(names, dict(feed)), strict=True):
        take(name, values)


def _with_outputs(model: ModelProto, names: Sequence[str]) -> ModelProto:
    watched = ModelProto()
    watched.CopyFrom(model)
    present = {output.name for output in watched.graph.output}
    # Without shapes: they may depend on the sample.
    watched.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names if name not in present
    )
    return watched


def open_session(model: ModelProto | Path, path: Path, *, fused: bool = True) -> InferenceSession:
    """Load a model on one thread; one in memory is written to `path` first.

    Args:
        model: In memory or in a file.
        path: Where it may be written.
        fused: Whether operators are fused as by default; otherwise 8-bit ones are not recognised as such.
    """
    if isinstance(model, ModelProto):
        onnx.save(model, path)
    options = SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = ERROR_SEVERITY
    if not fused:
        options.graph_optimization_level = GraphOptimizationLevel.ORT_ENABLE_BASIC
    source = path if isinstance(model, ModelProto) else model
    return InferenceSession(str(source), options, providers=["CPUExecutionProvider"])


class Partial:
    """A model of which only the part that leads to one tensor is run, with some stored tensors given anew each time."""

    def __init__(self, model: ModelProto, tensors: Sequence[str], given: Sequence[str], folder: Path) -> None:
        """Load a model.

        Args:
            model: The model; it is not changed.
            tensors: Float32 tensors that may be asked for.
            given: Float32 initialisers that become inputs.
            folder: Where the changed model may be written.
        """
        opened = _with_outputs(model, tensors)
        kept = [tensor for tensor in opened.graph.initializer if tensor.name not in given]
        shapes = {tensor.name: list(tensor.dims) for tensor in opened.graph.initializer}
        del opened.graph.initializer[:]
        opened.graph.initializer.extend(kept)
        opened.graph.input.extend(
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes[name]) for name in given
        )
        self._session = open_session(opened, folder / "partial.onnx")
        self._options = RunOptions()
        self._options.only_execute_path_to_fetches = True

    def run(self, tensor: str, feed: Feed) -> Array:
        """Return the values of one tensor."""
        values: Array = self._session.run([tensor], dict(feed), self._options)[0]
        return values
