"""Whether two graphs compute the same thing in the same way, whatever their values and nodes are called."""

import hashlib
from collections.abc import Iterable, Mapping

from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, defs, numpy_helper

from edgewright.tools.profile.graphs import nodes, opset_of, tensors


def fingerprint(model: ModelProto) -> str:
    """Return a digest that ignores names, the order of nodes, recorded shapes, and defaults that are spelt out.

    Every value is named by the digest of the operator that makes it and of that operator's inputs (a Merkle tree), the
    graph by its outputs. The numbers of nodes and stored tensors count too, so that removing a duplicate is a change.
    """
    counts = f"{sum(1 for _ in nodes(model))} {sum(1 for _ in tensors(model))}"
    functions = [function.SerializeToString(deterministic=True) for function in model.functions]
    opset = opset_of(model)
    return _digest([str(opset).encode(), counts.encode(), _graph(model.graph, {}, opset), *functions]).hex()


def _digest(parts: Iterable[bytes]) -> bytes:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.digest()


def _graph(graph: GraphProto, outer: Mapping[str, bytes], opset: int) -> bytes:
    values = dict(outer)
    stored = {tensor.name: _tensor(tensor) for tensor in graph.initializer}
    # A subgraph's inputs are positional; the main graph's names are its interface.
    for position, value in enumerate(value for value in graph.input if value.name not in stored):
        values[value.name] = _digest([b"input", str(position).encode(), b"" if outer else value.name.encode()])
    values.update(stored)
    for sparse in graph.sparse_initializer:
        values[sparse.values.name] = _digest([_tensor(sparse.values), _tensor(sparse.indices)])
    for node in graph.node:
        made = _node(node, values, opset)
        for position, name in enumerate(node.output):
            values[name] = _digest([made, str(position).encode()])
    return _digest(values.get(output.name, b"") for output in graph.output)


def _node(node: NodeProto, values: Mapping[str, bytes], opset: int) -> bytes:
    spelt_out = _defaults(node, opset)
    attributes = sorted(
        (attribute.name, content)
        for attribute in node.attribute
        if (content := _attribute(attribute, values, opset)) != spelt_out.get(attribute.name)
    )
    inputs = [values.get(name, b"") for name in node.input]
    while inputs and not inputs[-1]:
        inputs.pop()
    head = [node.domain.encode() if node.domain != "ai.onnx" else b"", node.op_type.encode()]
    return _digest([*head, *inputs, *(part for name, content in attributes for part in (name.encode(), content))])


def _defaults(node: NodeProto, opset: int) -> dict[str, bytes]:
    domain = "" if node.domain == "ai.onnx" else node.domain
    if domain or not defs.has(node.op_type, opset, domain):
        return {}
    schema = defs.get_schema(node.op_type, opset, domain)
    return {name: _attribute(entry.default_value, {}, opset) for name, entry in schema.attributes.items()}


def _attribute(attribute: AttributeProto, values: Mapping[str, bytes], opset: int) -> bytes:
    if attribute.type == AttributeProto.GRAPH:
        return _graph(attribute.g, {"": b"", **values}, opset)
    if attribute.type == AttributeProto.GRAPHS:
        return _digest(_graph(graph, {"": b"", **values}, opset) for graph in attribute.graphs)
    if attribute.type == AttributeProto.TENSOR:
        return _tensor(attribute.t)
    plain = AttributeProto()
    plain.CopyFrom(attribute)
    plain.ClearField("doc_string")
    plain.ClearField("name")
    return bytes(plain.SerializeToString(deterministic=True))


def _tensor(tensor: TensorProto) -> bytes:
    array = numpy_helper.to_array(tensor)
    content = repr(array.tolist()).encode() if tensor.data_type == TensorProto.STRING else array.tobytes()
    return _digest([str(tensor.data_type).encode(), str(tuple(tensor.dims)).encode(), content])
