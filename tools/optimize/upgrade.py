"""Brings a file into the form that a step needs, without changing what it computes."""

from onnx import AttributeProto, ModelProto, TensorProto, helper, inliner, version_converter

from edgewright.state.errors import Code, Refused
from edgewright.tools.legible import clause
from edgewright.tools.profile.graphs import opset_of

# From IR version 4 on weights need not be listed among the inputs, where a caller could replace them (onnx, IR.md).
_WEIGHTS_APART_IR = 4


def normalised(model: ModelProto) -> ModelProto:
    """Return the model with local functions inlined and with weights that no caller can replace.

    A weight that is listed as an input too can be neither folded nor quantised, and no converter looks into functions.
    """
    fixed = inliner.inline_local_functions(model) if model.functions else _copy(model)
    stored = {tensor.name for tensor in fixed.graph.initializer}
    inputs = [value for value in fixed.graph.input if value.name not in stored]
    del fixed.graph.input[:]
    fixed.graph.input.extend(inputs)
    fixed.ir_version = max(fixed.ir_version, _WEIGHTS_APART_IR)
    return fixed


def with_stored_constants(model: ModelProto) -> ModelProto:
    """Return the model with the Constant nodes of its main graph as stored tensors."""
    stored = _copy(model)
    kept = []
    for node in stored.graph.node:
        tensor = _constant(node.attribute[0]) if node.op_type == "Constant" and node.attribute else None
        if tensor is None:
            kept.append(node)
        else:
            stored.graph.initializer.add().CopyFrom(tensor)
            stored.graph.initializer[-1].name = node.output[0]
    del stored.graph.node[:]
    stored.graph.node.extend(kept)
    return stored


def name_nodes(model: ModelProto) -> None:
    """Give every node of the main graph a name of its own where it has none, in place."""
    seen: set[str] = set()
    for number, node in enumerate(model.graph.node):
        if not node.name or node.name in seen:
            node.name = f"{node.op_type}_node_{number}"
        seen.add(node.name)


def _copy(model: ModelProto) -> ModelProto:
    copy = ModelProto()
    copy.CopyFrom(model)
    return copy


def _constant(attribute: AttributeProto) -> TensorProto | None:
    """Return the tensor that a Constant node's attribute means; `None` for strings and sparse tensors."""
    match attribute.name:
        case "value":
            return attribute.t
        case "value_float":
            return helper.make_tensor("", TensorProto.FLOAT, (), [attribute.f])
        case "value_floats":
            return helper.make_tensor("", TensorProto.FLOAT, (len(attribute.floats),), attribute.floats)
        case "value_int":
            return helper.make_tensor("", TensorProto.INT64, (), [attribute.i])
        case "value_ints":
            return helper.make_tensor("", TensorProto.INT64, (len(attribute.ints),), attribute.ints)
    return None


def with_opset(model: ModelProto, opset: int) -> ModelProto:
    """Return the model in another version of the operator set.

    Raises:
        Refused: MODEL_UNSUPPORTED, if an operator has no counterpart there, or the converter stopped short.
    """
    before = opset_of(model)
    if before == opset:
        return model
    try:
        converted = version_converter.convert_version(model, opset)
        reason = f"the converter stopped at version {opset_of(converted)}" if opset_of(converted) != opset else ""
    except (RuntimeError, ValueError) as error:  # what the C++ converter raises for a missing adapter
        reason = clause(error)
    if reason:
        raise Refused.because(
            Code.MODEL_UNSUPPORTED,
            f"moving this model from operator set {before} to {opset}",
            reason,
            f"export the model again with opset_version={opset}",
            opset=before,
            wanted=opset,
        )
    return converted
