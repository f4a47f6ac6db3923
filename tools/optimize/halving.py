"""Writes float16 into a graph: who computes in it, and a conversion wherever two kinds of operators meet.

Every value keeps its name in float32 and has a second one in float16; each exists only where somebody reads it. So two
neighbours that stay in float32 hand their values on in float32, and subgraphs find what they always read.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, defs, helper, numpy_helper

from edgewright.tools.optimize.topology import reads
from edgewright.tools.profile.graphs import DEFAULT_DOMAINS, opset_of

HALF, FULL = TensorProto.FLOAT16, TensorProto.FLOAT
# What float their outputs are, an attribute or a default says, and not their inputs (onnx, Operators.md).
_BY_ATTRIBUTE = frozenset(
    {"Constant", "ConstantOfShape", "EyeLike", "Bernoulli", "Multinomial", "SequenceEmpty"}
    | {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}
)


def halved(model: ModelProto, keep: Collection[str]) -> ModelProto:
    """Return the model computing in float16; its inputs and outputs stay as they are.

    Operators with subgraphs stay in float32, and so does what ONNX defines for no float16.

    Args:
        model: With inferred types, every node with a name of its own, nodes in order; it is not changed.
        keep: Names of nodes that stay in float32.
    """
    result = ModelProto()
    result.CopyFrom(model)
    writing = _Halving(result.graph, opset_of(model), frozenset(keep))
    nodes = [*writing.nodes(), *writing.outputs()]
    del result.graph.node[:], result.graph.value_info[:]
    result.graph.node.extend(nodes)
    writing.store(nodes)
    return result


@dataclass
class _Halving:
    """One rewriting of the main graph."""

    graph: GraphProto
    opset: int
    keep: frozenset[str]
    has_full: set[str] = field(default_factory=set)
    has_half: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        infos = (*self.graph.input, *self.graph.value_info, *self.graph.output)
        self._floats = {info.name for info in infos if info.type.tensor_type.elem_type == FULL}
        self._stored = {tensor.name: tensor for tensor in self.graph.initializer}
        self._floats |= {name for name, tensor in self._stored.items() if tensor.data_type == FULL}
        self.has_full |= {info.name for info in self.graph.input} | self._stored.keys()

    def nodes(self) -> Iterator[NodeProto]:
        """Yield the nodes with their conversions in front of them."""
        for node in self.graph.node:
            if self._computes_in_half(node):
                yield from self._in_half(node)
                continue
            yield from (cast for name in reads(node) for cast in self._full(name))
            self.has_full.update(node.output)
            yield node

    def outputs(self) -> Iterator[NodeProto]:
        """Yield the conversions that give the graph's outputs."""
        for output in self.graph.output:
            yield from self._full(output.name)

    def store(self, nodes: Collection[NodeProto]) -> None:
        """Have stored tensors in the types in which they are read."""
        read = {name for node in nodes for name in reads(node)} | {output.name for output in self.graph.output}
        kept = [tensor for name, tensor in self._stored.items() if name in read]
        halves = [_half_of(tensor) for name, tensor in self._stored.items() if _half(name) in read]
        del self.graph.initializer[:]
        self.graph.initializer.extend([*kept, *halves])

    def _computes_in_half(self, node: NodeProto) -> bool:
        if node.name in self.keep or node.domain not in DEFAULT_DOMAINS or node.op_type in _BY_ATTRIBUTE:
            return False
        if any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute):
            return False
        floats = [place for place, name in enumerate(node.output) if name in self._floats]
        touched = bool(floats) or any(self._takes_half(node, place) for place in range(len(node.input)))
        return touched and all(_allows(self._parameters(node, "outputs"), place) for place in floats)

    def _takes_half(self, node: NodeProto, place: int) -> bool:
        return node.input[place] in self._floats and _allows(self._parameters(node, "inputs"), place)

    def _parameters(self, node: NodeProto, which: str) -> list[defs.OpSchema.FormalParameter]:
        return list(getattr(defs.get_schema(node.op_type, self.opset, ""), which))

    def _in_half(self, node: NodeProto) -> Iterator[NodeProto]:
        changed = NodeProto()
        changed.CopyFrom(node)
        for place, name in enumerate(node.input):
            if self._takes_half(node, place):
                yield from self._to_half(name)
                changed.input[place] = _half(name)
            elif name:
                yield from self._full(name)
        for place, name in enumerate(node.output):
            if name in self._floats:
                changed.output[place] = _half(name)
                self.has_half.add(name)
            else:
                self.has_full.add(name)
        for attribute in changed.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == FULL:
                attribute.i = HALF
        yield changed

    def _to_half(self, name: str) -> Iterator[NodeProto]:
        """Yield what makes the float16 form of a value, where it is not there yet; stored ones are stored so."""
        if name in self.has_half or name in self._stored:
            return
        self.has_half.add(name)
        yield helper.make_node("Cast", [name], [_half(name)], f"{name}_to_half", to=HALF)

    def _full(self, name: str) -> Iterator[NodeProto]:
        """Yield what makes the float32 form of a value, where it is not there yet."""
        if name in self.has_full or name not in self.has_half:
            return
        self.has_full.add(name)
        yield helper.make_node("Cast", [_half(name)], [name], f"{name}_to_float", to=FULL)


def _half(name: str) -> str:
    return f"{name}_half"


def _half_of(tensor: TensorProto) -> TensorProto:
    with np.errstate(over="ignore"):  # what overflows was to be kept
        return numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), _half(tensor.name))


def _allows(parameters: list[defs.OpSchema.FormalParameter], place: int) -> bool:
    """Return whether ONNX defines a parameter for float16; the last of them may stand for any number."""
    return "tensor(float16)" in parameters[min(place, len(parameters) - 1)].types
