"""Fewer bits: half precision, and 8-bit integers with or without calibration."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Literal, NoReturn

import onnx
from onnx import ModelProto
from pydantic import BaseModel, ConfigDict, ValidationError

from edgewright.state.artifacts import Artifact, Device, Format
from edgewright.state.errors import Code, Refused
from edgewright.state.evidence import Dataset
from edgewright.tools.datasets.calibration import LEAST_SAMPLES, choose_samples, require_fit
from edgewright.tools.datasets.prepared import open_dataset
from edgewright.tools.legible import legible
from edgewright.tools.optimize.calibrate.candidate import Calibration, Choices, Samples
from edgewright.tools.optimize.comparison import OutputComparison
from edgewright.tools.optimize.fingerprint import fingerprint
from edgewright.tools.optimize.step import Made, Step, make
from edgewright.tools.optimize.topology import put_in_order
from edgewright.tools.optimize.upgrade import name_nodes, normalised, with_opset, with_stored_constants
from edgewright.tools.orders import QuantizeOrder
from edgewright.tools.probe import environment
from edgewright.tools.probe.answer import ProbeError
from edgewright.tools.probe.feeds import Feeding, feeding
from edgewright.tools.probe.session import Port
from edgewright.tools.profile.graphs import nodes, opset_of
from edgewright.tools.profile.inspect import has_float32_weights, precision_of
from edgewright.tools.runtimes.onnxruntime import quantization
from edgewright.tools.runtimes.onnxruntime.activations import Feed, Feeds
from edgewright.tools.targets.host import Target
from edgewright.tools.workspace import Workspace

LEAST_CALIBRATION = LEAST_SAMPLES[Format.ONNX]
# Samples that candidates are tried on and biases corrected with, beside those that ranges are taken from.
FEW = 32
# From here on more samples change nothing that was seen (P7).
WANTED_CALIBRATION = 500
# Per-channel QuantizeLinear came with opset 13; below it the quantiser writes files that no runtime loads.
LEAST_OPSET = 13

OFFERED: Mapping[str, Sequence[str]] = {
    "fp16": (),
    "int8_dynamic": ("per_channel",),
    "int8_static": ("per_channel", "ranges", "equalize", "correct_bias"),
}
_NOT_YET = ("int8_weight_only", "int16x8", "int8_mixed")


class Parameters(BaseModel):
    """Options of `fp16`: none."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class DynamicParameters(Parameters):
    """Options of `int8_dynamic`."""

    per_channel: bool = True


class StaticParameters(Parameters):
    """Options of `int8_static`."""

    per_channel: bool = True
    ranges: Literal["best", "minmax", "moving_average", "percentile", "entropy", "mse"] = "best"
    equalize: bool = False
    correct_bias: bool = False


def quantize(order: QuantizeOrder, workspace: Workspace, target: Target) -> Made:
    """Make a candidate with fewer bits.

    Raises:
        Refused: SCHEME_NOT_OFFERED, CALIBRATION_MISSING, CALIBRATION_UNFIT, NOTHING_CHANGED, MODEL_NOT_FINITE,
            MODEL_UNSUPPORTED, MODEL_INVALID, DATA_MISMATCH or INVALID_ARGUMENT.
        CorruptArtifact: The base is not what its digest says.
    """
    scheme = _SCHEMES.get(order.scheme)
    if scheme is None:
        later = "is not offered for onnx yet" if order.scheme in _NOT_YET else "is not known"
        _refuse_scheme(order, f"the scheme {later}")
    return make(scheme(order, workspace), order, workspace, target)


def _refuse_scheme(order: QuantizeOrder, why: str) -> NoReturn:
    raise Refused.because(
        Code.SCHEME_NOT_OFFERED,
        f"quantizing by {order.scheme} with {dict(order.parameters) or 'no parameters'}",
        f"{why}; offered for onnx are {', '.join(OFFERED)}",
        "choose one of those",
        scheme=order.scheme,
        offered=dict(OFFERED),
    )


def _parameters(kind: type[Parameters], order: QuantizeOrder) -> Parameters:
    """Validate the options of a scheme."""
    try:
        return kind.model_validate(dict(order.parameters))
    except ValidationError as error:
        first = error.errors()[0]
        _refuse_scheme(order, f"{'.'.join(map(str, first['loc']))}: {first['msg']}")


class _Scheme:
    """What the schemes have in common."""

    call = "quantize"
    option = ""
    optimization = ""
    precision = "int8"

    def __init__(self, parameters: BaseModel) -> None:
        self.parameters: Mapping[str, object] = parameters.model_dump()
        self.tools: Mapping[str, str] = {name: version(name) for name in ("onnx", "onnxruntime")}

    def requires(self, model: ModelProto) -> None:
        """Refuse a base that has fewer bits already: FP16 and INT8 are alternatives, not a stack."""
        precision = precision_of(model)
        if precision != "fp32" or not has_float32_weights(model):
            raise Refused.because(
                Code.SCHEME_NOT_OFFERED if precision not in {"fp32", self.precision} else Code.NOTHING_CHANGED,
                f"quantizing this base by {self.option}",
                f"its precision is {precision}"
                if precision != "fp32"
                else "it holds no float32 weights that fewer bits could save",
                "take base 'original' if that is in float32, or package what there is",
                precision=precision,
            )

    def ensures(self, comparison: tuple[OutputComparison, ...]) -> tuple[str, ...]:
        """Report how far outputs moved; whether that is too far, accuracy decides."""
        return tuple(
            f"output '{legible(output.name)}' has another shape than the base's on {output.reshaped} samples"
            for output in comparison
            if output.reshaped
        )


class Half(_Scheme):
    """Float32 numbers in float16."""

    option = "fp16"
    optimization = "cast"
    precision = "fp16"

    def __init__(self, order: QuantizeOrder, workspace: Workspace) -> None:  # noqa: ARG002  (one signature for all)
        super().__init__(_parameters(Parameters, order))

    def run(self, source: Path, made: Path) -> tuple[str, ...]:
        """Convert everything but inputs and outputs."""
        model = quantization.halve(with_stored_constants(normalised(onnx.load(source, load_external_data=False))))
        put_in_order(model.graph)
        onnx.save(model, made)
        return ("ONNX Runtime computes float16 in float32 on a CPU: this saves size, not time",)


class Dynamic(_Scheme):
    """8-bit weights of MatMul and Gemm; activations are quantised as they come."""

    option = "int8_dynamic"
    optimization = "dynamic"

    def __init__(self, order: QuantizeOrder, workspace: Workspace) -> None:  # noqa: ARG002  (one signature for all)
        super().__init__(_parameters(DynamicParameters, order))
        integers = quantization.DYNAMIC_INTEGERS
        self.parameters = {**self.parameters, "integers": integers.name}
        self._findings = _saturation(integers, order.target_device)

    def run(self, source: Path, made: Path) -> tuple[str, ...]:
        """Quantise what the scheme covers."""
        prepared = _prepared(source)
        quantization.quantize_dynamically(prepared, made, per_channel=bool(self.parameters["per_channel"]))
        count = _check_quantized(prepared, made, self.option, "no MatMul or Gemm with stored weights")
        return (*self._findings, f"{count} matrix products compute in 8 bits; all other operators stay in float32")


class Static(_Scheme):
    """8-bit weights and activations, with ranges from calibration samples."""

    option = "int8_static"
    optimization = "static"

    def __init__(self, order: QuantizeOrder, workspace: Workspace) -> None:
        parameters = _parameters(StaticParameters, order)
        super().__init__(parameters)
        if order.calibration is None:
            raise Refused.because(
                Code.CALIBRATION_MISSING,
                "quantizing by int8_static",
                f"the run has no calibration set, and an ONNX candidate needs {LEAST_CALIBRATION} samples or more",
                "profile the model with `calibration`, or choose int8_dynamic, which needs none",
                "P7",
                least=LEAST_CALIBRATION,
            )
        if order.calibration_samples < LEAST_CALIBRATION:
            raise Refused.because(
                Code.INVALID_ARGUMENT,
                f"calibrating on {order.calibration_samples} samples",
                f"an ONNX candidate needs at least {LEAST_CALIBRATION}",
                f"leave the number out, or give {LEAST_CALIBRATION} or more",
                "P7",
                samples=order.calibration_samples,
                least=LEAST_CALIBRATION,
            )
        integers = quantization.integers_for(order.target_device)
        self._workspace = workspace
        self._known = order.statistics
        self._findings = (
            *require_fit(
                order.calibration,
                order.validation,
                workspace,
                least=LEAST_CALIBRATION,
                wanted=WANTED_CALIBRATION,
                candidate="an ONNX candidate",
            ),
        )
        self._saturation = _saturation(integers, order.target_device)
        here = order.target_device is Device.CPU_GENERIC
        self._choices = Choices(
            **parameters.model_dump(),
            integers=integers,
            here=here,
            saturates=here and not integers.symmetric and environment.facts()["vnni"] == "no",
        )
        self._samples = _samples(order, order.calibration, workspace)
        self.parameters = {
            **self.parameters,
            "integers": integers.name,
            "calibration_samples": len(self._samples.rows),
            "calibration": order.calibration.digest,
        }

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
        seven = "weights have 7 bits: sums do not saturate, whatever the processor"
        return (
            *self._findings,
            *((seven,) if calibrated.reduce_range else self._saturation),
            f"{count} tensors pass through 8 bits ({self._choices.integers.name}), calibrated on "
            f"{len(self._samples.rows)} samples",
            *calibrated.findings,
        )


_SCHEMES: Mapping[str, Callable[[QuantizeOrder, Workspace], Step]] = {
    scheme.option: scheme for scheme in (Half, Dynamic, Static)
}


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


def _saturation(integers: quantization.Integers, device: Device) -> tuple[str, ...]:
    """Return what to know of U8S8 where any processor may come (ONNX Runtime's `quantize_static`, `reduce_range`)."""
    if integers.name != "U8S8" or device is not Device.CPU_GENERIC:
        return ()
    return (
        "computed as U8S8: on x86 processors without VNNI its sums can saturate and accuracy can be lower than "
        f"measured here (this host has VNNI: {environment.facts()['vnni']})",
    )


def _feeding(base: Artifact, calibration: Dataset, workspace: Workspace) -> Feeding:
    """Return how calibration samples go into the model, whose inputs no step may change."""
    ports = [Port(spec.name, spec.dtype, spec.shape) for spec in base.inputs]
    try:
        return feeding(ports, open_dataset(calibration, workspace).inputs)
    except ProbeError as error:
        raise Refused.because(
            Code.DATA_MISMATCH,
            "calibrating on this set",
            str(error),
            "give a calibration set with the same card as the validation set",
            "P7",
            "P9",
        ) from error


def _whole_batches(asked: int, available: int, batch: int) -> int:
    """Return the number of samples that fill whole batches: at least as many as asked for, where there are enough."""
    count = min(-(-asked // batch), available // batch) * batch
    if count < LEAST_CALIBRATION:
        raise Refused.because(
            Code.CALIBRATION_UNFIT,
            f"calibrating on {available} samples",
            f"the model fixes a batch of {batch}, their whole batches hold {count}, and an ONNX candidate needs "
            f"{LEAST_CALIBRATION}",
            f"give {-(-LEAST_CALIBRATION // batch) * batch} samples or more, or export the model without a fixed batch",
            "P7",
            samples=available,
            batch=batch,
        )
    return count


def _samples(order: QuantizeOrder, calibration: Dataset, workspace: Workspace) -> Samples:
    """Choose the samples that ranges are taken from, and a few to try candidates on: others, where there are others."""
    plan = _feeding(order.base, calibration, workspace)
    batch = plan.batch or 1
    rows = choose_samples(calibration, workspace, _whole_batches(order.calibration_samples, calibration.n, batch))
    others = sorted(set(range(calibration.n)) - set(rows))
    few = others if len(others) >= FEW else rows
    few = [few[place * len(few) // FEW] for place in range(FEW)]
    few = few[: len(few) // batch * batch] or list(rows[:batch])
    return Samples(
        calibration.digest,
        rows,
        _feeds(plan, rows, lambda done: workspace.progress(done, len(rows), "calibrating")),
        _feeds(plan, few, lambda _done: None),
    )


def _feeds(plan: Feeding, rows: Sequence[int], progress: Callable[[int], None]) -> Feeds:
    """Return what gives the chosen samples, batched as the model wants them, once a pass."""
    size = plan.batch or 1

    def feeds() -> Iterator[Feed]:
        for start in range(0, len(rows), size):
            progress(start)
            yield plan.feed(rows[start : start + size])

    return feeds


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
