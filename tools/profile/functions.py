"""Local functions: operators that a file defines itself. Calls nest, so a small file can unfold into a huge graph."""

from collections.abc import Iterator
from typing import NoReturn

from onnx import FunctionProto, GraphProto, ModelProto, NodeProto, inliner

from edgewright.state.errors import Code, Refused
from edgewright.tools.legible import clause
from edgewright.tools.profile.graphs import within

# The largest published networks have some tens of thousands of nodes.
MOST_NODES = 1_000_000

Key = tuple[str, str, str]
"""Domain, name and overload."""


def check_functions(model: ModelProto) -> None:
    """Refuse functions that call themselves, unfold without measure, or cannot be put in the place of their calls.

    Args:
        model: A model that onnx.checker accepts.

    Raises:
        Refused: MODEL_INVALID.
    """
    if not model.functions:
        return
    nodes = _unfolded(model)
    if nodes > MOST_NODES:
        _refuse(f"they unfold into {nodes} nodes, and {MOST_NODES} are the most", nodes=nodes)
    try:
        inliner.inline_local_functions(model)
    except (RuntimeError, ValueError) as error:
        _refuse(clause(error))


def _refuse(reason: str, **facts: object) -> NoReturn:
    raise Refused.because(
        Code.MODEL_INVALID,
        "this model",
        f"its local functions cannot be put in the place of their calls: {reason}",
        "export the model without local functions",
        **facts,
    )


def _unfolded(model: ModelProto) -> int:
    """Return the nodes of the model with every call replaced by the function's body."""
    bodies: dict[Key, FunctionProto] = {(own.domain, own.name, own.overload): own for own in model.functions}
    sizes: dict[Key, int] = {}
    while len(sizes) < len(bodies):
        waiting = [key for key in bodies if key not in sizes]
        settled = [key for key in waiting if all(called in sizes for called in _calls(bodies[key], bodies))]
        if not settled:
            _refuse("a function calls itself")
        sizes |= {key: _size(bodies[key], sizes) for key in settled}
    return _size(model.graph, sizes)


def _size(graph: GraphProto | FunctionProto, sizes: dict[Key, int]) -> int:
    return sum(sizes.get(_called(node), 1) for node in _nodes(graph))


def _calls(graph: FunctionProto, bodies: dict[Key, FunctionProto]) -> Iterator[Key]:
    return (key for node in _nodes(graph) if (key := _called(node)) in bodies)


def _called(node: NodeProto) -> Key:
    return node.domain, node.op_type, node.overload


def _nodes(graph: GraphProto | FunctionProto) -> Iterator[NodeProto]:
    return (node for inner in within(graph) for node in inner.node)
