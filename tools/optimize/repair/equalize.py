"""Cross-layer equalisation: channels that differ much in size are brought to one size, the function stays as it is.

Nagel, van Baalen, Blankevoort and Welling, "Data-Free Quantization Through Weight Equalization and Bias Correction",
ICCV 2019, section 4.1: where only operators lie between two layers that pass a positive factor through, such as ReLU,
a channel can be divided by a factor before and multiplied by it after. Here not pairs of layers but all layers around a
tensor take part, so that residual connections and depthwise convolutions need no rule of their own.
"""

import numpy as np
from onnx import ModelProto

from edgewright.tools.optimize.repair.channels import Group, channel_groups
from edgewright.tools.optimize.repair.layers import Layer, Numbers, Weights

# Depthwise networks settle within about ten sweeps over all groups; the changes then are below a thousandth.
SWEEPS = 40
DONE = 1e-3


def equalize(model: ModelProto) -> int:
    """Equalise a model in place; return how many groups of channels could be.

    Args:
        model: With inferred shapes and batch normalisation folded.
    """
    weights = Weights(model)
    groups = channel_groups(model, weights)
    for _ in range(SWEEPS):
        if max((_balance(group, weights, channels) for group, channels in groups), default=0.0) < DONE:
            break
    weights.store()
    return len(groups)


def _balance(group: Group, weights: Weights, channels: int) -> float:
    """Bring both sides of every channel to their geometric mean; return the largest change, as a logarithm."""
    before = np.max([_peaks(layer, weights, channels, outputs=True) for layer in group.makers], axis=0)
    after = np.max([_peaks(layer, weights, channels, outputs=False) for layer in group.readers], axis=0)
    used = (before > 0) & (after > 0)
    factors = np.sqrt(np.where(used, before, 1) / np.where(used, after, 1)).astype(np.float32)
    for layer in group.makers:
        _scale(layer, weights, np.reciprocal(factors), outputs=True)
    for layer in group.readers:
        _scale(layer, weights, factors, outputs=False)
    for name in group.shifts:
        shift = weights[name]
        weights[name] = np.reshape(shift.ravel() / factors, shift.shape)
    return float(np.abs(np.log(factors)).max())


def _peaks(layer: Layer, weights: Weights, channels: int, *, outputs: bool) -> Numbers:
    """Return the largest magnitude among the weights of each channel, shape (channels,)."""
    sizes = np.abs(layer.matrix(weights[layer.weight])).max(axis=(2, 3) if outputs else (1, 3))
    return np.asarray(sizes.reshape(channels, -1).max(axis=1))


def _scale(layer: Layer, weights: Weights, factors: Numbers, *, outputs: bool) -> None:
    """Multiply the weights of each channel, and on the side of the outputs the bias."""
    numbers = np.array(weights[layer.weight], order="C")
    matrix = layer.matrix(numbers)
    groups, outs, ins, _ = matrix.shape
    if outputs:
        matrix *= factors.reshape(groups, outs, 1, 1)
        if layer.bias is not None:
            weights[layer.bias] = weights[layer.bias] * factors
    else:
        # Where pictures were flattened, every channel is a run of features.
        matrix *= np.repeat(factors, groups * ins // len(factors)).reshape(groups, 1, ins, 1)
    weights[layer.weight] = numbers
