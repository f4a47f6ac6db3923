"""What is quantised together or not at all: an operator that multiplies, and what follows it up to the next.

Runtimes fuse 8-bit operators in such chains (a convolution, its activation, the residual sum behind it). Taking one of
a chain out of 8 bits alone would break the fusion and add conversions for nothing, so the search never does.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto, helper

from edgewright.tools.profile.macs import RULES, Shape, macs_of
from edgewright.tools.runtimes.onnxruntime.quantization import DYNAMIC_OPERATORS, OPERATORS, read_inside


@dataclass(frozen=True)
class Group:
    """Nodes that share one form.

    Attributes:
        name: The first of them, which does the work.
        op_type: Of that one.
        nodes: Their names, those that can compute in 8 bits only.
        macs: Multiply-accumulates of one inference, with open dimensions taken as 1; 0 where they are unknown.
        dynamic: Whether its product can be computed in 8 bits without ranges, its weights being stored.
    """

    name: str
    op_type: str
    nodes: tuple[str, ...]
    macs: int
    dynamic: bool


def groups_of(model: ModelProto) -> tuple[Group, ...]:
    """Return the groups of a model's main graph, in the order in which they are computed.

    Args:
        model: With inferred shapes and a name of its own for every node.
    """
    graph, apart = model.graph, set(read_inside(model))
    stored = {tensor.name for tensor in graph.initializer}
    owners: dict[str, str] = {}
    members: dict[str, list[NodeProto]] = {}
    for node in graph.node:
        able = node.op_type in OPERATORS and node.name not in apart
        before = [owners[name] for name in node.input if name in owners]
        # The latest before it: a residual sum belongs to the branch that was computed last.
        owner = before[-1] if before else None
        if able and (owner is None or _multiplies(node, stored)):
            owner = node.name
        if able and owner is not None:
            members.setdefault(owner, []).append(node)
        if owner is not None:
            owners.update((name, owner) for name in node.output if name)
    shapes = _shapes(graph)
    return tuple(_group(nodes, shapes, stored) for nodes in members.values())


def _multiplies(node: NodeProto, stored: set[str]) -> bool:
    """Whether a node is heavy enough to begin a group: it multiplies by weights, or two activations."""
    return node.op_type in RULES and node.op_type in OPERATORS and node.input[0] not in stored


def _group(nodes: list[NodeProto], shapes: Mapping[str, Shape], stored: set[str]) -> Group:
    first = nodes[0]
    return Group(
        name=first.name,
        op_type=first.op_type,
        nodes=tuple(node.name for node in nodes),
        macs=macs_of([first], shapes) or 0,
        dynamic=first.op_type in DYNAMIC_OPERATORS and first.input[1] in stored and _plain(first),
    )


def _plain(node: NodeProto) -> bool:
    """Whether a Gemm is a product and a sum and nothing else, as the quantiser wants it."""
    said = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    return said.get("alpha", 1.0) == said.get("beta", 1.0) == 1.0 and not said.get("transA", 0)


def _shapes(graph: GraphProto) -> dict[str, Shape]:
    known = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    infos: Iterable[ValueInfoProto] = (*graph.input, *graph.value_info, *graph.output)
    for info in infos:
        if info.type.tensor_type.HasField("shape"):
            known[info.name] = tuple(max(dim.dim_value, 1) for dim in info.type.tensor_type.shape.dim)
    return known
