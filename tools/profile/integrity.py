"""Checks of the numbers stored in a model: complete, of a known type, and finite where they are multiplied."""

import math
from collections.abc import Iterator, Mapping

import numpy as np
from google.protobuf.descriptor import FieldDescriptor  # type: ignore[import-untyped]
from google.protobuf.message import Message  # type: ignore[import-untyped]
from onnx import ModelProto, TensorProto, helper, numpy_helper

from edgewright.state.errors import Code, Refused
from edgewright.tools.legible import legible
from edgewright.tools.profile.graphs import nodes, tensors

# Bits of the types that share a byte; every other type fills whole bytes (onnx.proto, TensorProto.DataType).
_PACKED_BITS: Mapping[int, int] = {
    TensorProto.UINT4: 4,
    TensorProto.INT4: 4,
    TensorProto.FLOAT4E2M1: 4,
    TensorProto.UINT2: 2,
    TensorProto.INT2: 2,
}
# Six-bit types: how they are packed is left to the reader, so their length is not judged.
_UNJUDGED = frozenset({TensorProto.FLOAT6E2M3, TensorProto.FLOAT6E3M2})

_TYPED_FIELDS: Mapping[int, str] = {
    TensorProto.FLOAT: "float_data",
    TensorProto.COMPLEX64: "float_data",
    TensorProto.DOUBLE: "double_data",
    TensorProto.COMPLEX128: "double_data",
    TensorProto.INT64: "int64_data",
    TensorProto.UINT32: "uint64_data",
    TensorProto.UINT64: "uint64_data",
    TensorProto.STRING: "string_data",
}
_INEXACT = frozenset(
    {
        TensorProto.FLOAT,
        TensorProto.DOUBLE,
        TensorProto.FLOAT16,
        TensorProto.BFLOAT16,
        TensorProto.COMPLEX64,
        TensorProto.COMPLEX128,
        TensorProto.FLOAT8E4M3FN,
        TensorProto.FLOAT8E4M3FNUZ,
        TensorProto.FLOAT8E5M2,
        TensorProto.FLOAT8E5M2FNUZ,
    }
)
# An infinity that is added or selected is a mask and legitimate (attention writes -inf); one that is multiplied turns
# into NaN at the first zero (IEEE 754: inf x 0 is invalid).
_MULTIPLIES = frozenset(
    {"Conv", "ConvTranspose", "Gemm", "MatMul", "Mul", "Div", "LSTM", "GRU", "RNN", "Einsum", "PRelu", "DeformConv"}
    | {"BatchNormalization", "InstanceNormalization", "LayerNormalization", "GroupNormalization", "RMSNormalization"}
)


def check_text(model: ModelProto) -> None:
    """Refuse text that is no UTF-8, which protobuf hands on as bytes and every other part would stumble over.

    Raises:
        Refused: MODEL_INVALID, naming the field.
    """
    pending: list[Message] = [model]
    while pending:
        message = pending.pop()
        for descriptor, value in message.ListFields():
            values = [value] if isinstance(value, str | bytes | Message) else value
            if descriptor.message_type is not None:
                pending.extend(values)
            elif descriptor.type == FieldDescriptor.TYPE_STRING and any(isinstance(text, bytes) for text in values):
                raise Refused.because(
                    Code.MODEL_INVALID,
                    "this model",
                    f"a text in its field {descriptor.full_name} is not UTF-8",
                    "copy or export the file again and compare its checksum",
                )


def check_stored(model: ModelProto) -> None:
    """Refuse tensors whose type is unknown, whose shape is impossible, or that hold more or less than their shape says.

    Raises:
        Refused: MODEL_INVALID, naming the tensor.
    """
    for name, tensor in tensors(model):
        reason = _fault(tensor)
        if reason is not None:
            raise Refused.because(
                Code.MODEL_INVALID,
                "this model",
                f"the tensor '{legible(name)}' {reason}",
                "export the model again and check it with onnx.checker",
                tensor=legible(name),
            )


def _fault(tensor: TensorProto) -> str | None:
    if tensor.data_type not in TensorProto.DataType.values() or tensor.data_type == TensorProto.UNDEFINED:
        return f"has the unknown data type {tensor.data_type}"
    if any(size < 0 for size in tensor.dims):
        return f"has the negative size {min(tensor.dims)} among its dimensions"
    elements = math.prod(tensor.dims)
    if elements > np.iinfo(np.int64).max:
        return f"has dimensions whose product, {elements}, is more than any tensor can hold"
    if tensor.data_type in _UNJUDGED:
        return None
    found, expected, unit = _length(tensor, elements)
    return None if found == expected else f"holds {found} {unit}, its dimensions {list(tensor.dims)} ask for {expected}"


def _length(tensor: TensorProto, elements: int) -> tuple[int, int, str]:
    """Return how much the tensor holds, how much its shape asks for, and in what."""
    if tensor.data_type == TensorProto.STRING:
        return len(tensor.string_data), elements, "strings"
    bits = _PACKED_BITS.get(tensor.data_type)
    if tensor.HasField("raw_data"):
        itemsize_bits = bits or 8 * helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
        return len(tensor.raw_data), math.ceil(elements * itemsize_bits / 8), "bytes"
    found = len(getattr(tensor, _TYPED_FIELDS.get(tensor.data_type, "int32_data")))
    if bits is not None:
        return found, math.ceil(elements * bits / 8), "packed values"
    is_complex = tensor.data_type in {TensorProto.COMPLEX64, TensorProto.COMPLEX128}
    return found, elements * (2 if is_complex else 1), "values"


def check_finite(model: ModelProto) -> None:
    """Refuse stored NaN anywhere, and stored infinities where an operator multiplies by them.

    Raises:
        Refused: MODEL_NOT_FINITE, naming the first tensor and how many of its numbers are wrong.
    """
    multiplied = {name for node in nodes(model) if node.op_type in _MULTIPLIES for name in node.input}
    for name, nan, infinite, size in _non_finite(model):
        if nan or (infinite and name in multiplied):
            raise Refused.because(
                Code.MODEL_NOT_FINITE,
                "this model",
                f"of the {size} numbers in the tensor '{legible(name)}' {nan} are NaN and {infinite} infinite",
                "train or export the model again; a training run that diverged leaves such weights",
                tensor=legible(name),
                nan=nan,
                infinite=infinite,
                size=size,
            )


def _non_finite(model: ModelProto) -> Iterator[tuple[str, int, int, int]]:
    for name, tensor in tensors(model):
        if tensor.data_type not in _INEXACT or math.prod(tensor.dims) == 0:
            continue
        values = numpy_helper.to_array(tensor)
        if values.dtype.kind not in "fc":
            values = values.astype(np.float32)
        if not np.isfinite(values).all():
            yield name, int(np.isnan(values).sum()), int(np.isinf(values).sum()), values.size
