"""The layers of a graph that hold weights, with their weights where a repair can change them."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from edgewright.tools.profile.graphs import within

Numbers = NDArray[np.float32]
CONVOLUTIONS = frozenset({"Conv", "ConvTranspose"})
PRODUCTS = frozenset({"Gemm", "MatMul"})


class Weights:
    """The float32 initialisers of a model's main graph. Changed ones are written back by `store`."""

    def __init__(self, model: ModelProto) -> None:
        self._model = model
        self._places = {tensor.name: place for place, tensor in enumerate(model.graph.initializer)}
        self._changed: dict[str, Numbers] = {}
        self._readers = Counter(name for graph in within(model.graph) for node in graph.node for name in node.input)
        self._readers.update(output.name for graph in within(model.graph) for output in graph.output)

    def own(self, name: str) -> bool:
        """Whether this is a stored float32 tensor that exactly one node reads."""
        place = self._places.get(name)
        stored = place is not None and self._model.graph.initializer[place].data_type == TensorProto.FLOAT
        return stored and self._readers[name] == 1

    def stored(self, name: str) -> bool:
        """Whether this is a stored tensor of any kind."""
        return name in self._places

    def __getitem__(self, name: str) -> Numbers:
        """Return the numbers of an initialiser as they are now."""
        if name not in self._changed:
            return numpy_helper.to_array(self._model.graph.initializer[self._places[name]])
        return self._changed[name]

    def __setitem__(self, name: str, numbers: Numbers) -> None:
        """Change an initialiser."""
        self._changed[name] = numbers.astype(np.float32)

    def store(self) -> None:
        """Write what changed into the model."""
        for name, numbers in self._changed.items():
            self._model.graph.initializer[self._places[name]].CopyFrom(numpy_helper.from_array(numbers, name))


@dataclass(frozen=True)
class Layer:
    """A convolution or matrix product with weights of its own.

    Attributes:
        node: The node.
        weight: Name of its weights.
        bias: Name of its bias, where it has one.
        group: Groups of channels; 1 for matrix products.
    """

    node: NodeProto
    weight: str
    bias: str | None
    group: int = 1

    @property
    def is_convolution(self) -> bool:
        """Whether channels are the second dimension; of matrix products they are the last."""
        return self.node.op_type in CONVOLUTIONS

    def width(self, weights: Weights, *, outputs: bool) -> int:
        """Return the number of its output or input channels."""
        groups, outs, ins, _ = self.matrix(weights[self.weight]).shape
        return int(groups * (outs if outputs else ins))

    def spatial(self, weights: Weights) -> int:
        """Return how many dimensions of pixels lie behind its channels."""
        return weights[self.weight].ndim - 2 if self.is_convolution else 0

    def matrix(self, weight: Numbers) -> Numbers:
        """Return a view of its weights by group, output channel and input channel of the group, and all the rest.

        Args:
            weight: The numbers of `weight`.

        Returns:
            Shape (group, outputs / group, inputs / group, kernel).
        """
        match self.node.op_type:
            case "Conv":
                return weight.reshape(self.group, weight.shape[0] // self.group, weight.shape[1], -1)
            case "ConvTranspose":
                return weight.reshape(self.group, weight.shape[0] // self.group, weight.shape[1], -1).swapaxes(1, 2)
            case "Gemm" if _attribute(self.node, "transB", 0):
                return weight[None, :, :, None]
            case _:
                return weight.T[None, :, :, None]


def layers(model: ModelProto, weights: Weights) -> list[Layer]:
    """Return the layers of the main graph whose weights and bias belong to them alone, in the order of the nodes."""
    found = [_layer(node, weights) for node in model.graph.node]
    return [layer for layer in found if layer is not None]


def _layer(node: NodeProto, weights: Weights) -> Layer | None:
    if node.op_type not in CONVOLUTIONS | PRODUCTS or len(node.input) < 2 or not weights.own(node.input[1]):
        return None
    bias = node.input[2] if len(node.input) > 2 and node.input[2] else None
    if bias is not None and not weights.own(bias):
        return None
    if node.op_type == "Gemm" and not _plain_gemm(node):
        return None
    if node.op_type == "MatMul" and weights[node.input[1]].ndim != 2:
        return None
    return Layer(node, node.input[1], bias, _attribute(node, "group", 1))


def _plain_gemm(node: NodeProto) -> bool:
    """Whether it is x W + b, neither scaled nor with x transposed."""
    values = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    return values.get("alpha", 1.0) == values.get("beta", 1.0) == 1.0 and not values.get("transA", 0)


def _attribute(node: NodeProto, name: str, default: int) -> int:
    return next((each.i for each in node.attribute if each.name == name), default)
