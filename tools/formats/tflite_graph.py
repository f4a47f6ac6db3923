"""Small questions to the objects of a TFLite file, which the generated reader leaves half typed."""

from collections.abc import Iterable, Iterator
from typing import SupportsInt

import numpy as np
from numpy.typing import NDArray

from edgewright.tools.runtimes.litert.schema import (
    BUILTIN_NAMES,
    TYPE_NAMES,
    Model,
    Operator,
    OperatorCode,
    Signature,
    Subgraph,
    Tensor,
)

_CUSTOM = "CUSTOM"
_BITS = {
    "FLOAT64": 64,
    "INT64": 64,
    "UINT64": 64,
    "COMPLEX64": 64,
    "COMPLEX128": 128,
    "FLOAT32": 32,
    "INT32": 32,
    "UINT32": 32,
    "FLOAT16": 16,
    "BFLOAT16": 16,
    "INT16": 16,
    "UINT16": 16,
    "INT8": 8,
    "UINT8": 8,
    "BOOL": 8,
    "FLOAT8_E4M3FN": 8,
    "FLOAT8_E5M2": 8,
    "INT4": 4,
    "UINT4": 4,
    "INT2": 2,
}


def text(value: bytes | str | None) -> str:
    """Return a name as text; bytes that are no UTF-8 show as escapes."""
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value or ""


def indices(values: Iterable[SupportsInt] | None) -> list[int]:
    """Return a vector of numbers of tensors."""
    return [] if values is None else [int(value) for value in values]


def shape_of(tensor: Tensor) -> tuple[int, ...]:
    """Return the shape that memory is planned for; open sizes are 1."""
    return tuple(indices(tensor.shape))


def open_shape_of(tensor: Tensor) -> tuple[int | None, ...]:
    """Return the shape with open sizes as such."""
    shape, signature = indices(tensor.shape), indices(tensor.shapeSignature)
    return tuple(size if size >= 0 else None for size in (signature if len(signature) == len(shape) else shape))


def dtype_of(tensor: Tensor) -> str:
    """Return NumPy's name of the element type, or the format's word where NumPy has none."""
    name = TYPE_NAMES[tensor.type].lower()
    return "str" if name == "string" else name


def item_bits(tensor: Tensor) -> int:
    """Return the bits of an element, 0 where elements differ in size."""
    return _BITS.get(TYPE_NAMES[tensor.type], 0)


def data_of(tensor: Tensor, model: Model) -> NDArray[np.uint8] | None:
    """Return the bytes of a stored tensor; nothing for one that is computed."""
    data = model.buffers[tensor.buffer].data if 0 <= tensor.buffer < len(model.buffers) else None
    if data is None or len(data) == 0 or tensor.isVariable:
        return None
    return np.asarray(data, np.uint8)


def operator_name(code: OperatorCode) -> str:
    """Return the builtin's name; `unknown` where the schema has none of that number.

    Old files keep the number in another field, of one byte; the larger of both counts (schema.fbs, OperatorCode).
    """
    name: str = BUILTIN_NAMES.get(max(code.builtinCode, code.deprecatedBuiltinCode), "unknown")
    return name


def custom_code(code: OperatorCode) -> str | None:
    """Return the name of a custom operator, nothing for a builtin one."""
    return text(code.customCode) if operator_name(code) == _CUSTOM else None


def scale_of(tensor: Tensor) -> tuple[float, int] | None:
    """Return the one scale and zero point of integers that stand for real numbers."""
    quantization = tensor.quantization
    if quantization is None or quantization.scale is None or len(quantization.scale) != 1:
        return None
    if np.dtype(dtype_of(tensor) if item_bits(tensor) >= 8 else "float32").kind not in "iu":
        return None
    points = indices(quantization.zeroPoint)
    return float(quantization.scale[0]), points[0] if points else 0


def subgraphs_called(operator: Operator) -> Iterator[int]:
    """Yield the subgraphs that an operator's options name."""
    for options in (operator.builtinOptions, operator.builtinOptions2):
        for name, value in vars(options).items() if options is not None else ():
            if name.lower().endswith("subgraphindex") or name == "subgraph":
                yield int(value)


def main_signature(model: Model) -> Signature | None:
    """Return the first signature, alphabetically, that is about exactly the main graph; its names are the interface's.

    The rule is that of `edgewright.tools.probe.litert_runner`.
    """
    graph = model.subgraphs[0]
    for signature in sorted(model.signatureDefs or [], key=lambda entry: text(entry.signatureKey)):
        if signature.subgraphIndex == 0 and all(
            {entry.tensorIndex for entry in getattr(signature, side) or []} == set(indices(getattr(graph, side)))
            for side in ("inputs", "outputs")
        ):
            return signature
    return None


def signature_key(model: Model) -> str:
    """Return the key of the main signature, nothing where there is none."""
    signature = main_signature(model)
    return "" if signature is None else text(signature.signatureKey)


def operator_outputs(model: Model) -> list[tuple[str, ...]]:
    """Return the names of each operator's outputs, all graphs together."""
    return [
        tuple(text(graph.tensors[index].name) for index in indices(operator.outputs))
        for graph in model.subgraphs
        for operator in graph.operators or []
    ]


def quantised_operators(model: Model) -> tuple[int, int]:
    """Return how many operators read a tensor of fewer bits, and how many there are; casts do not count."""
    done = total = 0
    for graph in model.subgraphs:
        halved = {output for operator in graph.operators or [] for output in _restored(operator, graph, model)}
        for operator in graph.operators or []:
            if operator_name(model.operatorCodes[operator.opcodeIndex]) in _CASTS:
                continue
            total += 1
            done += any(i in halved or _has_fewer_bits(graph.tensors[i]) for i in indices(operator.inputs) if i >= 0)
    return done, total


_CASTS = frozenset({"QUANTIZE", "DEQUANTIZE"})


def _restored(operator: Operator, graph: Subgraph, model: Model) -> list[int]:
    """Return the outputs of a DEQUANTIZE of stored weights."""
    name = operator_name(model.operatorCodes[operator.opcodeIndex])
    source = graph.tensors[indices(operator.inputs)[0]] if name == "DEQUANTIZE" else None
    return indices(operator.outputs) if source is not None and data_of(source, model) is not None else []


def _has_fewer_bits(tensor: Tensor) -> bool:
    scaled = tensor.quantization is not None and tensor.quantization.scale is not None
    return scaled and len(tensor.quantization.scale) > 0 and item_bits(tensor) <= 16
