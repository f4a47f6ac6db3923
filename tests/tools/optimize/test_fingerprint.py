"""What counts as a change of a graph, and what does not."""

from collections.abc import Callable

import numpy as np
import onnx
import onnx_models as models
import pytest
from onnx import ModelProto, helper

from edgewright.tools.optimize.fingerprint import fingerprint

ALL = [
    models.conv_net,
    models.mlp,
    models.gru,
    models.lstm,
    models.old_net,
    models.constants_net,
    models.branch_net,
    models.function_net,
    models.shared_net,
]


def copy_of(model: ModelProto) -> ModelProto:
    copy = ModelProto()
    copy.CopyFrom(model)
    return copy


@pytest.mark.parametrize("build", ALL)
def test_names_and_remarks_do_not_count(build: Callable[[], ModelProto]) -> None:
    model = build()
    changed = copy_of(model)
    changed.doc_string, changed.producer_name = "remark", "other"
    for number, node in enumerate(changed.graph.node):
        node.name, node.doc_string = f"n{number}", "remark"
    inner = {name for node in changed.graph.node for name in node.output} - {v.name for v in changed.graph.output}
    for node in changed.graph.node:
        node.input[:] = [f"v_{name}" if name in inner and name else name for name in node.input]
        node.output[:] = [f"v_{name}" if name in inner and name else name for name in node.output]
    if build is not models.branch_net:  # whose branches read outer names
        onnx.checker.check_model(changed)
    assert fingerprint(changed) == fingerprint(model)


def test_recorded_shapes_defaults_and_how_numbers_are_written_do_not_count() -> None:
    model = models.conv_net()
    changed = onnx.shape_inference.infer_shapes(model)
    changed.graph.node[0].attribute.append(helper.make_attribute("group", 1))
    weights = onnx.numpy_helper.to_array(model.graph.initializer[0])
    changed.graph.initializer[0].CopyFrom(helper.make_tensor("w1", 1, weights.shape, weights.flatten()))
    assert fingerprint(changed) == fingerprint(model)


def test_the_order_of_independent_nodes_does_not_count() -> None:
    first = models.branch_net()
    first.graph.node.insert(0, helper.make_node("Relu", ["x"], ["unused"]))
    second = models.branch_net()
    second.graph.node.insert(2, helper.make_node("Relu", ["x"], ["unused"]))
    assert fingerprint(first) == fingerprint(second)


def change_weight(model: ModelProto) -> None:
    weights = onnx.numpy_helper.to_array(model.graph.initializer[0]).copy()
    weights.flat[0] = np.nextafter(weights.flat[0], np.float32(9))
    model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(weights, "w1"))


def swap_inputs(model: ModelProto) -> None:
    model.graph.node[3].input[:] = ["r1", "c2"]


def raise_opset(model: ModelProto) -> None:
    model.opset_import[0].version = 18


def change_attribute(model: ModelProto) -> None:
    model.graph.node[0].attribute[0].ints[0] = 2


def duplicate(model: ModelProto) -> None:
    model.graph.node.append(helper.make_node("Relu", ["c1"], ["r1_again"]))


@pytest.mark.parametrize("change", [change_weight, swap_inputs, raise_opset, change_attribute, duplicate])
def test_what_is_computed_and_how_does_count(change: Callable[[ModelProto], None]) -> None:
    model = models.conv_net()
    changed = copy_of(model)
    change(changed)
    assert fingerprint(changed) != fingerprint(model)


def test_a_weight_inside_a_branch_counts() -> None:
    model = models.branch_net()
    changed = copy_of(model)
    tensor = changed.graph.node[2].attribute[0].g.initializer[0]
    tensor.CopyFrom(models.weights(tensor.name, 4, 3, scale=0.9))
    assert fingerprint(changed) != fingerprint(model)
