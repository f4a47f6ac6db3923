"""What a model file says of itself: interface, operators, parameters, and the work of one inference."""

import math
from collections import Counter

from onnx import GraphProto, ModelProto, TensorProto, TypeProto, ValueInfoProto, helper, inliner, shape_inference

from edgewright.state.artifacts import TensorSpec
from edgewright.state.evidence import Graph
from edgewright.tools.legible import legible
from edgewright.tools.profile.graphs import nodes, opset_of, tensors
from edgewright.tools.profile.macs import RULES, UNCOUNTED, Shapes, macs_of

# What training sets, and its quantised forms: 64-bit integers, booleans and strings are shapes, axes and tables.
_PARAMETER_TYPES = frozenset(TensorProto.DataType.values()) - {
    TensorProto.UNDEFINED,
    TensorProto.INT64,
    TensorProto.UINT64,
    TensorProto.BOOL,
    TensorProto.STRING,
}
# Shape inference reads the values of small tensors (shapes, axes); larger ones it knows by their type alone.
_SHAPE_ELEMENTS = 1024

_INTEGER_OPERATORS = frozenset(
    {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "MatMulInteger", "ConvInteger"}
    | {"QLinearConv", "QLinearMatMul", "QGemm", "DynamicQuantizeMatMul", "MatMulIntegerToFloat", "DynamicQuantizeLSTM"}
)


def inspect_model(model: ModelProto) -> Graph:
    """Return what an admitted model says of itself."""
    flat = inliner.inline_local_functions(model) if model.functions else model
    operators = Counter(node.op_type for node in nodes(flat))
    producer = f"{model.producer_name} {model.producer_version}".strip()
    return Graph(
        opset=opset_of(model),
        ir_version=model.ir_version,
        producer=legible(producer),
        nodes=operators.total(),
        parameters=parameters_of(model),
        macs=_macs(flat),
        operators={legible(name): count for name, count in operators.most_common()},
        inputs=inputs_of(model),
        outputs=tuple(_spec(value) for value in model.graph.output),
        stored_bytes={legible(name): size for name, size in stored_bytes_of(flat).most_common()},
    )


def stored_bytes_of(model: ModelProto) -> Counter[str]:
    """Return the bytes that stored tensors take in the file, by the type of the first operator that reads each."""
    reader: dict[str, str] = {}
    for node in nodes(model):
        for name in node.input:
            reader.setdefault(name, node.op_type)
    sizes: Counter[str] = Counter()
    for name, tensor in tensors(model):
        sizes[reader.get(name, "other")] += tensor.ByteSize()
    return sizes


def inputs_of(model: ModelProto) -> tuple[TensorSpec, ...]:
    """Return what a caller has to feed. Files of IR version 3 list their weights as inputs too; those are left out."""
    stored = {tensor.name for tensor in model.graph.initializer}
    stored |= {tensor.values.name for tensor in model.graph.sparse_initializer}
    return tuple(_spec(value) for value in model.graph.input if value.name not in stored)


def outputs_of(model: ModelProto) -> tuple[TensorSpec, ...]:
    """Return what the model gives."""
    return tuple(_spec(value) for value in model.graph.output)


def parameters_of(model: ModelProto) -> int:
    """Return how many numbers the model learnt.

    Counted are the elements of initialisers, of Constant nodes and of those in subgraphs and functions, each stored
    tensor once however often it is used. Single numbers (rank 0) are constants of the arithmetic, not parameters.
    """
    return sum(
        math.prod(tensor.dims) for _, tensor in tensors(model) if tensor.dims and tensor.data_type in _PARAMETER_TYPES
    )


def precision_of(model: ModelProto) -> str:
    """Return `int8` where operators compute in integers, else the type that most of the parameters are stored in."""
    if any(node.op_type in _INTEGER_OPERATORS for node in nodes(model)):
        return "int8"
    sizes: Counter[int] = Counter()
    for _, tensor in tensors(model):
        sizes[tensor.data_type] += math.prod(tensor.dims)
    names = {TensorProto.FLOAT16: "fp16", TensorProto.BFLOAT16: "bf16", TensorProto.DOUBLE: "fp64"}
    floats = {kind: sizes[kind] for kind in (TensorProto.FLOAT, *names) if sizes[kind]}
    return names.get(max(floats, key=floats.__getitem__), "fp32") if floats else "fp32"


def has_float32_weights(model: ModelProto) -> bool:
    """Return whether any stored array, single numbers aside, is in float32."""
    return any(tensor.data_type == TensorProto.FLOAT and math.prod(tensor.dims) > 1 for _, tensor in tensors(model))


def _spec(value: ValueInfoProto) -> TensorSpec:
    if not value.type.HasField("tensor_type"):
        kind = value.type.WhichOneof("value") or "unknown"
        return TensorSpec(value.name, kind.removesuffix("_type"), ())
    tensor = value.type.tensor_type
    shape = tuple(d.dim_value if d.HasField("dim_value") and d.dim_value >= 0 else None for d in tensor.shape.dim)
    return TensorSpec(value.name, _dtype(tensor.elem_type), shape)


def _dtype(elem_type: int) -> str:
    if elem_type == TensorProto.STRING:
        return "str"
    return helper.tensor_dtype_to_np_dtype(elem_type).name if elem_type != TensorProto.UNDEFINED else "unknown"


def _macs(model: ModelProto) -> int | None:
    work = RULES.keys() | UNCOUNTED
    main = sum(node.op_type in work for node in model.graph.node)
    if sum(node.op_type in work for node in nodes(model)) > main:
        return None  # how often a branch or a loop body runs is decided by the data
    return macs_of(model.graph.node, _shapes(model))


def _shapes(model: ModelProto) -> Shapes:
    """Infer the shapes of every value of the main graph for one sample."""
    skeleton = _skeleton(model)
    _set_batch(skeleton.graph)
    try:
        inferred = shape_inference.infer_shapes(skeleton, data_prop=True)
    except (shape_inference.InferenceError, RuntimeError, ValueError):
        inferred = skeleton
    values = (*inferred.graph.input, *inferred.graph.value_info, *inferred.graph.output)
    shapes = {value.name: shape for value in values if (shape := _known(value.type)) is not None}
    return shapes | {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}


def _known(kind: TypeProto) -> tuple[int, ...] | None:
    if not kind.tensor_type.HasField("shape"):
        return None
    dims = kind.tensor_type.shape.dim
    return tuple(d.dim_value for d in dims) if all(d.HasField("dim_value") for d in dims) else None


def _skeleton(model: ModelProto) -> ModelProto:
    """Copy the model with large weights replaced by inputs of their type, so that inference need not serialise them."""
    graph = GraphProto(name=model.graph.name, node=model.graph.node, output=model.graph.output)
    stored = set()
    for tensor in model.graph.initializer:
        stored.add(tensor.name)
        if math.prod(tensor.dims) <= _SHAPE_ELEMENTS:
            graph.initializer.append(tensor)
        else:
            graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    graph.input.extend(value for value in model.graph.input if value.name not in stored)
    # Values that the exporter recorded may carry its own batch size, so they are inferred afresh.
    return ModelProto(ir_version=max(model.ir_version, 4), opset_import=model.opset_import, graph=graph)


def _set_batch(graph: GraphProto) -> None:
    """Make every open first dimension of an input 1, and the same symbol 1 wherever it stands."""
    first = [dims[0] for value in graph.input if (dims := value.type.tensor_type.shape.dim)]
    symbols = {dim.dim_param for dim in first if dim.dim_param}
    for dim in first:
        if not dim.HasField("dim_value") or dim.dim_value < 0:
            dim.dim_value = 1
    for value in (*graph.input, *graph.output):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param in symbols and dim.dim_param:
                dim.dim_value = 1
