"""An ONNX graph whose float16 shows on a processor that has none: computed in float32, each result rounded.

ONNX Runtime computes float16 in float32 on a CPU and rounds nothing in between, so neither an overflow nor a lost digit
is seen there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper, shape_inference

from edgewright.tools.profile.graphs import within

HALF, FULL = TensorProto.FLOAT16, TensorProto.FLOAT
# Attributes that name an element type (onnx, Operators.md).
_TYPES = frozenset({"to", "dtype", "output_dtype"})


def rounded(model: ModelProto) -> ModelProto | None:
    """Return the model in float32 with every float16 result rounded to float16; `None` where it computes in none.

    Sums inside an operator are kept in float32. Inputs and outputs stay of the types that they are.

    Args:
        model: Checked; it is not changed.
    """
    typed = shape_inference.infer_shapes(model)
    halves = frozenset(_halves(typed))
    if not halves:
        return None
    result = ModelProto()
    result.CopyFrom(model)
    writing = _Rounding(halves)
    writing.enter(result.graph)
    writing.graph(result.graph)
    writing.leave(result.graph)
    return result


def _halves(model: ModelProto) -> "set[str]":
    found = set()
    for graph in within(model.graph):
        if not isinstance(graph, GraphProto):
            continue
        for info in (*graph.input, *graph.value_info, *graph.output):
            if info.type.tensor_type.elem_type == HALF:
                found.add(info.name)
        found |= {tensor.name for tensor in graph.initializer if tensor.data_type == HALF}
    return found


@dataclass
class _Rounding:
    """One rewriting: which values are float16, and what readers read instead of the main graph's inputs."""

    halves: frozenset[str]
    renamed: dict[str, str] = field(default_factory=dict)
    before: list[NodeProto] = field(default_factory=list)

    def enter(self, main: GraphProto) -> None:
        """Widen the float16 inputs of the main graph for those who read them."""
        for value in main.input:
            if value.type.tensor_type.elem_type == HALF:
                self.renamed[value.name] = f"{value.name}__wide"
                self.before.append(helper.make_node("Cast", [value.name], [f"{value.name}__wide"], to=FULL))

    def graph(self, graph: GraphProto) -> None:
        """Rewrite one graph and those inside it."""
        for tensor in graph.initializer:
            _widen(tensor)
        nodes = list(graph.node)
        del graph.node[:], graph.value_info[:]
        for node in nodes:
            graph.node.extend(self._node(node))

    def leave(self, main: GraphProto) -> None:
        """Give the float16 outputs of the main graph as such."""
        nodes = [*self.before, *main.node]
        del main.node[:]
        main.node.extend(nodes)
        for value in main.output:
            if value.type.tensor_type.elem_type == HALF:
                inner = self.renamed.get(value.name, f"{value.name}__wide")
                _rename(main, value.name, inner)
                main.node.append(helper.make_node("Cast", [inner], [value.name], to=HALF))

    def _node(self, node: NodeProto) -> list[NodeProto]:
        widened = NodeProto()
        widened.CopyFrom(node)
        for place, name in enumerate(widened.input):
            widened.input[place] = self.renamed.get(name, name)
        self._attributes(widened)
        after: list[NodeProto] = []
        for place, name in enumerate(node.output):
            if name not in self.halves or not name:
                continue
            widened.output[place] = f"{name}__exact"
            after += [
                helper.make_node("Cast", [f"{name}__exact"], [f"{name}__half"], to=HALF),
                helper.make_node("Cast", [f"{name}__half"], [name], to=FULL),
            ]
        return [widened, *after]

    def _attributes(self, node: NodeProto) -> None:
        for attribute in node.attribute:
            if attribute.name in _TYPES and attribute.i == HALF:
                attribute.i = FULL
            if attribute.HasField("t"):
                _widen(attribute.t)
            for inner in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
                for value in (*inner.input, *inner.output):
                    if value.type.tensor_type.elem_type == HALF:
                        value.type.tensor_type.elem_type = FULL
                self.graph(inner)


def _widen(tensor: TensorProto) -> None:
    """Store float16 numbers as float32, which holds each of them."""
    if tensor.data_type == HALF:
        numbers = numpy_helper.to_array(tensor).astype("float32")
        tensor.CopyFrom(numpy_helper.from_array(numbers, tensor.name))


def _rename(graph: GraphProto, old: str, new: str) -> None:
    names: Mapping[str, str] = {old: new}
    for node in graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = names.get(name, name)
        for place, name in enumerate(node.output):
            node.output[place] = names.get(name, name)
