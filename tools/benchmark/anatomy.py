"""What a candidate's file says of its number formats: which products it wants computed in what."""

from dataclasses import dataclass
from pathlib import Path

import onnx
from onnx import ModelProto, NodeProto, TensorProto

from edgewright.tools.profile.graphs import nodes, tensors

# Operators of the file that multiply, in float unless something in front of them says otherwise.
PRODUCTS = frozenset(
    {"Conv", "ConvTranspose", "GRU", "Gemm", "LSTM", "MatMul", "FusedConv", "FusedGemm", "FusedMatMul"}
)


@dataclass(frozen=True)
class Anatomy:
    """Counts of nodes in a file, those in subgraphs included.

    Attributes:
        wrapped: Products in float whose data and weights come from a DequantizeLinear: meant to run in 8 bits.
        plain: Products in float that nothing quantises.
        convolutions: Convolutions of any kind.
        depthwise: Those of them with one input channel a filter.
        half: Whether weights are stored in 16-bit float.
        transposes: Transposes; where the file has none, the runtime changes layouts on its own account.
    """

    wrapped: int
    plain: int
    convolutions: int
    depthwise: int
    half: bool
    transposes: int


def anatomy_of(path: Path) -> Anatomy:
    """Read an ONNX file that a step made or admission let in."""
    model = onnx.load(path, load_external_data=False)
    restored = {name for node in nodes(model) if node.op_type == "DequantizeLinear" for name in node.output}
    products = [node for node in nodes(model) if node.op_type in PRODUCTS]
    # A product beside a quantised one may find its data restored; only one whose weights are too was meant to be.
    wrapped = sum(restored.issuperset(node.input[:2]) for node in products)
    convolutions = [node for node in nodes(model) if node.op_type in {"Conv", "ConvInteger", "QLinearConv"}]
    filters = _filters(model)
    return Anatomy(
        wrapped=wrapped,
        plain=len(products) - wrapped,
        convolutions=len(convolutions),
        depthwise=sum(_is_depthwise(node, filters) for node in convolutions),
        half=any(tensor.data_type == TensorProto.FLOAT16 for _, tensor in tensors(model)),
        transposes=sum(node.op_type == "Transpose" for node in nodes(model)),
    )


def _filters(model: ModelProto) -> dict[str, tuple[int, ...]]:
    """Return the shapes of stored weights, by the name that a convolution knows them by."""
    shapes = {name: tuple(tensor.dims) for name, tensor in tensors(model)}
    restored = {node.output[0]: node.input[0] for node in nodes(model) if node.op_type == "DequantizeLinear"}
    return shapes | {name: shapes[source] for name, source in restored.items() if source in shapes}


def _is_depthwise(node: NodeProto, filters: dict[str, tuple[int, ...]]) -> bool:
    group = next((attribute.i for attribute in node.attribute if attribute.name == "group"), 1)
    weight = node.input[3 if node.op_type == "QLinearConv" else 1]
    return group > 1 and filters.get(weight, ())[1:2] == (1,)
