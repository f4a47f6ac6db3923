"""What all schemes of ONNX files need: a base as the quantiser takes it, and words on sums that saturate."""

from pathlib import Path

import onnx

from edgewright.state.artifacts import Device
from edgewright.state.errors import Code, Refused
from edgewright.tools.optimize.calibrate.candidate import Choices
from edgewright.tools.optimize.fingerprint import fingerprint
from edgewright.tools.optimize.upgrade import name_nodes, normalised, with_opset
from edgewright.tools.probe import environment
from edgewright.tools.profile.graphs import nodes, opset_of
from edgewright.tools.runtimes.onnxruntime import quantization

# Per-channel QuantizeLinear came with opset 13; below it the quantiser writes files that no runtime loads.
LEAST_OPSET = 13
LIBRARIES = ("onnx", "onnxruntime")
SEVEN_BITS = "weights have 7 bits: sums do not saturate, whatever the processor"


def prepared_base(source: Path) -> Path:
    """Write the base as the quantiser needs it: functions inlined, opset 13 or later, folded, shapes inferred."""
    model = normalised(onnx.load(source, load_external_data=False))
    raised, prepared = source.with_name("raised.onnx"), source.with_name("prepared.onnx")
    onnx.save(with_opset(model, max(LEAST_OPSET, opset_of(model))), raised)
    quantization.prepare(raised, prepared)
    model = onnx.load(prepared)
    name_nodes(model)
    onnx.save(model, prepared)
    return prepared


def saturates(integers: quantization.Integers, device: Device) -> bool:
    """Whether the candidate is for this machine's kind of processor, and 8-bit sums saturate on this one."""
    return device is Device.CPU_GENERIC and not integers.symmetric and environment.facts()["vnni"] == "no"


def usual_choices(device: Device) -> Choices:
    """Return how 8 bits are written for a device where nothing else was asked for."""
    integers = quantization.integers_for(device)
    return Choices(
        per_channel=True,
        ranges="best",
        equalize=False,
        correct_bias=False,
        integers=integers,
        here=device is Device.CPU_GENERIC,
        saturates=saturates(integers, device),
    )


def saturation(integers: quantization.Integers, device: Device) -> tuple[str, ...]:
    """Return what to know of U8S8 where any processor may come (ONNX Runtime's `quantize_static`, `reduce_range`)."""
    if integers.name != "U8S8" or device is not Device.CPU_GENERIC:
        return ()
    return (
        "computed as U8S8: on x86 processors without VNNI its sums can saturate and accuracy can be lower than "
        f"measured here (this host has VNNI: {environment.facts()['vnni']})",
    )


def check_quantized(prepared: Path, made: Path, option: str, reason: str) -> int:
    """Refuse a result in which nothing was quantised; return how many operators make 8-bit integers of numbers."""
    before, after = (onnx.load(path, load_external_data=False) for path in (prepared, made))
    if fingerprint(before) == fingerprint(after):
        raise Refused.because(
            Code.NOTHING_CHANGED,
            f"quantizing this base by {option}",
            f"it has {reason}: its operators are {', '.join(sorted({node.op_type for node in nodes(before)})[:12])}",
            "choose another scheme, or package the model as it is",
            option=option,
        )
    return sum(node.op_type in {"QuantizeLinear", "MatMulInteger"} for node in nodes(after))
