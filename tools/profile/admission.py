"""Whether a file is a model that may be worked on: every reason against it is found here, before any runtime sees it.

Nothing outside the file is ever opened: external data is refused by what the file says of it.
"""

from pathlib import Path
from typing import NoReturn

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import ModelProto, TensorProto, checker
from onnx.numpy_helper import to_array

from edgewright.state.errors import Code, Refused
from edgewright.tools.legible import clause, is_plain, legible
from edgewright.tools.profile.framework import Framework, framework_of, refuse_framework
from edgewright.tools.profile.functions import check_functions
from edgewright.tools.profile.graphs import graphs, node_name, nodes, opset_of, tensors
from edgewright.tools.profile.integrity import check_finite, check_stored, check_text

# A protobuf message cannot be larger (protobuf.dev, "Proto Limits").
LIMIT_BYTES = 2**31 - 1

# What ONNX Runtime's CPU build executes without anything being loaded into it. `com.microsoft` are its own operators;
# those of `com.microsoft.nchwc` are written for the one processor that optimised the file.
_RUNTIME_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
# Operators that answer the same input differently each time (onnx.ai, "ONNX Operators").
_RANDOM = frozenset(
    {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli", "Sampling"}
)


def admit_onnx(path: Path) -> ModelProto:
    """Read a model file and return it if it may be worked on.

    Args:
        path: The imported copy.

    Raises:
        Refused: MODEL_FORMAT_UNKNOWN, MODEL_UNSUPPORTED, MODEL_INVALID, MODEL_EXTERNAL_DATA or MODEL_NOT_FINITE, each
            with its own reason.
    """
    model = _parse(path)
    check_text(model)
    _check_structure(model)
    _check_operators(model)
    _check_external_data(model)
    check_stored(model)
    check_finite(model)
    _check_repeatable(model)
    _check_by_onnx(model)
    check_functions(model)
    return model


def _refuse(code: Code, why: str, do: str, **facts: object) -> NoReturn:
    raise Refused.because(code, "this model", why, do, **facts)


def _parse(path: Path) -> ModelProto:
    framework = framework_of(path)
    if framework is not Framework.ONNX:
        refuse_framework(framework, path)
    size_bytes = path.stat().st_size
    if size_bytes > LIMIT_BYTES:
        _refuse(
            Code.MODEL_UNSUPPORTED,
            f"the file has {size_bytes} bytes, and a model in one file ends at {LIMIT_BYTES}",
            "export a smaller model, or weights in half precision",
            size_bytes=size_bytes,
            limit_bytes=LIMIT_BYTES,
        )
    try:
        model: ModelProto = ModelProto.FromString(path.read_bytes())
    except DecodeError as error:
        if "MaxDepth" in str(error) or "recursion" in str(error).lower():
            _refuse(
                Code.MODEL_INVALID,
                "its graphs are nested deeper than the 100 levels a protobuf reader follows",
                "export the model without unrolling its control flow into nested If or Loop nodes",
            )
        _refuse(
            Code.MODEL_INVALID,
            "the file starts like an ONNX model, but its content is damaged",
            "copy or export the file again and compare its checksum",
        )
    return model


def _check_structure(model: ModelProto) -> None:
    again = "export the model again with a current exporter"
    if model.training_info:
        _refuse(Code.MODEL_UNSUPPORTED, "the file holds training graphs", "export the graph for inference alone")
    if not model.opset_import and model.ir_version >= 3:
        _refuse(Code.MODEL_INVALID, "the file names no operator set", again)
    opset, newest = opset_of(model), onnx.defs.onnx_opset_version()
    if not 1 <= opset <= newest:
        _refuse(
            Code.MODEL_UNSUPPORTED,
            f"its operator set is version {opset}; versions 1 to {newest} are known",
            "export the model with opset_version=17 or another known one",
            opset=opset,
            newest=newest,
        )
    for value in (*model.graph.input, *model.graph.output):
        if not value.name or not is_plain(value.name):
            _refuse(
                Code.MODEL_UNSUPPORTED,
                f"an input or output is called '{legible(value.name)}', which cannot be shown safely",
                "rename it to visible characters, 120 at most, and export again",
            )
        if value.type.tensor_type.elem_type not in TensorProto.DataType.values():
            _refuse(
                Code.MODEL_INVALID, f"'{value.name}' has the unknown type {value.type.tensor_type.elem_type}", again
            )


def _check_operators(model: ModelProto) -> None:
    own = {(function.domain, function.name) for function in model.functions}
    for node in nodes(model):
        if node.op_type == "EPContext":
            _refuse(
                Code.MODEL_UNSUPPORTED,
                f"the node '{legible(node_name(node))}' is an EPContext: compiled code for one vendor's device",
                "give the model that it was compiled from",
                node=legible(node_name(node)),
            )
        if node.domain not in _RUNTIME_DOMAINS and (node.domain, node.op_type) not in own:
            _refuse(
                Code.MODEL_UNSUPPORTED,
                f"the node '{legible(node_name(node))}' needs the custom operator "
                f"'{legible(node.op_type)}' of '{legible(node.domain)}'",
                "export the model with standard ONNX operators; no operator library is loaded here",
                node=legible(node_name(node)),
                operator=legible(node.op_type),
                domain=legible(node.domain),
            )


def _check_repeatable(model: ModelProto) -> None:
    """Refuse operators that draw their answers: a metric of them, drawn often enough, passes any floor (P3)."""
    flags = [(name, to_array(tensor)) for name, tensor in tensors(model) if tensor.data_type == TensorProto.BOOL]
    off = {name for name, flag in flags if not flag.any()} - {name for name, flag in flags if flag.any()}
    for node in nodes(model):
        # Input 2 of Dropout says whether it trains, since opset 12.
        mode = node.input[2] if node.op_type == "Dropout" and len(node.input) > 2 else ""
        trains = bool(mode) and mode not in off
        if trains or node.op_type in _RANDOM:
            training = " in training mode" if trains else ""
            _refuse(
                Code.MODEL_UNSUPPORTED,
                f"the node '{legible(node_name(node))}' ({legible(node.op_type)}{training}) "
                "draws random numbers, so that no measurement of it could be repeated",
                "export the model for inference (in PyTorch: model.eval()), or take the sampling out of the graph",
                node=legible(node_name(node)),
                operator=legible(node.op_type),
            )


def _check_external_data(model: ModelProto) -> None:
    for name, tensor in tensors(model):
        if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
            said = ", ".join(f"{legible(e.key, 40)}={legible(e.value, 80)}" for e in tensor.external_data[:4])
            _refuse(
                Code.MODEL_EXTERNAL_DATA,
                f"the tensor '{legible(name)}' lies outside the file ({said or 'no location given'}), and nothing but "
                "the file itself is read",
                "save the model as one file: onnx.save(onnx.load(path), new_path), or export with external_data=False",
                tensor=legible(name),
                location=said,
            )


def _check_by_onnx(model: ModelProto) -> None:
    if not model.HasField("graph") or not any(True for _ in graphs(model)):
        _refuse(Code.MODEL_INVALID, "the file holds no graph", "export the model again")
    try:
        checker.check_model(model)
    except (checker.ValidationError, ValueError) as error:
        _refuse(
            Code.MODEL_INVALID,
            f"onnx.checker says: {clause(error)}",
            "export the model again, with another opset_version if the message names an operator",
        )
