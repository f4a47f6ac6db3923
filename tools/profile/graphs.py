"""Walks through everything that a model file nests: subgraphs of If, Loop and Scan, function bodies, attributes."""

from collections.abc import Iterator

from onnx import AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto, helper

DEFAULT_DOMAINS = frozenset({"", "ai.onnx"})


def graphs(model: ModelProto) -> Iterator[GraphProto | FunctionProto]:
    """Yield the main graph, every function body, and every subgraph inside them, each once."""
    yield from within(model.graph, *model.functions)


def within(*outermost: GraphProto | FunctionProto) -> Iterator[GraphProto | FunctionProto]:
    """Yield these graphs and every subgraph inside them, each once."""
    pending = list(outermost)
    while pending:
        graph = pending.pop()
        yield graph
        for node in graph.node:
            for attribute in node.attribute:
                if attribute.HasField("g"):
                    pending.append(attribute.g)
                pending.extend(attribute.graphs)


def nodes(model: ModelProto) -> Iterator[NodeProto]:
    """Yield every node of every graph."""
    for graph in graphs(model):
        yield from graph.node


def node_name(node: NodeProto) -> str:
    """Return what to call a node: its name, else its first output, which is unique in its graph."""
    return node.name or (node.output[0] if node.output else node.op_type)


def _attribute_tensors(attribute: AttributeProto) -> Iterator[TensorProto]:
    if attribute.HasField("t"):
        yield attribute.t
    if attribute.name == "value_floats":  # the short form of a Constant
        yield helper.make_tensor("", TensorProto.FLOAT, (len(attribute.floats),), attribute.floats)
    yield from attribute.tensors
    sparse = [*attribute.sparse_tensors, *([attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else [])]
    for tensor in sparse:
        yield tensor.values
        yield tensor.indices


def tensors(model: ModelProto) -> Iterator[tuple[str, TensorProto]]:
    """Yield every stored tensor with the name that nodes know it by: initialisers and attributes, sparse ones too."""
    for graph in graphs(model):
        if isinstance(graph, GraphProto):
            for tensor in graph.initializer:
                yield tensor.name, tensor
            for sparse in graph.sparse_initializer:
                yield sparse.values.name, sparse.values
                yield f"{sparse.values.name} (indices)", sparse.indices
        else:
            for attribute in graph.attribute_proto:
                for tensor in _attribute_tensors(attribute):
                    yield f"{graph.name}.{attribute.name}", tensor
        for node in graph.node:
            for attribute in node.attribute:
                for tensor in _attribute_tensors(attribute):
                    is_constant = node.op_type == "Constant" and node.output
                    yield (node.output[0] if is_constant else f"{node_name(node)}.{attribute.name}"), tensor


def opset_of(model: ModelProto) -> int:
    """Return the version of the default operator set, 1 where the file names none (the rule of IR versions below 3)."""
    return max((entry.version for entry in model.opset_import if entry.domain in DEFAULT_DOMAINS), default=1)
