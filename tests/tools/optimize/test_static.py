"""Static INT8 of the models that make it hard, from statistics that are gathered once."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx_models as models
import pytest
from onnx import ModelProto, TensorProto, numpy_helper
from onnx.helper import make_node as node
from optimize_bench import Bench, BenchOf, dataset_of, figure_of

from edgewright.state.errors import Code, Refused
from edgewright.tools.optimize import onnx_base as subject
from edgewright.tools.optimize.calibrate import candidate
from edgewright.tools.optimize.calibrate.candidate import BEST_OF
from edgewright.tools.optimize.quantize import quantize
from edgewright.tools.optimize.step import Made
from edgewright.tools.targets.target import Places


def weight_types(bench: Bench, made: Made) -> set[int]:
    return {tensor.data_type for tensor in bench.load(made).graph.initializer}


@pytest.mark.parametrize(
    "build",
    [
        pytest.param(lambda: models.one_conv([4, 12], [6, 4, 3], [6, 10]), id="1-D"),
        pytest.param(lambda: models.one_conv([2, 5, 6, 7], [3, 2, 3, 3, 3], [3, 3, 4, 5]), id="3-D"),
        pytest.param(lambda: models.one_conv([6, 9, 9], [9, 2, 3, 3], [9, 7, 7], group=3), id="grouped"),
        pytest.param(lambda: models.one_conv([6, 9, 9], [6, 1, 3, 3], [6, 7, 7], group=6), id="depthwise"),
        pytest.param(lambda: models.one_conv([4, 5, 5], [4, 6, 3, 3], [6, 7, 7], "ConvTranspose"), id="transposed"),
        pytest.param(models.seen_inside_net, id="a subgraph that reads the main graph"),
        pytest.param(models.large_bias_net, id="a bias beyond 32 bits"),
    ],
)
def test_a_hard_model_becomes_a_file_that_runs_and_stays_close(
    build: Callable[[], ModelProto], bench_of: BenchOf
) -> None:
    bench = bench_of(build())
    made = bench.quantize("int8_static")
    assert TensorProto.INT8 in weight_types(bench, made)
    assert figure_of(made, "cosine") > 0.999


def test_a_recogniser_of_lines_of_any_width(bench_of: BenchOf) -> None:
    bench = bench_of(models.recogniser())
    folder = bench.original.parent
    lines = {
        name: dataset_of(ragged("line", n, seed), folder, f"{name}-lines", bench.workspace)
        for name, n, seed in (("validation", 40, 1), ("calibration", 100, 2))
    }
    made = replace(bench, **lines).quantize("int8_static")
    assert figure_of(made, "cosine") > 0.97
    assert any("calibrated on 100 samples" in finding for finding in made.findings)


def ragged(name: str, n: int, seed: int) -> dict[str, np.ndarray]:
    """Lines of different widths, as a data card wants them: all flattened, and a shape each."""
    rng = np.random.default_rng(seed)
    shapes = np.array([(3, 32, 8 * width) for width in rng.integers(2, 9, n)])
    return {name: rng.standard_normal(shapes.prod(axis=1).sum()).astype(np.float32), f"{name}.shapes": shapes}


def test_a_model_without_anything_to_quantise_is_refused(bench_of: BenchOf) -> None:
    model = models.model(
        [node("Tanh", ["x"], ["t"]), node("Einsum", ["t", "w"], ["y"], equation="ij,jk->ik")],
        [models.value("x", models.F, ["n", 4])],
        [models.value("y", models.F, ["n", 4])],
        [models.weights("w", 4, 4)],
    )
    with pytest.raises(Refused) as caught:
        bench_of(model).quantize("int8_static")
    assert caught.value.refusal.code is Code.NOTHING_CHANGED


def test_the_best_ranges_are_named_with_the_figures_behind_them(bench_of: BenchOf) -> None:
    made = bench_of(models.conv_net()).quantize("int8_static")
    said = next(finding for finding in made.findings if finding.startswith("ranges by"))
    assert all(method in said for method in BEST_OF)
    chosen = str(made.artifact.recipe.parameters["ranges_chosen"])
    assert said.startswith(f"ranges by {chosen}")


@pytest.mark.parametrize("vnni", ["no", "yes"])
def test_weights_get_7_bits_only_where_sums_saturate_and_it_helps(
    vnni: str, bench_of: BenchOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = subject.environment.facts()
    monkeypatch.setattr(subject.environment, "facts", lambda: {**here, "vnni": vnni})
    # What a processor does cannot be had on another one: its error is given, all else is real.
    errors = iter([0.5, 0.4, 0.3, 0.6, 0.1])
    monkeypatch.setattr(candidate.Reference, "error", lambda *_given, **_options: next(errors))
    bench = bench_of(models.conv_net())
    made = bench.quantize("int8_static")
    weight = next(t for t in bench.load(made).graph.initializer if t.name == "w1_quantized")
    largest = int(np.abs(numpy_helper.to_array(weight)).max())
    assert made.artifact.recipe.parameters["reduce_range"] is (vnni == "no")
    assert any("weights have 7 bits" in finding for finding in made.findings) is (vnni == "no")
    assert largest == (64 if vnni == "no" else 127)
    assert made.artifact.recipe.parameters["ranges_chosen"] == "entropy"


def test_a_later_step_of_the_run_takes_the_statistics_of_an_earlier_one(
    bench_of: BenchOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = bench_of(models.conv_net())
    first = bench.quantize("int8_static", ranges="minmax")
    digest = str(first.artifact.recipe.parameters["statistics"])
    monkeypatch.setattr(candidate, "gather", lambda _stream: pytest.fail("gathered again"))
    order = replace(bench.quantize_order("int8_static", ranges="entropy"), statistics=(digest,))
    second = quantize(order, bench.workspace, Places(bench.target, bench.target))
    assert second.artifact.recipe.parameters["statistics"] == digest
    assert "the calibration statistics of an earlier step were used again" in second.findings
    assert second.artifact.sha256 != first.artifact.sha256
