"""Rewriting keeps what is computed, or is refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx_models as models
import pytest
from onnx import ModelProto
from optimize_bench import BenchOf, figure_of

from edgewright.state.artifacts import Format
from edgewright.state.errors import Code, Refused
from edgewright.tools.optimize import convert as subject
from edgewright.tools.profile.graphs import opset_of

DOMAINS = {"", "ai.onnx"}


@pytest.mark.parametrize("operation", ["simplify", "optimize_graph"])
@pytest.mark.parametrize("build", [models.padded_conv_net, models.batch_norm_net])
def test_superfluous_nodes_go_and_outputs_stay(
    build: Callable[[], ModelProto], operation: str, bench_of: BenchOf
) -> None:
    bench = bench_of(build())
    made = bench.convert(operation)
    model = bench.load(made)
    assert len(model.graph.node) < len(build().graph.node)
    assert {node.domain for node in model.graph.node} <= DOMAINS
    assert figure_of(made, "cosine") == 1.0
    assert made.artifact.name == f"My-net_{operation}_fp32.onnx"


@pytest.mark.parametrize("build", [models.conv_net, models.mlp, models.old_net, models.gru, models.branch_net])
def test_the_opset_becomes_exactly_the_one_asked_for(build: Callable[[], ModelProto], bench_of: BenchOf) -> None:
    bench = bench_of(build())
    made = bench.convert("opset", opset=18)
    assert opset_of(bench.load(made)) == 18
    assert made.artifact.recipe.option == "opset"
    assert made.artifact.name == "My-net_opset18_fp32.onnx"
    assert figure_of(made, "largest difference") < 1e-5


def test_functions_are_inlined_before_the_opset_is_raised(bench_of: BenchOf) -> None:
    bench = bench_of(models.function_net())
    model = bench.load(bench.convert("opset", opset=18))
    assert not model.functions
    assert opset_of(model) == 18


def test_operations_run_in_the_order_given_and_idle_ones_say_so(bench_of: BenchOf) -> None:
    made = bench_of(models.padded_conv_net()).convert("simplify", "optimize_graph", "opset", opset=18)
    assert made.findings[0].startswith("simplify: 10 nodes became 8")
    assert made.findings[1] == "optimize_graph changed nothing"
    assert made.findings[2].startswith("opset:")
    assert made.artifact.name == "My-net_simplify-optimize_graph-opset18_fp32.onnx"


@pytest.mark.parametrize("operations", [("simplify",), ("optimize_graph",), ("simplify", "optimize_graph")])
def test_a_graph_that_is_simple_already_is_refused(operations: tuple[str, ...], bench_of: BenchOf) -> None:
    with pytest.raises(Refused) as caught:
        bench_of(models.conv_net()).convert(*operations)
    assert caught.value.refusal.code is Code.NOTHING_CHANGED


def test_the_opset_that_a_model_has_is_no_change(bench_of: BenchOf) -> None:
    with pytest.raises(Refused) as caught:
        bench_of(models.conv_net()).convert("opset", opset=17)
    assert caught.value.refusal.code is Code.NOTHING_CHANGED


@pytest.mark.promise("P8")
def test_a_road_whose_toolchain_is_missing_names_the_line_that_installs_it(bench_of: BenchOf) -> None:
    with pytest.raises(Refused) as caught:
        bench_of(models.mlp()).convert("simplify", to=Format.TFLITE)
    assert caught.value.refusal.code is Code.MISSING_EXTRA
    assert "edgewright toolchain install onnx2tf" in caught.value.refusal.do


def test_other_formats_are_not_offered_and_nothing_is_promised(bench_of: BenchOf) -> None:
    with pytest.raises(Refused) as caught:
        bench_of(models.mlp()).convert("simplify", to=Format.PYTORCH)
    assert caught.value.refusal.code is Code.SCHEME_NOT_OFFERED
    assert caught.value.refusal.sentence.startswith(
        "Refused: converting onnx to pytorch. Why: this version converts onnx to onnx and onnx to tensorrt"
    )


@pytest.mark.parametrize("operations", [(), ("prune",), ("simplify", "magic")])
def test_unknown_operations_are_refused_with_the_known_ones(operations: tuple[str, ...], bench_of: BenchOf) -> None:
    with pytest.raises(Refused) as caught:
        bench_of(models.mlp()).convert(*operations)
    assert caught.value.refusal.code is Code.SCHEME_NOT_OFFERED
    assert caught.value.refusal.facts["offered"] == ["simplify", "optimize_graph", "opset"]


@pytest.mark.parametrize(
    ("operations", "opset"), [(("opset",), None), (("simplify",), 17), (("opset",), 9999), (("opset",), 6)]
)
def test_an_opset_and_its_operation_belong_together(
    operations: tuple[str, ...], opset: int | None, bench_of: BenchOf
) -> None:
    with pytest.raises(Refused) as caught:
        bench_of(models.mlp()).convert(*operations, opset=opset)
    assert caught.value.refusal.code is Code.INVALID_ARGUMENT


def test_the_newest_known_opset_is_loaded_before_it_is_believed(bench_of: BenchOf) -> None:
    newest = onnx.defs.onnx_opset_version()
    bench = bench_of(models.mlp())
    made = bench.convert("opset", opset=newest)
    assert opset_of(bench.load(made)) == newest
    assert figure_of(made, "the base's on") == 64


def test_an_operator_without_a_counterpart_is_named(bench_of: BenchOf) -> None:
    model = models.model(
        [onnx.helper.make_node("Gelu", ["x"], ["y"])],
        [models.value("x", models.F, ["n", 4])],
        [models.value("y", models.F, ["n", 4])],
        opset=20,
        ir=10,
    )
    with pytest.raises(Refused) as caught:
        bench_of(model).convert("opset", opset=13)
    assert caught.value.refusal.code is Code.MODEL_UNSUPPORTED


@pytest.mark.promise("P9")
def test_a_rewriting_that_changes_outputs_is_refused_with_figures(
    bench_of: BenchOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_graph(source: Path, target: Path) -> None:
        model = onnx.load(source)
        noise = np.random.default_rng(0).normal(0, 0.2, (5, 5)) + np.eye(5)
        model.graph.initializer.append(models.array("noise", noise, "float32"))
        model.graph.node[-1].output[0] = "clean"
        model.graph.node.append(onnx.helper.make_node("MatMul", ["clean", "noise"], ["y"]))
        onnx.save(model, target)

    monkeypatch.setattr(subject, "optimize_graph", break_graph)
    with pytest.raises(Refused) as caught:
        bench_of(models.mlp()).convert("optimize_graph")
    refusal = caught.value.refusal
    assert refusal.code is Code.CONVERSION_DIVERGED
    assert refusal.promises == ("P9",)
    assert 0 < float(str(refusal.facts["cosine"])) < 0.999
    assert "simplify alone" in refusal.do
