"""Pairs of real models of which the second is not faster, one pair for each reason why."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto
from onnx.helper import make_node as node
from onnx.helper import make_tensor_value_info as value
from onnx_models import F, model, weights
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
from onnxruntime.transformers.float16 import convert_float_to_float16

Samples = NDArray[np.float32]


def convolutions(
    channels: int, depth: int, size: int, *, group: int = 1, between: Sequence[str] = (), kernel: int = 3
) -> ModelProto:
    """Equal convolutions in a row, other operators `between` them: x (n, channels, size, size) -> y."""
    nodes, stored, last = [], [], "x"
    for number in range(depth):
        stored.append(weights(f"w{number}", channels, channels // group, kernel, kernel, scale=0.1))
        pads = [kernel // 2] * 4
        nodes.append(node("Conv", [last, f"w{number}"], [f"c{number}"], f"conv{number}", pads=pads, group=group))
        last = f"c{number}"
        for op_type in between:
            nodes.append(node(op_type, [last], [f"{last}_{op_type}"], f"{op_type}{number}"))
            last = f"{last}_{op_type}"
    nodes.append(node("GlobalAveragePool", [last], ["y"]))
    shape = ["n", channels, size, size]
    return model(nodes, [value("x", F, shape)], [value("y", F, ["n", channels, 1, 1])], stored)


def images(channels: int, size: int, n: int = 8) -> Samples:
    return np.random.default_rng(5).standard_normal((n, channels, size, size)).astype(np.float32)


class Reader(CalibrationDataReader):  # type: ignore[misc]  # it comes without types
    """Calibrates on samples, one at a time."""

    def __init__(self, samples: Samples) -> None:
        self._left: Iterator[dict[str, Samples]] = iter([{"x": row[None]} for row in samples])

    def get_next(self) -> dict[str, Samples] | None:
        return next(self._left, None)


def static(source: Path, samples: Samples, activations: QuantType = QuantType.QUInt8, **options: object) -> ModelProto:
    """Static INT8 by ONNX Runtime's own quantiser."""
    target = source.with_suffix(".static.onnx")
    quantize_static(
        source,
        target,
        Reader(samples),
        quant_format=QuantFormat.QDQ,
        activation_type=activations,
        weight_type=QuantType.QInt8,
        per_channel=True,
        **options,
    )
    return onnx.load(target)


def dynamic(source: Path, op_type: str) -> ModelProto:
    """Dynamic INT8 of one kind of operator."""
    target = source.with_suffix(".dynamic.onnx")
    kind = QuantType.QUInt8 if op_type == "Conv" else QuantType.QInt8
    quantize_dynamic(source, target, op_types_to_quantize=[op_type], weight_type=kind)
    return onnx.load(target)


def halved(source: ModelProto) -> ModelProto:
    half: ModelProto = convert_float_to_float16(source, keep_io_types=True)
    return half


def channels_last(source: ModelProto) -> ModelProto:
    """The same with a running sum in another layout behind every convolution, as some exporters write it."""
    changed = ModelProto()
    changed.CopyFrom(source)
    del changed.graph.node[:]
    for at in source.graph.node:
        (kept := onnx.NodeProto()).CopyFrom(at)
        if at.op_type != "Conv":
            changed.graph.node.append(kept)
            continue
        out = at.output[0]
        kept.output[0] = f"{out}_first"
        changed.graph.node.extend(
            [
                kept,
                node("Transpose", [f"{out}_first"], [f"{out}_last"], perm=[0, 2, 3, 1]),
                node("CumSum", [f"{out}_last", "axis"], [f"{out}_summed"]),
                node("Transpose", [f"{out}_summed"], [out], perm=[0, 3, 1, 2]),
            ]
        )
    changed.graph.initializer.append(onnx.numpy_helper.from_array(np.array(1, dtype=np.int64), "axis"))
    return changed
