"""Keeps layers in float32 that are meant to stay so beside 8-bit ones.

When ONNX Runtime loads a file it gives 8-bit weights to every Conv, ConvTranspose and Gemm with stored float32 weights
whose input comes from a DequantizeLinear with one scale (`WeightBiasQuantization`, onnxruntime pull requests 22969 and
25673): a layer that was left in float32 for its accuracy would lose it again, on every machine whose user does not
know the session option against it. Version 1.32 does so where a QuantizeLinear follows, the source of other versions
does not ask for one. An operator in between keeps the two apart: a Sum of one tensor is that tensor
(ONNX operator Sum), and no optimiser of ONNX Runtime 1.32 removes it.
"""

from pathlib import Path

import onnx
from onnx import helper

_REQUANTISED = frozenset({"Conv", "ConvTranspose", "Gemm"})
SUFFIX = "_kept_in_float32"


def keep_islands(path: Path) -> int:
    """Put an operator before each float32 layer behind a DequantizeLinear, in the file; return how many were put."""
    model = onnx.load(path)
    dequantised = {node.output[0] for node in model.graph.node if node.op_type == "DequantizeLinear"}
    nodes, put = [], 0
    for node in model.graph.node:
        # A layer in 8 bits has dequantised weights too.
        if node.op_type in _REQUANTISED and node.input[0] in dequantised and node.input[1] not in dequantised:
            apart = f"{node.input[0]}_{put}{SUFFIX}"
            nodes.append(helper.make_node("Sum", [node.input[0]], [apart], apart))
            node.input[0] = apart
            put += 1
        nodes.append(node)
    if put:
        del model.graph.node[:]
        model.graph.node.extend(nodes)
        onnx.save(model, path)
    return put
