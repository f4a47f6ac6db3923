"""Fewer bits for ONNX files, by ONNX Runtime's quantiser."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import onnx

from edgewright.state.artifacts import Device
from edgewright.state.errors import Code, Refused
from edgewright.tools.optimize.calibrate.candidate import Calibration, Choices, Samples
from edgewright.tools.optimize.calibrating import CalibrationSamples
from edgewright.tools.optimize.fingerprint import fingerprint
from edgewright.tools.optimize.scheme import Parameters, Scheme
from edgewright.tools.optimize.step import Step
from edgewright.tools.optimize.topology import put_in_order
from edgewright.tools.optimize.upgrade import name_nodes, normalised, with_opset, with_stored_constants
from edgewright.tools.orders import QuantizeOrder
from edgewright.tools.probe import environment
from edgewright.tools.profile.graphs import nodes, opset_of
from edgewright.tools.runtimes.onnxruntime import quantization
from edgewright.tools.workspace import Workspace

# Per-channel QuantizeLinear came with opset 13; below it the quantiser writes files that no runtime loads.
LEAST_OPSET = 13
LIBRARIES = ("onnx", "onnxruntime")
SEVEN_BITS = "weights have 7 bits: sums do not saturate, whatever the processor"


class DynamicParameters(Parameters):
    """Options of `int8_dynamic`."""

    per_channel: bool = True


class StaticParameters(Parameters):
    """Options of `int8_static`."""

    per_channel: bool = True
    ranges: Literal["best", "minmax", "moving_average", "percentile", "entropy", "mse"] = "best"
    equalize: bool = False
    correct_bias: bool = False


class Half(Scheme):
    """Float32 numbers in float16."""

    option = "fp16"
    optimization = "cast"
    precision = "fp16"

    def __init__(self, order: QuantizeOrder, workspace: Workspace) -> None:  # noqa: ARG002  (one signature for all)
        super().__init__(order, Parameters, LIBRARIES)

    def run(self, source: Path, made: Path) -> tuple[str, ...]:
        """Convert everything but inputs and outputs."""
        model = quantization.halve(with_stored_constants(normalised(onnx.load(source, load_external_data=False))))
        put_in_order(model.graph)
        onnx.save(model, made)
        return ("ONNX Runtime computes float16 in float32 on a CPU: this saves size, not time",)


class Dynamic(Scheme):
    """8-bit weights of MatMul and Gemm; activations are quantised as they come."""

    option = "int8_dynamic"
    optimization = "dynamic"

    def __init__(self, order: QuantizeOrder, workspace: Workspace) -> None:  # noqa: ARG002  (one signature for all)
        super().__init__(order, DynamicParameters, LIBRARIES)
        integers = quantization.DYNAMIC_INTEGERS
        reduce_range = _saturates(integers, order.target_device)
        self.parameters = {**self.parameters, "integers": integers.name, "reduce_range": reduce_range}
        self._findings = (SEVEN_BITS,) if reduce_range else _saturation(integers, order.target_device)

    def run(self, source: Path, made: Path) -> tuple[str, ...]:
        """Quantise what the scheme covers."""
        prepared = _prepared(source)
        per_channel, reduce_range = bool(self.parameters["per_channel"]), bool(self.parameters["reduce_range"])
        quantization.quantize_dynamically(prepared, made, per_channel=per_channel, reduce_range=reduce_range)
        count = _check_quantized(prepared, made, self.option, "no MatMul or Gemm with stored weights")
        return (*self._findings, f"{count} matrix products compute in 8 bits; all other operators stay in float32")


class Static(Scheme):
    """8-bit weights and activations, with ranges from calibration samples."""

    option = "int8_static"
    optimization = "static"

    def __init__(self, order: QuantizeOrder, workspace: Workspace) -> None:
        super().__init__(order, StaticParameters, LIBRARIES)
        integers = quantization.integers_for(order.target_device)
        samples = CalibrationSamples(order, workspace, "an ONNX candidate")
        self._workspace = workspace
        self._known = order.statistics
        self._findings = samples.findings
        self._saturation = _saturation(integers, order.target_device)
        here = order.target_device is Device.CPU_GENERIC
        self._choices = Choices(
            per_channel=bool(self.parameters["per_channel"]),
            ranges=str(self.parameters["ranges"]),
            equalize=bool(self.parameters["equalize"]),
            correct_bias=bool(self.parameters["correct_bias"]),
            integers=integers,
            here=here,
            saturates=_saturates(integers, order.target_device),
        )
        self._samples = Samples(samples.digest, samples.rows, samples.feeds, samples.few)
        self.parameters = {**self.parameters, "integers": integers.name, **samples.parameters}

    def run(self, source: Path, made: Path) -> tuple[str, ...]:
        """Calibrate and quantise."""
        prepared = _prepared(source)
        calibration = Calibration(self._choices, self._samples, self._workspace, self._known, source.parent)
        calibrated = calibration.write(prepared, made)
        self.parameters = {
            **self.parameters,
            "ranges_chosen": calibrated.ranges,
            "reduce_range": calibrated.reduce_range,
            "statistics": calibrated.statistics,
        }
        count = _check_quantized(prepared, made, self.option, "no operator that computes in 8 bits")
        return (
            *self._findings,
            *((SEVEN_BITS,) if calibrated.reduce_range else self._saturation),
            f"{count} tensors pass through 8 bits ({self._choices.integers.name}), calibrated on "
            f"{len(self._samples.rows)} samples",
            *calibrated.findings,
        )


SCHEMES: Mapping[str, Callable[[QuantizeOrder, Workspace], Step]] = MappingProxyType(
    {scheme.option: scheme for scheme in (Half, Dynamic, Static)}
)


def _prepared(source: Path) -> Path:
    """Write the base as the quantiser needs it: functions inlined, opset 13 or later, folded, shapes inferred."""
    model = normalised(onnx.load(source, load_external_data=False))
    raised, prepared = source.with_name("raised.onnx"), source.with_name("prepared.onnx")
    onnx.save(with_opset(model, max(LEAST_OPSET, opset_of(model))), raised)
    quantization.prepare(raised, prepared)
    model = onnx.load(prepared)
    name_nodes(model)
    onnx.save(model, prepared)
    return prepared


def _saturates(integers: quantization.Integers, device: Device) -> bool:
    """Whether the candidate is for this machine's kind of processor, and 8-bit sums saturate on this one."""
    return device is Device.CPU_GENERIC and not integers.symmetric and environment.facts()["vnni"] == "no"


def _saturation(integers: quantization.Integers, device: Device) -> tuple[str, ...]:
    """Return what to know of U8S8 where any processor may come (ONNX Runtime's `quantize_static`, `reduce_range`)."""
    if integers.name != "U8S8" or device is not Device.CPU_GENERIC:
        return ()
    return (
        "computed as U8S8: on x86 processors without VNNI its sums can saturate and accuracy can be lower than "
        f"measured here (this host has VNNI: {environment.facts()['vnni']})",
    )


def _check_quantized(prepared: Path, made: Path, option: str, reason: str) -> int:
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
