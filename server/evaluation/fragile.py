"""A classifier that loses a known share of its right answers to each way of quantising, on any processor.

Ten classes, three groups of ten features. Nearly all samples say their class by the first group. A few say it by the
second or the third alone, whose weights are a quarter of an 8-bit step of the largest weight beside them: rounded to
zero, every class scores the same, and the answer is class 0, which is none of theirs. The second group goes through a
MatMul, which `int8_dynamic` and `int8_static` quantise; the third through a Conv, which only `int8_static` does.
"""

import json
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

CLASSES = 10
SAMPLES = 400
LOST_TO_EACH = 6
"""Samples of the validation set that need the second group, and as many that need the third: 1.5 % each."""


def fragile(root: Path, name: str = "fragile") -> dict[str, object]:
    """Write the model and its data into `root`; return the arguments of `profile_model`."""
    onnx.save(_model(), root / f"{name}.onnx")
    card = {"inputs": {"x": {"kind": "tensor", "array": "x"}}, "label": "label"}
    for kind, seed in (("validation", 1), ("calibration", 2)):
        features, labels = _data(seed)
        np.savez(root / f"{name}-{kind}.npz", x=features, label=labels)
        (root / f"{name}-{kind}.card.json").write_text(json.dumps(card), encoding="utf-8")
    return {
        "model_path": str(root / f"{name}.onnx"),
        "validation": str(root / f"{name}-validation.npz"),
        "calibration": str(root / f"{name}-calibration.npz"),
        "metric": "top-1",
        "target_device": "cpu-generic",
    }


def _data(seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    generator = np.random.default_rng(seed)
    labels = generator.integers(1, CLASSES, SAMPLES)
    labels[2 * LOST_TO_EACH :: CLASSES] = 0
    features = generator.uniform(0, 0.1, (SAMPLES, 3 * CLASSES)).astype(np.float32)
    groups = features.reshape(SAMPLES, 3, CLASSES)
    group_of = np.zeros(SAMPLES, np.int64)
    group_of[:LOST_TO_EACH], group_of[LOST_TO_EACH : 2 * LOST_TO_EACH] = 1, 2
    # Where the first group does not say the class, it says nothing, and neither does the other.
    groups[group_of > 0] = 0.05
    groups[np.arange(SAMPLES), group_of, labels] = generator.uniform(0.9, 1.0, SAMPLES)
    return features, labels


def _model() -> onnx.ModelProto:
    strong, weak, none = np.eye(CLASSES), 0.002 * np.eye(CLASSES), np.zeros((CLASSES, CLASSES))
    product = np.concatenate([strong, weak, none]).astype(np.float32)
    kernel = np.concatenate([strong, none, weak], axis=1).astype(np.float32)[..., np.newaxis]
    graph = helper.make_graph(
        [
            helper.make_node("Identity", ["x"], ["same"]),  # something for `simplify` to take away
            helper.make_node("MatMul", ["same", "product"], ["one"]),
            helper.make_node("Unsqueeze", ["same", "last"], ["column"]),
            helper.make_node("Conv", ["column", "kernel"], ["scores"]),
            helper.make_node("Squeeze", ["scores", "last"], ["other"]),
            helper.make_node("Add", ["one", "other"], ["logits"]),
        ],
        "fragile",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3 * CLASSES])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", CLASSES])],
        [
            numpy_helper.from_array(product, "product"),
            numpy_helper.from_array(kernel, "kernel"),
            numpy_helper.from_array(np.array([2], np.int64), "last"),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
