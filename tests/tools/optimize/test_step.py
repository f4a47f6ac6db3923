"""What every step promises, shown with steps that break one promise each."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnx_models as models
import pytest
from onnx import ModelProto, TensorProto, helper
from optimize_bench import Bench, BenchOf, figure_of

from edgewright.state.errors import Code, CorruptArtifact, Refusal, Refused
from edgewright.state.files import file_sha256
from edgewright.tools.optimize.comparison import OutputComparison
from edgewright.tools.profile.lineage import lineage_of


class Rewrite:
    """A step that does to the base whatever a test wants."""

    call = "convert"
    option = "rewrite"
    optimization = "rewrite"
    parameters: Mapping[str, object] = {"by": "test"}
    tools: Mapping[str, str] = {"tests": "1"}

    def __init__(self, change: Callable[[ModelProto], object]) -> None:
        self._change = change

    def requires(self, model: ModelProto) -> None:
        pass

    def run(self, source: Path, made: Path) -> tuple[str, ...]:
        model = onnx.load(source)
        self._change(model)
        onnx.save(model, made)
        return ("rewritten",)

    def ensures(self, _comparison: tuple[OutputComparison, ...]) -> tuple[str, ...]:
        return ()


def scale_weights(model: ModelProto) -> None:
    weights = onnx.numpy_helper.to_array(model.graph.initializer[0]) * np.float32(1.001)
    model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(weights, model.graph.initializer[0].name))


def refused(bench: Bench, change: Callable[[ModelProto], object]) -> Refusal:
    kept = bench.workspace.new_files
    with pytest.raises(Refused) as caught:
        bench.make(Rewrite(change))
    assert bench.workspace.new_files == kept
    return caught.value.refusal


@pytest.mark.promise("P5")
def test_a_candidate_is_a_new_file_with_parent_recipe_and_lineage(bench_of: BenchOf) -> None:
    bench = bench_of(models.mlp())
    before = file_sha256(bench.original)
    made = bench.make(Rewrite(scale_weights))
    artifact = made.artifact
    assert artifact.name == "My-net_rewrite_fp32.onnx"
    assert artifact.parent == bench.base.sha256
    assert (artifact.recipe.step, artifact.recipe.parameters, artifact.recipe.tools) == (
        "convert",
        {"by": "test"},
        {"tests": "1"},
    )
    assert file_sha256(bench.workspace.path_of(artifact.sha256)) == artifact.sha256
    assert lineage_of(bench.load(made)) == bench.base.sha256
    assert file_sha256(bench.original) == before
    assert (artifact.inputs, artifact.outputs) == (bench.base.inputs, bench.base.outputs)


def test_the_comparison_with_the_base_is_part_of_what_was_made(bench_of: BenchOf) -> None:
    made = bench_of(models.mlp()).make(Rewrite(scale_weights))
    assert made.findings[0] == "rewritten"
    assert made.findings[-1].startswith("output 'y' against the base's on 64 samples: cosine ")
    assert figure_of(made, "cosine") > 0.99999
    assert 0 < figure_of(made, "largest difference") < 0.1


def test_a_result_that_computes_the_same_is_refused(bench_of: BenchOf) -> None:
    def rename(model: ModelProto) -> None:
        model.producer_name = "someone else"
        model.graph.node[0].name = "renamed"
        model.graph.node[0].output[0] = model.graph.node[1].input[0] = "other"

    assert refused(bench_of(models.mlp()), rename).code is Code.NOTHING_CHANGED


def test_a_result_that_the_checker_rejects_is_refused(bench_of: BenchOf) -> None:
    refusal = refused(bench_of(models.mlp()), lambda model: model.graph.node.pop(0))
    assert refusal.code is Code.MODEL_INVALID
    assert "onnx.checker" in refusal.why


def test_a_result_that_does_not_load_is_refused_as_ours_not_as_the_callers(bench_of: BenchOf) -> None:
    def half_a_weight(model: ModelProto) -> None:
        model.graph.initializer[0].CopyFrom(models.array("w1", np.ones((12, 32)), "float16"))

    refusal = refused(bench_of(models.mlp()), half_a_weight)
    assert refusal.what == "keeping My-net_rewrite_fp16.onnx"
    assert "its base runs on the samples" in refusal.why


@pytest.mark.promise("P9")
@pytest.mark.parametrize(
    "change",
    [
        lambda model: setattr(model.graph.input[0].type.tensor_type.shape.dim[1], "dim_value", 13),
        lambda model: setattr(model.graph.input[0].type.tensor_type.shape.dim[0], "dim_value", 1),
        lambda model: model.graph.output.append(
            helper.make_tensor_value_info("h", TensorProto.FLOAT, ["batch", 32]),
        ),
    ],
    ids=["another size", "a fixed batch", "another output"],
)
def test_a_result_with_another_interface_is_refused(change: Callable[[ModelProto], object], bench_of: BenchOf) -> None:
    refusal = refused(bench_of(models.mlp()), change)
    assert refusal.code is Code.CONVERSION_DIVERGED
    assert refusal.promises == ("P9",)


def test_a_result_that_answers_with_nan_is_refused(bench_of: BenchOf) -> None:
    def divide_by_zero(model: ModelProto) -> None:
        model.graph.initializer.append(models.array("zero", 0, "float32"))
        model.graph.node[-1].output[0] = "sum"
        model.graph.node.append(helper.make_node("Mul", ["sum", "zero"], ["nothing"]))
        model.graph.node.append(helper.make_node("Div", ["sum", "nothing"], ["y"]))

    refusal = refused(bench_of(models.mlp()), divide_by_zero)
    assert refusal.code is Code.MODEL_NOT_FINITE
    assert refusal.facts == {"output": "y", "samples": 64}


def test_a_library_that_gives_up_is_a_refusal_not_a_crash(bench_of: BenchOf) -> None:
    def give_up(model: ModelProto) -> None:
        raise AssertionError("some library's\n surprise.")

    refusal = refused(bench_of(models.mlp()), give_up)
    assert refusal.code is Code.MODEL_UNSUPPORTED
    assert refusal.why == "the library gave up with AssertionError: some library's surprise"


@pytest.mark.promise("P5")
def test_a_base_that_was_changed_meanwhile_is_noticed(bench_of: BenchOf) -> None:
    bench = bench_of(models.mlp())

    def touch_base(model: ModelProto) -> None:
        scale_weights(model)
        with bench.workspace.path_of(bench.base.sha256).open("ab") as stream:
            stream.write(b"\x10\x00")

    with pytest.raises(CorruptArtifact):
        bench.make(Rewrite(touch_base))


def test_nothing_but_the_candidate_is_kept(bench_of: BenchOf) -> None:
    bench = bench_of(models.mlp())
    before = {file.sha256 for file in bench.workspace.new_files}
    made = bench.make(Rewrite(scale_weights))
    assert {file.sha256 for file in bench.workspace.new_files} - before == {made.artifact.sha256}


def test_a_base_in_the_store_is_found_and_left_alone(bench_of: BenchOf, tmp_path: Path) -> None:
    bench = bench_of(models.mlp())
    stored = tmp_path / "objects" / "sha256" / bench.base.sha256[:2] / bench.base.sha256
    stored.parent.mkdir(parents=True)
    shutil.copyfile(bench.workspace.path_of(bench.base.sha256), stored)
    stored.chmod(0o400)
    made = replace(bench, workspace=bench.workspace).make(Rewrite(scale_weights))
    assert made.artifact.parent == bench.base.sha256
    assert file_sha256(stored) == bench.base.sha256
