"""Models that float16 cannot hold, though float32 can: what a Jetson would get wrong and a CPU's runtime hides."""

import numpy as np
import onnx_models as models
from onnx import ModelProto, helper
from onnx.helper import make_node as node


def overflowing_classifier(model: ModelProto, output: str = "logits") -> ModelProto:
    """Return a classifier that answers with -1 / (c x (logit + 60)), in the same order as its logits.

    c is multiplied in two factors of 300, each of which float16 holds; the product of any logit above -59 is beyond
    65504 and becomes infinite there, and its reciprocal zero: finite outputs, all alike, and every answer the first.
    """
    planted = ModelProto()
    planted.CopyFrom(model)
    last = next(entry for entry in planted.graph.node if output in entry.output)
    last.output[list(last.output).index(output)] = "scores"
    planted.graph.initializer.extend(
        [models.array("shift", 60, "float32"), models.array("factor", 300, "float32")],
    )
    planted.graph.node.extend(
        [
            node("Add", ["scores", "shift"], ["positive"], "positive"),
            node("Mul", ["positive", "factor"], ["large"], "large"),
            node("Mul", ["large", "factor"], ["larger"], "larger"),
            node("Reciprocal", ["larger"], ["small"], "small"),
            node("Neg", ["small"], [output], "answer"),
        ]
    )
    return planted


def vanishing_net() -> ModelProto:
    """x (n, 12) -> y (n, 5), by way of numbers that float16 has no digits for: all but zero, then scaled up again."""
    down, up = np.float32(1e-9), np.float32(1e9)
    return models.model(
        [
            node("MatMul", ["x", "w"], ["m"], "hidden"),
            node("Mul", ["m", "down"], ["tiny"], "down"),
            node("Mul", ["tiny", "up"], ["y"], "up"),
        ],
        [helper.make_tensor_value_info("x", models.F, ["batch", 12])],
        [helper.make_tensor_value_info("y", models.F, ["batch", 5])],
        [models.weights("w", 12, 5), models.array("down", down, "float32"), models.array("up", up, "float32")],
    )
