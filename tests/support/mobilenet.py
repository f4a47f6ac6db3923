"""MobileNetV2 (Sandler et al., 2018) built in code, with random weights: for times and memory, not for accuracy."""

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

# Expansion, channels, repeats and stride of each stage: table 2 of the paper.
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


class _Builder:
    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.stored: list[TensorProto] = [
            numpy_helper.from_array(np.float32(0), "zero"),
            numpy_helper.from_array(np.float32(6), "six"),
        ]
        self._random = np.random.default_rng(0)

    def conv(self, x: str, ins: int, outs: int, *, kernel: int = 1, stride: int = 1, group: int = 1) -> str:
        number = len(self.stored)
        shape = (outs, ins // group, kernel, kernel)
        weight = self._random.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))
        bias = 0.1 * self._random.standard_normal(outs)
        self.stored += [
            numpy_helper.from_array(weight.astype(np.float32), f"w{number}"),
            numpy_helper.from_array(bias.astype(np.float32), f"b{number}"),
        ]
        pad = kernel // 2
        attributes = {"strides": [stride] * 2, "pads": [pad] * 4, "group": group}
        self.nodes.append(
            helper.make_node("Conv", [x, f"w{number}", f"b{number}"], [f"c{number}"], f"conv{number}", **attributes)
        )
        return f"c{number}"

    def one(self, op: str, *inputs: str) -> str:
        name = f"{op.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], name))
        return name

    def relu6(self, x: str) -> str:
        return self.one("Clip", x, "zero", "six")


def mobilenet_v2(classes: int = 1000, size: int = 224) -> ModelProto:
    """Return the network: image (n, 3, size, size) -> logits (n, classes)."""
    build = _Builder()
    x, channels = build.relu6(build.conv("image", 3, 32, kernel=3, stride=2)), 32
    for expansion, outs, repeats, first_stride in STAGES:
        for repeat in range(repeats):
            stride, wide = first_stride if repeat == 0 else 1, channels * expansion
            inside = x if expansion == 1 else build.relu6(build.conv(x, channels, wide))
            inside = build.relu6(build.conv(inside, wide, wide, kernel=3, stride=stride, group=wide))
            inside = build.conv(inside, wide, outs)
            x = build.one("Add", x, inside) if stride == 1 and channels == outs else inside
            channels = outs
    x = build.relu6(build.conv(x, channels, 1280))
    x = build.one("Flatten", build.one("GlobalAveragePool", x))
    weight = np.random.default_rng(1).standard_normal((classes, 1280)) / 36
    build.stored += [
        numpy_helper.from_array(weight.astype(np.float32), "head"),
        numpy_helper.from_array(np.zeros(classes, np.float32), "head_bias"),
    ]
    build.nodes.append(helper.make_node("Gemm", [x, "head", "head_bias"], ["logits"], "head", transB=1))
    graph = helper.make_graph(
        build.nodes,
        "mobilenet_v2",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, size, size])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", classes])],
        build.stored,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
