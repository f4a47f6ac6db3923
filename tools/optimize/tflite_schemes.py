"""Fewer bits for TFLite files, by AI Edge Quantizer."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from pydantic import Field

from edgewright.state.artifacts import TensorSpec
from edgewright.state.errors import Code, Refused
from edgewright.tools.formats.tflite_graph import operator_outputs, quantised_operators, signature_key
from edgewright.tools.formats.tflite_model import TfliteModel, read
from edgewright.tools.legible import legible
from edgewright.tools.optimize.calibrating import CalibrationSamples
from edgewright.tools.optimize.scheme import Parameters, Scheme
from edgewright.tools.optimize.step import Step
from edgewright.tools.orders import QuantizeOrder
from edgewright.tools.runtimes.litert.quantization import SIGNATURE, Bits, activation_ranges, quantize
from edgewright.tools.runtimes.litert.schema import new_signature
from edgewright.tools.targets.target import Places
from edgewright.tools.workspace import Workspace

LIBRARIES = ("ai-edge-litert", "ai-edge-quantizer")


class ExcludingParameters(Parameters):
    """Options of every scheme here.

    Attributes:
        exclude: Operators that stay in float32, each by the name of one of its output tensors.
    """

    exclude: tuple[str, ...] = Field((), strict=False)  # an order travels as JSON, which has lists alone


class WeightParameters(ExcludingParameters):
    """Options of `int8_dynamic` and `int8_weight_only`."""

    per_channel: bool = True


class StaticParameters(WeightParameters):
    """Options of `int8_static`.

    Attributes:
        io_dtype: Element type of inputs and outputs; with int8 the caller turns real numbers into integers, which
            packages and measurements here do.
    """

    io_dtype: Literal["float32", "int8"] = "float32"


class _TfliteScheme(Scheme):
    """What the schemes here share: which operators are left out, and how many were not."""

    said = ""

    def __init__(self, order: QuantizeOrder, options: type[ExcludingParameters], bits: Bits) -> None:
        super().__init__(order, options, LIBRARIES)
        self._bits = replace(bits, per_channel=bool(self.parameters.get("per_channel", True)))

    def run(self, source: Path, made: Path) -> tuple[str, ...]:
        """Quantise what the scheme covers."""
        model = read(source)
        bits = replace(self._bits, exclude=tuple(self._excluded(model)))
        self._quantize(_with_signature(model, source), made, bits)
        result = read(made)
        done, total = quantised_operators(result.objects)
        if not done:
            raise Refused.because(
                Code.NOTHING_CHANGED,
                f"quantizing this base by {self.option}",
                f"none of its operators is one that the scheme covers: {', '.join(model.graph().operators)}",
                "choose another scheme, or package the model as it is",
                option=self.option,
            )
        return (f"{done} of {total} operators {self.said}", *self._findings(result))

    def _quantize(self, source: Path, made: Path, bits: Bits) -> None:
        quantize(source, made, bits)

    def _findings(self, result: TfliteModel) -> tuple[str, ...]:
        del result
        return ()

    def _excluded(self, model: TfliteModel) -> Iterable[tuple[str, ...]]:
        """Yield the outputs of each operator that is left out."""
        operators = operator_outputs(model.objects)
        wanted = self.parameters["exclude"]
        for name in wanted if isinstance(wanted, tuple | list) else ():
            found = [outputs for outputs in operators if name in outputs]
            if not found:
                raise Refused.because(
                    Code.INVALID_ARGUMENT,
                    f"leaving out the operator of '{legible(str(name))}'",
                    "no operator has an output of that name",
                    "name output tensors of the base",
                )
            yield from found


class Half(_TfliteScheme):
    """Float32 weights in float16."""

    option = "fp16"
    optimization = "cast"
    precision = "fp16"
    said = "read float16 weights"

    def __init__(self, order: QuantizeOrder, _workspace: Workspace, _places: Places) -> None:
        super().__init__(order, ExcludingParameters, Bits(weights=16))

    def _findings(self, result: TfliteModel) -> tuple[str, ...]:
        del result
        return (
            "LiteRT computes in float32 with float16 weights unless it is told otherwise: this saves size, not time",
        )


class Dynamic(_TfliteScheme):
    """8-bit weights; activations are quantised as they come."""

    option = "int8_dynamic"
    optimization = "dynamic"
    said = "multiply in 8 bits, with activations quantised as they come"

    def __init__(self, order: QuantizeOrder, _workspace: Workspace, _places: Places) -> None:
        super().__init__(order, WeightParameters, Bits(weights=8, integer_compute=True))


class WeightOnly(_TfliteScheme):
    """8-bit weights that become float32 before they are used."""

    option = "int8_weight_only"
    optimization = "weight-only"
    said = "read 8-bit weights and compute in float32: this saves size, not time"

    def __init__(self, order: QuantizeOrder, _workspace: Workspace, _places: Places) -> None:
        super().__init__(order, WeightParameters, Bits(weights=8))


class Static(_TfliteScheme):
    """8-bit weights and activations, with ranges from calibration samples."""

    option = "int8_static"
    optimization = "static"
    said = "compute in 8 bits"
    activations = 8
    options: type[ExcludingParameters] = StaticParameters

    def __init__(self, order: QuantizeOrder, workspace: Workspace, _places: Places) -> None:
        super().__init__(order, self.options, Bits(weights=8, activations=self.activations))
        self._bits = replace(self._bits, integer_io=self.parameters.get("io_dtype") == "int8")
        self._calibration = CalibrationSamples(order, workspace, "a TFLite candidate")
        self.parameters = {**self.parameters, **self._calibration.parameters}

    def _quantize(self, source: Path, made: Path, bits: Bits) -> None:
        key = signature_key(read(source).objects)
        quantize(source, made, bits, activation_ranges(source, self._calibration.feeds(), key, bits))

    def _findings(self, result: TfliteModel) -> tuple[str, ...]:
        ends = (*_ends("input", result.inputs), *_ends("output", result.outputs))
        return (f"calibrated on {len(self._calibration.rows)} samples", *self._calibration.findings, *ends)


class Wide(Static):
    """8-bit weights and 16-bit activations."""

    option = "int16x8"
    precision = "int16x8"
    said = "compute with 16-bit activations and 8-bit weights"
    activations = 16
    options = ExcludingParameters

    def _findings(self, result: TfliteModel) -> tuple[str, ...]:
        slow = "16-bit activations run on plain reference kernels, many times slower than float32 on most processors"
        return (*super()._findings(result), slow)


SCHEMES: Mapping[str, Callable[[QuantizeOrder, Workspace, Places], Step]] = MappingProxyType(
    {scheme.option: scheme for scheme in (Half, Dynamic, WeightOnly, Static, Wide)}
)


def _with_signature(model: TfliteModel, source: Path) -> Path:
    """Return a file whose main graph has a signature, which the quantiser needs; its names are those of the graph."""
    if signature_key(model.objects):
        return source
    new_signature(SIGNATURE, model.objects)
    signed = source.with_name("signed.tflite")
    model.save(signed)
    return signed


def _ends(which: str, specs: tuple[TensorSpec, ...]) -> tuple[str, ...]:
    return tuple(
        f"{which} '{legible(spec.name)}' is {spec.dtype}, of which {spec.quantization}"
        for spec in specs
        if spec.quantization is not None
    )
