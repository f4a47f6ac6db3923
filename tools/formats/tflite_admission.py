"""Whether a TFLite file may be worked on: every reason against it is found here, before any interpreter sees it.

Rules of the format: TensorFlow Lite's schema.fbs (version 3) and its 8-bit quantization specification.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from edgewright.state.errors import Code, Refused
from edgewright.tools.formats.tflite_graph import (
    custom_code,
    data_of,
    indices,
    item_bits,
    operator_name,
    shape_of,
    subgraphs_called,
    text,
)
from edgewright.tools.legible import is_plain, legible
from edgewright.tools.runtimes.litert.schema import (
    BUILTIN_NAMES,
    TYPE_NAMES,
    DamagedFile,
    Model,
    Operator,
    Subgraph,
    Tensor,
    read,
)

# A FlatBuffers offset has 32 bits with a sign (flatbuffers.dev, "Internals").
LIMIT_BYTES = 2**31 - 1
VERSION = 3
# Custom operators of every LiteRT build (tensorflow/lite/core/kernels/register.cc), and those of MediaPipe
# that its Python wheels register (tensorflow/lite/kernels/perception/perception_ops.h).
BUILT_IN_CUSTOM = frozenset(
    {"NumericVerify", "Mfcc", "AudioSpectrogram", "TFLite_Detection_PostProcess"}
    | {"Convolution2DTransposeBias", "MaxPoolingWithArgmax2D", "MaxUnpooling2D"}
)
# Operators that answer the same input differently each time.
_RANDOM = frozenset({"RANDOM_STANDARD_NORMAL", "RANDOM_UNIFORM", "MULTINOMIAL"})
# Operators that only begin where their graph begins: everything else reads something.
_SOURCES = frozenset({"VAR_HANDLE", "HASHTABLE", "CALL_ONCE", "CUSTOM"})
_AGAIN = "convert the model again with a current converter, and compare the file's checksum after copying it"


def admit_tflite(path: Path) -> Model:
    """Read a file and return its objects if it may be worked on.

    Args:
        path: The imported copy.

    Raises:
        Refused: MODEL_UNSUPPORTED, MODEL_INVALID or MODEL_NOT_FINITE, each with its own reason.
    """
    size_bytes = path.stat().st_size
    if size_bytes > LIMIT_BYTES:
        _refuse(
            Code.MODEL_UNSUPPORTED,
            f"the file has {size_bytes} bytes, and a TFLite model in one file ends at {LIMIT_BYTES}",
            "convert a smaller model, or weights in half precision",
        )
    try:
        model = read(path.read_bytes())
    except DamagedFile as error:
        _invalid(f"the file starts like a TFLite model, but {error}")
    check_tflite(model)
    return model


def check_tflite(model: Model) -> None:
    """Refuse objects that contradict each other, or that LiteRT would need more than itself for; see `admit_tflite`."""
    _check_file(model)
    _check_operators(model)
    for graph in model.subgraphs:
        _check_graph(graph, model)
    _check_calls(model)
    _check_signatures(model)


def _refuse(code: Code, why: str, do: str, **facts: object) -> NoReturn:
    raise Refused.because(code, "this model", why, do, **facts)


def _invalid(why: str) -> NoReturn:
    _refuse(Code.MODEL_INVALID, why, _AGAIN)


def _check_file(model: Model) -> None:
    if model.version != VERSION:
        _refuse(Code.MODEL_UNSUPPORTED, f"its schema version is {model.version}, and {VERSION} is known", _AGAIN)
    for what in ("subgraphs", "buffers", "operatorCodes"):
        if not getattr(model, what):
            _invalid(f"the file holds no {'operators' if what == 'operatorCodes' else what}")
    for buffer in model.buffers:
        if buffer.offset > 1 or buffer.size > 1:
            _refuse(
                Code.MODEL_UNSUPPORTED,
                "it keeps weights behind the model, as files beyond 2 GiB do",
                "convert a model that fits into one FlatBuffer",
            )
    for entry in model.metadata or []:
        _check_index(entry.buffer, len(model.buffers), f"its metadata '{legible(text(entry.name))}'", "buffer")


def _check_operators(model: Model) -> None:
    """Refuse operators that no builtin kernel executes: nothing is loaded into the interpreter for a model's sake."""
    for code in model.operatorCodes:
        custom = custom_code(code)
        if custom is not None and custom not in BUILT_IN_CUSTOM:
            flex = custom.startswith("Flex")
            _refuse(
                Code.MODEL_UNSUPPORTED,
                f"it needs the {'TensorFlow' if flex else 'custom'} operator '{legible(custom)}'",
                "convert with TFLITE_BUILTINS alone"
                if flex
                else "convert the model with builtin operators; no operator library is loaded here",
                operator=legible(custom),
            )
        if operator_name(code) not in BUILTIN_NAMES.values():
            _refuse(
                Code.MODEL_UNSUPPORTED,
                f"it needs the builtin operator number {code.builtinCode}, which this version does not know",
                "convert for an older LiteRT, or have the operator update ai-edge-litert",
            )
        if operator_name(code) in _RANDOM:
            _refuse(
                Code.MODEL_UNSUPPORTED,
                f"its operator {operator_name(code)} draws random numbers, so that no measurement could be repeated",
                "convert the model for inference, or take the sampling out of the graph",
                operator=operator_name(code),
            )


def _check_graph(graph: Subgraph, model: Model) -> None:
    tensors = graph.tensors or []
    for number, tensor in enumerate(tensors):
        _check_tensor(f"the tensor '{legible(text(tensor.name)) or number}'", tensor, model)
    inputs, outputs = indices(graph.inputs), indices(graph.outputs)
    if not outputs:
        _invalid("a graph gives no outputs")
    for index in (*inputs, *outputs):
        _check_index(index, len(tensors), "a graph's interface", "tensor")
        name = text(tensors[index].name)
        if not name or not is_plain(name, limit=300):
            _refuse(
                Code.MODEL_UNSUPPORTED,
                f"an input or output is called '{legible(name)}', which cannot be shown safely",
                "rename it to visible characters and convert again",
            )
    given = {*inputs, *(number for number, tensor in enumerate(tensors) if data_of(tensor, model) is not None)}
    for operator in graph.operators or []:
        _check_index(operator.opcodeIndex, len(model.operatorCodes), "an operator", "operator code")
        name = operator_name(model.operatorCodes[operator.opcodeIndex])
        _check_operator(name, operator, len(tensors), given)


def _check_operator(name: str, operator: Operator, tensors: int, given: set[int]) -> None:
    inputs, outputs = indices(operator.inputs), indices(operator.outputs)
    for index in inputs:
        if index != -1:  # an optional input that is left out
            _check_index(index, tensors, f"an operator {name}", "tensor")
    for index in outputs:
        _check_index(index, tensors, f"an operator {name}", "tensor")
        if index in given:
            _invalid(f"an operator {name} writes over an input or a stored tensor")
    if not inputs and name not in _SOURCES:
        _invalid(f"an operator {name} has no inputs")


def _check_tensor(what: str, tensor: Tensor, model: Model) -> None:
    if tensor.type not in TYPE_NAMES:
        _invalid(f"{what} has the unknown element type {tensor.type}")
    shape = shape_of(tensor)
    if any(size < 0 for size in shape):
        _invalid(f"{what} has the negative size {min(shape)} among its dimensions")
    if tensor.sparsity is not None:
        _refuse(Code.MODEL_UNSUPPORTED, f"{what} is stored sparsely", "convert the model with dense weights")
    _check_index(tensor.buffer, len(model.buffers), what, "buffer")
    wanted_bytes = math.ceil(math.prod(shape) * item_bits(tensor) / 8)
    if wanted_bytes > LIMIT_BYTES:
        _refuse(
            Code.MODEL_UNSUPPORTED,
            f"{what} of the shape {list(shape)} takes {wanted_bytes} bytes, more than {LIMIT_BYTES}",
            "convert the model for a smaller input",
        )
    data = data_of(tensor, model)
    if data is not None and item_bits(tensor) and len(data) != wanted_bytes:
        _invalid(f"{what} holds {len(data)} bytes, its shape {list(shape)} asks for {wanted_bytes}")
    _check_quantization(what, tensor, shape)
    if data is not None:
        _check_finite(what, tensor, data)


def _check_quantization(what: str, tensor: Tensor, shape: Sequence[int]) -> None:
    quantization = tensor.quantization
    scales = _numbers(quantization.scale) if quantization is not None else []
    if not scales:
        return
    if not all(math.isfinite(scale) and scale > 0 for scale in scales):
        _invalid(f"{what} is quantised by a scale that is no positive number")
    points = [int(point) for point in _numbers(quantization.zeroPoint)]
    if len(points) not in {0, len(scales)}:
        _invalid(f"{what} has {len(scales)} scales and {len(points)} zero points")
    axis = quantization.quantizedDimension
    if len(scales) > 1 and not (0 <= axis < len(shape) and shape[axis] == len(scales)):
        _invalid(f"{what} of the shape {list(shape)} has {len(scales)} scales along its dimension {axis}")
    limits = _LIMITS.get(TYPE_NAMES[tensor.type])
    if limits and not all(limits[0] <= point <= limits[1] for point in points):
        _invalid(f"{what} has a zero point outside {limits[0]} to {limits[1]}")


_LIMITS = {"INT8": (-128, 127), "UINT8": (0, 255), "INT16": (-(2**15), 2**15 - 1), "INT32": (-(2**31), 2**31 - 1)}


def _check_finite(what: str, tensor: Tensor, data: "np.ndarray[Any, np.dtype[np.uint8]]") -> None:
    kind = {"FLOAT32": np.float32, "FLOAT16": np.float16, "FLOAT64": np.float64}.get(TYPE_NAMES[tensor.type])
    if kind is None:
        return
    values = np.frombuffer(data.tobytes(), kind)
    nan = int(np.isnan(values).sum())
    if nan:
        _refuse(
            Code.MODEL_NOT_FINITE,
            f"of the {values.size} numbers in {what} {nan} are NaN",
            "train or convert the model again; a training run that diverged leaves such weights",
            nan=nan,
            size=values.size,
        )


def _check_calls(model: Model) -> None:
    """Refuse graphs that call one that does not exist, or themselves: neither ends."""
    calls = {number: set(_called(graph)) for number, graph in enumerate(model.subgraphs)}
    for called in calls.values():
        for index in called:
            _check_index(index, len(model.subgraphs), "a control-flow operator", "subgraph")
    for start, called in calls.items():
        reached, pending = set[int](), [*called]
        while pending:
            number = pending.pop()
            if number == start:
                _refuse(Code.MODEL_UNSUPPORTED, f"its subgraph {start} calls itself", _AGAIN)
            if number not in reached:
                reached.add(number)
                pending.extend(calls[number])


def _called(graph: Subgraph) -> Iterator[int]:
    for operator in graph.operators or []:
        yield from subgraphs_called(operator)


def _check_signatures(model: Model) -> None:
    for signature in model.signatureDefs or []:
        what = f"its signature '{legible(text(signature.signatureKey))}'"
        _check_index(signature.subgraphIndex, len(model.subgraphs), what, "subgraph")
        tensors = len(model.subgraphs[signature.subgraphIndex].tensors or [])
        for entry in (*(signature.inputs or []), *(signature.outputs or [])):
            _check_index(entry.tensorIndex, tensors, what, "tensor")
            if not is_plain(text(entry.name)):
                _invalid(f"{what} names '{legible(text(entry.name))}', which cannot be shown safely")


def _check_index(index: int, count: int, what: str, of: str) -> None:
    if not 0 <= index < count:
        _invalid(f"{what} refers to {of} {index}, and there are {count}")


def _numbers(values: Iterable[Any] | None) -> list[Any]:
    return [] if values is None else list(values)
