"""Where TensorRT wants 8 bits in a graph, and where not: rules of fusion that ONNX Runtime's quantiser lacks."""

from collections.abc import Collection, Mapping

from onnx import ModelProto, NodeProto, TypeProto

from edgewright.tools.profile.graphs import within

# What has INT8 kernels that gain: products, what pools, and the sum at a residual connection, whose skipped input is
# quantised so that the sum fuses into the product before it (NVIDIA TensorRT documentation, "Explicit Quantization",
# Q/DQ placement recommendations).
OPERATORS = ("Conv", "ConvTranspose", "Gemm", "MatMul", "Add", "MaxPool", "AveragePool", "GlobalAveragePool")
PRODUCTS = ("Gemm", "MatMul")
# Narrower products lose more in conversions than they gain (NVIDIA/Model-Optimizer, CHANGELOG: Q/DQ are left out of
# Gemm and MatMul whose K or N is below 16).
NARROWEST = 16
QUANTIZE, DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"


def left_out(model: ModelProto) -> Mapping[str, str]:
    """Return the nodes of a prepared model that do not become 8-bit, each with the reason as a clause."""
    stored = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    shapes = stored | {value.name: _sizes(value.type.tensor_type) for value in model.graph.value_info}
    reasons = {node.name: _reason(node, stored, shapes) for node in model.graph.node}
    return {name: reason for name, reason in reasons.items() if reason}


def rewire(model: ModelProto, left: Collection[str]) -> None:
    """Have nodes that stay as they are read what was there before it was quantised for others, in place.

    The quantiser puts its pair of conversions before every reader of a tensor; what is not computed in 8 bits would
    lose precision there and gain nothing.

    Args:
        model: As the quantiser leaves it.
        left: Names of the nodes that it was told to leave.
    """
    made = {name: node for node in model.graph.node for name in node.output}
    before = {
        node.output[0]: made[node.input[0]].input[0]
        for node in model.graph.node
        if node.op_type == DEQUANTIZE and node.input[0] in made and made[node.input[0]].op_type == QUANTIZE
    }
    for node in model.graph.node:
        if node.op_type not in {QUANTIZE, DEQUANTIZE} and (node.name in left or node.op_type not in OPERATORS):
            for place, name in enumerate(node.input):
                node.input[place] = before.get(name, name)
    _drop_unread(model, before)
    for output in model.graph.output:
        assert output.name not in before  # noqa: S101  (outputs keep their names)


def _drop_unread(model: ModelProto, pairs: Mapping[str, str]) -> None:
    """Remove conversions that nobody reads any more."""
    read = {name for graph in within(model.graph) for node in graph.node for name in node.input}
    gone = {name for name in pairs if name not in read}
    halves = {node.input[0] for node in model.graph.node if node.output[0] in gone}
    kept = [node for node in model.graph.node if node.output[0] not in gone | halves]
    del model.graph.node[:]
    model.graph.node.extend(kept)


def _reason(node: NodeProto, stored: Collection[str], shapes: Mapping[str, tuple[int, ...]]) -> str:
    if node.op_type not in OPERATORS:
        return "it has no 8-bit form in TensorRT that gains"
    if node.op_type == "Add" and any(name in stored for name in node.input):
        return "it adds a constant, which fuses as it is"
    if node.op_type in PRODUCTS:
        size = _narrowest(node, shapes)
        if size is not None and size < NARROWEST:
            return f"its product is {size} wide, below {NARROWEST}"
    return ""


def _narrowest(node: NodeProto, shapes: Mapping[str, tuple[int, ...]]) -> int | None:
    """Return the smaller of K and N of a product, as far as the shape of its right side is known."""
    sizes = [size for size in shapes.get(node.input[1], ())[-2:] if size]
    return min(sizes, default=None)


def _sizes(tensor: TypeProto.Tensor) -> tuple[int, ...]:
    """Return the sizes of a type; 0 where one is open."""
    return tuple(dim.dim_value for dim in tensor.shape.dim)
