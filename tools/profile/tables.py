"""Tables that a model looks numbers of its inputs up in, such as the vectors of words."""

from onnx import ModelProto

# Between an input and the table they change no number.
_TRANSPARENT = frozenset({"Cast", "Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten"})


def rows_looked_up(model: ModelProto) -> dict[str, int]:
    """Return the inputs whose numbers choose rows of a stored table, and how many rows the smallest one has."""
    source = {value.name: value.name for value in model.graph.input}
    tables = {tensor.name: tensor.dims[0] for tensor in model.graph.initializer if len(tensor.dims) > 1}
    rows: dict[str, int] = {}
    for node in model.graph.node:  # an admitted graph is in the order of its work
        if node.op_type in _TRANSPARENT and node.input[0] in source:
            source[node.output[0]] = source[node.input[0]]
        axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 0)
        if node.op_type == "Gather" and axis == 0 and node.input[0] in tables and node.input[1] in source:
            name = source[node.input[1]]
            rows[name] = min(rows.get(name, tables[node.input[0]]), tables[node.input[0]])
    return rows
