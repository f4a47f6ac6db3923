"""A twin of a network that computes the same in float32 and collapses in 8 bits: its channels differ much in size.

Every channel of a ReLU's output is multiplied by a power of two of its own, in the weights and bias of the convolution
before it, and divided by that again in the weights of the layer behind it. Powers of two cost no bit, so the function
stays as it is; but one scale for all channels of an activation, or of a weight, is then too coarse for most of them.

    python tests/support/hardened_twin.py MODEL TWIN
"""

import sys
from collections.abc import Collection

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, helper, numpy_helper

# Largest exponent: channels of one tensor differ by up to 2 ** 12.
SPREAD = 6


def harden(
    model: ModelProto, spread: int = SPREAD, seed: int = 0, only: Collection[int] | None = None, *, barred: bool = False
) -> ModelProto:
    """Return the twin of a model whose layers form chains Conv - Relu - Conv; everything else of it stays as it is.

    Args:
        model: The model.
        spread: Largest exponent.
        seed: Of the factors.
        only: Numbers of the chains to harden; all of them where it is not given.
        barred: Whether a Max of a tensor with itself, which is that tensor, bars the way for what would undo it.
    """
    twin = ModelProto()
    twin.CopyFrom(model)
    places = {tensor.name: place for place, tensor in enumerate(twin.graph.initializer)}
    random = np.random.default_rng(seed)

    def scale(name: str, factors: np.ndarray) -> None:
        tensor = twin.graph.initializer[places[name]]
        numbers = numpy_helper.to_array(tensor) * factors.astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(numbers, name))

    found = chains(twin)
    for first, second in [found[number] for number in only] if only is not None else found:
        channels = twin.graph.initializer[places[first.input[1]]].dims[0]
        factors = 2.0 ** random.integers(-spread, spread + 1, channels)
        scale(first.input[1], factors.reshape(-1, 1, 1, 1))
        scale(first.input[2], factors)
        scale(second.input[1], 1 / factors.reshape(1, -1, 1, 1))
        if barred:
            _bar(twin, second)
    return twin


def _bar(model: ModelProto, reader: NodeProto) -> None:
    name = f"{reader.input[0]}_barred"
    place = next(number for number, node in enumerate(model.graph.node) if node.output[0] == reader.output[0])
    model.graph.node.insert(place, helper.make_node("Max", [reader.input[0]] * 2, [name], name))
    model.graph.node[place + 1].input[0] = name


def chains(model: ModelProto) -> list[tuple[NodeProto, NodeProto]]:
    """Return the convolutions of which the second reads nothing but the rectified output of the first."""
    readers: dict[str, list[NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    found = []
    for node in model.graph.node:
        steps = readers.get(node.output[0], [])
        ends = readers.get(steps[0].output[0], []) if [step.op_type for step in steps] == ["Relu"] else []
        if node.op_type == "Conv" and [end.op_type for end in ends] == ["Conv"]:
            found.append((node, ends[0]))
    return found


if __name__ == "__main__":
    onnx.save(harden(onnx.load(sys.argv[1])), sys.argv[2])
