"""Fewer bits: what each scheme makes of real models, and when it is refused."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx
import onnx_models as models
import pytest
from onnx import ModelProto, TensorProto
from optimize_bench import Bench, BenchOf, dataset_of, figure_of

from edgewright.state.artifacts import Device
from edgewright.state.errors import Code, Refusal, Refused
from edgewright.tools.optimize import onnx_base as subject
from edgewright.tools.optimize.calibrate.candidate import BEST_OF
from edgewright.tools.profile.graphs import opset_of

DATA = (("validation", 1, 70), ("calibration", 2, 120))


def operators(model: onnx.ModelProto) -> set[str]:
    return {node.op_type for node in model.graph.node}


def refused(call: Callable[[], object]) -> Refusal:
    with pytest.raises(Refused) as caught:
        call()
    return caught.value.refusal


@pytest.mark.parametrize(
    "build",
    [
        models.conv_net,
        models.mlp,
        models.gru,
        models.lstm,
        models.old_net,
        models.constants_net,
        models.branch_net,
        models.function_net,
        models.shared_net,
    ],
)
def test_fp16_halves_the_weights_and_keeps_the_interface(build: Callable[[], ModelProto], bench_of: BenchOf) -> None:
    bench = bench_of(build())
    made = bench.quantize("fp16")
    assert made.artifact.precision == "fp16"
    assert made.artifact.name == "My-net_cast_fp16.onnx"
    assert figure_of(made, "cosine") > 0.99999
    assert (made.artifact.inputs, made.artifact.outputs) == (bench.base.inputs, bench.base.outputs)
    assert "saves size, not time" in made.findings[0]


@pytest.mark.parametrize("build", [models.mlp, models.conv_net, models.old_net, models.constants_net])
def test_int8_dynamic_quantises_matrix_products_and_nothing_else(
    build: Callable[[], ModelProto], bench_of: BenchOf
) -> None:
    bench = bench_of(build())
    made = bench.quantize("int8_dynamic")
    made_of = operators(bench.load(made))
    assert "MatMulInteger" in made_of
    assert "ConvInteger" not in made_of
    assert made.artifact.name == "My-net_dynamic_int8.onnx"
    assert figure_of(made, "cosine") > 0.999


@pytest.mark.parametrize("build", [models.gru, models.lstm, models.batch_norm_net, models.branch_net])
def test_int8_dynamic_without_a_matrix_product_is_refused(build: Callable[[], ModelProto], bench_of: BenchOf) -> None:
    refusal = refused(lambda: bench_of(build()).quantize("int8_dynamic"))
    assert refusal.code is Code.NOTHING_CHANGED
    assert "no MatMul or Gemm" in refusal.why


@pytest.mark.parametrize(
    ("method", "per_channel"), [("minmax", True), ("minmax", False), ("percentile", True), ("entropy", False)]
)
def test_int8_static_stays_close_to_the_base(method: str, per_channel: object, bench_of: BenchOf) -> None:
    bench = bench_of(models.conv_net())
    made = bench.quantize("int8_static", per_channel=per_channel, ranges=method)
    model = bench.load(made)
    assert {"QuantizeLinear", "DequantizeLinear"} <= operators(model)
    assert figure_of(made, "cosine") > 0.995
    assert made.artifact.precision == "int8"
    scales = [tensor for tensor in model.graph.initializer if tensor.name == "w1_scale"]
    assert [list(tensor.dims) for tensor in scales] == [[8] if per_channel else []]


def test_int8_static_says_everything_needed_to_make_it_again(bench_of: BenchOf) -> None:
    bench = bench_of(models.mlp())
    made = bench.quantize("int8_static", samples=110)
    said = dict(made.artifact.recipe.parameters)
    assert len(str(said.pop("statistics"))) == 64
    assert said.pop("ranges_chosen") in BEST_OF
    assert said.pop("reduce_range") in {False, True}
    assert said == {
        "per_channel": True,
        "ranges": "best",
        "equalize": False,
        "correct_bias": False,
        "integers": "U8S8",
        "calibration_samples": 110,
        "calibration": bench.calibration.digest,
    }
    assert set(made.artifact.recipe.tools) == {"onnx", "onnxruntime"}
    again = bench.quantize("int8_static", samples=110)
    assert again.artifact.sha256 == made.artifact.sha256


@pytest.mark.parametrize("opset", [9, 11])
def test_per_channel_int8_of_an_old_opset_is_raised_to_13_and_loads(opset: int, bench_of: BenchOf) -> None:
    bench = bench_of(models.old_net(opset))
    made = bench.quantize("int8_static")
    assert opset_of(bench.load(made)) == 13
    assert figure_of(made, "cosine") > 0.999


@pytest.mark.parametrize("build", [models.constants_net, models.function_net, models.shared_net, models.batch_norm_net])
def test_int8_static_finds_weights_wherever_they_are_kept(build: Callable[[], ModelProto], bench_of: BenchOf) -> None:
    bench = bench_of(build())
    model = bench.load(bench.quantize("int8_static"))
    assert TensorProto.INT8 in {tensor.data_type for tensor in model.graph.initializer}


@pytest.mark.parametrize("method", ["minmax", "entropy"])
@pytest.mark.parametrize("build", [models.gru, models.branch_net])
def test_int8_static_of_what_cannot_compute_in_8_bits_is_refused(
    build: Callable[[], ModelProto], method: str, bench_of: BenchOf
) -> None:
    refusal = refused(lambda: bench_of(build()).quantize("int8_static", ranges=method))
    assert refusal.code is Code.NOTHING_CHANGED


@pytest.mark.promise("P8")
def test_the_kind_of_integers_follows_the_device(bench_of: BenchOf) -> None:
    bench = bench_of(models.conv_net(), 500)
    for device, name, kind in (
        (Device.JETSON_ORIN_NANO, "S8S8", TensorProto.INT8),
        (Device.RASPBERRY_PI_5, "U8S8", TensorProto.UINT8),
    ):
        made = replace(bench, device=device).quantize("int8_static", samples=500)
        zero_point = next(t for t in bench.load(made).graph.initializer if t.name == "image_zero_point")
        assert (made.artifact.recipe.parameters["integers"], zero_point.data_type) == (name, kind)


@pytest.mark.promise("P7")
def test_int8_static_without_calibration_data_is_refused(bench_of: BenchOf) -> None:
    refusal = refused(lambda: bench_of(models.mlp(), calibration=0).quantize("int8_static"))
    assert refusal.code is Code.CALIBRATION_MISSING
    assert refusal.promises == ("P7",)


@pytest.mark.promise("P7")
def test_int8_static_with_too_few_samples_is_refused(bench_of: BenchOf) -> None:
    refusal = refused(lambda: bench_of(models.mlp(), calibration=99).quantize("int8_static"))
    assert refusal.code is Code.CALIBRATION_UNFIT
    assert refusal.what == "calibrating an ONNX candidate on this set"
    assert "99" in refusal.why


@pytest.mark.promise("P7")
def test_asking_to_use_fewer_samples_than_that_is_refused(bench_of: BenchOf) -> None:
    refusal = refused(lambda: bench_of(models.mlp()).quantize("int8_static", samples=10))
    assert refusal.code is Code.INVALID_ARGUMENT
    assert "an ONNX candidate needs at least 100" in refusal.why


def fixed_batch_bench(bench_of: BenchOf, size: int) -> Bench:
    model = models.mlp()
    for value in (model.graph.input[0], model.graph.output[0]):
        value.type.tensor_type.shape.dim[0].dim_value = size
    bench = bench_of(model)
    # The bench takes a fixed first dimension for part of a sample, so the data is made of single rows here.
    rows = {name: np.random.default_rng(seed).standard_normal((n, 12)).astype(np.float32) for name, seed, n in DATA}
    sets = {
        name: dataset_of({"x": array}, bench.original.parent, f"rows-{name}", bench.workspace)
        for name, array in rows.items()
    }
    return replace(bench, **sets)


@pytest.mark.promise("P7")
def test_a_fixed_batch_is_calibrated_on_whole_batches_and_only_those_are_counted(bench_of: BenchOf) -> None:
    bench = fixed_batch_bench(bench_of, 16)
    made = bench.quantize("int8_static", samples=110)
    assert made.artifact.recipe.parameters["calibration_samples"] == 112
    assert any("calibrated on 112 samples" in finding for finding in made.findings)


@pytest.mark.promise("P7")
def test_a_fixed_batch_that_the_samples_do_not_fill_is_refused(bench_of: BenchOf) -> None:
    refusal = refused(lambda: fixed_batch_bench(bench_of, 128).quantize("int8_static"))
    assert refusal.code is Code.CALIBRATION_UNFIT
    assert (refusal.facts["samples"], refusal.facts["batch"]) == (120, 128)


@pytest.mark.parametrize(
    ("scheme", "device", "told"),
    [
        ("int8_static", Device.CPU_GENERIC, "computed as U8S8: on x86 processors without VNNI its sums can saturate"),
        ("int8_dynamic", Device.CPU_GENERIC, "weights have 7 bits: sums do not saturate, whatever the processor"),
        ("int8_static", Device.RASPBERRY_PI_5, ""),
        ("int8_dynamic", Device.RASPBERRY_PI_5, ""),
        ("fp16", Device.CPU_GENERIC, ""),
    ],
)
def test_saturating_sums_are_prevented_or_told_of_where_the_processor_may_lack_vnni(
    scheme: str, device: Device, told: str, bench_of: BenchOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = subject.environment.facts()
    monkeypatch.setattr(subject.environment, "facts", lambda: {**here, "vnni": "no"})
    made = replace(bench_of(models.mlp()), device=device).quantize(
        scheme, **({"ranges": "minmax"} if scheme == "int8_static" else {})
    )
    found = [finding for finding in made.findings if "saturate" in finding]
    assert [finding.startswith(told) for finding in found] == ([True] if told else [])
    assert made.artifact.recipe.parameters.get("integers") == (None if scheme == "fp16" else "U8S8")


@pytest.mark.promise("P7")
def test_calibrating_on_the_validation_set_is_refused(bench_of: BenchOf) -> None:
    bench = bench_of(models.mlp())
    refusal = refused(lambda: replace(bench, validation=bench.calibration).quantize("int8_static"))
    assert refusal.code is Code.CALIBRATION_UNFIT


@pytest.mark.parametrize(
    ("scheme", "said"),
    [("int8_weight_only", "for tflite only"), ("int16x8", "for tflite only"), ("int2", "is not offered;")],
)
def test_schemes_that_onnx_does_not_have_are_refused_with_those_it_has(
    scheme: str, said: str, bench_of: BenchOf
) -> None:
    refusal = refused(lambda: bench_of(models.mlp()).quantize(scheme))
    assert refusal.code is Code.SCHEME_NOT_OFFERED
    assert said in refusal.why
    assert set(refusal.facts["offered"]) == {"fp16", "int8_dynamic", "int8_static", "int8_mixed"}


@pytest.mark.parametrize(
    ("scheme", "parameters"),
    [
        ("int4", {}),
        ("fp16", {"per_channel": True}),
        ("int8_dynamic", {"ranges": "minmax"}),
        ("int8_static", {"ranges": "distribution"}),
        ("int8_static", {"per_channel": "yes"}),
        ("int8_static", {"nodes_to_exclude": ["first"]}),
    ],
)
def test_unknown_schemes_and_parameters_are_refused(
    scheme: str, parameters: dict[str, object], bench_of: BenchOf
) -> None:
    refusal = refused(lambda: bench_of(models.mlp()).quantize(scheme, **parameters))
    assert refusal.code is Code.SCHEME_NOT_OFFERED
    assert "int8_static" in refusal.why


@pytest.mark.parametrize(
    ("first", "second", "code"),
    [
        ("fp16", "fp16", Code.NOTHING_CHANGED),
        ("int8_dynamic", "int8_static", Code.NOTHING_CHANGED),
        ("fp16", "int8_static", Code.SCHEME_NOT_OFFERED),
        ("int8_static", "fp16", Code.SCHEME_NOT_OFFERED),
    ],
)
def test_fewer_bits_are_not_stacked(first: str, second: str, code: Code, bench_of: BenchOf) -> None:
    bench = bench_of(models.mlp())
    lower = replace(bench, base=bench.quantize(first).artifact)
    refusal = refused(lambda: lower.quantize(second))
    assert refusal.code is code
    assert "original" in refusal.do


def test_a_model_without_weights_has_nothing_to_halve(bench_of: BenchOf) -> None:
    model = models.model(
        [onnx.helper.make_node("Relu", ["x"], ["y"])],
        [models.value("x", models.F, ["n", 4])],
        [models.value("y", models.F, ["n", 4])],
    )
    assert refused(lambda: bench_of(model).quantize("fp16")).code is Code.NOTHING_CHANGED


def test_an_activation_that_overflows_while_calibrating_is_named(bench_of: BenchOf) -> None:
    model = models.model(
        [
            onnx.helper.make_node("MatMul", ["x", "w"], ["m"]),
            onnx.helper.make_node("Exp", ["m"], ["e"]),
            onnx.helper.make_node("MatMul", ["e", "v"], ["n"]),
            onnx.helper.make_node("Sigmoid", ["n"], ["y"]),
        ],
        [models.value("x", models.F, ["n", 4])],
        [models.value("y", models.F, ["n", 4])],
        [models.array("w", np.full((4, 4), 90), "float32"), models.array("v", np.full((4, 4), 1), "float32")],
    )
    refusal = refused(lambda: bench_of(model).quantize("int8_static"))
    assert refusal.code is Code.MODEL_NOT_FINITE
    assert refusal.facts["tensor"] in {"e", "n", "m"}
