"""What is written into a graph for a Jetson: float16 where it holds, symmetric INT8, and what is kept out of both."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import half_models
import numpy as np
import onnx
import onnx_models as models
import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from onnx.helper import make_node as node
from optimize_bench import Bench, build_bench, figure_of

from edgewright.state.artifacts import Device
from edgewright.state.errors import Code, Refused
from edgewright.tools.optimize.halving import halved
from edgewright.tools.optimize.step import Made
from edgewright.tools.profile.graphs import nodes
from edgewright.tools.runtimes.tensorrt.examine import examine

QUANTISERS = {"QuantizeLinear", "DequantizeLinear"}


@pytest.fixture
def jetson(tmp_path: Path) -> Callable[..., Bench]:
    """Return what builds a bench of a run for a Jetson, where answers are computed as there."""

    def build(model: ModelProto, calibration: int = 500) -> Bench:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        bench = build_bench(model, folder, calibration)
        return replace(bench, device=Device.JETSON_ORIN_NANO)

    return build


def types_of(model: ModelProto) -> dict[str, int]:
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    typed = {info.name: info.type.tensor_type.elem_type for info in (*graph.input, *graph.value_info, *graph.output)}
    return typed | {tensor.name: tensor.data_type for tensor in graph.initializer}


def operators(model: ModelProto, kind: str) -> list[NodeProto]:
    return [entry for entry in model.graph.node if entry.op_type == kind]


def kept(made: Made) -> list[str]:
    return list(made.artifact.recipe.parameters["kept_in_float32"])  # type: ignore[call-overload]


# What a Jetson may be given: every way in which a graph is hard, once; the shapes are those of one inference.
GRAPHS = {
    "convolutions with a residual connection": (models.conv_net, {"image": (1, 3, 16, 16)}),
    "batch normalisation": (models.batch_norm_net, {"image": (1, 3, 8, 8)}),
    "attention over columns": (models.recogniser, {"line": (1, 3, 32, 64)}),
    "functions": (models.function_net, {"x": (1, 4)}),
    "an old opset": (models.old_net, {"image": (1, 3, 8, 8)}),
    "a subgraph that reads the main graph": (models.seen_inside_net, {"image": (1, 3, 8, 8)}),
    "depthwise": (lambda: models.one_conv([6, 9, 9], [6, 1, 3, 3], [6, 7, 7], group=6), {"x": (1, 6, 9, 9)}),
}
WHOLE = ("convolutions with a residual connection", "attention over columns", "depthwise")


@pytest.mark.parametrize("name", GRAPHS)
def test_a_float16_graph_is_taken_by_nvidias_builder_and_answers_like_its_base(
    name: str, jetson: Callable[..., Bench]
) -> None:
    build, shapes = GRAPHS[name]
    bench = jetson(build(), calibration=100)
    made = bench.quantize("fp16")
    assert made.artifact.precision == "fp16"
    assert figure_of(made, "cosine") > 0.9999
    assert examine(bench.workspace.path_of(made.artifact.sha256), shapes).engine_bytes > 0


@pytest.mark.promise("P8")
@pytest.mark.parametrize("name", WHOLE)
def test_an_int8_graph_is_taken_by_nvidias_builder_and_answers_like_its_base(
    name: str, jetson: Callable[..., Bench]
) -> None:
    build, shapes = GRAPHS[name]
    bench = jetson(build())
    made = bench.quantize("int8_static", samples=500, ranges="entropy")
    model = bench.load(made)
    assert made.artifact.precision == "int8"
    assert figure_of(made, "cosine") > 0.995
    assert examine(bench.workspace.path_of(made.artifact.sha256), shapes).engine_bytes > 0
    # Nothing but 8-bit integers and float16 is computed with, every zero point is zero, and no bias is quantised.
    floats = {entry.op_type for entry in nodes(model) for out in entry.output if types_of(model).get(out) == 1}
    assert floats <= {"Cast"}
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    assert all(not stored[entry.input[2]].any() for entry in model.graph.node if entry.op_type in QUANTISERS)
    assert {array.dtype.name for array in stored.values()} <= {"int8", "float16", "int64"}


def test_what_overflows_or_vanishes_on_the_calibration_set_stays_in_float32_from_one_to_the_next(
    jetson: Callable[..., Bench],
) -> None:
    for build, names in (
        (lambda: half_models.overflowing_classifier(models.conv_net()), ["larger", "small", "answer"]),
        (half_models.vanishing_net, ["down", "up"]),
    ):
        bench = jetson(build(), calibration=100)
        made = bench.quantize("fp16")
        assert kept(made) == names
        assert figure_of(made, "cosine") > 0.9999
        said = next(finding for finding in made.findings if "stay in float32" in finding)
        assert "65504" in said or "loses" in said
        types = types_of(bench.load(made))
        inside = [entry.output[0] for entry in bench.load(made).graph.node if entry.name in names]
        assert {types[name] for name in inside} == {TensorProto.FLOAT}


def test_without_calibration_samples_stored_values_are_looked_at_and_the_rest_is_said(
    jetson: Callable[..., Bench],
) -> None:
    made = jetson(half_models.vanishing_net(), calibration=0).quantize("fp16")
    assert kept(made) == ["down", "up"]
    assert any("no calibration samples" in finding for finding in made.findings)


def test_an_overflow_that_was_not_found_shows_in_the_comparison_although_a_cpus_runtime_hides_it(
    jetson: Callable[..., Bench],
) -> None:
    bench = jetson(half_models.overflowing_classifier(models.conv_net()), calibration=0)
    hidden = replace(bench, device=Device.CPU_GENERIC).quantize("fp16")
    assert figure_of(hidden, "cosine") > 0.9999
    assert figure_of(bench.quantize("fp16"), "cosine") == 0.0


def test_inputs_of_residual_sums_and_pools_are_quantised_and_what_stays_reads_what_was_before(
    jetson: Callable[..., Bench],
) -> None:
    bench = jetson(models.conv_net())
    model = bench.load(bench.quantize("int8_static", samples=500, ranges="minmax"))
    made_by = {name: entry.op_type for entry in model.graph.node for name in entry.output}
    [add], [pool] = operators(model, "Add"), operators(model, "GlobalAveragePool")
    assert {made_by[name] for name in (*add.input, pool.input[0])} == {"DequantizeLinear"}
    [head] = operators(model, "Gemm")
    assert made_by[head.input[0]] == "Flatten"
    assert head.input[1] not in made_by
    # The sum's own output goes on in float16: the conversion comes behind the Relu that fuses with it.
    readers = {entry.op_type for entry in model.graph.node if add.output[0] in entry.input}
    assert readers == {"Relu"}


def test_operators_are_kept_out_of_8_bits_by_their_names_or_their_outputs(jetson: Callable[..., Bench]) -> None:
    bench = jetson(models.conv_net())
    made = bench.quantize("int8_static", samples=500, ranges="minmax", exclude=["second", "pooled"])
    model = bench.load(made)
    made_by = {name: entry.op_type for entry in model.graph.node for name in entry.output}
    left = [next(entry for entry in model.graph.node if entry.name == "second"), *operators(model, "GlobalAveragePool")]
    assert {made_by.get(name, "stored") for entry in left for name in entry.input} == {"Relu", "stored"}
    assert made.artifact.recipe.parameters["exclude"] == ("second", "pooled")
    with pytest.raises(Refused) as caught:
        bench.quantize("int8_static", samples=500, exclude=["no such"])
    assert caught.value.refusal.code is Code.INVALID_ARGUMENT
    assert "no such" in caught.value.refusal.what


@pytest.mark.parametrize(("wide", "quantised"), [(15, False), (16, True)])
def test_products_narrower_than_sixteen_are_left_out(
    wide: int, quantised: object, jetson: Callable[..., Bench]
) -> None:
    narrow = models.model(
        [node("MatMul", ["x", "w"], ["m"], "wide"), node("MatMul", ["m", "v"], ["y"], "narrow")],
        [helper.make_tensor_value_info("x", models.F, ["n", 20])],
        [helper.make_tensor_value_info("y", models.F, ["n", wide])],
        [models.weights("w", 20, 24), models.weights("v", 24, wide)],
    )
    bench = jetson(narrow)
    made = bench.quantize("int8_static", samples=500, ranges="minmax")
    model = bench.load(made)
    made_by = {name: entry.op_type for entry in model.graph.node for name in entry.output}
    last = next(entry for entry in model.graph.node if entry.name == "narrow")
    assert (made_by.get(last.input[0]) == "DequantizeLinear") is quantised
    assert any("left out of 8 bits: narrow" in finding for finding in made.findings) is not quantised


@pytest.mark.promise("P7")
def test_a_tensorrt_candidate_needs_500_calibration_samples_and_takes_them_unasked(
    jetson: Callable[..., Bench],
) -> None:
    with pytest.raises(Refused) as caught:
        jetson(models.conv_net(), calibration=499).quantize("int8_static", samples=None)
    assert caught.value.refusal.code is Code.CALIBRATION_UNFIT
    assert "at least 500" in caught.value.refusal.why
    with pytest.raises(Refused) as asked:
        jetson(models.conv_net(), calibration=520).quantize("int8_static", samples=200)
    assert asked.value.refusal.code is Code.INVALID_ARGUMENT
    made = jetson(models.conv_net(), calibration=520).quantize("int8_static", samples=None, ranges="minmax")
    assert made.artifact.recipe.parameters["calibration_samples"] == 500


def test_a_model_whose_weights_are_all_in_branches_is_refused(jetson: Callable[..., Bench]) -> None:
    with pytest.raises(Refused) as caught:
        jetson(models.branch_net(), calibration=100).quantize("fp16")
    assert caught.value.refusal.code is Code.NOTHING_CHANGED


def test_schemes_that_tensorrt_does_not_run_are_not_offered_for_it(jetson: Callable[..., Bench]) -> None:
    for scheme in ("int8_dynamic", "int8_weight_only", "int16x8"):
        with pytest.raises(Refused) as caught:
            jetson(models.mlp()).quantize(scheme)
        assert caught.value.refusal.code is Code.SCHEME_NOT_OFFERED
        assert "offered for tensorrt are fp16, int8_static, int8_mixed" in caught.value.refusal.why


def test_what_onnx_knows_no_float16_for_stays_in_float32() -> None:
    scales = models.array("scales", [1, 1, 2, 2], "float32")
    resized = models.model(
        [node("Relu", ["x"], ["r"], "relu"), node("Resize", ["r", "", "scales"], ["y"], "resize", mode="nearest")],
        [helper.make_tensor_value_info("x", models.F, [1, 1, 2, 2])],
        [helper.make_tensor_value_info("y", models.F, [1, 1, 4, 4])],
        [scales],
    )
    model = halved(onnx.shape_inference.infer_shapes(resized), ())
    resize = next(entry for entry in model.graph.node if entry.op_type == "Resize")
    types = types_of(model)
    assert (types[resize.input[0]], types[resize.input[2]]) == (TensorProto.FLOAT16, TensorProto.FLOAT)
    assert np.array_equal(numpy_helper.to_array(model.graph.initializer[0]), numpy_helper.to_array(scales))
