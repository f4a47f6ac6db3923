"""ONNX Runtime's quantiser, with the choices that suit the device a model is made for."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from onnx import ModelProto
from onnxruntime.quantization import CalibrationMethod, QuantType, quantize_dynamic
from onnxruntime.quantization.calibrate import TensorsData
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry
from onnxruntime.quantization.shape_inference import quant_pre_process
from onnxruntime.transformers.float16 import convert_float_to_float16

from edgewright.state.artifacts import Device
from edgewright.tools.profile.graphs import within
from edgewright.tools.runtimes.onnxruntime.tensorrt_graph import left_out, rewire

# On convolutions dynamic quantisation is several times slower than float (measured: ONNX Runtime 1.32, x86-64).
DYNAMIC_OPERATORS = ("MatMul", "Gemm")
# What the quantiser adds to the name of a Gemm when it makes a MatMul of it (`ONNXModel.replace_gemm_with_matmul`).
FROM_GEMM = "_MatMul"
# Everything that has an 8-bit form.
OPERATORS = tuple(sorted({*QDQRegistry, *QLinearOpsRegistry}))


@dataclass(frozen=True)
class Integers:
    """The kind of 8-bit integers that a device computes with.

    Attributes:
        name: `U8S8` or `S8S8`: activations, then weights.
        activations: Type of activations.
        options: Further options of the quantiser.
        left_out: Which nodes of a prepared model stay as they are, although they have an 8-bit form; each with why.
        rewires: Whether nodes that stay as they are read what was there before it was quantised for others.
    """

    name: str
    activations: QuantType
    options: Mapping[str, object]
    left_out: Callable[[ModelProto], Mapping[str, str]] = lambda _model: {}
    rewires: bool = False

    @property
    def symmetric(self) -> bool:
        """Whether zero lies in the middle of the range of activations."""
        return bool(self.options["ActivationSymmetric"])

    def with_float_bias(self) -> "Integers":
        """Return the same with biases left in float32."""
        return replace(self, options={**self.options, "QuantizeBias": False})


# Unsigned activations with signed weights are what ONNX Runtime's CPU kernels fuse completely, on x86 and ARM
# (onnxruntime.ai, "Quantize ONNX models"). TensorRT takes only symmetric signed ones, with biases left in float, and
# wants the inputs of what it fuses quantised, not the outputs (NVIDIA TensorRT documentation, "Explicit Quantization").
CPU_INTEGERS = Integers("U8S8", QuantType.QUInt8, {"ActivationSymmetric": False, "WeightSymmetric": True})
TENSORRT_INTEGERS = Integers(
    "S8S8",
    QuantType.QInt8,
    {
        "ActivationSymmetric": True,
        "WeightSymmetric": True,
        "QuantizeBias": False,
        "OpTypesToExcludeOutputQuantization": list(OPERATORS),
        "ForceQuantizeNoInputCheck": True,
    },
    left_out=left_out,
    rewires=True,
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
    prepared: ModelProto,
    target: Path,
    ranges: Mapping[str, tuple[float, float]],
    *,
    per_channel: bool,
    integers: Integers,
    reduce_range: bool = False,
    kept: Collection[str] = (),
) -> None:
    """Write `target` with QuantizeLinear and DequantizeLinear around every operator that can compute in 8 bits.

    Args:
        prepared: What `prepare` wrote; it is not changed.
        target: Where the quantised model goes.
        ranges: Tensor to its smallest and largest value; a tensor without one stays in float32.
        per_channel: Whether each output channel of a weight has its own scale.
        integers: Kind of integers.
        reduce_range: Whether weights use 7 of their 8 bits, so that no sum of U8S8 products saturates.
        kept: Nodes that stay in float32.
    """
    model = ModelProto()
    model.CopyFrom(prepared)
    left = {*read_inside(model), *kept, *integers.left_out(model)}
    reach = {name: (np.asarray(low, np.float32), np.asarray(high, np.float32)) for name, (low, high) in ranges.items()}
    quantizer = QDQQuantizer(
        model,
        per_channel=per_channel,
        reduce_range=reduce_range,
        weight_qType=QuantType.QInt8,
        activation_qType=integers.activations,
        tensors_range=TensorsData(CalibrationMethod.MinMax, reach),
        nodes_to_quantize=[],
        nodes_to_exclude=sorted(left),
        op_types_to_quantize=list(OPERATORS),
        extra_options=dict(integers.options),
    )
    quantizer.quantize_model()
    if integers.rewires:
        rewire(quantizer.model.model, left)
    quantizer.model.save_model_to_file(str(target), use_external_data_format=False)


def read_inside(model: ModelProto) -> list[str]:
    """Return the nodes around values that a subgraph reads: the quantiser renames values in the main graph only."""
    inner = {
        name for graph in within(model.graph) if graph is not model.graph for node in graph.node for name in node.input
    }
    return [node.name for node in model.graph.node if inner & {*node.input, *node.output}]


def quantize_dynamically(
    prepared: Path, target: Path, *, per_channel: bool, reduce_range: bool, nodes: Sequence[str] = ()
) -> None:
    """Write `target` with the weights of MatMul and Gemm in 8 bits and activations quantised as they come.

    Args:
        prepared: The base.
        target: Where the result goes.
        per_channel: Whether each output channel of a weight has its own scale.
        reduce_range: Whether weights have 7 bits, so that no sum of products saturates.
        nodes: The matrix products to quantise; all of them where none is named.
    """
    quantize_dynamic(
        prepared,
        target,
        nodes_to_quantize=[*nodes, *(f"{name}{FROM_GEMM}" for name in nodes)],
        op_types_to_quantize=list(DYNAMIC_OPERATORS),
        per_channel=per_channel,
        reduce_range=reduce_range,
        weight_type=QuantType.QInt8,
    )


def halve(model: ModelProto) -> ModelProto:
    """Return the model with its float32 numbers in float16, inputs and outputs as they were."""
    halved: ModelProto = convert_float_to_float16(model, keep_io_types=True)
    return halved
