"""ONNX Runtime's quantiser, with the choices that suit the device a model is made for."""

from dataclasses import dataclass
from pathlib import Path

from onnx import ModelProto
from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_dynamic, quantize_static
from onnxruntime.quantization.calibrate import save_tensors_data
from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry
from onnxruntime.quantization.shape_inference import quant_pre_process
from onnxruntime.transformers.float16 import convert_float_to_float16

from edgewright.state.artifacts import Device
from edgewright.tools.runtimes.onnxruntime.calibration import Feeds, activation_ranges

# On convolutions dynamic quantisation is several times slower than float (measured: ONNX Runtime 1.32, x86-64).
DYNAMIC_OPERATORS = ("MatMul", "Gemm")


@dataclass(frozen=True)
class Integers:
    """The kind of 8-bit integers that a device computes with.

    Attributes:
        name: `U8S8` or `S8S8`: activations, then weights.
        activations: Type of activations.
        options: Further options of the quantiser.
    """

    name: str
    activations: QuantType
    options: dict[str, bool]


# Unsigned activations with signed weights are what ONNX Runtime's CPU kernels fuse completely, on x86 and ARM
# (onnxruntime.ai, "Quantize ONNX models"). TensorRT takes only symmetric signed ones, with biases left in float
# (NVIDIA TensorRT documentation, "Explicit quantization").
CPU_INTEGERS = Integers("U8S8", QuantType.QUInt8, {"ActivationSymmetric": False, "WeightSymmetric": True})
TENSORRT_INTEGERS = Integers(
    "S8S8", QuantType.QInt8, {"ActivationSymmetric": True, "WeightSymmetric": True, "QuantizeBias": False}
)
# Dynamic quantisation computes in uint8 whatever the device (ONNX operator DynamicQuantizeLinear).
DYNAMIC_INTEGERS = CPU_INTEGERS


def integers_for(device: Device) -> Integers:
    """Return the kind of integers for a device."""
    return TENSORRT_INTEGERS if device is Device.JETSON_ORIN_NANO else CPU_INTEGERS


def prepare(source: Path, target: Path) -> None:
    """Fold constants and batch normalisation and infer shapes, as the quantiser expects it."""
    # Symbolic shape inference would need sympy and helps large language models only.
    quant_pre_process(source, target, skip_symbolic_shape=True)


def quantize_statically(
    prepared: Path, target: Path, feeds: Feeds, *, method: str, per_channel: bool, integers: Integers
) -> None:
    """Write `target` with QuantizeLinear and DequantizeLinear around every operator that can compute in 8 bits.

    Args:
        prepared: What `prepare` wrote.
        target: Where the quantised model goes; its folder also takes intermediate files.
        feeds: Gives the calibration samples, once a pass.
        method: How ranges are chosen: `minmax`, `percentile` or `entropy`.
        per_channel: Whether each output channel of a weight has its own scale.
        integers: Kind of integers.

    Raises:
        Refused: MODEL_NOT_FINITE, if an activation overflows on a sample.
    """
    operators = sorted({*QDQRegistry, *QLinearOpsRegistry})
    ranges = target.with_suffix(".ranges.json")
    save_tensors_data(activation_ranges(prepared, feeds, method, operators, target.parent), ranges)
    quantize_static(
        prepared,
        target,
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=operators,
        per_channel=per_channel,
        activation_type=integers.activations,
        weight_type=QuantType.QInt8,
        # The ranges are final, whatever method chose them; the quantiser only reads them.
        calibrate_method=CalibrationMethod.MinMax,
        calibration_cache_path=ranges,
        extra_options=dict(integers.options),
    )


def quantize_dynamically(prepared: Path, target: Path, *, per_channel: bool) -> None:
    """Write `target` with the weights of MatMul and Gemm in 8 bits and activations quantised as they come."""
    quantize_dynamic(
        prepared,
        target,
        op_types_to_quantize=list(DYNAMIC_OPERATORS),
        per_channel=per_channel,
        weight_type=QuantType.QInt8,
    )


def halve(model: ModelProto) -> ModelProto:
    """Return the model with its float32 numbers in float16, inputs and outputs as they were."""
    halved: ModelProto = convert_float_to_float16(model, keep_io_types=True)
    return halved
