"""Bias correction: what rounding adds to a layer's outputs on average is taken out of its bias.

Nagel et al., ICCV 2019, section 4.2, in the form that measures on samples (their appendix D): layer by layer from the
front, each with the errors of the corrected layers before it, so that its own correction takes them in.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, numpy_helper

from edgewright.tools.optimize.repair.layers import Layer, Weights, layers
from edgewright.tools.runtimes.onnxruntime.activations import Array, Feeds, Partial, stream

Quantise = Callable[[ModelProto], ModelProto]
"""Makes the 8-bit form of a model, with its nodes' names as they were and its biases in float32."""


def correct_biases(
    model: ModelProto, quantise: Quantise, feeds: Feeds, folder: Path, progress: Callable[[int, int], None]
) -> int:
    """Correct the biases of a model in place; return how many.

    Args:
        model: In float32; every node has a name of its own. Layers without a bias get one.
        quantise: Makes the candidate that the biases are for.
        feeds: Gives the samples; every layer takes a pass over them, through the layers before it.
        folder: Where intermediate files may be written.
        progress: Told how many layers are done, and of how many.
    """
    found = _with_biases(model)
    wanted = {layer.node.output[0]: _Mean() for layer in found}
    stream(model, list(wanted), feeds, folder, lambda name, values: wanted[name].add(values))
    quantised = quantise(model)
    outputs = {node.name: node.output[0] for node in quantised.graph.node}
    weights = Weights(model)
    biases = {layer.bias: weights[layer.bias] for layer in found if layer.bias is not None}
    partial = Partial(quantised, [outputs[layer.node.name] for layer in found], list(biases), folder)
    for number, layer in enumerate(found):
        progress(number, len(found))
        got = _Mean()
        for feed in feeds():
            got.add(partial.run(outputs[layer.node.name], {**feed, **biases}))
        change = wanted[layer.node.output[0]].value - got.value
        biases[str(layer.bias)] = (biases[str(layer.bias)] + change).astype(np.float32)
    for name, bias in biases.items():
        weights[name] = bias.astype(np.float32)
    weights.store()
    return len(found)


class _Mean:
    """The mean of each channel of a tensor, whose second dimension they are."""

    def __init__(self) -> None:
        self._sum: NDArray[np.float64] = np.zeros(1)
        self._count = 0

    def add(self, values: Array) -> None:
        """Take the values of one inference."""
        others = (0, *range(2, values.ndim))
        self._sum = self._sum + values.sum(axis=others, dtype=np.float64)
        self._count += values.size // values.shape[1]

    @property
    def value(self) -> NDArray[np.float64]:
        """Shape (channels,)."""
        return self._sum / max(self._count, 1)


def _with_biases(model: ModelProto) -> Sequence[Layer]:
    """Give every layer that can carry a bias one of zeros, where it has none; return these layers."""
    weights = Weights(model)
    for layer in layers(model, weights):
        if layer.bias is None and layer.node.op_type != "MatMul":
            name = f"{layer.node.name}_bias"
            zeros = np.zeros(layer.width(weights, outputs=True), np.float32)
            model.graph.initializer.append(numpy_helper.from_array(zeros, name))
            del layer.node.input[2:]
            layer.node.input.append(name)
    weights = Weights(model)
    return [layer for layer in layers(model, weights) if layer.bias is not None and weights[layer.bias].ndim == 1]
