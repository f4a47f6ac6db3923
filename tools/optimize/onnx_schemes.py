"""Fewer bits for ONNX files, by ONNX Runtime's quantiser."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import onnx

from edgewright.tools.optimize.calibrate.candidate import Calibration, Samples
from edgewright.tools.optimize.calibrating import CalibrationSamples
from edgewright.tools.optimize.onnx_base import (
    LIBRARIES,
    SEVEN_BITS,
    check_quantized,
    prepared_base,
    saturates,
    saturation,
    usual_choices,
)
from edgewright.tools.optimize.onnx_mixed import Mixed
from edgewright.tools.optimize.scheme import Parameters, Scheme
from edgewright.tools.optimize.step import Step
from edgewright.tools.optimize.topology import put_in_order
from edgewright.tools.optimize.upgrade import normalised, with_stored_constants
from edgewright.tools.orders import QuantizeOrder
from edgewright.tools.runtimes.onnxruntime import quantization
from edgewright.tools.targets.target import Places
from edgewright.tools.workspace import Workspace


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

    def __init__(self, order: QuantizeOrder, _workspace: Workspace, _places: Places) -> None:
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

    def __init__(self, order: QuantizeOrder, _workspace: Workspace, _places: Places) -> None:
        super().__init__(order, DynamicParameters, LIBRARIES)
        integers = quantization.DYNAMIC_INTEGERS
        reduce_range = saturates(integers, order.target_device)
        self.parameters = {**self.parameters, "integers": integers.name, "reduce_range": reduce_range}
        self._findings = (SEVEN_BITS,) if reduce_range else saturation(integers, order.target_device)

    def run(self, source: Path, made: Path) -> tuple[str, ...]:
        """Quantise what the scheme covers."""
        prepared = prepared_base(source)
        per_channel, reduce_range = bool(self.parameters["per_channel"]), bool(self.parameters["reduce_range"])
        quantization.quantize_dynamically(prepared, made, per_channel=per_channel, reduce_range=reduce_range)
        count = check_quantized(prepared, made, self.option, "no MatMul or Gemm with stored weights")
        return (*self._findings, f"{count} matrix products compute in 8 bits; all other operators stay in float32")


class Static(Scheme):
    """8-bit weights and activations, with ranges from calibration samples."""

    option = "int8_static"
    optimization = "static"
    options: type[StaticParameters] = StaticParameters
    candidate = "an ONNX candidate"

    def __init__(self, order: QuantizeOrder, workspace: Workspace, _places: Places) -> None:
        super().__init__(order, self.options, LIBRARIES)
        samples = CalibrationSamples(order, workspace, self.candidate)
        self._workspace = workspace
        self._known = order.statistics
        self._findings = samples.findings
        self._choices = replace(
            usual_choices(order.target_device),
            per_channel=bool(self.parameters["per_channel"]),
            ranges=str(self.parameters["ranges"]),
            equalize=bool(self.parameters["equalize"]),
            correct_bias=bool(self.parameters["correct_bias"]),
        )
        integers = self._choices.integers
        self._saturation = saturation(integers, order.target_device)
        self._samples = Samples(samples.digest, samples.rows, samples.feeds, samples.few)
        self.parameters = {**self.parameters, "integers": integers.name, **samples.parameters}

    def run(self, source: Path, made: Path) -> tuple[str, ...]:
        """Calibrate and quantise."""
        prepared = prepared_base(source)
        calibration = Calibration(self._choices, self._samples, self._workspace, self._known, source.parent)
        calibrated = calibration.calibrate(prepared)
        calibration.write(calibrated, made, self._kept(prepared))
        self.parameters = {
            **self.parameters,
            "ranges_chosen": calibrated.ranges,
            "reduce_range": calibrated.reduce_range,
            "statistics": calibrated.statistics,
        }
        count = check_quantized(prepared, made, self.option, "no operator that computes in 8 bits")
        return (
            *self._findings,
            *((SEVEN_BITS,) if calibrated.reduce_range else self._saturation),
            f"{count} tensors pass through 8 bits ({self._choices.integers.name}), calibrated on "
            f"{len(self._samples.rows)} samples",
            *calibrated.findings,
        )

    def _kept(self, prepared: Path) -> Collection[str]:
        """Return the names of the nodes that stay in float32 although they need not."""
        del prepared
        return ()


SCHEMES: Mapping[str, Callable[[QuantizeOrder, Workspace, Places], Step]] = MappingProxyType(
    {scheme.option: scheme for scheme in (Half, Dynamic, Static, Mixed)}
)
