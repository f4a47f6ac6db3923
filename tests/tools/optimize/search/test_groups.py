"""What is quantised together: an operator that multiplies and what follows it."""

import numpy as np
import onnx
import onnx_models as models
from mobilenet import mobilenet_v2
from onnx.helper import make_node as node

from edgewright.tools.optimize.search.groups import groups_of
from edgewright.tools.optimize.upgrade import name_nodes


def test_an_activation_and_a_residual_sum_belong_to_the_convolution_before_them() -> None:
    groups = groups_of(onnx.shape_inference.infer_shapes(mobilenet_v2(size=32)))
    assert [group.op_type for group in groups] == ["Conv"] * 52 + ["Gemm"]
    sums = [group for group in groups if any(name.startswith("add") for name in group.nodes)]
    assert len(sums) == 10
    assert all(group.nodes[0].startswith("conv") for group in sums)
    assert groups[0].nodes == ("conv2", "clip1")
    assert groups[0].macs == 16 * 16 * 32 * 27


def test_only_products_with_stored_weights_can_do_without_ranges() -> None:
    model = models.model(
        [
            node("MatMul", ["x", "w"], ["a"]),
            node("MatMul", ["a", "x"], ["b"]),
            node("Gemm", ["b", "w"], ["c"], alpha=2.0),
            node("Gemm", ["c", "w"], ["y"]),
        ],
        [models.value("x", models.F, [4, 4])],
        [models.value("y", models.F, [4, 4])],
        [models.weights("w", 4, 4)],
    )
    name_nodes(model)
    assert [group.dynamic for group in groups_of(model)] == [True, False, False, True]


def test_what_a_subgraph_reads_is_in_no_group() -> None:
    model = models.seen_inside_net()
    name_nodes(model)
    inside = {name for group in groups_of(model) for name in group.nodes}
    assert inside < {node.name for node in model.graph.node}
    assert np.isfinite(sum(group.macs for group in groups_of(model)))
