"""Equalisation changes weights, never the function, and leaves alone what it may not touch."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx_models as models
import pytest
from hardened_twin import harden
from onnx import ModelProto, numpy_helper
from onnx.helper import make_node as node

from edgewright.tools.optimize.repair.equalize import equalize
from edgewright.tools.runtimes.onnxruntime.activations import open_session


def answers(model: ModelProto, folder: Path, seed: int = 0) -> np.ndarray:
    value = model.graph.input[0]
    shape = [dim.dim_value or 2 for dim in value.type.tensor_type.shape.dim]
    feed = {value.name: np.random.default_rng(seed).standard_normal(shape).astype(np.float32)}
    return open_session(model, folder / "model.onnx").run(None, feed)[0]


def depthwise_net() -> ModelProto:
    """Expansion, depthwise, projection and the way around them, twice as wide at each use; rectified in between."""
    return models.model(
        [
            node("Conv", ["image", "w0"], ["stem"]),
            node("Conv", ["stem", "w1", "b1"], ["wide"]),
            node("Relu", ["wide"], ["r1"]),
            node("Conv", ["r1", "w2", "b2"], ["deep"], pads=[1, 1, 1, 1], group=12),
            node("PRelu", ["deep", "slope"], ["r2"]),
            node("Conv", ["r2", "w3"], ["narrow"]),
            node("Add", ["narrow", "shift"], ["moved"]),
            node("Add", ["moved", "stem"], ["sum"]),
            node("MaxPool", ["sum"], ["pooled"], kernel_shape=[2, 2], strides=[2, 2]),
            node("Flatten", ["pooled"], ["row"]),
            node("MatMul", ["row", "w4"], ["y"]),
        ],
        [models.value("image", models.F, ["n", 3, 4, 4])],
        [models.value("y", models.F, ["n", 7])],
        [
            models.weights("w0", 6, 3, 1, 1),
            models.weights("w1", 12, 6, 1, 1),
            models.weights("b1", 12),
            models.weights("w2", 12, 1, 3, 3),
            models.weights("b2", 12),
            models.array("slope", np.linspace(0, 1, 12).reshape(12, 1, 1), "float32"),
            models.weights("w3", 6, 12, 1, 1),
            models.weights("shift", 1, 6, 1, 1),
            models.weights("w4", 24, 7),
        ],
    )


def unequal(model: ModelProto, names: tuple[str, ...]) -> ModelProto:
    """Give the output channels of some weights very different sizes."""
    for tensor in model.graph.initializer:
        if tensor.name in names:
            numbers = numpy_helper.to_array(tensor)
            sizes = np.geomspace(0.01, 10, len(numbers)).reshape(-1, *[1] * (numbers.ndim - 1))
            tensor.CopyFrom(numpy_helper.from_array((numbers * sizes).astype(np.float32), tensor.name))
    return model


@pytest.mark.parametrize(
    ("build", "names", "groups"),
    [
        (models.conv_net, ("w1",), 1),
        (models.mlp, ("w1",), 1),
        (depthwise_net, ("w1", "w2"), 3),
    ],
)
def test_the_function_stays_as_it_is(
    build: Callable[[], ModelProto], names: tuple[str, ...], groups: int, tmp_path: Path
) -> None:
    model = onnx.shape_inference.infer_shapes(unequal(build(), names))
    before = answers(model, tmp_path)
    weights = [tensor.SerializeToString() for tensor in model.graph.initializer]
    assert equalize(model) == groups
    assert np.abs(answers(model, tmp_path) - before).max() < 1e-4 * np.abs(before).max()
    assert weights != [tensor.SerializeToString() for tensor in model.graph.initializer]


def test_channels_of_both_sides_come_to_one_size() -> None:
    model = onnx.shape_inference.infer_shapes(unequal(models.mlp(), ("w2",)))
    assert equalize(model) == 1
    stored = {tensor.name: np.abs(numpy_helper.to_array(tensor)) for tensor in model.graph.initializer}
    assert stored["w1"].max(axis=0) == pytest.approx(stored["w2"].max(axis=1), rel=1e-2)


def test_a_hardened_twin_and_its_origin_become_the_same_network(cnn: ModelProto) -> None:
    origin, twin = cnn, harden(cnn)
    assert equalize(origin) == equalize(twin) == 8
    for one, other in zip(origin.graph.initializer, twin.graph.initializer, strict=True):
        if one.data_type == onnx.TensorProto.FLOAT:
            first, second = numpy_helper.to_array(one), numpy_helper.to_array(other)
            assert np.abs(first - second).max() <= 0.05 * np.abs(first).max()


@pytest.mark.parametrize(
    "build", [models.shared_net, models.seen_inside_net, models.branch_net, lambda: models.recogniser(17)]
)
def test_what_passes_no_factor_through_is_left_alone(build: Callable[[], ModelProto]) -> None:
    model = onnx.shape_inference.infer_shapes(build())
    before = model.SerializeToString(deterministic=True)
    assert equalize(model) == 0
    assert model.SerializeToString(deterministic=True) == before
