"""Looking into a model while samples pass: which tensors, and never two samples' at once."""

import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import onnx_models as models
import pytest
from onnx import ModelProto
from onnxruntime.quantization import CalibrationMethod, QuantType
from onnxruntime.quantization.calibrate import TensorsData
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

from edgewright.tools.runtimes.onnxruntime.activations import (
    Feed,
    Partial,
    calibrated_tensors,
    open_session,
    stream,
    with_overwritten,
)
from edgewright.tools.runtimes.onnxruntime.quantization import OPERATORS


def inferred(model: ModelProto) -> ModelProto:
    return onnx.shape_inference.infer_shapes(model)


def images(n: int) -> list[Feed]:
    rng = np.random.default_rng(3)
    return [{"image": rng.standard_normal((1, 3, 16, 16)).astype(np.float32)} for _ in range(n)]


def test_no_two_inferences_are_held_at_once(tmp_path: Path) -> None:
    held: list[weakref.ref[np.ndarray]] = []
    counts: list[int] = []

    def feeds() -> Iterator[Feed]:
        for feed in images(4):
            # Asked for the next sample: nothing of the last one may be left.
            counts.append(sum(reference() is not None for reference in held))
            held.clear()
            yield feed

    model = inferred(models.conv_net())
    inside = [name for name in calibrated_tensors(model) if name != "image"]
    stream(model, inside, feeds, tmp_path, lambda _name, values: held.append(weakref.ref(values)))
    assert counts == [0, 0, 0, 0]
    assert len(held) == len(inside)


def test_samples_may_differ_in_shape(tmp_path: Path) -> None:
    model = inferred(models.recogniser(17))
    feeds = [{"line": np.ones((1, 3, 32, width), np.float32)} for width in (16, 64, 40)]
    shapes: list[tuple[int, ...]] = []
    stream(model, ["steps"], lambda: feeds, tmp_path, lambda _name, values: shapes.append(values.shape))
    assert [shape[1] for shape in shapes] == [4, 16, 10]


def test_inputs_are_looked_at_too(tmp_path: Path) -> None:
    feeds, seen = images(2), list[np.ndarray]()
    stream(inferred(models.conv_net()), ["image"], lambda: feeds, tmp_path, lambda _name, values: seen.append(values))
    assert all((one == feed["image"]).all() for one, feed in zip(seen, feeds, strict=True))


@pytest.mark.parametrize("build", [models.conv_net, models.mlp, lambda: models.recogniser(17)])
def test_what_is_left_out_is_what_the_quantiser_overwrites(build: Callable[[], ModelProto]) -> None:
    model = inferred(build())
    graph = model.graph
    looked_at = calibrated_tensors(model)
    ranges = with_overwritten(model, {name: (-1.0 - place, 2.0 + place) for place, name in enumerate(looked_at)})
    data = {name: (np.float32(low), np.float32(high)) for name, (low, high) in ranges.items()}
    tensors = TensorsData(CalibrationMethod.MinMax, {k: tuple(map(np.asarray, v)) for k, v in data.items()})
    quantizer = QDQQuantizer(
        model,
        per_channel=True,
        reduce_range=False,
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QUInt8,
        tensors_range=tensors,
        nodes_to_quantize=[],
        nodes_to_exclude=[],
        op_types_to_quantize=list(OPERATORS),
        extra_options={},
    )  # adjusts the ranges as it starts
    adjusted = {name: tuple(np.ravel(each.range_value).tolist()) for name, each in quantizer.tensors_range.items()}
    assert adjusted == ranges
    stored = {tensor.name for tensor in graph.initializer}
    asked = {name for node in graph.node if node.op_type in OPERATORS for name in (*node.input, *node.output)}
    assert asked - stored <= set(ranges)


def test_a_part_of_a_model_runs_with_other_biases(tmp_path: Path) -> None:
    model = inferred(models.conv_net())
    partial = Partial(model, ["c1", "c2"], ["b1", "b2"], tmp_path)
    feed = images(1)[0]
    biases = {"b1": np.zeros(8, np.float32), "b2": np.full(8, 2, np.float32)}
    assert partial.run("c1", {**feed, **biases}).shape == (1, 8, 16, 16)
    changed = ModelProto()
    changed.CopyFrom(model)
    for tensor in changed.graph.initializer:
        if tensor.name in biases:
            tensor.CopyFrom(onnx.numpy_helper.from_array(biases[tensor.name], tensor.name))
    changed.graph.output.append(onnx.helper.make_tensor_value_info("c2", onnx.TensorProto.FLOAT, None))
    whole = open_session(changed, tmp_path / "whole.onnx").run(["c2"], dict(feed))[0]
    assert np.abs(partial.run("c2", {**feed, **biases}) - whole).max() < 1e-4
