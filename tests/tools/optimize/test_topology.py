"""Nodes end up behind what they read."""

import onnx
import onnx_models as models

from edgewright.tools.optimize.topology import put_in_order


def test_nodes_in_order_stay_as_they_are() -> None:
    for build in (models.conv_net, models.branch_net, models.lstm):
        model, ordered = build(), build()
        put_in_order(ordered.graph)
        assert ordered == model


def test_nodes_in_any_order_become_a_valid_model() -> None:
    for build in (models.conv_net, models.mlp, models.branch_net, models.constants_net):
        model = build()
        nodes = list(reversed(model.graph.node))
        shuffled = models.model(nodes, model.graph.input, model.graph.output, model.graph.initializer)
        put_in_order(shuffled.graph)
        onnx.checker.check_model(shuffled)


def test_what_a_branch_reads_from_outside_comes_before_it() -> None:
    model = models.branch_net()
    model.graph.node[2].attribute[0].g.node[0].input[0] = "late"
    model.graph.node.append(onnx.helper.make_node("Relu", ["x"], ["late"]))
    put_in_order(model.graph)
    assert [node.op_type for node in model.graph.node] == ["ReduceSum", "Greater", "Relu", "If"]
    onnx.checker.check_model(model)
